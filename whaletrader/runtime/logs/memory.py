"""The Log in one process's memory: for backtests, the simulation and unit tests.

Product code under the same contract suite as the durable logs. The clock is given, so that a
simulation owns time. It is lost with the process, which is what it is for.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from whaletrader.runtime.log import (
    Fenced,
    LogError,
    Position,
    Record,
    Stored,
    UnknownTopic,
    partition_of,
)
from whaletrader.runtime.topics import Topic

Partition = tuple[str, int]


@dataclass(slots=True)
class _Group:
    shards: int
    members: list[str] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    positions: dict[Partition, int] = field(default_factory=dict)

    def owned_by(self, member: str) -> frozenset[int]:
        if member not in self.members:
            return frozenset()
        rank, count = self.members.index(member), len(self.members)
        return frozenset(shard for shard in range(self.shards) if shard % count == rank)


class MemoryLog:
    """All partitions in lists. `now_ns` gives the time that records are stamped with."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._partitions: dict[str, list[list[Stored]]] = {}
        self._groups: dict[str, _Group] = {}
        self._changed = asyncio.Condition()

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        for topic in topics:
            existing = self._partitions.get(topic.name)
            if existing is None:
                self._partitions[topic.name] = [[] for _ in range(topic.partitions)]
            elif len(existing) != topic.partitions:
                raise LogError(
                    f"topic {topic.name} has {len(existing)} partitions, not {topic.partitions}"
                )

    async def partitions(self, topic: str) -> int:
        return len(self._topic(topic))

    async def join(self, group: str, member: str, shard_topic: str) -> "MemoryMembership":
        shards = len(self._topic(shard_topic))
        state = self._groups.setdefault(group, _Group(shards))
        if member not in state.members:
            state.members.append(member)
        await self._notify()
        return MemoryMembership(self, state, member)

    async def append(self, records: Sequence[Record]) -> None:
        self._write(self._placed(records))
        await self._notify()

    async def read(self, start: Position, limit: int) -> list[Stored]:
        rows = self._rows(start.topic, start.partition)
        return rows[start.offset : start.offset + limit]

    async def end(self, topic: str) -> dict[int, int]:
        return {number: len(rows) for number, rows in enumerate(self._topic(topic))}

    async def offset_at(self, topic: str, partition: int, time_ns: int) -> int:
        rows = self._rows(topic, partition)
        return next((row.offset for row in rows if row.timestamp_ns >= time_ns), len(rows))

    async def close(self) -> None:
        """Nothing to release."""

    def _topic(self, name: str) -> list[list[Stored]]:
        try:
            return self._partitions[name]
        except KeyError:
            raise UnknownTopic(f"topic {name} was never created") from None

    def _rows(self, topic: str, partition: int) -> list[Stored]:
        return self._topic(topic)[partition]

    def _placed(self, records: Iterable[Record]) -> list[tuple[Record, int]]:
        # Every partition is looked up before anything is written, so that a bad record
        # leaves no half of the batch behind.
        placed = []
        for record in records:
            count = len(self._topic(record.topic))
            number = partition_of(record.key, count)
            if record.partition is not None:
                number = record.partition
            if not 0 <= number < count:
                raise UnknownTopic(f"topic {record.topic} has no partition {number}")
            placed.append((record, number))
        return placed

    def _write(self, placed: list[tuple[Record, int]]) -> None:
        now_ns = self._now_ns()
        for record, number in placed:
            rows = self._partitions[record.topic][number]
            rows.append(
                Stored(
                    record.topic,
                    number,
                    len(rows),
                    record.key,
                    record.value,
                    dict(record.headers),
                    now_ns,
                )
            )

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait(self, timeout_s: float) -> None:
        if timeout_s <= 0:
            return
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait(), timeout_s)
            except TimeoutError:
                return


class MemoryMembership:
    """One member; shards are dealt out by the order of joining."""

    def __init__(self, log: MemoryLog, group: _Group, member: str) -> None:
        self._log = log
        self._group = group
        self._member = member

    async def owned(self, timeout_s: float) -> frozenset[int]:
        owned = self._group.owned_by(self._member)
        if not owned:
            await self._log._wait(timeout_s)
            owned = self._group.owned_by(self._member)
        return owned

    async def claim(self, shard: int, topics: Sequence[str]) -> "MemoryShard":
        if not 0 <= shard < self._group.shards:
            raise LogError(f"the group has {self._group.shards} shards; there is no {shard}")
        partitions = [
            (topic, number)
            for topic in topics
            for number in range(await self._log.partitions(topic))
            if number % self._group.shards == shard
        ]
        self._group.epochs[shard] += 1
        return MemoryShard(self._log, self._group, shard, partitions)

    async def leave(self) -> None:
        if self._member in self._group.members:
            self._group.members.remove(self._member)
            await self._log._notify()


class MemoryShard:
    """A claim, valid until someone claims the same shard again."""

    def __init__(
        self, log: MemoryLog, group: _Group, number: int, partitions: list[Partition]
    ) -> None:
        self.number = number
        self._log = log
        self._group = group
        self._epoch = group.epochs[number]
        self._next = {place: group.positions.get(place, 0) for place in partitions}
        self._paused: set[str] = set()
        self._released = False

    async def poll(self, max_records: int, timeout_s: float) -> list[Stored]:
        self._check()
        records = self._take(max_records)
        if not records:
            await self._log._wait(timeout_s)
            self._check()
            records = self._take(max_records)
        return records

    async def commit(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        self._check()
        placed = self._log._placed(records)
        for position in positions:
            if (position.topic, position.partition) not in self._next:
                raise LogError(f"{position} is not a partition of shard {self.number}")
        self._log._write(placed)
        for position in positions:
            self._group.positions[(position.topic, position.partition)] = position.offset
        await self._log._notify()

    def pause(self, topics: Sequence[str]) -> None:
        self._paused.update(topics)

    def resume(self, topics: Sequence[str]) -> None:
        self._paused.difference_update(topics)

    async def seek(self, position: Position) -> None:
        self._check()
        place = (position.topic, position.partition)
        if place not in self._next:
            raise LogError(f"{position} is not a partition of shard {self.number}")
        self._next[place] = position.offset

    async def positions(self) -> list[Position]:
        self._check()
        return [
            Position(topic, number, self._group.positions.get((topic, number), 0))
            for topic, number in self._next
        ]

    async def release(self) -> None:
        self._released = True

    def _check(self) -> None:
        if self._released or self._group.epochs[self.number] != self._epoch:
            raise Fenced(f"shard {self.number} was claimed by another member")

    def _take(self, max_records: int) -> list[Stored]:
        taken: list[Stored] = []
        for (topic, number), offset in self._next.items():
            if topic in self._paused or len(taken) >= max_records:
                continue
            rows = self._log._rows(topic, number)[offset : offset + max_records - len(taken)]
            taken.extend(rows)
            self._next[(topic, number)] = offset + len(rows)
        return taken
