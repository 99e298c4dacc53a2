"""Reads the event store back: as log records, for replay, and all partitions as one stream.

Called by replay, the audit and the rebuilding of read models. Writes nothing.
"""

import heapq
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import asyncpg

from whaletrader.runtime.log import Position, Stored
from whaletrader.store.events import FACTS, Recorded, headers_of, row_of, stored_of

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

PAGE: Final = 2_000

FACTS_QUOTED: Final = ", ".join(f'"{name}"' for name in FACTS)

_PAGE: Final = f"""
SELECT {FACTS_QUOTED} FROM store.events
WHERE topic = $1 AND partition = $2 AND "offset" >= $3 ORDER BY "offset" LIMIT $4
"""

# Only what a log record has: replay is paid by the row.
_RECORDS: Final = """
SELECT "offset", key, payload, headers, log_time_ns FROM store.events
WHERE topic = $1 AND partition = $2 AND "offset" >= $3 ORDER BY "offset" LIMIT $4
"""


class StoreReader:
    """Answers `read` as the Log does, from the event store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, start: Position, limit: int) -> list[Stored]:
        """Return up to `limit` records of a partition from an offset on, in order."""
        topic, partition = start.topic, start.partition
        rows = await self._connection.fetch(_RECORDS, topic, partition, start.offset, limit)
        return [
            Stored(topic, partition, offset, key, payload, headers_of(headers), time_ns)
            for offset, key, payload, headers, time_ns in rows
        ]

    async def payload(self, event_id: str) -> Stored | None:
        """Return the record of an event by its id, or None."""
        row = await self._connection.fetchrow(
            f"SELECT {FACTS_QUOTED} FROM store.events WHERE id = $1 LIMIT 1", event_id
        )
        return stored_of(row_of(row)) if row is not None else None


async def in_log_order(connection: Connection) -> AsyncIterator[Recorded]:
    """Yield every event by its time in the log, each partition in the order of its offsets."""
    rows = await connection.fetch("SELECT topic, partition FROM store.position ORDER BY 1, 2")
    streams = [_partition(connection, row["topic"], row["partition"]) for row in rows]
    heap: list[tuple[int, int, Recorded]] = []
    for number, stream in enumerate(streams):
        async for event in stream:
            heapq.heappush(heap, (event.log_time_ns, number, event))
            break
    while heap:
        time_ns, number, event = heap[0]
        yield event
        following = await anext(streams[number], None)
        if following is None:
            heapq.heappop(heap)
            continue
        # A clock that went back must not let a record overtake the one before it.
        heapq.heapreplace(heap, (max(time_ns, following.log_time_ns), number, following))


async def _partition(connection: Connection, topic: str, partition: int) -> AsyncIterator[Recorded]:
    offset = 0
    while True:
        rows = await connection.fetch(_PAGE, topic, partition, offset, PAGE)
        for row in rows:
            yield row_of(row)
        if len(rows) < PAGE:
            return
        offset = rows[-1]["offset"] + 1
