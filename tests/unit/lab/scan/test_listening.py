"""Who is heard: counted in dollars, over breaks of the connection, nonsense counted as such."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from typer.testing import CliRunner

from whaletrader.lab.scan.command import app
from whaletrader.lab.scan.listening import Heard, listen
from whaletrader.venues.polymarket.history.calls import HistoryUnavailable

ONE, TWO, THREE = ("0x" + digit * 40 for digit in "123")

Talk = Callable[[Any], Awaitable[None]]


def trade(wallet: str, size: float, price: float) -> str:
    payload = {
        "proxyWallet": wallet,
        "timestamp": 5,
        "conditionId": "0xc0",
        "size": size,
        "price": price,
        "asset": "11",
        "side": "BUY",
    }
    return json.dumps({"topic": "activity", "type": "trades", "timestamp": 1, "payload": payload})


@asynccontextmanager
async def stream(talk: Talk) -> AsyncIterator[str]:
    """Serve a stream that says what it is told to."""
    async with websockets.serve(talk, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def untold(_: float, __: int, ___: int) -> None:
    """Show nobody."""


def test_the_most_active_are_those_with_most_dollars_not_most_trades() -> None:
    heard = Heard()
    for frame in (trade(ONE, 10, 0.1), trade(ONE, 10, 0.1), trade(TWO, 10, 0.9)):
        heard.take(frame)
    assert heard.most_active(5) == [TWO, ONE]
    assert heard.most_active(1) == [TWO]
    assert heard.trades == 3


def test_equal_turnover_is_ranked_by_address() -> None:
    heard = Heard()
    for wallet in (THREE, ONE, TWO):
        heard.take(trade(wallet, 10, 0.5))
    assert heard.most_active(3) == [ONE, TWO, THREE]


def test_frames_that_say_something_else_are_counted_and_the_first_is_kept() -> None:
    heard = Heard()
    for frame in ("", "{", "pong", "[1]", trade(ONE, 10, 0.5)):
        heard.take(frame)
    assert (heard.trades, heard.unreadable) == (1, 2)
    assert "'{'" in heard.first_unreadable


async def test_a_stream_that_breaks_off_is_listened_to_again() -> None:
    asked: list[dict[str, Any]] = []

    async def talk(socket: Any) -> None:
        asked.append(json.loads(await socket.recv()))
        await socket.send(trade(ONE if len(asked) == 1 else TWO, 10, 0.5))
        if len(asked) > 1:
            await socket.wait_closed()

    told: list[tuple[int, int]] = []
    both = asyncio.Event()

    def tell(_: float, trades: int, wallets: int) -> None:
        told.append((trades, wallets))
        if wallets == 2:
            both.set()

    async with stream(talk) as url:
        listening = asyncio.create_task(listen(url, 60, tell))
        await asyncio.wait_for(both.wait(), 30)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert told == [(1, 1), (2, 2)]
    assert asked[0]["subscriptions"] == [{"topic": "activity", "type": "trades"}]


async def test_a_stream_without_a_trade_is_an_error_that_says_what_to_do() -> None:
    async def talk(socket: Any) -> None:
        await socket.send("")
        await socket.wait_closed()

    async with stream(talk) as url:
        with pytest.raises(HistoryUnavailable, match=r"no trade was heard in 0\.3 s.*said nothing"):
            await listen(url, 0.3, untold)


async def test_a_venue_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(HistoryUnavailable, match=r"ws://127\.0\.0\.1:9: no trade.*leave --listen"):
        await listen("ws://127.0.0.1:9", 0.3, untold)


def test_listening_needs_to_know_how_many(tmp_path: Any) -> None:
    asked = ["--out", str(tmp_path / "out"), "--listen", "5"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2
    assert "--listen needs --top" in result.output
