"""The doorbell: rings for followed wallets only, not too often, and over a broken stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from google.protobuf.message import Message

from tests.unit.services.feeds.following_world import NOW_S, NS, OTHER, WALLET
from whaletrader.runtime.clock import SetClock
from whaletrader.schemas import follow_pb2
from whaletrader.services.feeds.following import sources
from whaletrader.services.feeds.following.sources import Doorbell, Roster


def trade(wallet: str, tx_hash: str = "0x7a") -> str:
    payload = {
        "proxyWallet": wallet,
        "timestamp": NOW_S,
        "conditionId": "0xc0",
        "size": 1,
        "price": 0.5,
        "asset": "11",
        "side": "BUY",
        "transactionHash": tx_hash,
    }
    return json.dumps({"topic": "activity", "type": "trades", "payload": payload})


@asynccontextmanager
async def ringing(talk: Any, *wallets: str) -> AsyncIterator["asyncio.Queue[Message]"]:
    """Run a doorbell at a stream that says what it is told to."""
    rung: asyncio.Queue[Message] = asyncio.Queue()
    async with websockets.serve(talk, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        running = asyncio.create_task(Doorbell(url, wallets).run(rung.put_nowait))
        try:
            yield rung
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def next_ring(rung: "asyncio.Queue[Message]") -> follow_pb2.WalletHeard:
    heard = await asyncio.wait_for(rung.get(), 30)
    assert isinstance(heard, follow_pb2.WalletHeard)
    return heard


async def test_it_rings_for_followed_wallets_only_and_once_for_a_burst() -> None:
    async def talk(socket: Any) -> None:
        await socket.recv()
        for frame in (trade(OTHER), "{", trade(WALLET, "0x1"), trade(WALLET, "0x2")):
            await socket.send(frame)
        await socket.send(trade("0x" + "e" * 40))
        await socket.wait_closed()

    async with ringing(talk, WALLET, "0x" + "e" * 40) as rung:
        first, second = await next_ring(rung), await next_ring(rung)
    assert (first.wallet, second.wallet) == (WALLET, "0x" + "e" * 40)
    assert first.meta.event_time_ns == NOW_S * NS
    assert first.meta.id != second.meta.id


async def test_it_goes_on_after_the_stream_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr(sources, "RING_EVERY_S", 0.0)
    times = 0

    async def talk(socket: Any) -> None:
        nonlocal times
        times += 1
        await socket.recv()
        await socket.send(trade(WALLET, f"0x{times}"))

    async with ringing(talk, WALLET) as rung:
        await next_ring(rung)
        await next_ring(rung)
    assert times >= 2


async def test_the_roster_begins_so_many_days_ago() -> None:
    told: list[Any] = []
    await Roster((WALLET, OTHER), 2, SetClock(NOW_S * NS)).run(told.append)
    [given] = told
    assert list(given.wallets) == [WALLET, OTHER]
    assert given.begin_s == NOW_S - 2 * 86_400
    assert given.meta.id
