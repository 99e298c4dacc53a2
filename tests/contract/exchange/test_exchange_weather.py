"""Bad weather over real sockets, each kind seen from the client's side and in the log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets
from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket.errors import (
    PolymarketError,
    RateLimitError,
    RequestRejectedError,
    TransportError,
)

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    BOB_KEY,
    CONDITION,
    NO,
    YES,
    Rig,
    rig,
)
from tests.contract.exchange.weather_rig import (
    WAIT_S,
    bid,
    blow,
    frames,
    log,
    open_ids,
    user_stream,
    words,
)

ALICE = Account.from_key(ALICE_KEY).address
BOB = Account.from_key(BOB_KEY).address


@pytest.fixture
async def venue() -> AsyncIterator[Rig]:
    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        yield made


@pytest.fixture
async def alice(venue: Rig) -> AsyncIterator[AsyncSecureClient]:
    async with venue.client(ALICE_KEY, ALICE) as client:
        yield client


async def test_weather_is_shown_set_and_cleared(venue: Rig) -> None:
    assert (await venue.http.get("/admin/weather")).json() == {"seed": 1, "rules": []}
    await blow(venue, {"effect": "latency", "latency_ms": 5, "id": "slow"})
    await venue.http.get("/time")
    (row,) = (await venue.http.get("/admin/weather")).json()["rules"]
    assert (row["rule"]["id"], row["seen"], row["done"]) == ("slow", 1, 1)
    assert (await venue.http.delete("/admin/weather")).json()["rules"] == []
    assert await log(venue) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "truncated"),
        (b'{"rules":[{"effect":"hail"}]}', "hail"),
        (b'{"rules":[{"effect":"error","colour":1}]}', "colour"),
        (b'{"rules":[{"effect":"error","probability":2}]}', "between 0 and 1"),
        (b'{"rules":[{"effect":"late"}]}', "late needs delay_ms"),
        (b'{"rules":[{"effect":"slow_settlement"}]}', "slow_settlement needs mined_ms"),
    ],
)
async def test_weather_that_cannot_be_is_refused(venue: Rig, body: bytes, text: str) -> None:
    await blow(venue, {"effect": "latency", "latency_ms": 1, "id": "kept"})
    answer = await venue.http.put("/admin/weather", content=body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert (await venue.http.get("/admin/weather")).json()["rules"][0]["rule"]["id"] == "kept"


async def test_latency_delays_what_it_is_meant_for(venue: Rig) -> None:
    await blow(
        venue, {"effect": "latency", "latency_ms": 150, "jitter_ms": 50, "endpoints": ["GET /time"]}
    )
    await venue.http.get("/version")
    assert await log(venue) == []
    before = time.monotonic()
    await venue.http.get("/time")
    assert time.monotonic() - before >= 0.15
    (row,) = await log(venue)
    assert row["effect"] == "latency"


async def test_an_error_before_leaves_no_order_and_one_after_leaves_it(
    venue: Rig, alice: AsyncSecureClient
) -> None:
    await bid(alice, "0.20")
    rule = {"endpoints": ["POST /order"], "count": 1}
    await blow(venue, {"effect": "error", "status": 503, **rule})
    with pytest.raises(PolymarketError):
        await bid(alice)
    assert len(await open_ids(alice)) == 1
    await blow(venue, {"effect": "error_after", "status": 502, **rule})
    with pytest.raises(PolymarketError):
        await bid(alice)
    assert len(await open_ids(alice)) == 2
    assert [row["effect"] for row in await log(venue)] == ["error_after"]


@pytest.mark.parametrize(("effect", "placed"), [("timeout_before", 0), ("timeout_after", 1)])
async def test_a_time_out_before_or_after_the_order_took_effect(
    venue: Rig, alice: AsyncSecureClient, effect: str, placed: int
) -> None:
    await alice.cancel_all()
    rule = {"effect": effect, "hold_ms": 100, "endpoints": ["POST /order"], "accounts": [ALICE]}
    await blow(venue, rule)
    with pytest.raises(TransportError):
        await bid(alice)
    assert len(await open_ids(alice)) == placed


async def test_a_client_that_gives_up_first_is_let_go(venue: Rig) -> None:
    await blow(venue, {"effect": "timeout_before", "hold_ms": 60_000, "endpoints": ["GET /time"]})
    with pytest.raises(httpx.ReadTimeout):
        await venue.http.get("/time", timeout=0.1)
    assert (await venue.http.get("/version")).status_code == 200


async def test_a_restart_is_425_then_post_only_then_over(
    venue: Rig, alice: AsyncSecureClient
) -> None:
    resting = await bid(alice, "0.20")
    venue.clock.stop()
    await blow(venue, {"effect": "restart", "for_ms": 3_000, "post_only_ms": 4_000})
    with pytest.raises(RequestRejectedError) as restarting:
        await bid(alice)
    assert restarting.value.status == 425
    with pytest.raises(PolymarketError):
        await alice.cancel_order(order_id=resting.order_id)
    assert len(await open_ids(alice)) == 1
    venue.clock.pass_ms(3_001)
    with pytest.raises(PolymarketError, match="post-only mode"):
        await bid(alice)
    assert (await bid(alice, post_only=True)).ok
    assert (await alice.cancel_order(order_id=resting.order_id)).canceled
    venue.clock.pass_ms(4_000)
    assert (await bid(alice, "0.31")).ok


async def test_the_post_only_answer_says_how_long(venue: Rig, alice: AsyncSecureClient) -> None:
    await blow(venue, {"effect": "post_only", "for_ms": 60_000})
    answer = await venue.http.post("/order", json={"postOnly": False})
    assert answer.status_code == 503
    assert answer.json()["code"] == "post_only_mode"
    assert answer.headers["Retry-After"] == str(answer.json()["retry_after_seconds"]) == "60"


async def test_cancel_only_takes_cancels_and_disabled_takes_nothing(
    venue: Rig, alice: AsyncSecureClient
) -> None:
    first, second = await bid(alice, "0.20"), await bid(alice, "0.21")
    await blow(venue, {"effect": "cancel_only"})
    with pytest.raises(PolymarketError, match="cancel-only"):
        await bid(alice)
    assert (await alice.cancel_order(order_id=first.order_id)).canceled
    await blow(venue, {"effect": "disabled"})
    with pytest.raises(PolymarketError, match="disabled"):
        await alice.cancel_order(order_id=second.order_id)


async def test_429_by_the_weather_and_by_the_limits(venue: Rig, alice: AsyncSecureClient) -> None:
    await blow(venue, {"effect": "rate_limit", "retry_after_s": 2, "endpoints": ["POST /order"]})
    with pytest.raises(RateLimitError):
        await bid(alice)
    async with rig(mode="agents", rate_limits=True) as limited:
        # Else the bucket fills up while the test spends from it.
        limited.clock.stop()
        answers = [await limited.http.get("/tick-size") for _ in range(201)]
        assert [a.status_code for a in answers[:200]] == [400] * 200
        assert answers[200].status_code == 429
        assert int(answers[200].headers["Retry-After"]) >= 1
        await limited.fund(ALICE)
        async with limited.client(ALICE_KEY, ALICE) as client:
            signed = [
                await client.create_limit_order(asset_id=YES, price="0.1", size=5, side="BUY")
                for _ in range(15)
            ]
            for _ in range(4):
                await client.post_orders(signed)
            with pytest.raises(RateLimitError):
                await client.post_orders(signed)


async def test_user_events_come_twice_late_overtaken_or_never(
    venue: Rig, alice: AsyncSecureClient
) -> None:
    async with user_stream(venue, alice) as socket:
        await blow(venue, {"effect": "duplicate", "count": 1})
        await bid(alice, "0.20")
        assert words(await frames(socket)) == ["PLACEMENT", "PLACEMENT"]
        await blow(venue, {"effect": "reorder", "delay_ms": 60_000, "count": 1})
        await bid(alice, "0.21")
        await alice.cancel_all()
        told = await frames(socket)
        assert words(told) == ["CANCELLATION", "PLACEMENT", "CANCELLATION"]
        await blow(venue, {"effect": "late", "delay_ms": 1_000, "count": 1})
        late = await bid(alice, "0.22")
        await alice.cancel_order(order_id=late.order_id)
        told = await frames(socket, orders=2)
        assert words(told) == ["CANCELLATION", "PLACEMENT"]
        await blow(venue, {"effect": "lost", "channels": ["user"], "accounts": [ALICE]})
        await bid(alice, "0.23")
        assert await frames(socket) == []
        assert [row["channel"] for row in await log(venue)] == ["user"]


async def test_matched_comes_again_after_confirmed(venue: Rig, alice: AsyncSecureClient) -> None:
    await blow(venue, {"effect": "matched_again"})
    async with user_stream(venue, alice) as socket:
        await meet(venue, alice)
        told = [f for f in await frames(socket, trades=4) if f["event_type"] == "trade"]
    assert words(told) == ["MATCHED", "MINED", "CONFIRMED", "MATCHED"]


async def test_a_ghost_fill_is_matched_then_failed_and_leaves_no_money_behind(
    venue: Rig, alice: AsyncSecureClient
) -> None:
    await blow(venue, {"effect": "ghost_fill", "markets": [CONDITION], "count": 1})
    async with user_stream(venue, alice) as socket:
        await meet(venue, alice)
        told = [f for f in await frames(socket, trades=2) if f["event_type"] == "trade"]
        assert words(told) == ["MATCHED", "FAILED"]
    state = (await venue.http.get("/admin/state")).json()
    assert state["conserved"]
    assert {a["cash_micro"] for a in state["accounts"].values()} == {1_000_000_000}
    await meet(venue, alice)
    state = (await venue.http.get("/admin/state")).json()
    assert state["accounts"][ALICE.lower()]["positions"] == {YES: 5_000_000}


async def test_a_trade_is_retried_before_it_is_mined(venue: Rig, alice: AsyncSecureClient) -> None:
    await blow(venue, {"effect": "retrying", "retries": 2, "retry_ms": 50})
    async with user_stream(venue, alice) as socket:
        await meet(venue, alice)
        told = [f for f in await frames(socket, trades=5) if f["event_type"] == "trade"]
    assert words(told) == ["MATCHED", "RETRYING", "RETRYING", "MINED", "CONFIRMED"]
    assert [f["transaction_hash"] != "" for f in told] == [False, False, False, True, True]


async def test_a_slow_settlement_is_matched_for_long_and_mined_in_the_end(
    venue: Rig, alice: AsyncSecureClient
) -> None:
    venue.clock.stop()
    await blow(venue, {"effect": "slow_settlement", "mined_ms": 30_000, "confirmed_ms": 10_000})
    async with user_stream(venue, alice) as socket:
        await meet(venue, alice)
        told = [f for f in await frames(socket, trades=1) if f["event_type"] == "trade"]
        assert words(told) == ["MATCHED"]
        venue.clock.pass_ms(30_001)
        assert words(await frames(socket, trades=1)) == ["MINED"]
        venue.clock.pass_ms(10_000)
        assert words(await frames(socket, trades=1)) == ["CONFIRMED"]


async def test_a_delayed_order_matches_later(venue: Rig, alice: AsyncSecureClient) -> None:
    await bid(alice, "0.60")
    venue.clock.stop()
    await blow(venue, {"effect": "delayed", "delay_ms": 5_000})
    async with venue.client(BOB_KEY, BOB) as bob:
        taken = await bob.place_limit_order(asset_id=NO, price="0.40", size=5, side="BUY")
        assert taken.status == "delayed"
        assert (await bob.get_order(order_id=taken.order_id)).status == "DELAYED"
        venue.clock.pass_ms(5_001)
        for _ in range(600):
            if (await bob.get_order(order_id=taken.order_id)).status == "MATCHED":
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it still waits")


async def test_expired_heartbeats_cancel_everything(venue: Rig, alice: AsyncSecureClient) -> None:
    await alice.send_order_heartbeat()
    await bid(alice)
    await blow(venue, {"effect": "heartbeat_expiry"})
    assert await open_ids(alice) == []
    assert (await log(venue))[0]["what"] == "1 orders of 1 keys canceled"


async def test_a_frozen_socket_stays_open_and_says_nothing(venue: Rig) -> None:
    async with market_stream(venue) as socket:
        await blow(venue, {"effect": "freeze"})
        await quote(venue)
        await socket.send("PING")
        assert await asyncio.wait_for(socket.recv(), WAIT_S) == "PONG"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.2)
        await blow(venue, {"effect": "freeze", "pongs": False})
        await socket.send("PING")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.2)
        await venue.http.delete("/admin/weather")
        await socket.send("PING")
        assert await asyncio.wait_for(socket.recv(), WAIT_S) == "PONG"


async def test_a_socket_is_dropped_with_the_code_asked_for(venue: Rig) -> None:
    async with market_stream(venue) as socket:
        await blow(venue, {"effect": "drop", "channels": ["market"], "close_code": 4003})
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4003


async def test_a_gap_in_the_book_stream_shows_in_its_hashes(venue: Rig) -> None:
    async with market_stream(venue) as socket:
        await blow(venue, {"effect": "lost", "channels": ["market"], "skip": 1, "count": 1})
        for price in ("0.20", "0.21", "0.22"):
            await quote(venue, price)
        told = [f for f in await frames(socket) if f["event_type"] == "price_change"]
        prices = [change["price"] for f in told for change in f["price_changes"]]
        assert "0.21" not in prices
        assert {"0.2", "0.22"} <= set(prices)
        book = (await venue.http.get("/book", params={"token_id": YES})).json()
        assert [level["price"] for level in book["bids"]] == ["0.2", "0.21", "0.22"]


async def test_two_runs_of_one_seed_meet_the_same_weather() -> None:
    async def run() -> list[int]:
        async with rig(mode="agents", seed=42) as made:
            await blow(made, {"effect": "error", "probability": 0.4, "endpoints": ["GET /time"]})
            return [(await made.http.get("/time")).status_code for _ in range(30)]

    first = await run()
    assert first == await run()
    assert set(first) == {200, 500}


@contextlib.asynccontextmanager
async def market_stream(venue: Rig) -> AsyncIterator[Any]:
    async with websockets.connect(venue.url.replace("http", "ws", 1) + "/ws/market") as socket:
        await socket.send(json.dumps({"type": "market", "assets_ids": [YES]}))
        assert json.loads(await asyncio.wait_for(socket.recv(), WAIT_S))[0]["event_type"] == "book"
        yield socket


async def quote(venue: Rig, price: str = "0.20") -> None:
    async with venue.client(ALICE_KEY, ALICE) as client:
        assert (await bid(client, price)).ok


async def meet(venue: Rig, alice: AsyncSecureClient) -> None:
    """Let Alice's bid for YES be met by Bob's for NO."""
    await bid(alice, "0.60")
    async with venue.client(BOB_KEY, BOB) as bob:
        await bob.place_limit_order(asset_id=NO, price="0.40", size=5, side="BUY")
