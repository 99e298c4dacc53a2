"""One world for each adapter: how to open a log, as often as there are processes to play."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from whaletrader.runtime.log import Log, Position, Record, Shard, Stored
from whaletrader.runtime.logs.kafka import KafkaLog
from whaletrader.runtime.logs.kafka_settings import KafkaSettings
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.runtime.logs.postgres_session import PostgresSettings
from whaletrader.runtime.topics import Topic

# The shortest session that a broker allows by default; the other two can be quicker.
KAFKA_SESSION_S = 6.0
SHORT_SESSION_S = 0.8


@dataclass
class World:
    """A log, its topics' names and the time after which a silent member is dead."""

    kind: str
    open: Callable[[], Awaitable[Log]]
    session_s: float
    address: str = ""
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:10])
    opened: list[Log] = field(default_factory=list)

    async def log(self) -> Log:
        """Open the log as one more process would."""
        log = await self.open()
        self.opened.append(log)
        return log

    async def topic(
        self, log: Log, name: str, partitions: int = 1, *, compacted: bool = False
    ) -> str:
        """Create a topic of this test's own."""
        full = f"{name}.{self.name}"
        await log.create_topics([Topic(full, "key", (), partitions, compacted=compacted)])
        return full

    async def shard(self, log: Log, topics: Sequence[str], group: str = "relay") -> Shard:
        """Join alone and claim the only shard."""
        journal = await self.topic(log, f"journal.{group}")
        membership = await log.join(f"{group}.{self.name}", "one", journal)
        assert await membership.owned(20) == {0}
        return await membership.claim(0, topics)


def memory_world() -> World:
    log = MemoryLog(time.time_ns, lease_ns=int(SHORT_SESSION_S * 1e9))

    async def same() -> Log:
        return log

    return World("memory", same, SHORT_SESSION_S)


def postgres_world(dsn: str) -> World:
    settings = PostgresSettings(dsn, lease_s=SHORT_SESSION_S)

    async def another() -> Log:
        return await PostgresLog.open(settings)

    return World("postgres", another, SHORT_SESSION_S, dsn)


def kafka_world(bootstrap: str) -> World:
    settings = KafkaSettings(bootstrap, session_s=KAFKA_SESSION_S)

    async def another() -> Log:
        return await KafkaLog.open(settings)

    return World("kafka", another, KAFKA_SESSION_S, bootstrap)


async def drained(shard: Shard, count: int, patience_s: float = 15.0) -> list[Stored]:
    """Poll until so many records came, or patience ends."""
    end = time.monotonic() + patience_s
    records: list[Stored] = []
    while len(records) < count and time.monotonic() < end:
        records.extend(await shard.poll(count - len(records), 0.5))
    return records


async def everything(
    log: Log, topic: str, count: int = 0, page: int = 1000, patience_s: float = 15.0
) -> list[Stored]:
    """Read a topic page by page, partition after partition, until it holds `count` records.

    On Kafka a transaction that is committed becomes readable a moment later.
    """
    end = time.monotonic() + patience_s
    while True:
        records: list[Stored] = []
        for partition in range(await log.partitions(topic)):
            at = Position(topic, partition, 0)
            while rows := await log.read(at, page):
                records.extend(rows)
                at = Position(topic, partition, rows[-1].offset + 1)
        if len(records) >= count or time.monotonic() > end:
            return records
        await asyncio.sleep(0.02)


def values(records: Sequence[Stored]) -> list[str]:
    return [record.value.decode() for record in records]


def numbered(topic: str, count: int, key: str = "k", first: int = 0) -> list[Record]:
    return [Record(topic, key, str(n).encode()) for n in range(first, first + count)]
