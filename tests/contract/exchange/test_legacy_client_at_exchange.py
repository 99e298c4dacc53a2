"""py-clob-client, unmodified, in generation 1: what it can no longer do at the live venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_account import Account
from py_clob_client.client import ClobClient
from py_clob_client.clob_types import (
    ApiCreds,
    AssetType,
    BalanceAllowanceParams,
    BookParams,
    DropNotificationParams,
    MarketOrderArgs,
    OpenOrderParams,
    OrderArgs,
    OrderScoringParams,
    OrdersScoringParams,
    OrderType,
    PostOrdersArgs,
    TradeParams,
)
from py_clob_client.exceptions import PolyApiException

from tests.contract.exchange.exchange_rig import ALICE_KEY, BOB_KEY, CONDITION, NO, YES, Rig, rig

ALICE = Account.from_key(ALICE_KEY).address
BOB = Account.from_key(BOB_KEY).address


@pytest.fixture
async def venue() -> AsyncIterator[Rig]:
    async with rig(mode="agents", generation=1) as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        yield made


def connect(url: str, key: str = ALICE_KEY) -> Any:
    client = ClobClient(url, chain_id=137, key=key)
    client.set_api_creds(client.create_or_derive_api_creds())
    return client


def bid(price: float, size: float, token: str = YES, side: str = "BUY") -> OrderArgs:
    return OrderArgs(token_id=token, price=price, size=size, side=side)


async def run(work: Any, *args: Any) -> Any:
    return await asyncio.to_thread(work, *args)


async def test_it_trades_reads_and_cancels(venue: Rig) -> None:
    def work() -> None:
        alice, bob = connect(venue.url), connect(venue.url, BOB_KEY)
        resting = alice.create_and_post_order(bid(0.6, 10))
        assert resting["status"] == "live"
        taken = bob.create_and_post_order(bid(0.4, 6, NO))
        assert (taken["status"], taken["makingAmount"], taken["takingAmount"]) == (
            "matched",
            "2.4",
            "6",
        )
        (order,) = alice.get_orders(OpenOrderParams(market=CONDITION))
        assert (order["id"], order["size_matched"]) == (resting["orderID"], "6")
        (trade,) = bob.get_trades(TradeParams(id=taken["tradeIDs"][0]))
        assert (trade["trader_side"], trade["maker_orders"][0]["asset_id"]) == ("TAKER", YES)
        money = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL)
        assert alice.get_balance_allowance(money)["balance"] == "996400000"
        assert alice.cancel(resting["orderID"])["canceled"] == [resting["orderID"]]
        sold = alice.create_market_order(
            MarketOrderArgs(token_id=YES, amount=5, side="SELL", price=0.5)
        )
        with pytest.raises(PolyApiException, match="FOK"):
            alice.post_order(sold, OrderType.FOK)

    await run(work)


async def test_batches_and_every_kind_of_cancel(venue: Rig) -> None:
    def work() -> None:
        client = connect(venue.url)
        signed = [client.create_order(bid(0.3, 5 + n)) for n in range(4)]
        answers = client.post_orders([PostOrdersArgs(order, OrderType.GTC) for order in signed])
        ids = [answer["orderID"] for answer in answers]
        assert client.cancel_orders(ids[:1])["canceled"] == ids[:1]
        assert client.cancel_market_orders(asset_id=NO)["canceled"] == []
        assert set(client.cancel_market_orders(market=CONDITION)["canceled"]) == set(ids[1:])
        assert client.cancel_all() == {"canceled": [], "not_canceled": {}}
        scored = client.are_orders_scoring(OrdersScoringParams(orderIds=ids[:1]))
        assert scored == {ids[0]: False}
        assert client.is_order_scoring(OrderScoringParams(orderId=ids[0])) == {"scoring": False}

    await run(work)


async def test_its_other_reads(venue: Rig) -> None:
    def work() -> None:
        client = connect(venue.url)
        client.create_and_post_order(bid(0.4, 20))
        client.create_and_post_order(bid(0.5, 20, NO))
        assert client.get_ok() == "OK"
        assert client.get_server_time() > 1_700_000_000
        assert client.get_order_book(YES).asks[-1].price == "0.5"
        assert client.get_order_book_hash(client.get_order_book(YES))
        assert client.get_midpoint(YES) == {"mid": "0.45"}
        assert client.get_spread(YES) == {"spread": "0.1"}
        assert client.get_price(YES, "SELL") == {"price": "0.5"}
        asked = [BookParams(token_id=YES, side="BUY")]
        assert client.get_prices(asked) == {YES: {"BUY": "0.4"}}
        assert client.get_midpoints(asked) == {YES: "0.45"}
        assert len(client.get_order_books(asked)) == 1
        assert client.get_last_trade_price(YES) == {"price": "0.5", "side": ""}
        assert client.get_market(CONDITION)["condition_id"] == CONDITION
        assert client.get_markets()["next_cursor"] == "LTE="
        assert client.get_sampling_simplified_markets()["count"] == 1
        assert client.get_market_trades_events(CONDITION)["market_slug"] == "will-it-rain"
        assert client.get_fee_rate_bps(YES) == 1000
        assert client.get_neg_risk(YES) is False
        assert client.get_notifications() == []
        assert client.drop_notifications(DropNotificationParams(ids=["1"])) == "OK"
        assert client.get_closed_only_mode() == {"closed_only": False}

    await run(work)


async def test_keys_of_every_kind(venue: Rig) -> None:
    def work() -> None:
        client = connect(venue.url)
        made = client.create_readonly_api_key()
        assert client.get_readonly_api_keys() == [made.api_key]
        assert client.validate_readonly_api_key(ALICE, made.api_key) == "OK"
        with pytest.raises(PolyApiException):
            client.validate_readonly_api_key(BOB, made.api_key)
        assert client.delete_readonly_api_key(made.api_key) == "OK"
        assert client.get_readonly_api_keys() == []
        assert client.get_api_keys()["apiKeys"] == [client.creds.api_key]
        assert client.delete_api_key() == "OK"
        with pytest.raises(PolyApiException) as gone:
            client.get_api_keys()
        assert gone.value.status_code == 401

    await run(work)


async def test_heartbeats_chain(venue: Rig) -> None:
    def work() -> None:
        client = connect(venue.url)
        first = client.post_heartbeat(None)
        second = client.post_heartbeat(first["heartbeat_id"])
        with pytest.raises(PolyApiException) as wrong:
            client.post_heartbeat(first["heartbeat_id"])
        assert wrong.value.error_msg["heartbeat_id"] == second["heartbeat_id"]

    await run(work)


async def test_generations_refuse_each_others_orders(venue: Rig) -> None:
    from py_clob_client_v2.client import ClobClient as CurrentClient

    def current_at_retired() -> None:
        client = CurrentClient(venue.url, chain_id=137, key=ALICE_KEY)
        client.set_api_creds(client.create_or_derive_api_key())
        from py_clob_client_v2.clob_types import OrderArgsV2

        with pytest.raises(Exception, match="order_version_mismatch"):
            client.post_order(
                client.create_order(OrderArgsV2(token_id=YES, price=0.4, size=5, side="BUY"))
                if client.get_version() == 2
                else _signed_for_current(client)
            )

    await run(current_at_retired)
    async with rig(mode="agents") as current:
        await current.fund(ALICE)

        def retired_at_current() -> None:
            with pytest.raises(PolyApiException, match="order_version_mismatch"):
                connect(current.url).create_and_post_order(bid(0.4, 5))

        await run(retired_at_current)


def _signed_for_current(client: Any) -> Any:
    """Sign as the current generation whatever the venue says its version is."""
    from py_clob_client_v2.clob_types import OrderArgsV2, PartialCreateOrderOptions

    options = PartialCreateOrderOptions(tick_size="0.01", neg_risk=False, version=2)
    return client.create_order(OrderArgsV2(token_id=YES, price=0.4, size=5, side="BUY"), options)


async def test_a_wrong_passphrase_opens_nothing(venue: Rig) -> None:
    def work() -> None:
        client = connect(venue.url)
        creds = client.creds
        client.set_api_creds(ApiCreds(creds.api_key, creds.api_secret, "other"))
        with pytest.raises(PolyApiException) as refused:
            client.get_orders()
        assert refused.value.status_code == 401

    await run(work)
