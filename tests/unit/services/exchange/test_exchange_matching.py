"""Accounts meet each other: price, time, the three settlement shapes, order types, refusals."""

from __future__ import annotations

import pytest

from tests.unit.services.exchange.exchange_venue import (
    ALICE,
    BOB,
    BUY,
    NO,
    SELL,
    YES,
    market,
    venue,
)
from whaletrader.services.exchange.engine import rules
from whaletrader.services.exchange.engine.errors import BadInstruction, OrderRefused
from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.model import (
    MICRO,
    CloseReason,
    OrderStatus,
    OrderType,
    TradeStatus,
)

FREE = {"follows_tape": False, "fee_rate_micro": 0}


def test_two_buyers_of_opposite_outcomes_mint_a_set() -> None:
    v = venue(**FREE)
    v.place(ALICE, BUY, YES, 60, 10)
    placed = v.place(BOB, BUY, NO, 45, 10)
    assert placed.trade is not None
    assert placed.trade.taker.price_micro == 400_000  # Bob pays what Alice leaves, not his limit
    assert v.cash(ALICE) == 994 * MICRO
    assert v.cash(BOB) == 996 * MICRO
    assert (v.held(ALICE, YES), v.held(BOB, NO)) == (10 * MICRO, 10 * MICRO)
    v.check()


def test_two_sellers_of_opposite_outcomes_merge_a_set() -> None:
    v = venue(**FREE)
    v.give(ALICE, YES, 10)
    v.place(ALICE, SELL, YES, 55, 10)
    v.place(BOB, SELL, NO, 40, 10)
    assert v.cash(ALICE) == 1_000 * MICRO - 5_000_000 + 5_500_000
    assert v.cash(BOB) == 1_000 * MICRO - 5_000_000 + 4_500_000
    assert v.held(ALICE, YES) == v.held(BOB, NO) == 0
    v.check()


def test_shares_change_hands_at_the_makers_price_and_the_taker_pays_the_fee_on_top() -> None:
    v = venue(follows_tape=False)
    v.give(ALICE, YES, 10)
    before = v.cash(BOB)
    v.place(ALICE, SELL, YES, 40, 10)
    v.place(BOB, BUY, YES, 48, 10)
    fee = taker_fee_micro(shares_micro=10 * MICRO, price_micro=400_000, rate_micro=50_000)
    assert fee == 120_000
    assert v.cash(BOB) == before - 4_000_000 - fee
    v.check()


def test_the_fee_of_a_seller_comes_out_of_the_proceeds() -> None:
    v = venue(follows_tape=False)
    v.give(ALICE, YES, 10)
    before = v.cash(ALICE)
    v.place(BOB, BUY, YES, 40, 10)
    v.place(ALICE, SELL, YES, 40, 10)
    assert v.cash(ALICE) == before + 4_000_000 - 120_000


def test_the_published_fee_example_comes_out_to_the_fifth_decimal() -> None:
    fee = taker_fee_micro(shares_micro=22_840_000, price_micro=520_000, rate_micro=50_000)
    assert fee == 285_040
    assert taker_fee_micro(shares_micro=1_000, price_micro=10_000, rate_micro=10_000) == 0


def test_better_prices_fill_first_and_then_earlier_orders() -> None:
    v = venue(**FREE)
    late_but_best = [
        v.place(ALICE, BUY, YES, 40, 5).order,
        v.place(ALICE, BUY, YES, 40, 6).order,
        v.place(ALICE, BUY, YES, 41, 5).order,
    ]
    v.place(BOB, BUY, NO, 60, 10)
    assert [o.matched_micro // MICRO for o in late_but_best] == [5, 0, 5]


def test_an_account_never_trades_with_itself() -> None:
    v = venue(**FREE)
    v.place(ALICE, BUY, YES, 60, 10)
    placed = v.place(ALICE, BUY, NO, 60, 10)
    assert placed.trade is None
    assert placed.order.status is OrderStatus.LIVE


def test_a_fok_that_cannot_fill_is_killed_on_record_and_its_money_is_free_again() -> None:
    v = venue(**FREE)
    v.place(ALICE, BUY, YES, 60, 5)
    new = v.order(BOB, BUY, NO, 40, 10, order_type=OrderType.FOK)
    with pytest.raises(OrderRefused, match="couldn't be fully filled"):
        v.exchange.place(new, 0)
    killed = v.exchange.state.orders[new.order_id]
    assert killed.close_reason is CloseReason.KILLED
    assert v.exchange.state.ledger.account(BOB).reserved_cash_micro == 0
    assert v.exchange.facts()[BOB] == 1
    with pytest.raises(OrderRefused, match="Duplicated"):
        v.exchange.place(new, 0)


def test_a_fok_that_can_fill_does_and_a_fak_takes_what_there_is() -> None:
    v = venue(**FREE)
    v.place(ALICE, BUY, YES, 60, 5)
    v.place(BOB, BUY, NO, 40, 5, order_type=OrderType.FOK)
    v.place(ALICE, BUY, YES, 60, 5)
    placed = v.place(BOB, BUY, NO, 40, 8, order_type=OrderType.FAK)
    assert placed.order.matched_micro == 5 * MICRO
    assert placed.order.status is OrderStatus.CANCELED
    # Two final trades and one order closed short of its size.
    assert v.exchange.facts()[BOB] == 3


def test_a_fak_with_nothing_to_hit_is_killed_with_the_venues_words() -> None:
    v = venue(**FREE)
    with pytest.raises(OrderRefused) as refused:
        v.place(BOB, BUY, NO, 40, 8, order_type=OrderType.FAK)
    assert refused.value.text == rules.FAK_KILLED


def test_a_post_only_order_that_would_cross_is_refused_and_leaves_no_trace() -> None:
    v = venue(**FREE)
    v.place(ALICE, BUY, YES, 60, 5)
    new = v.order(BOB, BUY, NO, 40, 5, post_only=True)
    with pytest.raises(OrderRefused, match="invalid post-only order"):
        v.exchange.place(new, 0)
    assert new.order_id not in v.exchange.state.orders
    assert v.exchange.facts()[BOB] == 0


@pytest.mark.parametrize(
    ("cents", "shares", "text"),
    [
        (0, 10, "Invalid order payload"),
        (100, 10, "breaks minimum tick size rule: 0.01"),
        (50, 4.99, "lower than the minimum: 5"),
        (50, 10.001, "decimal places"),
    ],
)
def test_orders_outside_tick_lot_and_size_rules_are_refused(
    cents: int, shares: float, text: str
) -> None:
    v = venue(**FREE)
    with pytest.raises(OrderRefused, match=text):
        v.place(ALICE, BUY, YES, cents, shares)


def test_a_price_between_two_ticks_is_refused_with_the_price_in_it() -> None:
    v = venue(**FREE)
    new = v.order(ALICE, BUY, YES, 50, 10, maker_amount=4_950_000)
    with pytest.raises(OrderRefused, match=r"Price \(0.495\) breaks minimum tick size rule: 0.01"):
        v.exchange.place(new, 0)


def test_open_orders_reserve_what_they_may_cost() -> None:
    v = venue(**FREE, cash=10 * MICRO)
    v.place(ALICE, BUY, YES, 50, 15)
    with pytest.raises(OrderRefused, match="balance: 2500000, order amount: 5000000"):
        v.place(ALICE, BUY, YES, 50, 10)
    v.place(ALICE, BUY, YES, 50, 5)


def test_shares_that_rest_in_a_sell_order_cannot_be_sold_twice() -> None:
    v = venue(**FREE)
    v.give(ALICE, YES, 10)
    v.place(ALICE, SELL, YES, 70, 6)
    with pytest.raises(OrderRefused, match="not enough balance"):
        v.place(ALICE, SELL, YES, 70, 5)


def test_a_taker_must_afford_the_fee_too() -> None:
    v = venue(follows_tape=False, cash=5 * MICRO)
    v.exchange.deposit(ALICE, 100 * MICRO, "more")
    v.place(ALICE, BUY, YES, 50, 10)
    with pytest.raises(OrderRefused, match="order amount: 5125000"):
        v.place(BOB, BUY, NO, 50, 10)


def test_a_marketable_buy_below_one_dollar_is_refused() -> None:
    v = venue(**FREE)
    v.exchange.list_market(market(fee_rate_micro=0, min_size_micro=MICRO))
    v.place(ALICE, BUY, YES, 90, 5)
    with pytest.raises(OrderRefused, match=r"marketable BUY order \(\$0.5\), min size: \$1"):
        v.place(BOB, BUY, NO, 10, 5)


def test_cancelling_answers_why_not() -> None:
    v = venue(**FREE)
    order_id = v.place(ALICE, BUY, YES, 60, 5).order.order_id
    assert v.exchange.cancel(BOB, order_id, 0) == "Order not found or already canceled"
    assert v.exchange.cancel(ALICE, order_id, 0) is None
    assert v.exchange.cancel(ALICE, order_id, 0) == "Order already canceled"
    assert v.exchange.state.ledger.account(ALICE).reserved_cash_micro == 0
    v.place(ALICE, BUY, YES, 60, 5)
    filled = v.place(BOB, BUY, NO, 40, 5).order.order_id
    assert v.exchange.cancel(BOB, filled, 0) == "Order already matched"
    assert v.exchange.cancel(BOB, "0xnone", 0) == "Order not found or already canceled"


def test_cancel_by_market_and_token_leaves_the_rest() -> None:
    v = venue(**FREE)
    yes = v.place(ALICE, BUY, YES, 30, 5).order.order_id
    no = v.place(ALICE, BUY, NO, 30, 5).order.order_id
    assert v.exchange.cancel_open(ALICE, 0, token_id=NO) == [no]
    assert v.exchange.cancel_open(ALICE, 0, condition_id="0xother") == []
    assert v.exchange.cancel_open(ALICE, 0) == [yes]


def test_settlement_with_delays_moves_through_mined_to_confirmed() -> None:
    v = venue(**FREE, settle_mined_ns=5, settle_confirmed_ns=5)
    v.place(ALICE, BUY, YES, 60, 5)
    trade = v.place(BOB, BUY, NO, 40, 5).trade
    assert trade is not None
    assert trade.status is TradeStatus.MATCHED
    assert v.exchange.facts()[ALICE] == 0
    v.exchange.advance(5)
    assert trade.status is TradeStatus.MINED
    v.exchange.advance(10)
    assert trade.status is TradeStatus.CONFIRMED
    assert v.exchange.facts()[ALICE] == v.exchange.facts()[BOB] == 1


def test_a_finer_tick_lets_finer_prices_in_and_a_coarser_one_keeps_resting_orders() -> None:
    v = venue(**FREE)
    v.exchange.list_market(market(fee_rate_micro=0, tick_size_micro=1_000))
    new = v.order(ALICE, BUY, YES, 50, 10, maker_amount=4_950_000)
    order = v.exchange.place(new, 0).order
    v.exchange.list_market(market(fee_rate_micro=0, tick_size_micro=10_000))
    assert order.is_open
    assert order.price_micro == 495_000


def test_a_market_cannot_change_its_tokens() -> None:
    v = venue(**FREE)
    swapped = market()
    swapped.tokens = (swapped.tokens[1], swapped.tokens[0])
    with pytest.raises(BadInstruction, match="cannot change"):
        v.exchange.list_market(swapped)
    with pytest.raises(BadInstruction, match="is in 0xabab"):
        v.exchange.list_market(market(condition_id="0xother"))
    with pytest.raises(BadInstruction, match="unknown tick"):
        v.exchange.list_market(market(tick_size_micro=7))


def test_a_deposit_repeated_with_the_same_id_counts_once() -> None:
    v = venue(cash=0)
    assert v.exchange.deposit(ALICE, 7, "d1")
    assert not v.exchange.deposit(ALICE, 7, "d1")
    assert v.cash(ALICE) == 7
    with pytest.raises(BadInstruction):
        v.exchange.deposit("vault", 7, "d1")
