"""py-clob-client-v2, unmodified, against the exchange: a second opinion on the wire."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from eth_account import Account
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    OrderArgsV2,
    OrderMarketCancelParams,
    OrderPayload,
    OrderType,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException

from tests.contract.exchange.exchange_rig import ALICE_KEY, BOB_KEY, CONDITION, NO, YES, Rig, rig
from whaletrader.services.exchange.signing.contracts import is_position_id

ALICE = Account.from_key(ALICE_KEY).address
BOB = Account.from_key(BOB_KEY).address


@pytest.fixture
async def tape() -> AsyncIterator[Rig]:
    async with rig() as made:
        await made.fund(ALICE)
        await made.play(0)
        yield made


def connect(url: str, key: str = ALICE_KEY) -> ClobClient:
    client = ClobClient(url, chain_id=137, key=key)
    client.set_api_creds(client.create_or_derive_api_key())
    return client


def bid(price: float, size: float, token: str = YES) -> OrderArgsV2:
    return OrderArgsV2(token_id=token, price=price, size=size, side="BUY")


async def test_it_trades_reads_and_cancels(tape: Rig) -> None:
    client = await asyncio.to_thread(connect, tape.url)
    again = await asyncio.to_thread(connect, tape.url)
    assert again.creds == client.creds
    placed = await asyncio.to_thread(client.create_and_post_order, bid(0.4, 50))
    assert placed["status"] == "live"
    await tape.play(10, (YES, 40, 200))
    (order,) = await asyncio.to_thread(client.get_open_orders)
    assert (order["id"], order["size_matched"]) == (placed["orderID"], "20")
    (trade,) = await asyncio.to_thread(client.get_trades)
    assert (trade["status"], trade["trader_side"]) == ("CONFIRMED", "MAKER")
    wanted = TradeParams(id=trade["id"])
    assert await asyncio.to_thread(client.get_trades, wanted) == [trade]
    params = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
    balance = await asyncio.to_thread(client.get_balance_allowance, params)
    assert balance["balance"] == "992000000"
    answer = await asyncio.to_thread(client.cancel_order, OrderPayload(placed["orderID"]))
    assert answer == {"canceled": [placed["orderID"]], "not_canceled": {}}
    gone = await asyncio.to_thread(client.get_order, placed["orderID"])
    assert gone["status"] == "CANCELED"


async def test_market_reads_have_the_shapes_it_expects(tape: Rig) -> None:
    client = await asyncio.to_thread(connect, tape.url)
    await asyncio.to_thread(client.create_and_post_order, bid(0.4, 50))
    await asyncio.to_thread(client.create_and_post_order, bid(0.55, 50, NO))
    book = await asyncio.to_thread(client.get_order_book, YES)
    assert (book["bids"][-1], book["asks"][-1]) == (
        {"price": "0.4", "size": "50"},
        {"price": "0.45", "size": "50"},
    )
    stated = book["hash"]
    text = msgspec.json.encode({**book, "hash": ""})
    assert hashlib.sha1(text, usedforsecurity=False).hexdigest() == stated
    assert await asyncio.to_thread(client.get_midpoint, YES) == {"mid": "0.425"}
    assert await asyncio.to_thread(client.get_spread, YES) == {"spread": "0.05"}
    assert await asyncio.to_thread(client.get_price, YES, "BUY") == {"price": "0.4"}
    assert await asyncio.to_thread(client.get_tick_size, YES) == "0.01"
    assert await asyncio.to_thread(client.get_neg_risk, YES) is False
    assert await asyncio.to_thread(client.get_version) == 2
    assert await asyncio.to_thread(client.get_ok) == "OK"
    assert abs(await asyncio.to_thread(client.get_server_time) - time.time()) < 5
    market = await asyncio.to_thread(client.get_market, CONDITION)
    assert market["condition_id"] == CONDITION
    listed = await asyncio.to_thread(client.get_markets)
    assert (listed["count"], listed["next_cursor"]) == (1, "LTE=")


async def test_refusals_arrive_as_its_exception_with_the_venues_text(tape: Rig) -> None:
    client = await asyncio.to_thread(connect, tape.url)
    with pytest.raises(PolyApiException) as refused:
        await asyncio.to_thread(client.create_and_post_order, bid(0.4, 4))
    assert refused.value.status_code == 400
    assert "lower than the minimum: 5" in str(refused.value.error_msg)


@pytest.mark.parametrize("signature_type", [1, 2, 3])
async def test_a_rightly_signed_order_for_another_ones_wallet_is_refused(
    tape: Rig, signature_type: int
) -> None:
    wallet = "0x" + "77" * 20
    await tape.fund(wallet)

    def trade() -> object:
        client = ClobClient(
            tape.url, chain_id=137, key=ALICE_KEY, signature_type=signature_type, funder=wallet
        )
        client.set_api_creds(client.create_or_derive_api_key())
        return client.create_and_post_order(bid(0.4, 10))

    with pytest.raises(PolyApiException, match="invalid signature"):
        await asyncio.to_thread(trade)
    await tape.admin("accounts", {"address": wallet, "owner": ALICE})
    placed = await asyncio.to_thread(trade)
    assert placed["status"] == "live"  # type: ignore[index]


async def test_batches_and_cancels_by_market(tape: Rig) -> None:
    client = await asyncio.to_thread(connect, tape.url)
    orders = [await asyncio.to_thread(client.create_order, bid(0.3, 5 + n)) for n in range(3)]
    answers = await asyncio.to_thread(
        client.post_orders, [PostOrdersV2Args(order, OrderType.GTC) for order in orders]
    )
    ids = {answer["orderID"] for answer in answers}
    assert len(ids) == 3
    market = OrderMarketCancelParams(market=CONDITION)
    canceled = await asyncio.to_thread(client.cancel_market_orders, market)
    assert set(canceled["canceled"]) == ids


async def test_a_taker_gets_its_transaction_hash_without_waiting() -> None:
    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        alice = await asyncio.to_thread(connect, made.url)
        bob = await asyncio.to_thread(connect, made.url, BOB_KEY)
        await asyncio.to_thread(alice.create_and_post_order, bid(0.6, 10))
        before = time.monotonic()
        taken = await asyncio.to_thread(bob.create_and_post_order, bid(0.45, 10, NO))
        assert (taken["status"], taken["makingAmount"], taken["takingAmount"]) == (
            "matched",
            "4",
            "10",
        )
        assert taken["transactionsHashes"][0].startswith("0x")
        # Without a hash the client would go on asking for thirty seconds.
        assert time.monotonic() - before < 20


async def test_its_other_calls_have_the_shapes_it_expects() -> None:
    from py_clob_client_v2.clob_types import (
        BookParams,
        OpenOrderParams,
        OrderScoringParams,
        OrdersScoringParams,
        PricesHistoryParams,
    )

    def work(url: str) -> None:
        client = connect(url)
        placed = client.create_and_post_order(bid(0.4, 50))
        client.create_and_post_order(bid(0.5, 20, NO))
        asked = [BookParams(token_id=YES, side="BUY")]
        assert client.get_midpoints(asked) == {YES: "0.45"}
        assert client.get_prices(asked) == {YES: {"BUY": "0.4"}}
        assert client.get_spreads(asked) == {YES: "0.1"}
        assert len(client.get_order_books(asked)) == 1
        assert client.get_last_trades_prices(asked)[0]["price"] == "0.5"
        assert client.get_prices_history(PricesHistoryParams(market=YES, interval="1d")) == {
            "history": []
        }
        assert client.get_clob_market_info(CONDITION)["t"][0]["t"] == YES
        assert client.get_fee_rate_bps(YES) == 1000
        assert client.get_market_trades_events(CONDITION)["condition_id"] == CONDITION
        assert client.get_simplified_markets()["count"] == 1
        assert client.get_sampling_markets()["count"] == 1
        assert client.get_open_orders(OpenOrderParams(asset_id=NO))[0]["price"] == "0.5"
        assert client.get_pre_migration_orders() == []
        assert client.is_order_scoring(OrderScoringParams(placed["orderID"])) == {"scoring": False}
        scored = client.are_orders_scoring(OrdersScoringParams([placed["orderID"]]))
        assert scored == {placed["orderID"]: False}
        assert client.get_current_rewards() == []
        assert client.get_raw_rewards_for_market(CONDITION) == []
        assert client.get_reward_percentages() == {}
        assert client.get_total_earnings_for_user_for_day("2026-11-20") == []
        assert client.get_earnings_for_user_for_day("2026-11-20") == []
        made = client.create_readonly_api_key()
        assert client.get_readonly_api_keys() == [made["apiKey"]]
        assert client.delete_readonly_api_key(made["apiKey"]) == "OK"
        builder = client.create_builder_api_key()
        assert client.get_builder_api_keys() == [{"key": builder["key"]}]
        assert client.revoke_builder_api_key() == "OK"
        assert client.get_builder_api_keys() == []
        params = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
        client.update_balance_allowance(params)
        beat = client.post_heartbeat("")
        assert client.post_heartbeat(beat["heartbeat_id"])["heartbeat_id"]
        assert client.cancel_all()["not_canceled"] == {}

    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        await asyncio.to_thread(work, made.url)


async def test_market_orders_of_both_kinds_are_priced_from_the_book() -> None:
    from py_clob_client_v2.clob_types import MarketOrderArgs

    def work(url: str) -> None:
        alice, bob = connect(url), connect(url, BOB_KEY)
        alice.create_and_post_order(bid(0.6, 20))
        taken = bob.create_and_post_market_order(
            MarketOrderArgs(token_id=NO, amount=4, side="BUY", order_type=OrderType.FOK)
        )
        assert (taken["status"], taken["takingAmount"]) == ("matched", "10")
        rest = bob.create_and_post_market_order(
            MarketOrderArgs(token_id=NO, amount=8, side="BUY", order_type=OrderType.FAK),
            order_type=OrderType.FAK,
        )
        assert (rest["makingAmount"], rest["takingAmount"]) == ("4", "10")

    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        await asyncio.to_thread(work, made.url)


@pytest.mark.parametrize("generation", [2, 3])
async def test_default_markets_of_every_kind_take_its_orders(generation: int) -> None:
    def work(url: str, tokens: list[str]) -> None:
        client = connect(url)
        for token in tokens:
            asset = {"position_id": token} if is_position_id(token) else {"token_id": token}
            order = OrderArgsV2(**asset, price=0.1, size=10, side="BUY")
            placed = client.create_and_post_order(order)
            assert placed["status"] == "live", placed

    async with rig(mode="agents", markets="default", traders=0, generation=generation) as made:
        await made.fund(ALICE)
        listed = (await made.http.get("/markets")).json()["data"]
        chosen = [m["tokens"][0]["token_id"] for m in listed if m["market_slug"] != "will-it-rain"]
        assert {m["neg_risk"] for m in listed} == {True, False}
        await asyncio.to_thread(work, made.url, chosen)
