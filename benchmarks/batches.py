"""Raw consume-and-produce transactions: the floor of the shell.

Each reads as many records as the shell read in one commit, writes the bytes that the shell
journaled for it, and moves its position, in one transaction with the same durability.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.floors import kafka_hops, postgres_hops
from benchmarks.floors.postgres_hops import Connection
from benchmarks.noop import INPUT
from whaletrader.runtime.codec import from_stored
from whaletrader.runtime.log import Log, Membership, Position, Record, Shard
from whaletrader.runtime.topics import Topic

_CALL_S_MAX: Final = 30.0
_OUTPUT: Final = "floor.journal"
TOPICS: Final = (Topic(_OUTPUT, "shard", (), partitions=1),)

_READ: Final = """
SELECT "offset", key, value, headers FROM log.record
WHERE topic_id = $1 AND partition = 0 AND "offset" >= $2 ORDER BY "offset" LIMIT $3
"""
_COMMIT: Final = """
WITH written AS (INSERT INTO floor.record (topic, value) VALUES ($1, $2) RETURNING 1),
     moved AS (UPDATE floor.position SET "offset" = $3 WHERE reader = 'batches')
SELECT pg_notify($1, '') FROM written
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit of the shell read and wrote."""

    inputs: int
    journal: bytes


class ShortRead(RuntimeError):
    """The topic ended before the batch was full: the measurement would be wrong."""


class RawBatches(Protocol):
    """Goes through the input topic once, from the beginning."""

    async def run(self, batches: Sequence[Batch]) -> int:
        """Return the nanoseconds from the first commit to the last. Raises ShortRead."""

    async def close(self) -> None: ...


class MemoryBatches:
    """The memory log itself, with each message decoded: there is no driver to compare with."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._membership: Membership | None = None
        self._shard: Shard | None = None

    async def run(self, batches: Sequence[Batch]) -> int:
        if self._shard is None:
            self._membership = await self._log.join("raw", "one", _OUTPUT)
            await self._membership.owned(_CALL_S_MAX)
            self._shard = await self._membership.claim(0, [INPUT])
        started_ns = 0
        for batch in batches:
            records = await self._shard.poll(batch.inputs, _CALL_S_MAX)
            _require(batch, len(records))
            for record in records:
                from_stored(record)
            position = Position(INPUT, 0, records[-1].offset + 1)
            await self._shard.commit([Record(_OUTPUT, "0", batch.journal)], [position])
            started_ns = started_ns or time.perf_counter_ns()
        return time.perf_counter_ns() - started_ns

    async def close(self) -> None:
        if self._shard is not None and self._membership is not None:
            await self._shard.release()
            await self._membership.leave()


class PostgresBatches:
    """One SELECT and one statement that commits everything, a batch."""

    def __init__(self, connection: Connection, topic_id: int) -> None:
        self._connection = connection
        self._topic_id = topic_id
        self._offset = 0

    @classmethod
    async def open(cls, dsn: str) -> "PostgresBatches":
        """Connect and make the raw tables; the topic must exist."""
        connection = await postgres_hops.connect(dsn)
        await connection.execute(postgres_hops.SCHEMA)
        topic_id = await connection.fetchval("SELECT id FROM log.topic WHERE name = $1", INPUT)
        return cls(connection, topic_id)

    async def run(self, batches: Sequence[Batch]) -> int:
        read = await self._connection.prepare(_READ)
        commit = await self._connection.prepare(_COMMIT)
        started_ns = 0
        for batch in batches:
            rows = await read.fetch(self._topic_id, self._offset, batch.inputs)
            _require(batch, len(rows))
            self._offset = rows[-1]["offset"] + 1
            await commit.fetchval(_OUTPUT, batch.journal, self._offset)
            started_ns = started_ns or time.perf_counter_ns()
        return time.perf_counter_ns() - started_ns

    async def close(self) -> None:
        await self._connection.close()


class KafkaBatches:
    """One consumer and one transactional producer."""

    def __init__(self, consumer: Consumer, producer: Producer) -> None:
        self._consumer = consumer
        self._producer = producer

    @classmethod
    async def open(cls, bootstrap: str) -> "KafkaBatches":
        """Connect; the topics must exist."""
        return await asyncio.to_thread(cls._opened, bootstrap)

    @classmethod
    def _opened(cls, bootstrap: str) -> "KafkaBatches":
        consumer = kafka_hops.consumer(bootstrap, "floor-batches")
        consumer.assign([TopicPartition(INPUT, 0, 0)])
        return cls(consumer, kafka_hops.producer(bootstrap, "floor-batches"))

    async def run(self, batches: Sequence[Batch]) -> int:
        return await asyncio.to_thread(self._run, batches)

    async def close(self) -> None:
        await asyncio.to_thread(self._consumer.close)

    def _run(self, batches: Sequence[Batch]) -> int:
        started_ns = 0
        for batch in batches:
            offset = self._consume(batch)
            self._producer.begin_transaction()
            self._producer.produce(_OUTPUT, batch.journal)
            self._producer.send_offsets_to_transaction(
                [TopicPartition(INPUT, 0, offset + 1)],
                self._consumer.consumer_group_metadata(),
                _CALL_S_MAX,
            )
            self._producer.commit_transaction(_CALL_S_MAX)
            started_ns = started_ns or time.perf_counter_ns()
        return time.perf_counter_ns() - started_ns

    def _consume(self, batch: Batch) -> int:
        """Read a batch, looking at what ours has to look at, and return its last offset."""
        offset = count = 0
        while count < batch.inputs:
            found = self._consumer.consume(batch.inputs - count, _CALL_S_MAX)
            good = [message for message in found if message.error() is None]
            if not found:
                _require(batch, count)
            count += len(good)
            for message in good:
                message.value()
            offset = good[-1].offset() or 0 if good else offset
        return offset


async def raw_batches(kind: str, log: Log, address: str) -> RawBatches:
    """Return the floor for a kind of log."""
    if kind == "memory":
        return MemoryBatches(log)
    if kind == "postgres":
        return await PostgresBatches.open(address)
    return await KafkaBatches.open(address)


def _require(batch: Batch, count: int) -> None:
    if count != batch.inputs:
        raise ShortRead(f"{count} records where {batch.inputs} were to be read")
