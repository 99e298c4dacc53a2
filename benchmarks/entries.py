"""Where the raw chain begins: one record appended by a plain driver, as cheaply as it can be."""

import asyncio
from typing import Final, Protocol

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.floors import kafka_hops, postgres_hops
from benchmarks.floors.addresses import ALL, TRADES
from benchmarks.floors.postgres_hops import Connection
from benchmarks.servers import LogKind

_ADMIN_S_MAX: Final = 30.0


class RawEntry(Protocol):
    """Puts a record where the first raw hop reads."""

    async def put(self, value: bytes) -> None: ...

    async def close(self) -> None: ...


async def raw_entry(kind: LogKind, address: str) -> RawEntry:
    """Create the raw tables or topics, and return the way in."""
    if kind == "postgres":
        connection = await postgres_hops.connect(address)
        await connection.execute(postgres_hops.SCHEMA)
        return _PostgresEntry(connection)
    await asyncio.to_thread(_create_topics, address)
    return _KafkaEntry(kafka_hops.producer(address))


class _PostgresEntry:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, value: bytes) -> None:
        await self._connection.fetchval(postgres_hops.APPEND, TRADES, value)

    async def close(self) -> None:
        await self._connection.close()


class _KafkaEntry:
    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def put(self, value: bytes) -> None:
        # Not waited for: the chain goes on as soon as the broker has it.
        self._producer.produce(TRADES, value)
        self._producer.poll(0)

    async def close(self) -> None:
        await asyncio.to_thread(self._producer.flush, _ADMIN_S_MAX)


def _create_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    made = admin.create_topics([NewTopic(name, 1, 1) for name in ALL])
    for future in made.values():
        future.result(_ADMIN_S_MAX)
