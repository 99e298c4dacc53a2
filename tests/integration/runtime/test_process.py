"""A real agent's process on PostgreSQL and NATS: it starts, works, says how it is, and ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.unit.runtime.counting import trade_record
from tests.unit.runtime.stage import until
from tests.unit.runtime.test_health import free_port
from whaletrader.runtime.log import Log, Position
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.runtime.logs.postgres_session import PostgresSettings
from whaletrader.runtime.topics import TOPICS, journal_topic
from whaletrader.schemas import agent_pb2

AGENT = "discovery"


@pytest.fixture
async def log(postgres_dsn: str) -> AsyncIterator[Log]:
    opened = await PostgresLog.open(PostgresSettings(postgres_dsn))
    await opened.create_topics(TOPICS)
    yield opened
    await opened.close()


@asynccontextmanager
async def process(dsn: str, nats: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start discovery in a free-running mode; kill it if the test did not end it."""
    port = free_port()
    environment = {
        **os.environ,
        "WHALETRADER_MODE": "paper",
        "WHALETRADER_LOG": "postgres",
        "WHALETRADER_POSTGRES_DSN": dsn,
        "WHALETRADER_NATS_URL": nats,
        "WHALETRADER_HEALTH_PORT": str(port),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"whaletrader.services.{AGENT}", env=environment
    )
    try:
        yield started, f"http://127.0.0.1:{port}"
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def answers(url: str, path: str) -> int:
    async with httpx.AsyncClient(base_url=url, timeout=2) as client:
        try:
            return (await client.get(path)).status_code
        except httpx.TransportError:
            return 0


async def entries(log: Log) -> int:
    return len(await log.read(Position(journal_topic(AGENT), 0, 0), 1_000))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_end_it_finishes_its_commits_and_leaves_no_shard_behind(
    log: Log, postgres_dsn: str, nats_url: str, number: signal.Signals
) -> None:
    async with process(postgres_dsn, nats_url) as (started, url):
        await until(lambda: _is_ready(url))
        assert await answers(url, "/livez") == 200
        assert await answers(url, "/startupz") == 200
        await log.append([trade_record(n) for n in range(20)])
        await until(lambda: _is_at_least(log, 1))
        started.send_signal(number)
        assert await asyncio.wait_for(started.wait(), 8) == 0
    # At once, not when a lease has ended.
    newcomer = await log.join(AGENT, "newcomer", journal_topic(AGENT))
    assert await asyncio.wait_for(newcomer.owned(2.0), 4) == frozenset({0})
    await newcomer.leave()


async def test_a_killed_process_is_followed_by_one_that_goes_on_where_it_was(
    log: Log, postgres_dsn: str, nats_url: str
) -> None:
    async with process(postgres_dsn, nats_url) as (started, url):
        await until(lambda: _is_ready(url))
        await log.append([trade_record(n) for n in range(10)])
        await until(lambda: _has_read(log, 10))
        started.kill()
        await started.wait()
    await log.append([trade_record(n) for n in range(10, 15)])
    async with process(postgres_dsn, nats_url) as (second, url):
        await until(lambda: _is_ready(url))
        await until(lambda: _has_read(log, 15))
        async with httpx.AsyncClient(base_url=url) as client:
            page = await client.get("/metrics")
        # The second has met what the first had not, and nothing again.
        assert 'whaletrader_inputs_total{agent="discovery"} 5.0' in page.text
        second.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(second.wait(), 8) == 0


async def _is_ready(url: str) -> bool:
    return await answers(url, "/readyz") == 200


async def _is_at_least(log: Log, count: int) -> bool:
    return await entries(log) >= count


async def _has_read(log: Log, count: int) -> bool:
    records = await log.read(Position(journal_topic(AGENT), 0, 0), 1_000)
    read = sum(len(agent_pb2.JournalEntry.FromString(r.value).inputs) for r in records)
    return read >= count
