"""What the tests of the weather share: setting it, and hearing what it lets through."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import websockets
from polymarket import AsyncSecureClient

from tests.contract.exchange.exchange_rig import YES, Rig

# A bound, not a measure: a busy machine may be slow.
WAIT_S = 30


async def blow(venue: Rig, *rules: dict[str, Any]) -> None:
    answer = await venue.http.put("/admin/weather", json={"rules": list(rules)})
    assert answer.status_code == 200, answer.text


async def log(venue: Rig) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await venue.http.get("/admin/weather/log")).json()["entries"]
    return entries


async def bid(client: AsyncSecureClient, price: str = "0.30", **extra: Any) -> Any:
    return await client.place_limit_order(asset_id=YES, price=price, size=5, side="BUY", **extra)


async def open_ids(client: AsyncSecureClient) -> list[str]:
    return [o.id async for page in client.list_open_orders() for o in page.items]


@contextlib.asynccontextmanager
async def user_stream(venue: Rig, client: AsyncSecureClient) -> AsyncIterator[Any]:
    keys = client.credentials
    auth = {"apiKey": keys.key, "secret": keys.secret, "passphrase": keys.passphrase}
    url = venue.url.replace("http", "ws", 1) + "/ws/user"
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"auth": auth, "type": "user"}))
        await socket.send("PING")
        assert await socket.recv() == "PONG"
        yield socket


async def frames(socket: Any, trades: int = 0, orders: int = 0) -> list[dict[str, Any]]:
    """Return what was told until now; wait for so many frames of trades and of orders first."""
    found: list[dict[str, Any]] = []
    is_asked = False
    while True:
        kinds = [frame["event_type"] for frame in found]
        if not is_asked and kinds.count("trade") >= trades and kinds.count("order") >= orders:
            # The answer comes after all that was told before it.
            await socket.send("PING")
            is_asked = True
        text = await asyncio.wait_for(socket.recv(), WAIT_S)
        if text == "PONG":
            return found
        found.append(json.loads(text))


def words(told: list[dict[str, Any]]) -> list[str]:
    return [f["status"] if f["event_type"] == "trade" else f["type"] for f in told]
