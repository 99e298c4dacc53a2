"""The Log in one process's memory: for backtests, the simulation and unit tests.

Product code under the same contract suite as the durable logs. The clock is given, so that a
simulation owns time. It is lost with the process, which is what it is for.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from whaletrader.runtime.log import Fenced, LogError, Position, Record, Stored, UnknownTopic
from whaletrader.runtime.logs.dealing import ShardState, deal
from whaletrader.runtime.logs.placement import placed
from whaletrader.runtime.topics import Topic

Partition = tuple[str, int]


@dataclass(slots=True)
class _Member:
    incarnation: int
    lease_until_ns: int | None


@dataclass(slots=True)
class _Group:
    shards: list[ShardState]
    members: dict[str, _Member] = field(default_factory=dict)
    incarnations: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    epochs: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    positions: dict[Partition, int] = field(default_factory=dict)

    def live(self, now_ns: int) -> frozenset[str]:
        return frozenset(
            name
            for name, member in self.members.items()
            if member.lease_until_ns is None or member.lease_until_ns > now_ns
        )


class MemoryLog:
    """All partitions in lists. `now_ns` gives the time that records are stamped with.

    Without a `lease_ns` a member lives until it leaves or another joins under its name.
    """

    def __init__(self, now_ns: Callable[[], int], lease_ns: int | None = None) -> None:
        self._now_ns = now_ns
        self._lease_ns = lease_ns
        self._partitions: dict[str, list[list[Stored]]] = {}
        self._groups: dict[str, _Group] = {}
        self._version = 0
        self._waiting: set[asyncio.Event] = set()

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        for topic in topics:
            existing = self._partitions.get(topic.name)
            if existing is not None and len(existing) != topic.partitions:
                raise LogError(
                    f"topic {topic.name} has {len(existing)} partitions, not {topic.partitions}"
                )
        for topic in topics:
            self._partitions.setdefault(topic.name, [[] for _ in range(topic.partitions)])

    async def partitions(self, topic: str) -> int:
        return len(self._topic(topic))

    async def join(self, group: str, member: str, shard_topic: str) -> "MemoryMembership":
        count = len(self._topic(shard_topic))
        shards = [ShardState(number, None, None) for number in range(count)]
        state = self._groups.setdefault(group, _Group(shards))
        if len(state.shards) != count:
            raise LogError(f"group {group} has {len(state.shards)} shards, not {count}")
        state.incarnations[member] += 1
        state.members[member] = _Member(state.incarnations[member], self._lease_end())
        self._notify()
        return MemoryMembership(self, state, member)

    async def append(self, records: Sequence[Record]) -> None:
        self._write(self._placed(records))

    async def read(self, start: Position, limit: int) -> list[Stored]:
        rows = self._rows(start.topic, start.partition)
        first = max(start.offset, 0)
        return rows[first : first + limit]

    async def end(self, topic: str) -> dict[int, int]:
        return {number: len(rows) for number, rows in enumerate(self._topic(topic))}

    async def offset_at(self, topic: str, partition: int, time_ns: int) -> int:
        rows = self._rows(topic, partition)
        return bisect_left(rows, time_ns, key=lambda row: row.timestamp_ns)

    async def close(self) -> None:
        """Nothing to release."""

    def _topic(self, name: str) -> list[list[Stored]]:
        try:
            return self._partitions[name]
        except KeyError:
            raise UnknownTopic(f"topic {name} was never created") from None

    def _rows(self, topic: str, partition: int) -> list[Stored]:
        partitions = self._topic(topic)
        if not 0 <= partition < len(partitions):
            raise UnknownTopic(f"topic {topic} has no partition {partition}")
        return partitions[partition]

    def _placed(self, records: Sequence[Record]) -> list[tuple[Record, int]]:
        return placed(records, lambda topic: len(self._topic(topic)))

    def _write(self, records: list[tuple[Record, int]]) -> None:
        now_ns = self._now_ns()
        for record, number in records:
            rows = self._partitions[record.topic][number]
            # Times never fall within a partition, also when the clock does.
            last_ns = rows[-1].timestamp_ns if rows else 0
            rows.append(
                Stored(
                    record.topic,
                    number,
                    len(rows),
                    record.key,
                    record.value,
                    dict(record.headers),
                    max(now_ns, last_ns),
                )
            )
        self._notify()

    def _lease_end(self) -> int | None:
        return None if self._lease_ns is None else self._now_ns() + self._lease_ns

    def _notify(self) -> None:
        self._version += 1
        for event in self._waiting:
            event.set()

    async def _wait(self, version: int, timeout_s: float) -> None:
        # The version was taken before the caller looked: a change since is not slept through.
        if timeout_s <= 0 or self._version != version:
            return
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return
        finally:
            self._waiting.discard(event)


class MemoryMembership:
    """One member of a group. Joining again under its name takes its place."""

    def __init__(self, log: MemoryLog, group: _Group, member: str) -> None:
        self._log = log
        self._group = group
        self._member = member
        self._incarnation = group.incarnations[member]
        self._returned: frozenset[int] = frozenset()
        self._left = False

    async def owned(self, timeout_s: float) -> frozenset[int]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            version = self._log._version
            owned = self._deal()
            if owned != self._returned or self._left or loop.time() >= deadline:
                self._returned = owned
                return owned
            # A lease that ends tells nobody, so with leases a waiting member looks again.
            wait_s = deadline - loop.time()
            if self._log._lease_ns is not None:
                wait_s = min(wait_s, self._log._lease_ns / 3e9)
            await self._log._wait(version, wait_s)

    async def claim(self, shard: int, topics: Sequence[str]) -> "MemoryShard":
        count = len(self._group.shards)
        if not 0 <= shard < count:
            raise LogError(f"the group has {count} shards; there is no {shard}")
        partitions = [
            (topic, number)
            for topic in topics
            for number in range(await self._log.partitions(topic))
            if number % count == shard
        ]
        self._group.epochs[shard] += 1
        self._log._notify()
        return MemoryShard(self._log, self._group, shard, partitions)

    async def leave(self) -> None:
        if self._left:
            return
        self._left = True
        member = self._group.members.get(self._member)
        if member is not None and member.incarnation == self._incarnation:
            del self._group.members[self._member]
            self._log._notify()

    def _deal(self) -> frozenset[int]:
        if self._left:
            return frozenset()
        if self._group.incarnations[self._member] != self._incarnation:
            raise Fenced(f"another process is {self._member} now")
        member = _Member(self._incarnation, self._log._lease_end())
        self._group.members[self._member] = member
        live = self._group.live(self._log._now_ns()) | {self._member}
        mine = deal(self._group.shards, live, self._member)
        for number in mine.give:
            home = self._group.shards[number].home
            kept = None if home == self._member else home
            self._group.shards[number] = ShardState(number, None, kept)
        for number in mine.take:
            home = self._group.shards[number].home or self._member
            self._group.shards[number] = ShardState(number, self._member, home)
        if mine.give or mine.take:
            self._log._notify()
        return frozenset(s.number for s in self._group.shards if s.owner == self._member)


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
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            self._check()
            version = self._log._version
            records = self._take(max_records)
            remaining_s = deadline - loop.time()
            if records or remaining_s <= 0:
                return records
            await self._log._wait(version, remaining_s)

    async def commit(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        self._check()
        located = self._log._placed(records)
        moved = {self._place(position): position.offset for position in positions}
        self._group.positions.update(moved)
        self._log._write(located)

    def pause(self, topics: Sequence[str]) -> None:
        self._paused.update(topics)

    def resume(self, topics: Sequence[str]) -> None:
        self._paused.difference_update(topics)
        self._log._notify()

    async def seek(self, position: Position) -> None:
        self._check()
        self._next[self._place(position)] = position.offset
        self._log._notify()

    async def positions(self) -> list[Position]:
        self._check()
        return [
            Position(topic, number, self._group.positions.get((topic, number), 0))
            for topic, number in self._next
        ]

    async def release(self) -> None:
        self._released = True

    def _check(self) -> None:
        if self._released:
            raise Fenced(f"shard {self.number} was released")
        if self._group.epochs[self.number] != self._epoch:
            raise Fenced(f"shard {self.number} was claimed by another member")

    def _place(self, position: Position) -> Partition:
        place = (position.topic, position.partition)
        if place not in self._next:
            raise LogError(f"{position} is not a partition of shard {self.number}")
        if position.offset < 0:
            raise LogError(f"{position} is before the beginning")
        return place

    def _take(self, max_records: int) -> list[Stored]:
        taken: list[Stored] = []
        served: list[Partition] = []
        for place, offset in self._next.items():
            if place[0] in self._paused or len(taken) >= max_records:
                continue
            rows = self._log._rows(*place)[offset : offset + max_records - len(taken)]
            if rows:
                taken.extend(rows)
                served.append(place)
                self._next[place] = offset + len(rows)
        # Those who were served go to the end of the queue: a busy one starves nobody.
        for place in served:
            self._next[place] = self._next.pop(place)
        return taken
