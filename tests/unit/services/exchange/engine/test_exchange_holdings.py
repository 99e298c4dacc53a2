"""Splits, merges, conversions, redemptions, withdrawals, allowances, rebates and profit."""

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
    market,
    venue,
)
from whaletrader.services.exchange.engine.allowances import UNLIMITED, spender_of
from whaletrader.services.exchange.engine.errors import (
    BadInstruction,
    OperationRefused,
    OrderRefused,
)
from whaletrader.services.exchange.engine.ledger import BURN
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    CloseReason,
    NegRiskEvent,
    Token,
)
from whaletrader.services.exchange.engine.pnl import Position
from whaletrader.services.exchange.engine.rebates import DAY_NS
from whaletrader.services.exchange.engine.schedules import schedule_of

FREE = {"follows_tape": False, "fee_rate_micro": 0}
EVENT = "0xevent"
MEMBERS = tuple(f"0x{number:064x}" for number in (1, 2, 3))


def election(*, is_augmented: bool = False, **chosen: object) -> Venue:
    """Three candidates of whom at most one wins; YES of the first is 11, NO is 12, and so on."""
    v = venue(**FREE, **chosen)
    for number, condition_id in enumerate(MEMBERS, 1):
        tokens = (Token(f"{number}1", "Yes"), Token(f"{number}2", "No"))
        v.exchange.list_market(
            market(condition_id=condition_id, tokens=tokens, neg_risk=True, fee_rate_micro=0)
        )
    v.exchange.list_event(NegRiskEvent(EVENT, MEMBERS, is_augmented))
    return v


def position(v: Venue, account: str, token: str) -> Position:
    return next(p for p in v.exchange.positions(account) if p.token_id == token)


def test_a_split_makes_both_outcomes_and_a_merge_unmakes_them() -> None:
    v = venue(**FREE)
    v.exchange.split(ALICE, CONDITION, 10 * MICRO, 5)
    assert (v.cash(ALICE), v.held(ALICE, YES), v.held(ALICE, NO)) == (
        990 * MICRO,
        10 * MICRO,
        10 * MICRO,
    )
    merged = v.exchange.merge(ALICE, CONDITION, 4 * MICRO, 7)
    assert (v.cash(ALICE), v.held(ALICE, YES)) == (994 * MICRO, 6 * MICRO)
    assert (merged.usdc_micro, merged.at_ns, merged.condition_id) == (4 * MICRO, 7, CONDITION)
    kinds = [a.kind.value for a in v.exchange.activity(ALICE)]
    assert kinds == ["DEPOSIT", "SPLIT", "MERGE"]
    v.check()


@pytest.mark.parametrize("amount", [0, -1])
def test_an_operation_of_nothing_is_refused(amount: int) -> None:
    v = venue(**FREE)
    with pytest.raises(BadInstruction, match="must be positive"):
        v.exchange.split(ALICE, CONDITION, amount, 0)


def test_nobody_splits_or_merges_more_than_there_is() -> None:
    v = venue(**FREE)
    with pytest.raises(OperationRefused, match="1000000000 micro-units of settled collateral"):
        v.exchange.split(ALICE, CONDITION, 1_001 * MICRO, 0)
    with pytest.raises(OperationRefused):
        v.exchange.merge(ALICE, CONDITION, 1, 0)
    with pytest.raises(BadInstruction, match="house"):
        v.exchange.split("vault", CONDITION, 1, 0)
    assert v.cash(ALICE) == 1_000 * MICRO


def test_a_chain_operation_takes_what_an_order_had_set_aside_and_the_order_goes() -> None:
    v = venue(**FREE)
    order = v.place(ALICE, BUY, YES, 60, 1_000).order
    v.exchange.split(ALICE, CONDITION, 500 * MICRO, 0)
    assert order.close_reason is CloseReason.NOT_FUNDED
    assert v.exchange.state.ledger.account(ALICE).free_cash_micro == 500 * MICRO


def test_converting_two_nos_gives_the_third_yes_and_one_collateral() -> None:
    v = election()
    for condition_id in MEMBERS[:2]:
        v.exchange.split(ALICE, condition_id, 10 * MICRO, 0)
    v.exchange.convert(ALICE, EVENT, list(MEMBERS[:2]), 10 * MICRO, 0)
    assert v.cash(ALICE) == 990 * MICRO
    assert [v.held(ALICE, t) for t in ("11", "12", "21", "22", "31", "32")] == [
        10 * MICRO,
        0,
        10 * MICRO,
        0,
        10 * MICRO,
        0,
    ]
    v.check()


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_a_conversion_is_worth_the_same_whoever_wins(winner: int) -> None:
    v = election()
    v.exchange.split(ALICE, MEMBERS[0], 10 * MICRO, 0)
    v.exchange.convert(ALICE, EVENT, [MEMBERS[0]], 10 * MICRO, 0)
    for number, condition_id in enumerate(MEMBERS):
        v.exchange.resolve(condition_id, 0 if number == winner else 1, 1)
    # YES of the first was kept, YES of the others came for its NO: one of them pays.
    assert v.cash(ALICE) == 1_000 * MICRO
    assert v.exchange.state.ledger.account(BURN).cash_micro == 0
    v.check()


def test_an_augmented_event_pays_the_outcome_that_nobody_named() -> None:
    v = election(is_augmented=True)
    v.exchange.split(ALICE, MEMBERS[0], 10 * MICRO, 0)
    v.exchange.convert(ALICE, EVENT, [MEMBERS[0]], 10 * MICRO, 0)
    for condition_id in MEMBERS:
        v.exchange.resolve(condition_id, 1, 1)
    assert v.cash(ALICE) == 1_000 * MICRO
    assert v.exchange.state.ledger.account(BURN).cash_micro == 0
    v.check()


def test_a_named_winner_of_an_augmented_event_closes_the_unnamed_outcome() -> None:
    v = election(is_augmented=True)
    v.exchange.split(ALICE, MEMBERS[0], 10 * MICRO, 0)
    v.exchange.convert(ALICE, EVENT, [MEMBERS[0]], 10 * MICRO, 0)
    for number, condition_id in enumerate(MEMBERS):
        v.exchange.resolve(condition_id, 0 if number == 2 else 1, 1)
    other = v.exchange.state.markets[v.exchange.state.events[EVENT].condition_ids[-1]]
    assert other.winning_index == 1
    assert v.cash(ALICE) == 1_000 * MICRO
    assert v.exchange.state.ledger.account(BURN).cash_micro == 0
    v.check()


def test_the_implicit_market_of_an_augmented_event_takes_no_orders() -> None:
    v = election(is_augmented=True)
    other = v.exchange.state.markets[v.exchange.state.events[EVENT].condition_ids[-1]]
    assert other.is_implicit
    with pytest.raises(OrderRefused, match="not yet ready"):
        v.place(ALICE, BUY, other.tokens[0].token_id, 50, 10)


def test_without_the_named_winner_the_burn_keeps_what_nobody_converted_for() -> None:
    v = election()
    v.exchange.split(ALICE, MEMBERS[0], 10 * MICRO, 0)
    v.exchange.convert(ALICE, EVENT, [MEMBERS[0]], 10 * MICRO, 0)
    for condition_id in MEMBERS:
        v.exchange.resolve(condition_id, 1, 1)
    assert v.exchange.state.ledger.account(BURN).cash_micro == 10 * MICRO
    v.check()


def test_two_winners_of_one_event_are_refused() -> None:
    v = election()
    v.exchange.resolve(MEMBERS[0], 0, 1)
    with pytest.raises(BadInstruction, match="resolved YES already"):
        v.exchange.resolve(MEMBERS[1], 0, 2)
    v.exchange.resolve(MEMBERS[1], 1, 2)


@pytest.mark.parametrize(
    ("ids", "amount", "text"),
    [
        ([], MICRO, "at least one"),
        ([MEMBERS[0], MEMBERS[0]], MICRO, "each once"),
        ([CONDITION], MICRO, "at least one"),
        ([MEMBERS[0]], MICRO, "settled token 12"),
    ],
)
def test_a_conversion_of_what_cannot_be_converted_is_refused(
    ids: list[str], amount: int, text: str
) -> None:
    v = election()
    with pytest.raises(BadInstruction, match=text):
        v.exchange.convert(ALICE, EVENT, ids, amount, 0)
    with pytest.raises(BadInstruction, match="no neg-risk event"):
        v.exchange.convert(ALICE, "0xnone", ids, amount, 0)


def test_an_event_with_conversions_gains_no_markets_and_none_loses_any() -> None:
    v = election()
    more = market(
        condition_id="0x04", tokens=(Token("41", "Yes"), Token("42", "No")), neg_risk=True
    )
    v.exchange.list_market(more)
    with pytest.raises(BadInstruction, match="cannot lose"):
        v.exchange.list_event(NegRiskEvent(EVENT, MEMBERS[:2]))
    with pytest.raises(BadInstruction, match="not a neg-risk market"):
        v.exchange.list_event(NegRiskEvent("0xe2", ("0x04", CONDITION)))
    v.exchange.split(ALICE, MEMBERS[0], MICRO, 0)
    v.exchange.convert(ALICE, EVENT, [MEMBERS[0]], MICRO, 0)
    with pytest.raises(BadInstruction, match="has conversions"):
        v.exchange.list_event(NegRiskEvent(EVENT, (*MEMBERS, "0x04")))


def test_holders_redeem_for_themselves_where_settings_say_so() -> None:
    v = venue(**FREE, auto_redeem=False)
    v.exchange.split(ALICE, CONDITION, 10 * MICRO, 0)
    with pytest.raises(OperationRefused, match="not resolved yet"):
        v.exchange.redeem(ALICE, CONDITION, 0)
    v.exchange.resolve(CONDITION, 1, 1)
    assert v.cash(ALICE) == 990 * MICRO
    assert v.exchange.redeem(ALICE, CONDITION, 2).usdc_micro == 10 * MICRO
    assert (v.cash(ALICE), v.held(ALICE, YES)) == (1_000 * MICRO, 0)
    with pytest.raises(BadInstruction, match="nothing to redeem"):
        v.exchange.redeem(ALICE, CONDITION, 3)
    with pytest.raises(OperationRefused, match="redeem instead"):
        v.exchange.merge(ALICE, CONDITION, 1, 3)
    v.check()


def test_profit_follows_average_cost_through_every_kind_of_operation() -> None:
    v = venue(follows_tape=False)
    v.place(BOB, BUY, NO, 60, 10)
    v.place(ALICE, BUY, YES, 40, 10)  # a taker: 4 dollars and 0.12 of fee
    v.exchange.split(ALICE, CONDITION, 10 * MICRO, 0)
    held = position(v, ALICE, YES)
    assert (held.size_micro, held.cost_micro, held.fees_micro) == (20 * MICRO, 9 * MICRO, 120_000)
    assert held.avg_price_micro == 450_000
    v.place(BOB, BUY, YES, 55, 10)
    v.place(ALICE, SELL, YES, 55, 10)
    sold = position(v, ALICE, YES)
    assert sold.realized_micro == 5_500_000 - 123_750 // 10 * 10 - 4_500_000
    v.exchange.resolve(CONDITION, 0, 5)
    assert position(v, ALICE, YES).realized_micro == sold.realized_micro + 5_500_000
    assert position(v, ALICE, NO).realized_micro == -5 * MICRO
    assert position(v, ALICE, YES).size_micro == 0


def test_a_lowered_allowance_drops_orders_and_refuses_new_ones_in_the_words_clients_read() -> None:
    v = venue(**FREE)
    spender = spender_of(v.exchange.state.markets[CONDITION])
    order = v.place(ALICE, BUY, YES, 50, 10).order
    assert v.exchange.allowance(ALICE, spender) == (UNLIMITED, True)
    v.exchange.allow(ALICE, spender, collateral_micro=4 * MICRO)
    assert order.close_reason is CloseReason.NOT_FUNDED
    with pytest.raises(OrderRefused, match="the allowance is not enough -> spender: 0x"):
        v.place(ALICE, BUY, YES, 50, 10)
    v.place(ALICE, BUY, YES, 50, 5)
    with pytest.raises(OrderRefused, match="allowance: 1500000, order amount: 2500000"):
        v.place(ALICE, BUY, YES, 50, 5)


def test_purchases_use_an_allowance_up_and_sales_need_the_other_one() -> None:
    v = venue(**FREE, allowances_unlimited=False)
    spender = spender_of(v.exchange.state.markets[CONDITION])
    with pytest.raises(OrderRefused, match="allowance is not enough"):
        v.place(ALICE, BUY, YES, 50, 10)
    for account in (ALICE, BOB):
        v.exchange.allow(account, spender.upper().replace("0X", "0x"), collateral_micro=6 * MICRO)
    v.place(ALICE, BUY, YES, 50, 10)
    v.place(BOB, BUY, NO, 50, 10)
    assert v.exchange.allowance(ALICE, spender) == (MICRO, False)
    with pytest.raises(OrderRefused, match="allowance is not enough"):
        v.place(ALICE, SELL, YES, 50, 10)
    v.exchange.allow(ALICE, spender, conditional=True)
    v.place(ALICE, SELL, YES, 50, 10)


def test_makers_share_a_part_of_the_days_fees_and_are_paid_once() -> None:
    v = venue(follows_tape=False, pays_rebates=True)
    v.exchange.advance(DAY_NS + 1)
    v.place(ALICE, BUY, YES, 60, 10)
    v.place(BOB, BUY, NO, 40, 10)
    fee = v.exchange.state.ledger.account(BOB).fees_paid_micro
    (rebate,) = v.exchange.rebates("1970-01-02", ALICE)
    assert rebate.amount_micro == fee * schedule_of("weather").rebate_micro // MICRO == 30_000
    before = v.cash(ALICE)
    v.exchange.advance(2 * DAY_NS)
    v.exchange.advance(4 * DAY_NS)
    assert v.cash(ALICE) == before + 30_000
    assert v.exchange.activity(ALICE)[-1].kind == "MAKER_REBATE"
    v.check()


def test_rebates_are_counted_but_not_paid_unless_settings_say_so() -> None:
    v = venue(follows_tape=False)
    v.place(ALICE, BUY, YES, 60, 10)
    v.place(BOB, BUY, NO, 40, 10)
    before = v.cash(ALICE)
    v.exchange.advance(9 * DAY_NS)
    assert v.cash(ALICE) == before
    assert v.exchange.rebates("1970-01-01")[0].maker == ALICE


@pytest.mark.parametrize(
    ("category", "rate", "rebate"),
    [
        ("crypto", 70_000, 200_000),
        ("Sports", 50_000, 150_000),
        ("politics", 40_000, 250_000),
        ("weather", 50_000, 250_000),
        ("geopolitics", 0, 0),
        ("never heard of", 50_000, 250_000),
    ],
)
def test_schedules_are_the_published_ones(category: str, rate: int, rebate: int) -> None:
    schedule = schedule_of(category)
    assert (schedule.rate_micro, schedule.rebate_micro) == (rate, rebate)


def test_price_history_gives_the_last_price_of_each_step_and_stays_bounded() -> None:
    v = venue(**FREE, price_points_max=10, cash=100_000 * MICRO)
    for minute in range(40):
        v.exchange.advance(minute * 60 * NS)
        v.place(ALICE, BUY, YES, 30 + minute, 5)
        v.place(BOB, BUY, NO, 70 - minute, 5)
    points = v.exchange.price_history(YES, 0, 10**6, 60)
    assert len(points) <= 10
    assert points[0] == (0, 300_000)
    assert points[-1] == (39 * 60, 690_000)
    assert v.exchange.price_history(NO, 39 * 60, 10**6, 60) == [(39 * 60, 310_000)]
    assert v.exchange.price_history("999", 0, 10**6, 60) == []
    with pytest.raises(ValueError, match="step"):
        v.exchange.price_history(YES, 0, 1, 0)
