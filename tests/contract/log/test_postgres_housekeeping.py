"""Retention and compaction on PostgreSQL; and what only that adapter has to prove."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.contract.log.log_worlds import World, everything, numbered, postgres_world, values
from whaletrader.runtime.log import Log, LogError, LogUnavailable, Position, Record
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.runtime.logs.postgres_maintenance import Swept, sweep
from whaletrader.runtime.logs.postgres_session import PostgresSettings
from whaletrader.runtime.topics import Topic


@pytest.fixture
async def postgres(postgres_dsn: str) -> AsyncIterator[World]:
    world = postgres_world(postgres_dsn)
    yield world
    for log in world.opened:
        await log.close()


async def test_compaction_keeps_the_last_record_of_each_key_at_its_offset(
    postgres: World,
) -> None:
    log = await postgres.log()
    topic = await postgres.topic(log, "catalog", compacted=True)
    plain = await postgres.topic(log, "plain")
    for turn in range(4):
        await log.append([Record(topic, key, f"{key}{turn}".encode()) for key in "abc"])
        await log.append(numbered(plain, 1))
    await log.append([Record(topic, "once", b"once")])
    assert await sweep(PostgresSettings(postgres.address)) == Swept(0, 9)
    left = await everything(log, topic)
    assert values(left) == ["a3", "b3", "c3", "once"]
    assert [record.offset for record in left] == [9, 10, 11, 12]
    assert len(await everything(log, plain)) == 4
    # Offsets go on, and an offset that is gone leads to the next that is there.
    await log.append([Record(topic, "a", b"a4")])
    assert (await log.end(topic))[0] == 14
    assert values(await log.read(Position(topic, 0, 0), 1)) == ["a3"]
    assert await log.offset_at(topic, 0, left[0].timestamp_ns) <= left[0].offset


async def test_retention_forgets_what_is_too_old_and_nothing_else(postgres: World) -> None:
    log = await postgres.log()
    short, forever = f"short.{postgres.name}", f"forever.{postgres.name}"
    await log.create_topics(
        [Topic(short, "key", (), 1, retention_s=1), Topic(forever, "key", (), 1, retention_s=-1)]
    )
    await log.append([*numbered(short, 5), *numbered(forever, 5)])
    assert await sweep(PostgresSettings(postgres.address)) == Swept(0, 0)
    await asyncio.sleep(1.1)
    await log.append(numbered(short, 1, first=5))
    assert await sweep(PostgresSettings(postgres.address)) == Swept(5, 0)
    assert values(await everything(log, short)) == ["5"]
    assert len(await everything(log, forever)) == 5


async def test_many_processes_may_install_the_log_at_once(postgres_dsn: str) -> None:
    settings = PostgresSettings(postgres_dsn)
    logs = await asyncio.gather(*(PostgresLog.open(settings) for _ in range(6)))
    await asyncio.gather(*(log.create_topics([Topic("events", "key", (), 3)]) for log in logs))
    assert await logs[0].partitions("events") == 3
    for log in logs:
        await log.close()


async def test_appends_that_cross_wait_for_each_other_and_never_deadlock(
    postgres: World,
) -> None:
    logs: list[Log] = [await postgres.log() for _ in range(2)]
    topics = [await postgres.topic(logs[0], f"events-{n}") for n in range(6)]

    async def write(log: Log, order: list[str]) -> None:
        for _ in range(40):
            await log.append([Record(topic, "k", b"x") for topic in order])

    await asyncio.gather(write(logs[0], topics), write(logs[1], topics[::-1]))
    for topic in topics:
        assert [r.offset for r in await everything(logs[0], topic)] == list(range(80))


async def test_a_lost_connection_of_an_idle_shard_is_opened_again(postgres: World) -> None:
    log = await postgres.log()
    inputs = await postgres.topic(log, "inputs")
    shard = await postgres.shard(log, [inputs])
    await log.append(numbered(inputs, 1))
    assert len(await shard.poll(10, 5)) == 1
    await _cut_all(postgres.address)
    await log.append(numbered(inputs, 1, first=1))
    assert values(await shard.poll(10, 5)) == ["1"]
    await shard.commit([], [Position(inputs, 0, 2)])


async def test_a_database_that_is_not_there_is_an_error_and_not_a_wait(postgres_dsn: str) -> None:
    settings = PostgresSettings(f"{postgres_dsn.rsplit('/', 1)[0]}/nothing_here")
    with pytest.raises(LogError) as raised:
        await PostgresLog.open(settings)
    assert not isinstance(raised.value, LogUnavailable)


async def _cut_all(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    await asyncio.sleep(0.1)
