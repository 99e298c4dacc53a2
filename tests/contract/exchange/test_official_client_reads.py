"""Every read of the official client that the exchange serves, against what two accounts did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket.errors import RequestRejectedError
from polymarket.models.clob.requests import PriceRequest
from polymarket.streams import (
    CryptoPriceSpec,
    CryptoPricesSpec,
    CryptoTwapPriceSpec,
    MarketSpec,
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

ALICE = Account.from_key(ALICE_KEY).address
BOB = Account.from_key(BOB_KEY).address
# A bound, not a measure: a busy machine may be slow.
WAIT_S = 30
REWARDS = {"daily_rate": 50.0, "min_size": 5.0, "max_spread": 20.0, "min_age_s": 0}


@pytest.fixture
async def traded() -> AsyncIterator[Rig]:
    """Alice holds 30 YES at 0.60, Bob 30 NO at 0.40; Alice still bids for 20 more."""
    market = {"rewards": REWARDS}
    async with rig(market, mode="agents") as made:
        await made.fund(ALICE)
        await made.fund(BOB)
        async with made.client(ALICE_KEY, ALICE) as alice, made.client(BOB_KEY, BOB) as bob:
            await alice.place_limit_order(asset_id=YES, price="0.60", size=50, side="BUY")
            await bob.place_limit_order(asset_id=NO, price="0.40", size=30, side="BUY")
            await bob.place_limit_order(asset_id=NO, price="0.30", size=10, side="BUY")
        yield made


@pytest.fixture
async def alice(traded: Rig) -> AsyncIterator[AsyncSecureClient]:
    async with traded.client(ALICE_KEY, ALICE) as client:
        yield client


async def everything(paginator: Any) -> list[Any]:
    return [item async for page in paginator for item in page.items]


async def first(stream: Any, kind: str) -> Any:
    async def wait() -> Any:
        async for event in stream:
            if event.type == kind:
                return event
        raise AssertionError("the stream ended")

    return await asyncio.wait_for(wait(), WAIT_S)


async def test_prices_in_single_and_batch_forms_agree(alice: AsyncSecureClient) -> None:
    assert await alice.get_midpoint(asset_id=YES) == Decimal("0.65")
    assert await alice.get_midpoints(asset_ids=[YES]) == {YES: Decimal("0.65")}
    assert await alice.get_spread(asset_id=NO) == Decimal("0.1")
    assert await alice.get_spreads(asset_ids=[NO]) == {NO: Decimal("0.1")}
    assert await alice.get_price(asset_id=YES, side="BUY") == Decimal("0.6")
    asked = [PriceRequest(asset_id=YES, side="SELL")]
    assert await alice.get_prices(requests=asked) == {YES: {"SELL": Decimal("0.7")}}
    last = await alice.get_last_trade_price(asset_id=YES)
    assert last is not None
    assert (last.price, last.side) == (Decimal("0.6"), "SELL")
    (batch,) = await alice.get_last_trade_prices(asset_ids=[NO])
    assert (batch.asset_id, batch.price) == (NO, Decimal("0.4"))
    one, two = await alice.get_order_books(asset_ids=[YES, NO])
    assert (one.bids[-1].size, two.asks[-1].size) == (20, 20)
    price = await alice.estimate_market_price(asset_id=YES, side="BUY", amount=5)
    assert price == Decimal("0.7")


async def test_price_history_ends_with_now(alice: AsyncSecureClient) -> None:
    points = await everything(alice.list_price_history(asset_id=YES, interval="1d"))
    assert {point.price for point in points} == {Decimal("0.6")}


async def test_money_made_is_the_same_in_every_read(traded: Rig, alice: AsyncSecureClient) -> None:
    (held,) = await everything(alice.list_positions(user=ALICE))
    assert (held.current_size, held.avg_price, held.entry_cost_usdc) == (30, Decimal("0.6"), 18)
    assert (await alice.get_portfolio_value(user=ALICE)).value == 18
    (mine,) = await everything(alice.list_trades(user=ALICE, side="BUY"))
    assert (mine.size, mine.price) == (30, Decimal("0.6"))
    assert await everything(alice.list_trades(user=ALICE, taker_only=True)) == []
    (act,) = await everything(alice.list_activity(user=ALICE, activity_types=["TRADE"]))
    assert act.amount == 18
    bob = await everything(alice.list_activity(user=BOB, activity_types=["TRADE"]))
    assert bob[0].amount == Decimal("12.36")
    volume = await alice.get_user_volume(user=BOB)
    assert (volume.volume, volume.trade_count) == (30, 1)
    stats = await alice.get_user_stats(user=ALICE)
    assert stats is not None
    assert stats.traded_market_count == 1
    series = await alice.get_user_pnl(user=ALICE)
    assert series.points[0].trade_count == 1
    (deposit,) = await everything(alice.list_activity(user=ALICE, activity_types=["DEPOSIT"]))
    assert deposit.amount == 1_000


async def test_holders_interest_and_volume_follow_the_ledger(alice: AsyncSecureClient) -> None:
    holders = await everything(alice.list_market_holders(condition_ids=[CONDITION]))
    assert {h.asset_id: [x.amount for x in h.holders] for h in holders} == {YES: [30], NO: [30]}
    (interest,) = await alice.get_open_interests(condition_ids=[CONDITION])
    assert interest.value == 30
    event = await alice.get_event(slug="weather")
    volume = await alice.get_event_live_volume(event_ids=int(event.id))
    assert volume.taker_volume_total == 30
    board = await everything(alice.list_trader_leaderboard(window="all", sort_by="VOLUME"))
    assert {row.wallet.lower() for row in board} == {ALICE.lower(), BOB.lower()}
    standing = await alice.get_trader_leaderboard_standing(user=ALICE, window="all")
    assert standing is not None
    assert standing.volume == 30


async def test_resolution_shows_in_every_read(traded: Rig, alice: AsyncSecureClient) -> None:
    (before,) = await alice.get_resolutions(condition_ids=[CONDITION])
    assert before.status == "active"
    await traded.admin("resolve", {"condition_id": CONDITION, "winning_index": 0})
    (after,) = await alice.get_resolutions(condition_ids=[CONDITION])
    assert (after.status, after.payouts) == ("resolved", (1, 0))
    (closed,) = await everything(alice.list_positions(user=ALICE, status="CLOSED"))
    assert closed.realized_pnl == 12
    (winner,) = await everything(alice.list_biggest_winners(window="all"))
    assert (winner.wallet.lower(), winner.pnl) == (ALICE.lower(), 12)
    reference = (await alice.get_token_references(asset_ids=[YES]))[0]
    assert (reference.resolved, reference.final_price) == (True, 1)
    kinds = {note.type for note in await alice.get_notifications()}
    assert kinds == {1, 2, 4}


async def test_notifications_are_dropped_by_id(alice: AsyncSecureClient) -> None:
    (fill,) = await alice.get_notifications()
    assert (fill.type, fill.payload.matched_size) == (2, 30)
    await alice.drop_notifications(ids=[fill.id])
    assert await alice.get_notifications() == ()


async def test_the_catalogue_is_found_by_words_tags_and_order(alice: AsyncSecureClient) -> None:
    pages = [page async for page in alice.search(q="rain")]
    assert [event.slug for event in pages[0].items[0].events] == ["weather"]
    (tag,) = await everything(alice.list_tags())
    assert (await alice.get_tag(slug=tag.slug or "")).id == tag.id
    market = await alice.get_market(slug="will-it-rain")
    assert market.rewards.rewards_min_size == 5
    assert market.trading.fee_schedule is not None
    assert market.trading.fee_schedule.rebate_rate == Decimal("0.25")
    assert [t.slug for t in await alice.get_market_tags(market.id)] == ["weather"]
    assert await everything(alice.list_markets(volume_num_min=1_000_000)) == []
    found = await everything(alice.list_markets(order="volumeNum", ascending=False))
    assert [m.slug for m in found] == ["will-it-rain"]
    assert await everything(alice.list_series()) == []
    assert await everything(alice.list_teams()) == []
    assert await alice.get_sports() == ()
    profile = await alice.get_public_profile(ALICE)
    assert profile is not None
    assert await alice.get_public_profile("0x" + "99" * 20) is None


async def test_rewards_and_scoring_follow_the_operators_terms(alice: AsyncSecureClient) -> None:
    (paying,) = await everything(alice.list_current_rewards())
    assert paying.rewards_config[0].rate_per_day == 50
    (terms,) = await everything(alice.list_market_rewards(condition_id=CONDITION))
    assert terms.rewards_min_size == 5
    (shown,) = await everything(alice.list_reward_markets())
    assert shown.spread == Decimal("0.1")
    (order,) = await everything(alice.list_open_orders())
    assert await alice.get_order_scoring(order_id=order.id)
    assert await alice.get_orders_scoring(order_ids=[order.id, "0x00"]) == {
        order.id: True,
        "0x00": False,
    }
    shares = await alice.get_reward_percentages()
    assert 0 < shares[CONDITION] < 100
    assert await everything(alice.list_user_earnings_for_day(date="2026-11-20")) == []
    assert await alice.get_total_earnings_for_user_for_day(date="2026-11-20") == ()
    (mine,) = await everything(alice.list_user_earnings_and_markets_config(date="2026-11-20"))
    assert mine.earning_percentage == shares[CONDITION]


async def test_makers_see_their_rebates_of_the_day(traded: Rig, alice: AsyncSecureClient) -> None:
    import datetime

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    (rebate,) = await alice.get_current_rebates(date=today, maker_address=ALICE)
    # A quarter of Bob's fee: 30 shares at 0.4 pay 30 x 0.05 x 0.24 = 0.36.
    assert rebate.rebated_fees_usdc == Decimal("0.09")
    assert await alice.get_current_rebates(date=today, maker_address=BOB) == ()


async def test_builder_codes_are_kept_with_the_fills(traded: Rig, alice: AsyncSecureClient) -> None:
    code = "0x" + "ab" * 32
    async with traded.client(BOB_KEY, BOB) as bob:
        await bob.place_limit_order(
            asset_id=NO, price="0.40", size=5, side="BUY", builder_code=code
        )
    (filled,) = await everything(alice.list_builder_trades(builder_code=code))
    assert (filled.size, filled.price) == (5, Decimal("0.4"))
    assert (await alice.get_builder_fee_rates(code)).taker == 0


async def test_builder_keys_live_beside_trading_keys(alice: AsyncSecureClient) -> None:
    made = await alice.create_builder_api_key()
    assert [info.key for info in await alice.fetch_builder_api_keys()] == [made.key]
    assert made.key not in await alice.fetch_api_keys()


async def test_best_prices_and_resolution_reach_who_asked_for_them(
    traded: Rig, alice: AsyncSecureClient
) -> None:
    spec = MarketSpec(asset_ids=[YES], custom_feature_enabled=True)
    async with await alice.subscribe(spec) as stream:
        await first(stream, "book")
        await alice.place_limit_order(asset_id=YES, price="0.62", size=5, side="BUY")
        best = await first(stream, "best_bid_ask")
        assert (best.payload.best_bid, best.payload.best_ask) == (Decimal("0.62"), Decimal("0.7"))
        await traded.admin("resolve", {"condition_id": CONDITION, "winning_index": 1})
        assert (await first(stream, "market_resolved")).payload.winning_outcome == "No"


async def test_spot_prices_come_by_rtds_and_polybolt(alice: AsyncSecureClient) -> None:
    async with await alice.subscribe(CryptoPricesSpec(topic="prices.crypto.chainlink")) as stream:
        update = await asyncio.wait_for(anext(aiter(stream)), WAIT_S)
        assert update.payload.symbol.endswith("/usd")
    spec = CryptoPriceSpec(symbols=["btcusd"])
    async with await alice.subscribe(spec) as stream:
        snapshot = await asyncio.wait_for(anext(aiter(stream)), WAIT_S)
        assert len(snapshot.payload.data) == 120
    async with await alice.subscribe(CryptoTwapPriceSpec(symbols=["btcusd"])) as stream:
        mean = await asyncio.wait_for(anext(aiter(stream)), WAIT_S)
        assert abs(mean.payload.data[-1].value / snapshot.payload.data[-1].value - 1) < Decimal(
            "0.01"
        )


async def test_a_deposit_wallet_approves_splits_and_merges_through_the_relayer(
    traded: Rig,
) -> None:
    async with traded.client(BOB_KEY, BOB) as plain:
        builder = await plain.create_builder_api_key()
    async with traded.client(BOB_KEY, None, api_key=builder) as bob:
        await traded.fund(str(bob.wallet), "100")
        split = await bob.split_position(condition_id=CONDITION, amount=40_000_000)
        await split.wait()
        shares = await bob.get_balance_allowance(asset_type="CONDITIONAL", asset_id=YES)
        assert shares.balance == 40_000_000
        merged = await bob.merge_positions(condition_id=CONDITION, amount="max")
        await merged.wait()
        money = await bob.get_balance_allowance(asset_type="COLLATERAL")
        assert money.balance == 100_000_000
        kinds = await everything(bob.list_activity(user=str(bob.wallet)))
        assert [row.type for row in kinds] == ["MERGE", "SPLIT", "DEPOSIT"]
        state = await bob.get_trading_approvals_state()
        assert state.is_fully_approved


async def test_what_a_split_cannot_cover_fails_at_the_relayer(traded: Rig) -> None:
    async with traded.client(BOB_KEY, BOB) as plain:
        builder = await plain.create_builder_api_key()
    async with traded.client(BOB_KEY, None, api_key=builder) as bob:
        handle = await bob.split_position(condition_id=CONDITION, amount=40_000_000)
        with pytest.raises(Exception, match="settled collateral"):
            await handle.wait()


async def test_reads_of_what_is_not_there_are_refused(alice: AsyncSecureClient) -> None:
    with pytest.raises(RequestRejectedError) as missing:
        await alice.get_market(slug="no-such-market")
    assert missing.value.status == 404
    with pytest.raises(RequestRejectedError) as unknown:
        await alice.get_order_book(asset_id="12345")
    assert unknown.value.status == 404
