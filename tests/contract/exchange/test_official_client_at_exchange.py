"""The official client, unmodified, trades at the exchange; only its hosts are changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import derive_proxy_wallet_address, derive_safe_wallet_address
from polymarket.errors import RequestRejectedError
from polymarket.streams import MarketSpec, UserSpec

from tests.contract.exchange.exchange_rig import (
    ALICE_KEY,
    BOB_KEY,
    CONDITION,
    NO,
    NS,
    T0,
    YES,
    Rig,
    rig,
)

ALICE = Account.from_key(ALICE_KEY).address
BOB = Account.from_key(BOB_KEY).address


@pytest.fixture
async def tape() -> AsyncIterator[Rig]:
    async with rig() as made:
        await made.fund(ALICE)
        await made.play(0)
        yield made


@pytest.fixture
async def alice(tape: Rig) -> AsyncIterator[AsyncSecureClient]:
    async with tape.client(ALICE_KEY, ALICE) as client:
        yield client


async def everything(paginator: Any) -> list[Any]:
    return [item async for page in paginator for item in page.items]


async def events(stream: Any, count: int) -> list[Any]:
    async def take() -> list[Any]:
        found = []
        async for event in stream:
            found.append(event)
            if len(found) == count:
                break
        return found

    return await asyncio.wait_for(take(), 30)


async def test_keys_are_created_once_and_derived_after(tape: Rig) -> None:
    async with tape.client(ALICE_KEY, ALICE) as first, tape.client(ALICE_KEY, ALICE) as second:
        assert first.credentials == second.credentials
        assert await first.fetch_api_keys() == (first.credentials.key,)
        await first.delete_api_key()
        with pytest.raises(RequestRejectedError) as refused:
            await second.fetch_api_keys()
        assert refused.value.status == 401


async def test_a_resting_order_fills_from_the_tape_and_balances_follow(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    placed = await alice.place_limit_order(asset_id=YES, price="0.40", size=50, side="BUY")
    assert placed.ok
    assert placed.status == "live"
    (order,) = await everything(alice.list_open_orders())
    assert (order.id, order.price, order.size_matched) == (placed.order_id, Decimal("0.4"), 0)
    facts = await tape.play(10, (YES, 40, 200))
    assert facts == {ALICE.lower(): 1}
    (order,) = await everything(alice.list_open_orders(market=CONDITION))
    assert order.size_matched == 20
    (trade,) = await everything(alice.list_account_trades())
    assert (trade.trader_side, trade.status, trade.price) == ("MAKER", "CONFIRMED", Decimal("0.4"))
    assert trade.maker_orders[0].order_id == placed.order_id
    assert order.associate_trades == (trade.id,)
    money = await alice.get_balance_allowance(asset_type="COLLATERAL")
    shares = await alice.get_balance_allowance(asset_type="CONDITIONAL", asset_id=YES)
    assert (money.balance, shares.balance) == (992_000_000, 20_000_000)


async def test_the_user_stream_tells_each_step_in_order(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    async with await alice.subscribe(UserSpec()) as stream:
        await until(lambda: tape.venue.hub.user_subscribers)
        placed = await alice.place_limit_order(asset_id=YES, price="0.40", size=10, side="BUY")
        await tape.play(10, (YES, 40, 50))
        await alice.cancel_order(order_id=placed.order_id)
        told = await events(stream, 6)
    steps = [
        event.payload.order_event_type if event.type == "order" else event.payload.status
        for event in told
    ]
    assert steps == ["PLACEMENT", "UPDATE", "MATCHED", "MINED", "CONFIRMED", "CANCELLATION"]
    assert told[1].payload.size_matched == 5
    assert told[2].payload.transaction_hash == ""
    assert told[4].payload.transaction_hash.startswith("0x")
    assert told[5].payload.status == "CANCELED"


async def test_the_market_stream_shows_books_levels_and_trades(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    async with await alice.subscribe(MarketSpec(asset_ids=[NO])) as stream:
        (book,) = await events(stream, 1)
        assert book.type == "book"
        await alice.place_limit_order(asset_id=YES, price="0.40", size=10, side="BUY")
        (change,) = await events(stream, 1)
        mirrored = next(c for c in change.payload.price_changes if c.asset_id == NO)
        assert (mirrored.side, mirrored.price, mirrored.size) == ("SELL", Decimal("0.6"), 10)
        await tape.play(10, (NO, 61, 50))
        kinds = [event.type for event in await events(stream, 2)]
    assert "last_trade_price" in kinds


async def test_cancels_answer_what_was_and_was_not_canceled(alice: AsyncSecureClient) -> None:
    ids = []
    for cents in (30, 31, 32, 33):
        placed = await alice.place_limit_order(
            asset_id=YES, price=Decimal(cents) / 100, size=5, side="BUY"
        )
        ids.append(placed.order_id)
    one = await alice.cancel_order(order_id=ids[0])
    assert one.canceled == (ids[0],)
    again = await alice.cancel_orders(order_ids=[ids[0], ids[1]])
    assert again.canceled == (ids[1],)
    assert again.not_canceled == {ids[0]: "Order already canceled"}
    by_market = await alice.cancel_market_orders(market=CONDITION, asset_id=NO)
    assert by_market.canceled == ()
    assert set((await alice.cancel_all()).canceled) == {ids[2], ids[3]}


async def test_a_gone_order_can_still_be_asked_for_by_its_hash(alice: AsyncSecureClient) -> None:
    placed = await alice.place_limit_order(asset_id=YES, price="0.30", size=5, side="BUY")
    await alice.cancel_all()
    assert (await alice.get_order(order_id=placed.order_id)).status == "CANCELED"
    with pytest.raises(RequestRejectedError) as refused:
        await alice.get_order(order_id="0x" + "00" * 32)
    assert refused.value.status == 404


async def test_the_same_signed_order_is_taken_once(alice: AsyncSecureClient) -> None:
    signed = await alice.create_limit_order(asset_id=YES, price="0.30", size=5, side="BUY")
    assert (await alice.post_order(signed)).ok
    with pytest.raises(RequestRejectedError, match="Duplicated"):
        await alice.post_order(signed)


async def test_a_changed_order_has_no_valid_signature(alice: AsyncSecureClient) -> None:
    signed = await alice.create_limit_order(asset_id=YES, price="0.30", size=5, side="BUY")
    with pytest.raises(RequestRejectedError, match="invalid signature"):
        await alice.post_order(replace_fields(signed, maker_amount=signed.maker_amount - 100_000))


async def test_an_order_beyond_the_balance_is_refused_in_the_venues_words(
    alice: AsyncSecureClient,
) -> None:
    with pytest.raises(RequestRejectedError, match="not enough balance / allowance"):
        await alice.place_limit_order(asset_id=YES, price="0.50", size=5_000, side="BUY")


@pytest.mark.parametrize("kind", ["FOK", "FAK"])
async def test_fok_and_fak_are_killed_at_the_tape(
    tape: Rig, alice: AsyncSecureClient, kind: Any
) -> None:
    with pytest.raises(RequestRejectedError, match=f"{kind} order"):
        await alice.place_market_order(
            asset_id=YES, side="BUY", amount=10, max_price="0.5", order_type=kind
        )
    assert await tape.play(5) == {ALICE.lower(): 1}


async def test_gtd_lives_in_tape_time_by_replacing_the_unsigned_expiration(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    signed = await alice.create_limit_order(asset_id=YES, price="0.40", size=10, side="BUY")
    gtd = replace_fields(signed, order_type="GTD", expiration=T0 + 160)
    placed = await alice.post_order(gtd)
    assert placed.ok
    await tape.play(99, (YES, 45, 10))
    assert len(await everything(alice.list_open_orders())) == 1
    assert await tape.play(101, (YES, 40, 1_000)) == {ALICE.lower(): 1}
    assert await everything(alice.list_open_orders()) == []


async def test_gtd_through_the_client_alone_lives_on_the_wall_clock(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    placed = await alice.place_limit_order(
        asset_id=YES, price="0.40", size=10, side="BUY", expiration=int(time.time()) + 600
    )
    assert placed.ok
    (order,) = await everything(alice.list_open_orders())
    assert order.order_type == "GTD"


async def test_a_batch_refuses_leg_by_leg(alice: AsyncSecureClient) -> None:
    good = await alice.create_limit_order(asset_id=YES, price="0.30", size=5, side="BUY")
    bad = await alice.create_limit_order(asset_id=YES, price="0.30", size=50_000, side="BUY")
    first, second, third = await alice.post_orders([good, bad, good])
    assert first.ok
    assert not second.ok
    assert second.code == "not_enough_balance"
    assert not third.ok
    assert "Duplicated" in third.message


async def test_resolution_pays_and_cancels(tape: Rig, alice: AsyncSecureClient) -> None:
    await alice.place_limit_order(asset_id=YES, price="0.40", size=10, side="BUY")
    await alice.place_limit_order(asset_id=YES, price="0.20", size=10, side="BUY")
    await tape.play(10, (YES, 40, 100))
    won = {"condition_id": CONDITION, "winning_index": 0, "ts_ns": (T0 + 20) * NS}
    assert await tape.play(20, resolutions=[won]) == {ALICE.lower(): 2}
    money = await alice.get_balance_allowance(asset_type="COLLATERAL")
    assert money.balance == 1_006_000_000
    market = await alice.get_market(slug="will-it-rain")
    assert market.state.closed


async def test_a_deposit_wallet_trades_with_its_wrapped_signature(tape: Rig) -> None:
    async with tape.client(BOB_KEY, None) as bob:
        assert bob.wallet_type == "DEPOSIT_WALLET"
        await tape.fund(str(bob.wallet))
        placed = await bob.place_limit_order(asset_id=YES, price="0.40", size=10, side="BUY")
        assert placed.ok
        await tape.play(10, (YES, 40, 100))
        (trade,) = await everything(bob.list_account_trades())
        assert trade.maker_orders[0].maker_address == bob.wallet
        money = await bob.get_balance_allowance(asset_type="COLLATERAL")
        assert money.balance == 996_000_000


@pytest.mark.parametrize(
    ("derive", "kind"),
    [(derive_proxy_wallet_address, "POLY_PROXY"), (derive_safe_wallet_address, "GNOSIS_SAFE")],
)
async def test_a_proxy_and_a_safe_trade_for_the_key_that_owns_them(
    tape: Rig, derive: Any, kind: str
) -> None:
    wallet = derive(BOB, PRODUCTION_CONFIG.wallet_derivation)
    await tape.fund(wallet)
    async with tape.client(BOB_KEY, wallet) as bob:
        assert bob.wallet_type == kind
        placed = await bob.place_limit_order(asset_id=YES, price="0.40", size=10, side="BUY")
        assert placed.ok
        await tape.play(10, (YES, 40, 100))
        money = await bob.get_balance_allowance(asset_type="COLLATERAL")
        assert money.balance == 996_000_000


async def test_another_keys_orders_are_out_of_sight_and_reach(
    tape: Rig, alice: AsyncSecureClient
) -> None:
    placed = await alice.place_limit_order(asset_id=YES, price="0.30", size=5, side="BUY")
    async with tape.client(BOB_KEY, BOB) as bob:
        assert await everything(bob.list_open_orders()) == []
        answer = await bob.cancel_order(order_id=placed.order_id)
        assert placed.order_id in answer.not_canceled
        with pytest.raises(RequestRejectedError):
            await bob.get_order(order_id=placed.order_id)


async def test_accounts_trade_with_each_other_and_the_taker_learns_amounts() -> None:
    async with rig(mode="agents") as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        async with made.client(ALICE_KEY, ALICE) as alice, made.client(BOB_KEY, BOB) as bob:
            await alice.place_limit_order(asset_id=YES, price="0.60", size=10, side="BUY")
            book = await bob.get_order_book(asset_id=NO)
            assert (book.asks[-1].price, book.asks[-1].size) == (Decimal("0.4"), 10)
            taken = await bob.place_market_order(
                asset_id=NO, side="BUY", amount=4, max_price="0.45", order_type="FAK"
            )
            assert taken.ok
            assert taken.status == "matched"
            hashes = await bob.wait_for_order_fill_settlement(taken)
            assert len(hashes) == 1
            (trade,) = await everything(bob.list_account_trades())
            assert trade.trader_side == "TAKER"
            assert trade.maker_orders[0].asset_id == YES
            state = (await made.http.get("/admin/state")).json()
            assert state["accounts"][ALICE.lower()]["cash_micro"] < 1_000_000_000


async def test_heartbeats_chain_and_their_silence_cancels(tape: Rig) -> None:
    async with tape.client(ALICE_KEY, ALICE) as alice:
        await alice.place_limit_order(asset_id=YES, price="0.30", size=5, side="BUY")
        first = await alice.send_order_heartbeat()
        await alice.send_order_heartbeat(heartbeat_id=first.heartbeat_id)
        tape.clock.pass_ms(16_000)
        for _ in range(300):
            if not await everything(alice.list_open_orders()):
                return
            await asyncio.sleep(0.1)
        raise AssertionError("the order still rests")


async def test_catalogue_and_positions_are_readable(tape: Rig, alice: AsyncSecureClient) -> None:
    await alice.place_limit_order(asset_id=YES, price="0.40", size=10, side="BUY")
    await tape.play(10, (YES, 40, 100))
    (market,) = await everything(alice.list_markets(condition_ids=[CONDITION]))
    assert market.condition_id == CONDITION
    (event,) = await everything(alice.list_events(slug=["weather"]))
    assert event.slug == "weather"
    (position,) = await everything(alice.list_positions(user=ALICE))
    assert position.asset_id == YES
    (trade,) = await everything(alice.list_trades(user=ALICE))
    assert trade.side == "BUY"


def replace_fields(signed: Any, **changes: Any) -> Any:
    return replace(signed, **changes)


async def until(ready: Any) -> None:
    for _ in range(3_000):
        if ready():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("the exchange saw no subscription")
