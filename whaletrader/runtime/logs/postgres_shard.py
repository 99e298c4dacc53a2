"""A claimed shard in PostgreSQL: reads by primary key, commits in one round trip.

Owns the reading positions of one claim and knows from the notices which partitions are worth
a look. Called by the shell through the Log port; built by `logs.postgres`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from whaletrader.runtime.log import (
    CommitUncertain,
    Fenced,
    LogError,
    Position,
    Record,
    Stored,
)
from whaletrader.runtime.logs.postgres_notices import Notice, Notices, Place
from whaletrader.runtime.logs.postgres_schema import APPEND, POLL
from whaletrader.runtime.logs.postgres_session import Connection, Session

# While nobody listens (the connection was lost), a waiting poll looks this often.
_LOOK_DEAF_S: Final = 0.05

_POSITIONS: Final = """
SELECT topic_id, partition, "offset" FROM log.position
WHERE group_name = $1 AND topic_id = ANY($2::int[])
"""


# Finds the place of each record; the log knows its topics.
Locate = Callable[[Sequence[Record]], Awaitable[list[tuple[Record, Place]]]]


@dataclass(frozen=True, slots=True)
class ClaimedShard:
    """What a claim is: which shard of which group, in which epoch, reading what."""

    group: str
    number: int
    epoch: int
    topics: Mapping[int, str]
    places: tuple[Place, ...]


class PostgresShard:
    """A claim, valid until someone claims the same shard again."""

    def __init__(
        self,
        claim: ClaimedShard,
        session: Session,
        notices: Notices,
        appender: "Appender",
        look_again_s: float,
    ) -> None:
        self._claim = claim
        self._session = session
        self._notices = notices
        self._appender = appender
        self._look_again_s = look_again_s
        self._ids = {name: topic_id for topic_id, name in claim.topics.items()}
        self._next: dict[Place, int] = {}
        # Partitions that may hold something unread, in the order of their turns.
        self._unread: dict[Place, None] = {}
        self._paused: frozenset[int] = frozenset()
        self._looked_at = float("-inf")
        self._news = asyncio.Event()
        self._ended: LogError | None = None

    @property
    def number(self) -> int:
        return self._claim.number

    async def open(self) -> None:
        """Start from the positions that the group has committed. Called once."""
        self._next = await self._committed()
        self._look_everywhere()
        self._notices.add(self)

    def on_notice(self, notice: Notice) -> None:
        if notice.places is None or notice.group == self._claim.group:
            self._look_everywhere()
            self._news.set()
            return
        news = [place for place in notice.places if place in self._next]
        if news:
            self._unread.update(dict.fromkeys(news))
            self._news.set()

    async def poll(self, max_records: int, timeout_s: float) -> list[Stored]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            self._check()
            self._news.clear()
            now = loop.time()
            every_s = self._look_again_s if self._notices.is_listening else _LOOK_DEAF_S
            if now - self._looked_at >= every_s:
                self._look_everywhere()
                self._looked_at = now
            records = await self._take(max_records)
            if records or loop.time() >= deadline:
                return records
            if self._has_unread():
                continue
            wait_s = min(deadline, self._looked_at + every_s) - loop.time()
            try:
                await asyncio.wait_for(self._news.wait(), max(wait_s, 0.0))
            except TimeoutError:
                continue

    async def commit(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        self._check()
        moved = [(*self._place(position), position.offset) for position in positions]
        try:
            await self._appender.append(self._session, records, self._claim, moved)
        except (Fenced, CommitUncertain) as error:
            self._end(error)
            raise
        except asyncio.CancelledError:
            self._end(CommitUncertain("the commit was cancelled while it was under way"))
            raise

    def pause(self, topics: Sequence[str]) -> None:
        self._paused |= {self._ids[name] for name in topics if name in self._ids}

    def resume(self, topics: Sequence[str]) -> None:
        self._paused -= {self._ids[name] for name in topics if name in self._ids}
        self._news.set()

    async def seek(self, position: Position) -> None:
        self._check()
        place = self._place(position)
        self._next[place] = position.offset
        self._unread[place] = None
        self._news.set()

    async def positions(self) -> list[Position]:
        self._check()
        committed = await self._committed()
        return [
            Position(self._claim.topics[topic], number, offset)
            for (topic, number), offset in committed.items()
        ]

    async def release(self) -> None:
        if self._ended is None:
            self._end(Fenced(f"shard {self.number} was released"))
        await self._session.close()

    def _check(self) -> None:
        if self._ended is not None:
            # A new one each time: a raised error carries the traceback of its raising.
            raise type(self._ended)(*self._ended.args)

    def _end(self, reason: LogError) -> None:
        self._ended = reason
        self._notices.remove(self)
        self._news.set()

    def _place(self, position: Position) -> Place:
        place = (self._ids.get(position.topic, 0), position.partition)
        if place not in self._next:
            raise LogError(f"{position} is not a partition of shard {self.number}")
        if position.offset < 0:
            raise LogError(f"{position} is before the beginning")
        return place

    def _look_everywhere(self) -> None:
        self._unread.update(dict.fromkeys(self._claim.places))

    def _has_unread(self) -> bool:
        return any(topic not in self._paused for topic, _ in self._unread)

    async def _take(self, max_records: int) -> list[Stored]:
        due = [place for place in self._unread if place[0] not in self._paused][:max_records]
        if not due:
            return []
        # Each partition gets an equal share, so that a busy one cannot starve the others;
        # one that filled its share goes to the back of the queue.
        share = max_records // len(due)
        starts = {place: self._next[place] for place in due}
        for place in due:
            del self._unread[place]
        try:
            rows = await self._session.run(lambda c: self._look(c, starts, share))
        except BaseException:
            self._unread.update(dict.fromkeys(due))
            raise
        if not rows or rows[0]["epoch"] != self._claim.epoch:
            self._end(Fenced(f"shard {self.number} was claimed by another member"))
            self._check()
        return self._accept(rows, starts, share)

    async def _look(
        self, connection: Connection, starts: Mapping[Place, int], share: int
    ) -> list[asyncpg.Record]:
        return await connection.fetch(
            POLL,
            self._claim.group,
            self._claim.number,
            [topic for topic, _ in starts],
            [number for _, number in starts],
            list(starts.values()),
            share,
        )

    def _accept(
        self, rows: Iterable[asyncpg.Record], starts: Mapping[Place, int], share: int
    ) -> list[Stored]:
        found: dict[Place, list[Stored]] = {}
        for row in rows:
            if row["topic_id"] is None:
                continue
            place = (row["topic_id"], row["partition"])
            name = self._claim.topics[place[0]]
            found.setdefault(place, []).append(stored(name, place[1], row))
        taken: list[Stored] = []
        for place, records in found.items():
            # Paused or moved while we looked: these records come later, or not at all.
            if place[0] in self._paused or self._next[place] != starts[place]:
                self._unread[place] = None
                continue
            taken.extend(records)
            self._next[place] = records[-1].offset + 1
            if len(records) == share:
                self._unread[place] = None
        return taken

    async def _committed(self) -> dict[Place, int]:
        async def work(connection: Connection) -> list[asyncpg.Record]:
            topics = list(self._claim.topics)
            return await connection.fetch(_POSITIONS, self._claim.group, topics)

        rows = await self._session.run(work)
        known = {(row["topic_id"], row["partition"]): row["offset"] for row in rows}
        return {place: known.get(place, 0) for place in self._claim.places}


class Appender:
    """Builds the one call that appends records and moves positions."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate

    async def append(
        self,
        session: Session,
        records: Sequence[Record],
        claim: ClaimedShard | None,
        moved: Sequence[tuple[int, int, int]],
    ) -> None:
        """Append and move, all or nothing. Raises what `Shard.commit` raises."""
        located = await self._locate(records)
        ranks = dict.fromkeys(sorted(place for _, place in located), 0)
        places = {place: index for index, place in enumerate(ranks, start=1)}
        record_ranks: list[int] = []
        for _, place in located:
            record_ranks.append(ranks[place])
            ranks[place] += 1
        arguments: tuple[Any, ...] = (
            claim.group if claim else None,
            claim.number if claim else None,
            claim.epoch if claim else None,
            [topic for topic, _ in places],
            [number for _, number in places],
            list(ranks.values()),
            [places[place] for _, place in located],
            record_ranks,
            [record.key for record, _ in located],
            [record.value for record, _ in located],
            [json.dumps(dict(record.headers)) for record, _ in located],
            [topic for topic, _, _ in moved],
            [number for _, number, _ in moved],
            [offset for _, _, offset in moved],
        )
        await session.run(lambda c: c.execute(APPEND, *arguments), commits=True)


def stored(topic: str, partition: int, row: asyncpg.Record) -> Stored:
    """Return a row of the record table as the port has it."""
    return Stored(
        topic,
        partition,
        row["offset"],
        row["key"],
        row["value"],
        json.loads(row["headers"]),
        row["timestamp_ns"],
    )
