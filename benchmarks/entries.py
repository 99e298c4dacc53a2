"""Where the raw chain begins: one record appended by a plain driver, as cheaply as it can be."""

import asyncio
from typing import Final, Protocol

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.floors import kafka_hops, postgres_hops
from benchmarks.floors.addresses import ALL, TRADES
from benchmarks.floors.postgres_hops import Connection
from benchmarks.servers import LogKind

_ADMIN_S_MAX: Final = 30.0
_PAGE: Final = 2_000
# After so long without another record a raw topic has been read to its end.
_QUIET_S: Final = 1.0
_SAID: Final = """
SELECT value, (extract(epoch FROM at) * 1000000)::bigint AS at_us FROM floor.record
WHERE topic = $1 ORDER BY "offset"
"""


class RawEntry(Protocol):
    """Puts a record where the first raw hop reads."""

    async def put(self, value: bytes) -> None: ...

    async def said(self, topic: str) -> list[tuple[bytes, int]]:
        """Return what a hop wrote to a raw topic, each with its wall-clock nanoseconds."""

    async def close(self) -> None: ...


async def raw_entry(kind: LogKind, address: str) -> RawEntry:
    """Create the raw tables or topics, and return the way in."""
    if kind == "postgres":
        connection = await postgres_hops.connect(address)
        await connection.execute(postgres_hops.SCHEMA)
        return _PostgresEntry(connection)
    await asyncio.to_thread(_create_topics, address)
    return _KafkaEntry(address, kafka_hops.producer(address))


class _PostgresEntry:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, value: bytes) -> None:
        await self._connection.fetchval(postgres_hops.APPEND, TRADES, value)

    async def said(self, topic: str) -> list[tuple[bytes, int]]:
        rows = await self._connection.fetch(_SAID, topic)
        return [(row["value"], row["at_us"] * 1_000) for row in rows]

    async def close(self) -> None:
        await self._connection.close()


class _KafkaEntry:
    def __init__(self, bootstrap: str, producer: Producer) -> None:
        self._bootstrap = bootstrap
        self._producer = producer

    async def put(self, value: bytes) -> None:
        # Not waited for: the chain goes on as soon as the broker has it.
        self._producer.produce(TRADES, value)
        self._producer.poll(0)

    async def said(self, topic: str) -> list[tuple[bytes, int]]:
        return await asyncio.to_thread(self._said, topic)

    async def close(self) -> None:
        await asyncio.to_thread(self._producer.flush, _ADMIN_S_MAX)

    def _said(self, topic: str) -> list[tuple[bytes, int]]:
        consumer = kafka_hops.consumer(self._bootstrap, "floor-reader")
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[tuple[bytes, int]] = []
        try:
            while page := consumer.consume(_PAGE, _QUIET_S):
                found += [
                    (message.value() or b"", message.timestamp()[1] * 1_000_000)
                    for message in page
                    if message.error() is None
                ]
        finally:
            consumer.close()
        return found


def _create_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    made = admin.create_topics([NewTopic(name, 1, 1) for name in ALL])
    for future in made.values():
        future.result(_ADMIN_S_MAX)
