"""The store holds exactly what the log held, whoever dies and however often it is told."""

import asyncio
from pathlib import Path
from random import Random

import asyncpg
import pytest

from tests.integration.recorder.chain_events import Chain, listed, trade
from tests.integration.recorder.recorder_process import (
    RecorderProcess,
    contents,
    count,
    opened,
    recorded_contents,
    until,
)
from whaletrader.runtime.log import Position, Stored
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.store import queries
from whaletrader.store.audit import audit
from whaletrader.store.rebuild import rebuild
from whaletrader.store.schema import install
from whaletrader.store.writer import Writer

SEED = 20_260_731


async def test_a_recorder_that_is_killed_again_and_again_records_each_event_once(
    postgres_dsn: str, tmp_path: Path
) -> None:
    random = Random(SEED)
    recorder = RecorderProcess(postgres_dsn, tmp_path)
    async with opened(postgres_dsn) as (log, connection):
        said = 0
        try:
            for _ in range(5):
                recorder.start()
                for _ in range(8):
                    batch = [trade(said + number) for number in range(random.randint(50, 400))]
                    await log.append(batch)
                    said += len(batch)
                    await asyncio.sleep(0.02)
                before = await until(lambda: _any(connection), "the recorder's first events")
                await asyncio.sleep(random.random() * 0.2)
                recorder.kill()
                assert await count(connection) >= before
            recorder.start()
            await until(lambda: _is(connection, said), f"{said} events")
        finally:
            recorder.kill()
        assert await recorded_contents(connection) == await contents(log)
        assert (await audit(connection)).fault is None


async def test_a_group_position_on_the_log_that_is_ahead_or_behind_changes_nothing(
    postgres_dsn: str, tmp_path: Path
) -> None:
    recorder = RecorderProcess(postgres_dsn, tmp_path)
    async with opened(postgres_dsn) as (log, connection):
        await log.append([trade(number) for number in range(300)])
        membership = await log.join("recorder", "someone", "agent.snapshot")
        await membership.owned(0.1)
        shard = await membership.claim(0, ["wallet.trades"])
        await shard.commit([], [Position("wallet.trades", number, 40) for number in range(6)])
        await shard.release()
        await membership.leave()
        recorder.start()
        try:
            await until(lambda: _is(connection, 300), "all events")
            assert recorder.stop() == 0
            # Told twice from the beginning: the log forgets where the recorder was.
            await connection.execute('UPDATE log.position SET "offset" = 0')
            recorder.start()
            await log.append([trade(number) for number in range(300, 310)])
            await until(lambda: _is(connection, 310), "the new events")
        finally:
            recorder.kill()
        assert await recorded_contents(connection) == await contents(log)


async def test_two_recorders_at_once_record_each_event_once(
    postgres_dsn: str, tmp_path: Path
) -> None:
    twins = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        env = {"WHALETRADER_MEMBER": name}
        twins.append(RecorderProcess(postgres_dsn, tmp_path / name, env))
    async with opened(postgres_dsn) as (log, connection):
        try:
            for twin in twins:
                twin.start()
            for start in range(0, 2_000, 100):
                await log.append([trade(start + number) for number in range(100)])
                await asyncio.sleep(0.02)
            await until(lambda: _is(connection, 2_000), "all events")
            twins[0].kill()
            await log.append([trade(2_000 + number) for number in range(100)])
            await until(lambda: _is(connection, 2_100), "the other to take over")
        finally:
            for twin in twins:
                twin.kill()
        assert await recorded_contents(connection) == await contents(log)


async def test_a_batch_that_was_recorded_before_is_dropped_and_counted_once(
    postgres_dsn: str,
) -> None:
    async with opened(postgres_dsn) as (log, connection):
        await install(connection)
        chain = Chain()
        await log.append([listed(), *chain.records()])
        records = await _everything(log)
        writer = Writer()
        first = await writer.write(connection, writer.prepare(records))
        assert (first.events, first.repeated) == (len(records), 0)
        # Half of it again with something new behind it, by a recorder without a memory.
        await log.append([chain.rejected()])
        again = await _everything(log)
        writer = Writer()
        second = await writer.write(connection, writer.prepare(again))
        assert (second.events, second.repeated) == (1, len(records))
        positions = await queries.positions(connection)
        assert [position.size_micro for position in positions] == [10_000_000]
        assert positions[0].question == "Will it rain?"


async def test_a_write_that_fails_half_way_leaves_nothing(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as (log, connection):
        await install(connection)
        await log.append(Chain().records())
        records = await _everything(log)
        await connection.execute("ALTER TABLE read.positions ADD CHECK (size_micro = 0)")
        writer = Writer()
        with pytest.raises(asyncpg.CheckViolationError):
            await writer.write(connection, writer.prepare(records))
        assert await count(connection) == 0
        assert await connection.fetchval("SELECT count(*) FROM store.position") == 0


async def test_read_models_that_are_rebuilt_say_the_same(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as (log, connection):
        await install(connection)
        for number in range(20):
            chain = Chain(f"chain{number}", at_ns=1_700_000_000_000_000_000 + number)
            await log.append([*chain.records(), chain.rejected(), trade(number)])
        await log.append([listed()])
        random = Random(SEED)
        waiting: dict[tuple[str, int], list[Stored]] = {}
        for record in await _everything(log):
            waiting.setdefault((record.topic, record.partition), []).append(record)
        # Partitions in any order, each in its own.
        while waiting:
            place = random.choice(sorted(waiting))
            queue = waiting[place]
            writer = Writer()
            await writer.write(connection, writer.prepare(queue[:7]))
            del queue[:7]
            if not queue:
                del waiting[place]
        before = await _read_models(connection)
        assert await rebuild(connection) == await count(connection)
        after = await _read_models(connection)
        assert before == after
        assert before["positions"] != []
        assert before["rejections"] != []


async def _read_models(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[str]]:
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'read'")
    return {
        row["tablename"]: sorted(
            str(found) for found in await connection.fetch(f"SELECT * FROM read.{row['tablename']}")
        )
        for row in tables
        # Samples of latency depend on what was still remembered when the other end came.
        if row["tablename"] != "hop_latency"
    }


async def _everything(log: PostgresLog) -> list[Stored]:
    return [
        Stored(topic, partition, offset, key, value, record.headers, time_ns)
        for topic, partition, offset, key, value, time_ns in await contents(log)
        for record in await log.read(Position(topic, partition, offset), 1)
    ]


async def _any(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    return await count(connection)


async def _is(connection: "asyncpg.Connection[asyncpg.Record]", wanted: int) -> bool:
    found = await count(connection)
    assert found <= wanted
    return found == wanted
