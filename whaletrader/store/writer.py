"""Records batches of the log: events, chain, read models and positions in one transaction.

Owns exactly-once: whoever writes holds the rows of the positions it moves, and a record below
its partition's position is dropped as already recorded. So it does not matter what the log's
own group positions say, nor whether two recorders run. Called by the recorder service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import asyncpg

from whaletrader.runtime.log import Position, Stored
from whaletrader.store.events import COLUMNS, Recorded, genesis, link, recorded
from whaletrader.store.projections import project
from whaletrader.store.projections.latency import HopTracker
from whaletrader.store.schema import Partitions
from whaletrader.store.tables import Changes, Touched

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

Place = tuple[str, int]

_MAKE_PLACES: Final = """
INSERT INTO store.position
    (topic, partition, next_offset, events, head_hash, last_log_time_ns)
SELECT topic, partition, 0, 0, head_hash, 0
FROM unnest($1::text[], $2::int[], $3::bytea[]) AS u (topic, partition, head_hash)
ON CONFLICT (topic, partition) DO NOTHING
"""

# In one order everywhere, so that two writers queue up and never wait for each other.
_HOLD_PLACES: Final = """
SELECT p.topic, p.partition, p.next_offset, p.events, p.head_hash, p.last_log_time_ns
FROM store.position AS p
JOIN unnest($1::text[], $2::int[]) AS u (topic, partition) USING (topic, partition)
ORDER BY p.topic, p.partition FOR UPDATE OF p
"""

_MOVE_PLACES: Final = """
UPDATE store.position AS p
SET next_offset = u.next_offset, events = u.events, head_hash = u.head_hash,
    last_log_time_ns = u.last_log_time_ns
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[])
    AS u (topic, partition, next_offset, events, head_hash, last_log_time_ns)
WHERE p.topic = u.topic AND p.partition = u.partition
"""


@dataclass(slots=True)
class _Head:
    next_offset: int
    events: int
    head_hash: bytes
    last_log_time_ns: int
    # The rows of this batch, with their chain.
    rows: list[tuple[object, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch did: how many events were new, and which rows of read models changed."""

    events: int
    repeated: int
    touched: Touched


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch as rows and changes, ready to be written."""

    records: Sequence[Stored]
    events: list[Recorded]
    changes: Changes


class Writer:
    """Writes over one connection. After an error it is thrown away with its connection."""

    def __init__(self) -> None:
        self._partitions = Partitions()
        self._hops = HopTracker()

    def prepare(self, records: Sequence[Stored]) -> Prepared:
        """Read a batch and work out its changes: all that needs no database.

        May run in a thread while the batch before is being written, in the order of the log.
        """
        prepared = Prepared(records, [], Changes())
        for record in records:
            event, message = recorded(record)
            prepared.events.append(event)
            prepared.changes.include(project(event, message))
            prepared.changes.include(self._hops.observe(event, message))
        return prepared

    async def write(self, connection: Connection, prepared: Prepared) -> Written:
        """Record a batch, all of it or nothing. Records of a partition come in order.

        Raises what asyncpg raises; then nothing is recorded, unless the connection was lost
        during the commit: writing the batch again is right in either case.
        """
        places = sorted({(event.topic, event.partition) for event in prepared.events})
        if not places:
            return Written(0, 0, {})
        await self._partitions.ensure(connection, {e.log_time_ns for e in prepared.events})
        async with connection.transaction():
            heads = await _hold(connection, places)
            fresh = _fresh(prepared.records, heads)
            if len(fresh) < len(prepared.records):
                # What was recorded before must not be counted again.
                repeated = len(prepared.records) - len(fresh)
                prepared = self.prepare(fresh)
            else:
                repeated = 0
            for event in prepared.events:
                _extend(heads[(event.topic, event.partition)], event)
            if prepared.events:
                await _copy(connection, [row for head in heads.values() for row in head.rows])
                await prepared.changes.write(connection)
                await _move(connection, heads)
        return Written(len(prepared.events), repeated, prepared.changes.touched())


def _fresh(records: Sequence[Stored], heads: Mapping[Place, _Head]) -> list[Stored]:
    """Return the records that are not recorded yet, each offset once."""
    following = {place: head.next_offset for place, head in heads.items()}
    fresh = []
    for record in records:
        place = (record.topic, record.partition)
        if record.offset >= following[place]:
            following[place] = record.offset + 1
            fresh.append(record)
    return fresh


async def positions(connection: Connection) -> list[Position]:
    """Return from where each partition is to be read on."""
    rows = await connection.fetch("SELECT topic, partition, next_offset FROM store.position")
    return [Position(row["topic"], row["partition"], row["next_offset"]) for row in rows]


async def _hold(connection: Connection, places: Sequence[Place]) -> dict[Place, _Head]:
    topics = [topic for topic, _ in places]
    numbers = [number for _, number in places]
    rows = await connection.fetch(_HOLD_PLACES, topics, numbers)
    if len(rows) < len(places):
        origins = [genesis(topic, number) for topic, number in places]
        await connection.execute(_MAKE_PLACES, topics, numbers, origins)
        rows = await connection.fetch(_HOLD_PLACES, topics, numbers)
    return {
        (row["topic"], row["partition"]): _Head(
            row["next_offset"], row["events"], row["head_hash"], row["last_log_time_ns"]
        )
        for row in rows
    }


def _extend(head: _Head, event: Recorded) -> None:
    chain_hash = link(head.head_hash, event)
    head.rows.append((*event, head.head_hash, chain_hash))
    head.head_hash = chain_hash
    head.next_offset = event.offset + 1
    head.events += 1
    head.last_log_time_ns = max(head.last_log_time_ns, event.log_time_ns)


async def _copy(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    await connection.copy_records_to_table(
        "events", schema_name="store", columns=list(COLUMNS), records=rows
    )


async def _move(connection: Connection, heads: dict[Place, _Head]) -> None:
    moved = {place: head for place, head in heads.items() if head.rows}
    await connection.execute(
        _MOVE_PLACES,
        [topic for topic, _ in moved],
        [number for _, number in moved],
        [head.next_offset for head in moved.values()],
        [head.events for head in moved.values()],
        [head.head_hash for head in moved.values()],
        [head.last_log_time_ns for head in moved.values()],
    )
