"""Fills from recorded prints: who may be filled, at what price, how much, and in which order."""

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
    tape_print,
    venue,
)
from whaletrader.services.exchange.engine import rules
from whaletrader.services.exchange.engine.digest import digest
from whaletrader.services.exchange.engine.errors import BadInstruction, OrderRefused
from whaletrader.services.exchange.engine.events import OrderEvent
from whaletrader.services.exchange.engine.exchange import Window
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    CloseReason,
    OrderStatus,
    OrderType,
    Resolution,
)


def test_a_print_at_the_limit_fills_a_tenth_of_its_size_and_a_maker_pays_no_fee() -> None:
    v = venue()
    v.play(100)
    order = v.place(ALICE, BUY, YES, 40, 50).order
    v.play(110, tape_print("p1", YES, 40, 200, 105))
    assert order.matched_micro == 20 * MICRO
    assert v.cash(ALICE) == 992 * MICRO
    assert v.held(ALICE, YES) == 20 * MICRO
    v.check()


def test_a_print_away_from_the_limit_fills_nothing() -> None:
    v = venue()
    v.play(100)
    order = v.place(ALICE, BUY, YES, 40, 50).order
    v.play(110, tape_print("p1", YES, 41, 200, 105))
    assert order.matched_micro == 0


def test_a_print_no_later_than_arrival_plus_latency_fills_nothing() -> None:
    v = venue(copy_latency_ns=5 * NS)
    v.play(100)
    order = v.place(ALICE, BUY, YES, 40, 50).order
    v.play(110, tape_print("early", YES, 40, 200, 105), tape_print("late", YES, 40, 100, 106))
    assert order.matched_micro == 10 * MICRO


def test_an_order_through_the_last_print_is_a_taker_at_the_print_price_with_fee() -> None:
    v = venue()
    v.play(100, tape_print("p0", YES, 40, 10, 99))
    order = v.place(ALICE, BUY, YES, 45, 10).order
    v.play(110, tape_print("p1", YES, 42, 1_000, 105))
    fee = 10 * 0.05 * 0.42 * 0.58
    assert order.status is OrderStatus.MATCHED
    assert v.cash(ALICE) == pytest.approx(1_000 * MICRO - 4_200_000 - fee * MICRO, abs=5)
    assert v.exchange.state.ledger.account(ALICE).reserved_cash_micro == 0
    v.check()


def test_an_order_short_of_the_last_print_is_a_maker_at_its_own_limit() -> None:
    v = venue()
    v.play(100, tape_print("p0", YES, 50, 10, 99))
    v.place(ALICE, BUY, YES, 45, 10)
    v.play(110, tape_print("p1", YES, 42, 1_000, 105))
    assert v.cash(ALICE) == 1_000 * MICRO - 4_500_000


def test_a_print_of_the_other_outcome_counts_at_one_minus_its_price() -> None:
    v = venue()
    v.play(100)
    order = v.place(ALICE, BUY, NO, 60, 10).order
    v.play(110, tape_print("p1", YES, 39, 1_000, 105))
    assert order.matched_micro == 0  # NO at 61: above the limit
    v.play(120, tape_print("p2", YES, 40, 1_000, 115))
    assert order.matched_micro == 10 * MICRO


def test_all_our_fills_from_one_print_share_its_tenth_by_price_and_then_time() -> None:
    v = venue()
    v.play(100)
    first = v.place(ALICE, BUY, YES, 40, 10).order
    v.play(101)
    better = v.place(BOB, BUY, YES, 41, 10).order
    # The smaller id does not help the later order: time comes before it.
    later = v.place(BOB, BUY, YES, 40, 10, order_id="0x00").order
    v.play(110, tape_print("p1", YES, 40, 150, 105))
    assert [o.matched_micro // MICRO for o in (better, first, later)] == [10, 5, 0]


def test_equal_arrivals_are_ranked_by_order_id_not_by_which_request_came_first() -> None:
    outcomes = []
    for reverse in (False, True):
        v = venue()
        v.play(100)
        orders = [v.order(who, BUY, YES, 40, 10) for who in (ALICE, BOB)]
        for new in reversed(orders) if reverse else orders:
            v.exchange.place(new, v.exchange.now_ns)
        v.play(110, tape_print("p1", YES, 40, 120, 105))
        outcomes.append((v.held(ALICE, YES), v.held(BOB, YES), digest(v.exchange.state)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 10 * MICRO


def test_selling_to_the_tape_needs_shares_and_brings_the_limit() -> None:
    v = venue()
    v.play(100)
    v.place(ALICE, BUY, YES, 40, 10)
    v.play(110, tape_print("p1", YES, 40, 100, 105))
    with pytest.raises(OrderRefused, match="not enough balance"):
        v.place(ALICE, SELL, YES, 60, 20)
    v.place(ALICE, SELL, YES, 60, 10)
    v.play(120, tape_print("p2", YES, 65, 100, 115))
    assert v.cash(ALICE) == 1_002 * MICRO
    assert v.held(ALICE, YES) == 0
    v.check()


def test_fok_and_fak_are_killed_because_nothing_rests_to_hit() -> None:
    v = venue()
    v.play(100, tape_print("p0", YES, 40, 1_000, 99))
    with pytest.raises(OrderRefused) as fok:
        v.place(ALICE, BUY, YES, 45, 10, order_type=OrderType.FOK)
    with pytest.raises(OrderRefused) as fak:
        v.place(ALICE, BUY, YES, 45, 10, order_type=OrderType.FAK)
    assert (fok.value.text, fak.value.text) == (rules.FOK_KILLED, rules.FAK_KILLED)
    assert v.play(110)[ALICE] == 2


def test_a_post_only_order_at_the_last_print_is_refused() -> None:
    v = venue()
    v.play(100, tape_print("p0", YES, 40, 1_000, 99))
    with pytest.raises(OrderRefused, match="post-only"):
        v.place(ALICE, BUY, YES, 40, 10, post_only=True)
    v.place(ALICE, BUY, YES, 39, 10, post_only=True)


def test_a_gtd_order_leaves_a_minute_before_its_expiration_and_before_later_prints() -> None:
    v = venue()
    v.play(100)
    gtd = {"order_type": OrderType.GTD, "expiration_s": 170}
    order = v.place(ALICE, BUY, YES, 40, 10, **gtd).order
    v.play(120, tape_print("before", YES, 40, 30, 109), tape_print("after", YES, 40, 500, 111))
    assert order.matched_micro == 3 * MICRO
    assert order.close_reason is CloseReason.EXPIRED
    assert v.exchange.facts()[ALICE] == 2


def test_an_expiry_is_stamped_with_its_own_moment_and_not_the_windows_end() -> None:
    v = venue()
    v.play(100)
    v.place(ALICE, BUY, YES, 40, 10, order_type=OrderType.GTD, expiration_s=170)
    v.exchange.take_events()
    v.play(500)
    (told,) = [e for e in v.exchange.take_events() if isinstance(e, OrderEvent)]
    assert (told.status, told.at_ns) == ("CANCELED_EXPIRED_ORDER", 110 * NS)


@pytest.mark.parametrize("expiration_s", [0, 99, 160])
def test_a_gtd_order_that_would_be_gone_at_once_is_refused(expiration_s: int) -> None:
    v = venue()
    v.play(100)
    with pytest.raises(OrderRefused, match="invalid expiration"):
        v.place(ALICE, BUY, YES, 40, 10, order_type=OrderType.GTD, expiration_s=expiration_s)


def test_resolution_cancels_what_rests_and_pays_winners_in_full() -> None:
    v = venue()
    v.play(100)
    v.place(ALICE, BUY, YES, 40, 10)
    resting = v.place(ALICE, BUY, YES, 30, 10).order
    v.place(BOB, BUY, NO, 55, 10)
    v.play(110, tape_print("p1", YES, 40, 100, 105))
    v.play(120, tape_print("p2", NO, 55, 100, 112), resolve=Resolution(CONDITION, 0, 115 * NS))
    assert v.cash(ALICE) == 1_006 * MICRO
    assert v.cash(BOB) == 1_000 * MICRO - 5_500_000
    assert resting.status is OrderStatus.CANCELED_MARKET_RESOLVED
    assert v.held(ALICE, YES) == v.held(BOB, NO) == 0
    v.check()
    with pytest.raises(OrderRefused, match="not yet ready"):
        v.place(ALICE, BUY, YES, 40, 10)


def test_a_repeated_window_returns_the_first_answer_and_changes_nothing() -> None:
    v = venue()
    v.play(100)
    v.place(ALICE, BUY, YES, 40, 50)
    window = Window(2, 110 * NS, (tape_print("p1", YES, 40, 100, 105),))
    answer = v.exchange.play(window)
    fingerprint = digest(v.exchange.state)
    v.place(ALICE, BUY, YES, 39, 50)
    v.exchange.cancel_open(ALICE, v.exchange.now_ns)
    assert v.exchange.play(window) == answer
    assert v.cash(ALICE) == 996 * MICRO
    assert digest(v.exchange.state) != fingerprint  # the cancels between the two are still there


@pytest.mark.parametrize("number", [0, 3, 5])
def test_a_window_out_of_turn_is_refused(number: int) -> None:
    v = venue()
    v.play(100)
    with pytest.raises(BadInstruction, match="cannot follow window 1"):
        v.exchange.play(Window(number, 200 * NS))


def test_a_window_that_contradicts_itself_changes_nothing() -> None:
    v = venue()
    v.play(100)
    v.place(ALICE, BUY, YES, 40, 50)
    before = digest(v.exchange.state)
    good = tape_print("p1", YES, 40, 100, 105)
    for window in (
        Window(2, 99 * NS),
        Window(2, 104 * NS, (good,)),
        Window(2, 110 * NS, (good, tape_print("p2", "999", 40, 100, 105))),
        Window(2, 110 * NS, (good,), (Resolution("0xother", 0, 109 * NS),)),
    ):
        with pytest.raises(BadInstruction):
            v.exchange.play(window)
    assert digest(v.exchange.state) == before


def test_the_same_print_delivered_twice_fills_an_order_once() -> None:
    v = venue()
    v.play(100)
    order = v.place(ALICE, BUY, YES, 40, 50).order
    v.play(110, tape_print("p1", YES, 40, 100, 105))
    v.play(120, tape_print("p1", YES, 40, 100, 105))
    assert order.matched_micro == 10 * MICRO


def test_a_resolution_cannot_be_taken_back() -> None:
    v = venue()
    v.play(100, resolve=Resolution(CONDITION, 0, 99 * NS))
    with pytest.raises(BadInstruction, match="the other way"):
        v.play(110, resolve=Resolution(CONDITION, 1, 109 * NS))
