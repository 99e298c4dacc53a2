"""Verifies the hash chains of the event store and names the first row that is not as recorded.

Each partition's chain is walked from its beginning to the head that its position holds. A row
is held against three things: its own hash, the hash of the row before it, and what the row
after it says came before. Together they tell a changed row from a missing and an added one.
Whoever rewrites a chain to its end and the position with it is not found out by this alone.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import asyncpg

from whaletrader.store.events import Recorded, genesis, link, row_of

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

PAGE: Final = 5_000

# By offset alone would not do: the key holds the time, so an added row may share an offset.
_PAGE: Final = """
SELECT * FROM store.events
WHERE topic = $1 AND partition = $2 AND ("offset", log_time_ns) > ($3, $4)
ORDER BY "offset", log_time_ns LIMIT $5
"""

_PLACES: Final = """
SELECT topic, partition, next_offset, events, head_hash FROM store.position
ORDER BY topic, partition
"""

# Partitions that no recorder ever opened.
_STRANGERS: Final = """
SELECT e.topic, e.partition, e."offset" FROM store.events AS e
WHERE NOT EXISTS (
    SELECT FROM store.position AS p WHERE p.topic = e.topic AND p.partition = e.partition
)
ORDER BY e.topic, e.partition, e."offset" LIMIT 1
"""

Kind = Literal["changed", "missing", "added"]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that is not as it was recorded. `offset`: of it, or where it was."""

    kind: Kind
    topic: str
    partition: int
    offset: int
    detail: str


@dataclass(frozen=True, slots=True)
class Audit:
    """How much was verified, and the first fault of the first partition that has one."""

    events: int
    partitions: int
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Link:
    """A row with the hashes it carries."""

    row: Recorded
    prev_hash: bytes
    chain_hash: bytes

    @property
    def holds(self) -> bool:
        """Whether the row's own hash is that of what it says."""
        return link(self.prev_hash, self.row) == self.chain_hash


@dataclass(frozen=True, slots=True)
class Chain:
    """What a partition's position says of its chain."""

    topic: str
    partition: int
    next_offset: int
    events: int
    head_hash: bytes


async def audit(connection: Connection) -> Audit:
    """Verify every chain against one snapshot of the database, while the recorder goes on."""
    events = 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        places = await connection.fetch(_PLACES)
        for row in places:
            chain = Chain(
                row["topic"],
                row["partition"],
                row["next_offset"],
                row["events"],
                row["head_hash"],
            )
            fault = await first_fault(chain, _links(connection, chain))
            if fault is not None:
                return Audit(events, len(places), fault)
            events += chain.events
        stranger = await connection.fetchrow(_STRANGERS)
    fault = None
    if stranger is not None:
        topic, partition, offset = stranger
        detail = "nothing of this partition was ever recorded"
        fault = Fault("added", topic, partition, offset, detail)
    return Audit(events, len(places), fault)


async def first_fault(chain: Chain, links: AsyncIterator[Link]) -> Fault | None:
    """Walk one chain. Pure but for the reading of the rows."""
    before = genesis(chain.topic, chain.partition)
    last: Link | None = None
    before_last = before
    current = await anext(links, None)
    while current is not None:
        following = await anext(links, None)
        if current.prev_hash == before and current.holds:
            before_last, before, last = before, current.chain_hash, current
            current = following
            continue
        return _judged(chain, (before_last, before), (last, current, following))
    return _judged_end(chain, (before_last, before), last)


def _judged(
    chain: Chain,
    hashes: tuple[bytes, bytes],
    rows: tuple[Link | None, Link, Link | None],
) -> Fault:
    """Say what is wrong where the chain does not go on."""
    before_last, before = hashes
    last, current, following = rows
    if last is not None and current.prev_hash == before_last and current.holds:
        return _fault(chain, "added", last, "the row after it does not know of it")
    goes_on_at = following.prev_hash if following is not None else chain.head_hash
    if goes_on_at == before:
        return _fault(chain, "added", current, "the row after it does not know of it")
    if current.prev_hash == before or not current.holds:
        # Its own hash is not that of what it says.
        return _fault(chain, "changed", current, "it is not what its hash was made from")
    offset = last.row.offset if last is not None else -1
    if offset + 1 < current.row.offset:
        detail = f"rows are missing between offsets {offset} and {current.row.offset}"
        return Fault("missing", chain.topic, chain.partition, offset + 1, detail)
    if last is None:
        return _fault(chain, "changed", current, "it does not follow from the chain's beginning")
    detail = "its hash was made anew: the row after it knows another one"
    return _fault(chain, "changed", last, detail)


def _judged_end(chain: Chain, hashes: tuple[bytes, bytes], last: Link | None) -> Fault | None:
    """Hold the end of the chain against the position."""
    before_last, before = hashes
    if before == chain.head_hash:
        return None
    if last is None:
        detail = f"all of {chain.events} rows are missing"
        return Fault("missing", chain.topic, chain.partition, 0, detail)
    if before_last == chain.head_hash or last.row.offset >= chain.next_offset:
        return _fault(chain, "added", last, "the chain ended before it")
    if last.row.offset + 1 == chain.next_offset:
        return _fault(chain, "changed", last, "its hash was made anew: the head is another one")
    detail = f"rows are missing after offset {last.row.offset}, up to {chain.next_offset - 1}"
    return Fault("missing", chain.topic, chain.partition, last.row.offset + 1, detail)


def _fault(chain: Chain, kind: Kind, found: Link, detail: str) -> Fault:
    return Fault(kind, chain.topic, chain.partition, found.row.offset, detail)


async def _links(connection: Connection, chain: Chain) -> AsyncIterator[Link]:
    offset, time_ns = -1, 0
    while True:
        rows = await connection.fetch(_PAGE, chain.topic, chain.partition, offset, time_ns, PAGE)
        for row in rows:
            yield Link(row_of(row), row["prev_hash"], row["chain_hash"])
        if len(rows) < PAGE:
            return
        offset, time_ns = rows[-1]["offset"], rows[-1]["log_time_ns"]
