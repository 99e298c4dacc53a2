"""A gateway on real sockets over a real store, for the tests of this folder."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.browser.desk_story import Copied, Desk, new_desk, record, whole_story
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.services.gateway.config import GatewaySettings
from whaletrader.services.gateway.serving import Serving, serving


@dataclass
class Story:
    """The desk whose story is in the database, and the last trade that it copied."""

    desk: Desk
    last: Copied
    dsn: str
    seen: dict[tuple[str, int], int]

    async def catch_up(self) -> None:
        """Record what the desk has said since."""
        await record(self.desk, self.dsn, self.seen)


async def recorded_story(dsn: str) -> Story:
    desk = await new_desk()
    story = Story(desk, await whole_story(desk), dsn, {})
    await story.catch_up()
    return story


@contextlib.asynccontextmanager
async def gateway(
    dsn: str, nats_url: str = "nats://127.0.0.1:1", redis_url: str = "", **settings: Any
) -> AsyncIterator[tuple[Serving, httpx.AsyncClient]]:
    """Serve on a free port; yield it with a client of its REST API."""
    chosen = GatewaySettings(**{"port": 0, "poll_interval_s": 0.2, **settings})
    runtime = RuntimeSettings(postgres_dsn=dsn, nats_url=nats_url, redis_url=redis_url)
    async with (
        serving(chosen, runtime) as running,
        httpx.AsyncClient(base_url=running.url, timeout=20) as client,
    ):
        yield running, client
