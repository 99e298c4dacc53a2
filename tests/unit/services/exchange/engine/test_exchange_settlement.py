"""Trades after the match: retried, mined, confirmed, failed; what a reversal gives back and drags
along."""

from __future__ import annotations

import pytest

from tests.unit.services.exchange.exchange_venue import (
    ALICE,
    BOB,
    BUY,
    CONDITION,
    NO,
    SELL,
    YES,
    Venue,
    tape_print,
    venue,
)
from whaletrader.services.exchange.engine.digest import digest
from whaletrader.services.exchange.engine.errors import BadInstruction, OperationRefused
from whaletrader.services.exchange.engine.events import OrderEvent, TradeEvent
from whaletrader.services.exchange.engine.model import (
    MICRO,
    CloseReason,
    OrderStatus,
    OrderType,
    Resolution,
    TradeStatus,
)
from whaletrader.services.exchange.engine.plans import (
    NOT_COVERED,
    SettlementPlan,
    SettlementWeather,
)

CAROL = "0x" + "ca" * 20
SLOW = {"follows_tape": False, "settle_mined_ns": 10, "settle_confirmed_ns": 10}
FAILS = SettlementPlan(mined_ns=10, fails=True)


def statuses(v: Venue, trade_id: str) -> list[tuple[str, int]]:
    """What the stream told of a trade, with its times."""
    told = [e for e in v.exchange.take_events() if isinstance(e, TradeEvent)]
    return [(e.status.value, e.at_ns) for e in told if e.trade.trade_id == trade_id]


def matched(v: Venue, plan: SettlementPlan | None = None) -> str:
    """Alice rests, Bob takes: ten shares at 60 and 40."""
    if plan is not None:
        v.exchange.hold_next(BOB, plan)
    v.place(ALICE, BUY, YES, 60, 10)
    trade = v.place(BOB, BUY, NO, 40, 10).trade
    assert trade is not None
    return trade.trade_id


def test_a_failed_trade_gives_back_cash_shares_and_fee_to_the_micro_unit() -> None:
    v = venue(**SLOW)
    before = v.cash(ALICE), v.cash(BOB)
    trade_id = matched(v, FAILS)
    assert v.held(BOB, NO) == 10 * MICRO
    assert v.cash(BOB) < before[1] - 4 * MICRO
    v.exchange.advance(10)
    assert (v.cash(ALICE), v.cash(BOB)) == before
    assert v.held(ALICE, YES) == v.held(BOB, NO) == 0
    assert v.exchange.state.ledger.account("fees").cash_micro == 0
    assert v.exchange.state.ledger.account(BOB).fees_paid_micro == 0
    assert v.exchange.state.markets[CONDITION].volume_micro == 0
    assert statuses(v, trade_id) == [("MATCHED", 0), ("FAILED", 10)]
    assert v.exchange.state.trades[trade_id].error == "transaction reverted"
    v.check()


def test_the_orders_of_a_failed_trade_are_cancelled_short_of_their_size() -> None:
    v = venue(**SLOW)
    trade = v.exchange.state.trades[matched(v, FAILS)]
    v.exchange.advance(10)
    for leg in trade.legs:
        order = v.exchange.state.orders[leg.order_id]
        assert (order.status, order.close_reason) == (OrderStatus.CANCELED, CloseReason.REVERSED)
        assert (order.matched_micro, order.spent_micro, order.fee_micro) == (0, 0, 0)
    # A final trade each, and an order that closed without being fully matched.
    assert v.exchange.facts() == {ALICE: 2, BOB: 2}


def test_a_failed_fill_of_an_order_that_still_rests_cancels_what_is_left_of_it() -> None:
    v = venue(**SLOW)
    v.exchange.hold_next(BOB, FAILS)
    resting = v.place(ALICE, BUY, YES, 60, 30).order
    v.place(BOB, BUY, NO, 40, 10)
    v.exchange.advance(10)
    assert (resting.status, resting.matched_micro) == (OrderStatus.CANCELED, 0)
    assert v.exchange.state.ledger.account(ALICE).reserved_cash_micro == 0
    assert v.exchange.state.books[CONDITION].view(0) == ([], [])


def test_restoring_puts_a_failed_order_back_behind_its_price_level() -> None:
    v = venue(**SLOW, after_failure="restore")
    v.exchange.hold_next(BOB, FAILS)
    first = v.place(ALICE, BUY, YES, 60, 10).order
    v.place(BOB, BUY, NO, 40, 10, order_type=OrderType.FAK)
    second = v.place(ALICE, BUY, YES, 60, 10).order
    v.exchange.advance(10)
    assert first.status is OrderStatus.LIVE
    book = v.exchange.state.books[CONDITION]
    assert [o.order_id for o in book.bids.orders()] == [second.order_id, first.order_id]
    assert book.bids.levels() == [(600_000, 20 * MICRO)]
    assert v.exchange.state.ledger.account(ALICE).reserved_cash_micro == 12 * MICRO


def test_a_failed_order_that_would_cross_now_is_not_put_back() -> None:
    v = venue(**SLOW, after_failure="restore")
    v.exchange.deposit(CAROL, 100 * MICRO, "x")
    trade = v.exchange.state.trades[matched(v, FAILS)]
    v.place(CAROL, BUY, NO, 40, 10)
    v.exchange.advance(10)
    bought = v.exchange.state.orders[trade.makers[0].order_id]
    assert bought.close_reason is CloseReason.REVERSED
    assert not v.exchange.state.books[CONDITION].is_crossed()


def test_a_retried_trade_is_told_each_time_and_then_mined() -> None:
    v = venue(**SLOW)
    plan = SettlementPlan(mined_ns=5, confirmed_ns=3, retries=2, retry_ns=4, repeats_matched=True)
    trade_id = matched(v, plan)
    v.exchange.advance(100)
    assert statuses(v, trade_id) == [
        ("MATCHED", 0),
        ("RETRYING", 5),
        ("RETRYING", 9),
        ("MINED", 13),
        ("CONFIRMED", 16),
        ("MATCHED", 16),
    ]
    assert v.exchange.state.trades[trade_id].status is TradeStatus.CONFIRMED


def test_a_plan_can_change_until_the_trade_is_mined_and_not_after() -> None:
    v = venue(**SLOW)
    trade_id = matched(v)
    v.exchange.schedule(trade_id, SettlementPlan(mined_ns=50, fails=True), 5)
    v.exchange.advance(49)
    v.exchange.schedule(trade_id, SettlementPlan(mined_ns=20, confirmed_ns=10), 49)
    assert statuses(v, trade_id) == [("MATCHED", 0), ("MINED", 49)]
    with pytest.raises(BadInstruction, match="is MINED: only a trade not yet mined"):
        v.exchange.schedule(trade_id, FAILS, 50)
    v.exchange.advance(200)
    assert statuses(v, trade_id) == [("CONFIRMED", 59)]
    with pytest.raises(BadInstruction, match="is CONFIRMED"):
        v.exchange.schedule(trade_id, FAILS, 201)
    with pytest.raises(BadInstruction, match="unknown"):
        v.exchange.schedule("none", FAILS, 201)


def test_a_status_can_be_told_again_without_anything_happening() -> None:
    v = venue(follows_tape=False)
    trade_id = matched(v)
    before = digest(v.exchange.state)
    v.exchange.take_events()
    v.exchange.repeat_status(trade_id, TradeStatus.MATCHED, 7)
    assert statuses(v, trade_id) == [("MATCHED", 7)]
    assert digest(v.exchange.state) == before
    with pytest.raises(BadInstruction):
        v.exchange.repeat_status("none", TradeStatus.MATCHED, 7)


def test_a_trade_paid_from_another_waits_until_that_one_is_mined() -> None:
    v = venue(**SLOW, settle_retry_ns=5, fee_rate_micro=0)
    v.exchange.deposit(CAROL, 100 * MICRO, "x")
    first = matched(v, SettlementPlan(mined_ns=30))
    v.exchange.hold_next(CAROL, SettlementPlan())
    v.place(CAROL, BUY, NO, 50, 10)
    second = v.place(BOB, SELL, NO, 50, 10).trade
    assert second is not None
    assert second.status is TradeStatus.RETRYING  # Bob has no such shares on chain yet
    v.exchange.advance(29)
    assert second.status is TradeStatus.RETRYING
    v.exchange.advance(35)
    assert v.exchange.state.trades[first].status is TradeStatus.CONFIRMED
    assert second.status is TradeStatus.CONFIRMED
    v.check()


def test_when_proceeds_never_arrive_whatever_was_paid_from_them_fails_too() -> None:
    v = venue(**SLOW, fee_rate_micro=0)
    v.exchange.deposit(CAROL, 100 * MICRO, "x")
    before = {who: v.cash(who) for who in (ALICE, BOB, CAROL)}
    first = matched(v, SettlementPlan(mined_ns=30, fails=True))
    # Bob sells what he has not got yet, and Carol sells it on.
    v.place(CAROL, BUY, NO, 50, 10)
    v.place(BOB, SELL, NO, 50, 10)
    v.place(ALICE, BUY, NO, 55, 10)
    v.place(CAROL, SELL, NO, 55, 10)
    unrelated = v.place(CAROL, BUY, YES, 30, 10).order
    v.exchange.advance(30)
    trades = list(v.exchange.state.trades.values())
    assert [t.status for t in trades] == [TradeStatus.FAILED] * 3
    assert v.exchange.state.trades[first].error == "transaction reverted"
    assert {t.error for t in trades[1:]} == {NOT_COVERED}
    assert {who: v.cash(who) for who in (ALICE, BOB, CAROL)} == before
    assert unrelated.is_open
    v.check()


def test_resting_orders_that_a_reversal_leaves_uncovered_are_dropped_newest_first() -> None:
    v = venue(**SLOW, fee_rate_micro=0, cash=10 * MICRO)
    v.exchange.deposit(CAROL, 100 * MICRO, "x")
    v.exchange.split(ALICE, CONDITION, 10 * MICRO, 0)
    v.place(CAROL, BUY, YES, 90, 10)
    v.exchange.hold_next(ALICE, FAILS)
    v.place(ALICE, SELL, YES, 90, 10)
    v.exchange.deposit(ALICE, 4 * MICRO, "little")
    older = v.place(ALICE, BUY, NO, 40, 10).order
    newer = v.place(ALICE, BUY, NO, 30, 10).order
    v.exchange.advance(10)
    assert (older.is_open, newer.close_reason) == (True, CloseReason.NOT_FUNDED)
    told = [e for e in v.exchange.take_events() if isinstance(e, OrderEvent)]
    assert "CANCELED_NOT_ENOUGH_BALANCE" in {e.status for e in told if e.order is newer}
    v.check()


def test_collateral_withdrawn_between_match_and_settlement_fails_the_trade() -> None:
    v = venue(**SLOW, fee_rate_micro=0, cash=10 * MICRO)
    trade_id = matched(v)
    v.exchange.withdraw(BOB, 9 * MICRO, 5)
    trade = v.exchange.state.trades[trade_id]
    assert (trade.status, trade.error) == (TradeStatus.FAILED, NOT_COVERED)
    assert (v.cash(ALICE), v.cash(BOB)) == (10 * MICRO, MICRO)
    v.check()


def test_what_is_not_settled_cannot_be_taken_off_the_chain() -> None:
    v = venue(**SLOW, fee_rate_micro=0, cash=10 * MICRO)
    matched(v)
    with pytest.raises(OperationRefused, match="0 micro-units of settled token"):
        v.exchange.merge(BOB, CONDITION, MICRO, 5)
    account = v.exchange.state.ledger.account(BOB)
    assert (account.cash_micro, account.settled_cash_micro) == (6 * MICRO, 10 * MICRO)
    assert account.settled_shares_micro(NO) == 0
    v.exchange.advance(10)
    assert (account.settled_cash_micro, account.settled_shares_micro(NO)) == (
        6 * MICRO,
        10 * MICRO,
    )


def test_a_fill_from_the_tape_can_fail_as_well() -> None:
    v = venue(settle_mined_ns=10 * 10**9)
    v.play(100)
    order = v.place(ALICE, BUY, YES, 40, 50).order
    v.exchange.hold_next(ALICE, SettlementPlan(mined_ns=5, fails=True))
    v.play(110, tape_print("p1", YES, 40, 200, 105))
    assert order.close_reason is CloseReason.REVERSED
    assert (v.cash(ALICE), v.held(ALICE, YES)) == (1_000 * MICRO, 0)
    assert v.exchange.state.ledger.account("tape").cash_micro == 0
    v.check()


@pytest.mark.parametrize("winner", [0, 1])
def test_a_trade_that_fails_after_the_market_was_resolved_is_undone_all_the_same(
    winner: int,
) -> None:
    v = venue(settle_mined_ns=10**12)
    v.play(100)
    v.place(ALICE, BUY, YES, 40, 10)
    v.exchange.hold_next(ALICE, SettlementPlan(mined_ns=50 * 10**9, fails=True))
    v.play(110, tape_print("p1", YES, 40, 100, 105))
    v.play(120, resolve=Resolution(CONDITION, winner, 115 * 10**9))
    assert v.held(ALICE, YES) == 10 * MICRO  # not redeemable before it is on chain
    v.play(200)
    assert (v.cash(ALICE), v.held(ALICE, YES)) == (1_000 * MICRO, 0)
    assert v.exchange.state.ledger.account("tape").cash_micro == 0
    v.check()


def test_a_trade_that_settles_after_the_resolution_is_paid_then() -> None:
    v = venue(**SLOW, fee_rate_micro=0)
    matched(v)
    v.exchange.resolve(CONDITION, 0, 5)
    assert v.cash(ALICE) == 994 * MICRO
    v.exchange.advance(20)
    assert v.cash(ALICE) == 1_004 * MICRO
    v.check()


def test_weather_is_a_function_of_seed_and_trade_and_not_of_the_order_of_calls() -> None:
    weather = SettlementWeather(seed=7, fail_micro=300_000, retry_micro=300_000, delay_ns_max=9)
    names = [f"trade-{number}" for number in range(2_000)]
    plans = {name: weather.plan(name, SettlementPlan()) for name in names}
    assert plans == {name: weather.plan(name, SettlementPlan()) for name in reversed(names)}
    assert 500 < sum(plan.fails for plan in plans.values()) < 700
    assert 500 < sum(plan.retries > 0 for plan in plans.values()) < 700
    assert {plan.mined_ns for plan in plans.values()} == set(range(10))
    other = SettlementWeather(seed=8, fail_micro=300_000)
    assert any(other.plan(n, SettlementPlan()).fails != plans[n].fails for n in names)


def test_fair_weather_settles_at_once_again() -> None:
    v = venue(follows_tape=False)
    v.exchange.settlement_weather(SettlementWeather(fail_micro=MICRO))
    first = matched(v)
    v.exchange.settlement_weather(None)
    second = matched(v)
    trades = v.exchange.state.trades
    assert trades[first].status is TradeStatus.FAILED
    assert trades[second].status is TradeStatus.CONFIRMED


@pytest.mark.parametrize(
    "wrong",
    [{"retries": -1}, {"retry_ns": 0}, {"mined_ns": -1}, {"confirmed_ns": -1}],
)
def test_a_plan_that_goes_back_in_time_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        SettlementPlan(**wrong)  # type: ignore[arg-type]


def test_weather_in_other_units_than_a_millionth_is_refused() -> None:
    with pytest.raises(ValueError, match="1e-6"):
        SettlementWeather(fail_micro=MICRO + 1)
