"""What is away is waited for, and everything is caught up when it is back."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg

from tests.integration.recorder.chain_events import trade
from tests.integration.recorder.recorder_process import (
    RecorderProcess,
    count,
    recorded_contents,
    until,
)
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.health import Health
from whaletrader.runtime.log import Position
from whaletrader.runtime.logs.kafka import KafkaLog
from whaletrader.runtime.logs.kafka_settings import KafkaSettings
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.topics import TOPICS
from whaletrader.services.recorder.config import RecorderSettings
from whaletrader.services.recorder.metrics import RecorderMetrics
from whaletrader.services.recorder.recorder import Recorder
from whaletrader.stack.servers.postgres import PostgresServer
from whaletrader.stack.testing import running
from whaletrader.store.audit import audit


async def test_postgres_killed_is_waited_for_and_caught_up_with() -> None:
    with running(PostgresServer("wheel")) as server:
        log = MemoryLog(WallClock().now_ns)
        await log.create_topics(TOPICS)
        health = Health()
        dsn = server.endpoint.url
        settings = RecorderSettings(retry_max_s=0.5)
        recorder = Recorder(log, dsn, settings, health, RecorderMetrics(), WallClock())
        working = asyncio.create_task(recorder.run())
        try:
            await log.append([trade(number) for number in range(500)])
            await until(lambda: _recorded(dsn, 500), "the first events")
            assert health.problem == ""
            await asyncio.to_thread(server.kill)
            await log.append([trade(number) for number in range(500, 900)])
            await until(lambda: _says(health, "waiting"), "the recorder to notice")
            assert not working.done()
            await asyncio.to_thread(server.restart)
            await until(lambda: _recorded(dsn, 900), "what was said meanwhile")
            assert health.problem == ""
            connection = await asyncpg.connect(dsn)
            assert (await audit(connection)).fault is None
            await connection.close()
            recorder.stop()
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def test_a_recorder_on_kafka_that_is_killed_records_each_event_once(
    postgres_dsn: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    log = await KafkaLog.open(KafkaSettings(kafka_bootstrap))
    await log.create_topics(TOPICS)
    connection = await asyncpg.connect(postgres_dsn)
    env = {"WHALETRADER_LOG": "kafka", "KAFKA_BOOTSTRAP": kafka_bootstrap}
    recorder = RecorderProcess(postgres_dsn, tmp_path, env)
    try:
        for start in (0, 1_000):
            recorder.start()
            for number in range(start, start + 1_000, 100):
                await log.append([trade(it) for it in range(number, number + 100)])
            await until(lambda least=start + 300: _at_least(connection, least), "some events")
            recorder.kill()
        recorder.start()
        said = await _trades(log)
        await until(lambda: _holds_all(connection, len(said)), "all events")
        # The store holds exactly what the topic held, in its order, whatever the markers' gaps.
        held = [row for row in await recorded_contents(connection) if row[0] == "wallet.trades"]
        assert held == said
        assert (await audit(connection)).fault is None
    finally:
        recorder.kill()
        await connection.close()
        await log.close()


async def _trades(log: KafkaLog) -> list[tuple[Any, ...]]:
    found = []
    for partition in range(await log.partitions("wallet.trades")):
        offset = 0
        while page := await log.read(Position("wallet.trades", partition, offset), 1_000):
            found += [
                (r.topic, r.partition, r.offset, r.key, r.value, r.timestamp_ns) for r in page
            ]
            offset = page[-1].offset + 1
    return found


async def _recorded(dsn: str, events: int) -> bool:
    with suppress(OSError, asyncpg.PostgresError):
        connection = await asyncpg.connect(dsn)
        try:
            return await count(connection) == events
        finally:
            connection.terminate()
    return False


async def _says(health: Health, word: str) -> bool:
    return word in health.problem


async def _at_least(connection: Any, events: int) -> bool:
    return await count(connection) >= events


async def _holds_all(connection: Any, events: int) -> bool:
    query = "SELECT count(*) FROM store.events WHERE topic = 'wallet.trades'"
    return bool(await connection.fetchval(query) == events)
