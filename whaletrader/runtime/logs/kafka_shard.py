"""A claimed shard on Kafka: a consumer with a fixed assignment and a transactional producer.

The transactional id is the shard's, so a claim fences the claim before it. Called by the
shell through the Log port; built by `logs.kafka`.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from whaletrader.runtime.log import (
    CommitUncertain,
    Fenced,
    LogError,
    Position,
    Record,
    Stored,
)
from whaletrader.runtime.logs.deadline import Deadline
from whaletrader.runtime.logs.kafka_errors import error_of, is_passing, translated
from whaletrader.runtime.logs.kafka_group import KafkaMembership
from whaletrader.runtime.logs.kafka_lane import Lane
from whaletrader.runtime.logs.kafka_reader import stored
from whaletrader.runtime.logs.kafka_settings import KafkaSettings, consumer_config
from whaletrader.runtime.logs.kafka_writer import TransactionalWriter

Place = tuple[str, int]

# A blocked poll looks up this often, to see whether it is still wanted.
_SLICE_S: Final = 0.05
# A fetch that was begun for a poll ends about when the poll does.
_GRACE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class ClaimedShard:
    """What is claimed: which shard, reading what."""

    number: int
    places: tuple[Place, ...]


# Finds the partition of each record; the log knows its topics.
Locate = Callable[[Sequence[Record]], Awaitable[list[tuple[Record, int]]]]


class KafkaShard:
    """A claim, valid until someone claims the same shard again."""

    def __init__(
        self,
        settings: KafkaSettings,
        membership: KafkaMembership,
        claim: ClaimedShard,
        locate: Locate,
    ) -> None:
        group = membership.group
        self._locate = locate
        self._settings = settings
        self._membership = membership
        self._claim = claim
        self._reading = Lane(f"read-{group}-{claim.number}")
        self._writing = Lane(f"write-{group}-{claim.number}")
        self._writer = TransactionalWriter(settings, f"{group}-{claim.number}")
        self._consumer = Consumer(consumer_config(settings, group))
        self._next: dict[Place, int] = {}
        self._ready: deque[Stored] = deque()
        self._fetching: asyncio.Future[list[Stored]] | None = None
        self._paused: set[str] = set()
        self._unwanted = threading.Event()
        self._ended: LogError | None = None
        self._released = False

    @property
    def number(self) -> int:
        return self._claim.number

    async def open(self) -> None:
        """Fence the claims before this one, then start where the group stands."""
        await self._writing.run(self._writer.open)
        self._next = await self._reading.run(self._committed)
        await self._reading.run(self._assign)

    async def poll(self, max_records: int, timeout_s: float) -> list[Stored]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            self._check()
            taken = self._take(max_records)
            left_s = max(deadline - loop.time(), 0.0)
            if taken:
                return taken
            if self._fetching is None:
                self._unwanted.clear()
                self._fetching = self._reading.start(
                    lambda: self._fetch(max_records, Deadline(left_s))  # noqa: B023
                )
            await asyncio.wait({self._fetching}, timeout=left_s + _GRACE_S)
            self._collect()
            if loop.time() >= deadline:
                self._check()
                return self._take(max_records)

    async def commit(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        self._check()
        offsets = [TopicPartition(*self._place(p), p.offset) for p in positions]
        located = await self._locate(records)
        if not located and not offsets:
            return
        metadata = self._membership.metadata
        try:
            await self._writing.run(lambda: self._writer.write(located, offsets, metadata))
        except (Fenced, CommitUncertain) as error:
            self._ended = error
            raise
        except asyncio.CancelledError:
            # The thread goes on with it; nobody is left to hear the outcome.
            self._ended = CommitUncertain("the commit was cancelled while it was under way")
            raise

    def pause(self, topics: Sequence[str]) -> None:
        self._paused.update(topics)
        self._tell_paused(topics, paused=True)

    def resume(self, topics: Sequence[str]) -> None:
        self._paused.difference_update(topics)
        self._tell_paused(topics, paused=False)

    async def seek(self, position: Position) -> None:
        self._check()
        place = self._place(position)
        await self._stop_fetching()
        self._ready = deque(r for r in self._ready if (r.topic, r.partition) != place)
        self._next[place] = position.offset
        await self._reading.run(self._assign)

    async def positions(self) -> list[Position]:
        self._check()
        await self._stop_fetching()
        committed = await self._reading.run(self._committed)
        return [Position(topic, number, offset) for (topic, number), offset in committed.items()]

    async def release(self) -> None:
        if self._released:
            return
        self._released = True
        if self._ended is None:
            self._ended = Fenced(f"shard {self.number} was released")
        self._unwanted.set()
        await self._reading.close(self._consumer.close)
        await self._writing.close(self._writer.close)

    def _check(self) -> None:
        if self._ended is not None:
            # A new one each time: a raised error carries the traceback of its raising.
            raise type(self._ended)(*self._ended.args)

    def _place(self, position: Position) -> Place:
        place = (position.topic, position.partition)
        if place not in self._next:
            raise LogError(f"{position} is not a partition of shard {self.number}")
        if position.offset < 0:
            raise LogError(f"{position} is before the beginning")
        return place

    def _take(self, max_records: int) -> list[Stored]:
        if not self._paused:
            count = min(max_records, len(self._ready))
            return [self._ready.popleft() for _ in range(count)]
        taken: list[Stored] = []
        kept: deque[Stored] = deque()
        for record in self._ready:
            if record.topic in self._paused or len(taken) >= max_records:
                kept.append(record)
            else:
                taken.append(record)
        self._ready = kept
        return taken

    def _collect(self) -> None:
        fetching = self._fetching
        if fetching is None or not fetching.done():
            return
        self._fetching = None
        for record in fetching.result():
            self._ready.append(record)
            self._next[(record.topic, record.partition)] = record.offset + 1

    async def _stop_fetching(self) -> None:
        if self._fetching is not None:
            self._unwanted.set()
            await asyncio.wait({self._fetching})
            self._collect()

    def _fetch(self, max_records: int, deadline: Deadline) -> list[Stored]:
        while True:
            first = self._consumer.poll(min(deadline.left_s(), _SLICE_S))
            if first is not None:
                rest = self._consumer.consume(max_records - 1, 0) if max_records > 1 else []
                return _records([first, *rest])
            if deadline.is_over or self._unwanted.is_set():
                return []

    def _committed(self) -> dict[Place, int]:
        places = [TopicPartition(*place) for place in self._claim.places]
        if not places:
            return {}
        try:
            found = self._consumer.committed(places, self._settings.request_s)
        except KafkaException as error:
            raise translated(error_of(error)) from error
        for place in found:
            if place.error is not None:
                raise translated(place.error)
        return {(place.topic, place.partition): max(place.offset, 0) for place in found}

    def _assign(self) -> None:
        places = [TopicPartition(*place, offset) for place, offset in self._next.items()]
        self._consumer.assign(places)
        paused = [place for place in places if place.topic in self._paused]
        if paused:
            self._consumer.pause(paused)

    def _tell_paused(self, topics: Sequence[str], *, paused: bool) -> None:
        if self._released:
            return
        places = [TopicPartition(*place) for place in self._next if place[0] in topics]
        if places and paused:
            self._consumer.pause(places)
        elif places:
            self._consumer.resume(places)


def _records(messages: Sequence[Message]) -> list[Stored]:
    errors = [error for message in messages if (error := message.error()) is not None]
    records = [stored(message) for message in messages if message.error() is None]
    lasting = [error for error in errors if not is_passing(error)]
    if lasting and not records:
        raise translated(lasting[0])
    return records
