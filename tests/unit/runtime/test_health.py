"""The health page answers on a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.unit.runtime.stage import until
from whaletrader.runtime.health import Health, HealthServer, health_app
from whaletrader.runtime.telemetry import Telemetry


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    server = HealthServer(health_app(health, Telemetry("discovery").registry), port)
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 5)


async def status(client: httpx.AsyncClient, path: str) -> int:
    return (await client.get(path)).status_code


async def test_a_process_that_starts_is_alive_and_neither_started_nor_ready() -> None:
    async with served(Health()) as client:
        assert await status(client, "/livez") == 200
        assert await status(client, "/startupz") == 503
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "starting")


async def test_a_process_that_works_is_all_three() -> None:
    health = Health()
    health.started, health.problem = True, ""
    async with served(health) as client:
        assert [await status(client, p) for p in ("/livez", "/startupz", "/readyz")] == [200] * 3


async def test_one_that_lost_its_log_says_so_and_stays_alive_and_started() -> None:
    health = Health()
    health.started, health.problem = True, "log: gone"
    async with served(health) as client:
        assert await status(client, "/livez") == 200
        assert await status(client, "/startupz") == 200
        assert (await client.get("/readyz")).text == "log: gone"


async def test_metrics_are_in_the_text_format_of_prometheus() -> None:
    async with served(Health()) as client:
        page = await client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert "whaletrader_commit_seconds" in page.text


async def test_what_is_not_there_is_not_found() -> None:
    async with served(Health()) as client:
        assert await status(client, "/secrets") == 404
