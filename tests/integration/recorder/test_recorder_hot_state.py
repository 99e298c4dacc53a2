"""Redis follows the read models, may die at any time, and is filled anew when it is back."""

import asyncio
import json
from pathlib import Path
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from tests.integration.recorder.chain_events import Chain
from tests.integration.recorder.recorder_process import RecorderProcess, count, opened, until
from whaletrader.services.recorder.hot import CHANNEL, hot_key
from whaletrader.stack.servers.valkey import ValkeyServer
from whaletrader.stack.testing import running


async def _hot(url: str, view: str) -> list[dict[str, Any]] | None:
    client = redis.asyncio.Redis.from_url(url)
    try:
        found = await client.get(hot_key(view))
    except RedisError:
        return None
    finally:
        await client.aclose()
    return json.loads(found) if found else None


async def test_what_dashboards_read_hot_is_there_and_its_changes_are_told(
    postgres_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    recorder = RecorderProcess(postgres_dsn, tmp_path, {"WHALETRADER_REDIS_URL": redis_url})
    client = redis.asyncio.Redis.from_url(redis_url)
    channel = client.pubsub()
    await channel.subscribe(CHANNEL)
    async with opened(postgres_dsn) as (log, _):
        chain = Chain()
        recorder.start()
        try:
            await until(lambda: _exists(redis_url, "decisions"), "the first fill of Redis")
            await log.append(chain.records())
            await until(lambda: _holds(redis_url, "fills", 1), "the fill")
            decisions = await _hot(redis_url, "decisions")
            news = [json.loads(data) for data in await _drained(channel)]
        finally:
            recorder.kill()
    assert decisions is not None
    assert decisions[0]["id"] == chain.decision
    assert decisions[0]["reasons"][0]["rule"] == "leader_edge"
    told = [row for item in news if item["view"] == "orders" for row in item["rows"]]
    assert told[-1]["order_id"] == chain.order_id
    assert any(item["full"] for item in news)
    await channel.aclose()  # type: ignore[no-untyped-call]
    await client.aclose()


async def test_redis_stopped_holds_nobody_up_and_comes_back_full(
    postgres_dsn: str, tmp_path: Path
) -> None:
    with running(ValkeyServer()) as first:
        url = first.endpoint.url
        env = {"WHALETRADER_REDIS_URL": url, "WHALETRADER_RECORDER_HOT_RETRY_S": "0.2"}
        recorder = RecorderProcess(postgres_dsn, tmp_path, env)
        async with opened(postgres_dsn) as (log, connection):
            recorder.start()
            try:
                await log.append(Chain("one").records())
                await until(lambda: _holds(url, "orders", 1), "the first order in Redis")
                first.stop()
                await log.append(Chain("two").records())
                await until(lambda: _is_counted(connection, 16), "the store without Redis")
                assert await _hot(url, "orders") is None
                # Empty: it keeps nothing on disk.
                first.restart()
                await until(lambda: _holds(url, "orders", 2), "Redis to be filled anew")
            finally:
                recorder.kill()


async def _exists(url: str, view: str) -> bool:
    return await _hot(url, view) is not None


async def _holds(url: str, view: str, rows: int) -> bool:
    found = await _hot(url, view)
    return found is not None and len(found) == rows


async def _is_counted(connection: Any, events: int) -> bool:
    return await count(connection) == events


async def _drained(channel: Any) -> list[bytes]:
    found = []
    while (message := await channel.get_message(timeout=0.5)) is not None:
        if message["type"] == "message":
            found.append(message["data"])
        await asyncio.sleep(0)
    return found
