"""Paper trading against a followed venue: here a second exchange plays the real one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from polymarket import AsyncSecureClient

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    BOB_KEY,
    CONDITION,
    NO,
    YES,
    Clock,
    Rig,
    rig,
)
from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import running

ALICE = Account.from_key(ALICE_KEY).address
BOB = Account.from_key(BOB_KEY).address
# Half a minute: a bound, not a measure.
POLLS_MAX = 600
POLL_S = 0.05
CAROL_KEY = "0x" + "33" * 32
CAROL = Account.from_key(CAROL_KEY).address


@dataclass
class Paper:
    """Bob and Carol trade at the real venue, Alice on paper."""

    real: Rig
    paper: Rig
    bob: AsyncSecureClient
    carol: AsyncSecureClient
    alice: AsyncSecureClient

    async def level(self, price: str, token: str = YES) -> str:
        """Return the size that the paper venue shows at a price."""
        book = (await self.paper.http.get("/book", params={"token_id": token})).json()
        sizes = {row["price"]: row["size"] for row in book["bids"] + book["asks"]}
        return sizes.get(price, "0")

    async def until(self, price: str, size: str) -> None:
        for _ in range(POLLS_MAX):
            if await self.level(price) == size:
                return
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"{price} shows {await self.level(price)}, not {size}")

    async def matched(self, order_id: str) -> str:
        row = (await self.alice.get_order(order_id=order_id)).size_matched
        return str(row)

    async def until_matched(self, order_id: str, size: str) -> None:
        for _ in range(POLLS_MAX):
            if await self.matched(order_id) == size:
                return
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"matched {await self.matched(order_id)}, not {size}")


@contextlib.asynccontextmanager
async def follow(url: str) -> AsyncIterator[Rig]:
    import httpx

    config = ExchangeConfig(mode="live-book", follow_url=url, follow=CONDITION)
    clock = Clock()
    async with running(config, clock) as (own, venue), httpx.AsyncClient(base_url=own) as http:
        yield Rig(own, venue, http, clock)


@pytest.fixture
async def paper() -> AsyncIterator[Paper]:
    async with rig(mode="agents") as real:
        await real.fund(BOB, "10000")
        await real.fund(CAROL, "10000")
        async with (
            real.client(BOB_KEY, BOB) as bob,
            real.client(CAROL_KEY, CAROL) as carol,
            follow(real.url) as own,
        ):
            await own.fund(ALICE)
            await until_following(own)
            async with own.client(ALICE_KEY, ALICE) as alice:
                made = Paper(real, own, bob, carol, alice)
                await bob.place_limit_order(asset_id=YES, price="0.50", size=100, side="BUY")
                await bob.place_limit_order(asset_id=NO, price="0.40", size=80, side="BUY")
                await made.until("0.5", "100")
                await made.until("0.6", "80")
                yield made


async def until_following(own: Rig, wanted: Callable[[Any], bool] | None = None) -> Any:
    for _ in range(POLLS_MAX):
        answer = await own.http.get("/admin/follow")
        view = answer.json() if answer.status_code == 200 else {}
        if view.get("books") and all(view["books"].values()) and (not wanted or wanted(view)):
            return view
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"not following: {view}")


async def buy(client: AsyncSecureClient, price: str, size: int) -> Any:
    return await client.place_limit_order(asset_id=YES, price=price, size=size, side="BUY")


async def sell_yes(paper: Paper, price_of_no: str, size: int) -> None:
    """Let Carol hit bids for YES at the real venue, by buying NO."""
    await paper.carol.place_limit_order(asset_id=NO, price=price_of_no, size=size, side="BUY")


async def test_a_taker_gets_what_is_displayed_and_only_once(paper: Paper) -> None:
    first = await buy(paper.alice, "0.60", 50)
    assert (first.status, first.taking_amount) == ("matched", 50)
    assert await paper.level("0.6") == "30"
    second = await buy(paper.alice, "0.60", 50)
    assert second.taking_amount == 30
    # The real level still shows 80: for us it is used up until it is gone.
    await paper.bob.place_limit_order(asset_id=NO, price="0.40", size=10, side="BUY")
    for _ in range(20):
        if await paper.matched(second.order_id) != "30":
            break
        await asyncio.sleep(POLL_S)
    assert await paper.matched(second.order_id) == "30"


async def test_a_maker_waits_for_those_before_it(paper: Paper) -> None:
    own = await buy(paper.alice, "0.50", 20)
    await sell_yes(paper, "0.50", 60)
    await paper.until("0.5", "60")
    assert await paper.matched(own.order_id) == "0"
    await sell_yes(paper, "0.50", 40)
    await asyncio.sleep(0.3)
    assert await paper.matched(own.order_id) == "0"
    await paper.bob.place_limit_order(asset_id=YES, price="0.50", size=30, side="BUY")
    await sell_yes(paper, "0.50", 15)
    await paper.until_matched(own.order_id, "15")


async def test_a_print_through_the_price_fills_a_maker(paper: Paper) -> None:
    own = await buy(paper.alice, "0.55", 20)
    await sell_yes(paper, "0.50", 30)
    await paper.until_matched(own.order_id, "20")
    (trade,) = [t async for page in paper.alice.list_account_trades() for t in page.items]
    assert (trade.trader_side, str(trade.maker_orders[0].price)) == ("MAKER", "0.55")
    state = (await paper.paper.http.get("/admin/state")).json()
    assert state["conserved"]
    assert state["accounts"][ALICE.lower()]["positions"] == {YES: 20_000_000}


async def test_an_order_through_several_levels_is_no_gap(paper: Paper) -> None:
    for price in ("0.49", "0.48", "0.47"):
        await buy(paper.bob, price, 10)
    await sell_yes(paper, "0.53", 125)
    await paper.until("0.47", "5")
    assert (await paper.level("0.5"), await paper.level("0.48")) == ("0", "0")
    view = await until_following(paper.paper)
    assert (view["gaps"], view["resyncs"]) == (0, 0)


async def test_a_gap_is_seen_and_the_book_read_anew(paper: Paper) -> None:
    rule = {"effect": "lost", "channels": ["market"], "count": 1}
    await paper.real.http.put("/admin/weather", json={"rules": [rule]})
    await buy(paper.bob, "0.52", 10)
    await buy(paper.bob, "0.51", 10)
    await paper.until("0.52", "10")
    view = await until_following(paper.paper)
    assert (view["gaps"], view["resyncs"]) == (1, 1)


async def test_a_dropped_stream_takes_the_book_away_until_it_is_back(paper: Paper) -> None:
    rules = [{"effect": "drop", "channels": ["market"], "count": 1}]
    await paper.real.http.put("/admin/weather", json={"rules": rules})
    view = await until_following(paper.paper, lambda v: v["connections"] == 2)
    assert view["state"] == "following"
    await paper.until("0.5", "100")


async def test_the_real_resolution_pays_here_too(paper: Paper) -> None:
    await buy(paper.alice, "0.60", 50)
    await paper.real.admin("resolve", {"condition_id": CONDITION, "winning_index": 0})
    for _ in range(POLLS_MAX):
        money = await paper.alice.get_balance_allowance(asset_type="COLLATERAL")
        if money.balance > 1_000_000_000:
            break
        await asyncio.sleep(POLL_S)
    # Fifty shares cost 30 and a fee of 50 x 0.05 x 0.24, and pay 50.
    assert money.balance == 1_000_000_000 + 20_000_000 - 600_000


async def test_a_venue_that_cannot_be_reached_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with follow("http://127.0.0.1:9") as own:
        for _ in range(POLLS_MAX):
            view = (await own.http.get("/admin/follow")).json()
            if "cannot follow" in view.get("state", ""):
                break
            await asyncio.sleep(POLL_S)
        assert "is --follow-url right?" in view["state"]
        assert (await own.http.get("/markets")).json()["count"] == 0
    assert "cannot follow ws://127.0.0.1:9/ws/market" in caplog.text
