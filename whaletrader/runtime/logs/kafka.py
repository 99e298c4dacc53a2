"""The Log on Kafka: for many machines, and the one whose semantics the others follow.

Owns the clients of a process, each with its lane. Opened by `logs.open_log`, used by the shell
and by readers. Offsets have gaps: the markers of transactions take some.
"""

import itertools
import os
import socket
from collections.abc import Sequence

from whaletrader.runtime.log import (
    Fenced,
    LogUnavailable,
    Membership,
    Position,
    Record,
    Shard,
    Stored,
    UnknownTopic,
)
from whaletrader.runtime.logs.kafka_admin import Admin
from whaletrader.runtime.logs.kafka_group import KafkaMembership
from whaletrader.runtime.logs.kafka_lane import Lane
from whaletrader.runtime.logs.kafka_reader import Readers
from whaletrader.runtime.logs.kafka_settings import KafkaSettings
from whaletrader.runtime.logs.kafka_shard import ClaimedShard, KafkaShard
from whaletrader.runtime.logs.kafka_writer import SingleWriter, TransactionalWriter
from whaletrader.runtime.logs.placement import placed
from whaletrader.runtime.topics import Topic

# Tells the logs of one process apart; with host and pid it names the id of their appends.
_NUMBER = itertools.count()


class KafkaLog:
    """Topics, groups and records in a Kafka cluster."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin = Admin(settings)
        self._asking = Lane("kafka-admin")
        self._readers = Readers(settings)
        self._reading = Lane("kafka-read")
        self._writing = Lane("kafka-append")
        self._single = SingleWriter(settings)
        self._several: TransactionalWriter | None = None
        self._append_id = f"append-{socket.gethostname()}-{os.getpid()}-{next(_NUMBER)}"
        self._partitions: dict[str, int] = {}
        self._memberships: list[KafkaMembership] = []
        self._shards: list[KafkaShard] = []

    @classmethod
    async def open(cls, settings: KafkaSettings) -> "KafkaLog":
        """Connect. Raises LogUnavailable if no broker answers."""
        log = cls(settings)
        try:
            await log.create_topics(())
            await log._writing.run(log._single.open)
        except BaseException:
            await log.close()
            raise
        return log

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        await self._asking.run(lambda: self._admin.create(topics))

    async def partitions(self, topic: str) -> int:
        known = self._partitions.get(topic)
        if known is None:
            known = await self._asking.run(lambda: self._admin.partitions(topic))
            self._partitions[topic] = known
        return known

    async def join(self, group: str, member: str, shard_topic: str) -> Membership:
        await self.partitions(shard_topic)
        membership = KafkaMembership(self._settings, group, member, shard_topic, self._claim)
        await membership.enter()
        self._memberships.append(membership)
        return membership

    async def append(self, records: Sequence[Record]) -> None:
        located = await self._located(records)
        if len(located) == 1:
            await self._writing.run(lambda: self._single.write(*located[0]))
        elif located:
            await self._writing.run(lambda: self._append_several(located))

    async def read(self, start: Position, limit: int) -> list[Stored]:
        await self._check_partition(start.topic, start.partition)
        begin = Position(start.topic, start.partition, max(start.offset, 0))
        return await self._reading.run(lambda: self._readers.read(begin, limit))

    async def end(self, topic: str) -> dict[int, int]:
        count = await self.partitions(topic)
        return await self._asking.run(lambda: self._admin.ends(topic, range(count)))

    async def offset_at(self, topic: str, partition: int, time_ns: int) -> int:
        await self._check_partition(topic, partition)
        return await self._asking.run(lambda: self._admin.offset_at(topic, partition, time_ns))

    async def close(self) -> None:
        for shard in self._shards:
            await shard.release()
        for membership in self._memberships:
            await membership.close()
        await self._reading.close(self._readers.close)
        await self._writing.close(self._close_writers)
        await self._asking.close(self._admin.close)

    async def _claim(self, membership: KafkaMembership, shard: int, topics: Sequence[str]) -> Shard:
        shards = await self.partitions(membership.shard_topic)
        if not 0 <= shard < shards:
            raise UnknownTopic(f"{membership.shard_topic} has no partition {shard}")
        places = [
            (topic, number)
            for topic in topics
            for number in range(await self.partitions(topic))
            if number % shards == shard
        ]
        claim = ClaimedShard(shard, tuple(places))
        claimed = KafkaShard(self._settings, membership, claim, self._located)
        try:
            await claimed.open()
        except BaseException:
            await claimed.release()
            raise
        self._shards.append(claimed)
        return claimed

    def _append_several(self, located: Sequence[tuple[Record, int]]) -> None:
        if self._several is None:
            writer = TransactionalWriter(self._settings, self._append_id)
            writer.open()
            self._several = writer
        try:
            self._several.write(located, (), None)
        except Fenced as error:
            # Nobody competes for this id: the broker gave up an open transaction of ours.
            self._several = None
            raise LogUnavailable(f"the append was given up: {error}") from error
        except BaseException:
            self._several = None
            raise

    def _close_writers(self) -> None:
        self._single.close()
        if self._several is not None:
            self._several.close()

    async def _check_partition(self, topic: str, partition: int) -> None:
        if not 0 <= partition < await self.partitions(topic):
            raise UnknownTopic(f"topic {topic} has no partition {partition}")

    async def _located(self, records: Sequence[Record]) -> list[tuple[Record, int]]:
        known = {name: await self.partitions(name) for name in {r.topic for r in records}}
        return placed(records, known.__getitem__)
