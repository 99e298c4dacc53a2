"""The life of an order under any news: one end, and a position that is the fills that stand."""

from dataclasses import replace

import pytest

from tests.unit.services.execution.execution_bench import (
    POLICY,
    T0,
    Bench,
    S,
    control,
    listing,
    placement,
    resolved,
    trade,
    venue_closed,
)
from whaletrader.domain.money import taker_fee
from whaletrader.schemas import agent_pb2, control_pb2, order_pb2
from whaletrader.services.execution.lifecycle import EXPIRED_UNSENT, WITHHELD
from whaletrader.services.execution.transitions import Phase

LIVE = order_pb2.PLACEMENT_STATUS_LIVE
REFUSED = order_pb2.PLACEMENT_STATUS_REFUSED
UNKNOWN = order_pb2.PLACEMENT_STATUS_UNKNOWN
ABSENT = order_pb2.VENUE_ORDER_STATE_ABSENT
MATCHED = order_pb2.TRADE_STATUS_MATCHED
MINED = order_pb2.TRADE_STATUS_MINED
RETRYING = order_pb2.TRADE_STATUS_RETRYING
CONFIRMED = order_pb2.TRADE_STATUS_CONFIRMED
FAILED = order_pb2.TRADE_STATUS_FAILED


def ends(bench: Bench) -> list[tuple[int, int]]:
    return [(e.status, e.filled_size_micro) for e in bench.said(order_pb2.OrderClosed)]


def letters(bench: Bench) -> list[str]:
    return [letter.error.partition(":")[0] for letter in bench.said(agent_pb2.DeadLettered)]


def test_a_full_fill_ends_the_order_when_it_is_confirmed_and_not_before() -> None:
    bench = Bench()
    order_id = bench.live()
    for status in (MATCHED, MINED, RETRYING):
        bench.tell(trade(order_id, "t1", status))
    assert ends(bench) == []
    bench.tell(trade(order_id, "t1", CONFIRMED))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_FILLED, 10_000_000)]
    assert len(bench.said(order_pb2.OrderMatched)) == 1
    assert len(bench.said(order_pb2.OrderConfirmed)) == 1


def test_a_cancel_waits_for_the_fills_that_the_venue_speaks_of() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(venue_closed(order_id, matched_micro=4_000_000))
    assert ends(bench) == []
    bench.tell(trade(order_id, "t1", MATCHED, 4_000_000))
    assert ends(bench) == []
    bench.tell(trade(order_id, "t1", CONFIRMED, 4_000_000))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_CANCELLED, 4_000_000)]


def test_fills_that_do_not_come_are_asked_for_until_they_do() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(venue_closed(order_id, matched_micro=4_000_000))
    for _ in range(8):
        bench.fire("look", order_id, after_s=60)
    assert len(bench.asked(order_pb2.ResolveOrder)) == 8
    bench.tell(trade(order_id, "t1", CONFIRMED, 4_000_000))
    bench.fire("look", order_id)
    assert len(bench.asked(order_pb2.ResolveOrder)) == 8
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1


def test_a_fill_that_fails_is_reversed_and_ends_the_order_as_failed() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", MATCHED, 6_000_000))
    bench.tell(trade(order_id, "t2", CONFIRMED, 4_000_000))
    bench.tell(trade(order_id, "t1", FAILED, 6_000_000))
    assert ends(bench) == [], "only the venue knows whether the failed part is on the book again"
    assert len(bench.asked(order_pb2.ResolveOrder)) == 1
    bench.tell(resolved(order_id, order_pb2.VENUE_ORDER_STATE_FILLED, fills=2))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_FAILED, 4_000_000)]
    [undone] = bench.said(order_pb2.OrderReversed)
    assert undone.fill.size_micro == 6_000_000
    assert bench.asked(order_pb2.CancelOrder), "what failed must not rest at the venue again"


@pytest.mark.parametrize(("final", "other"), [(CONFIRMED, FAILED), (FAILED, CONFIRMED)])
def test_a_fill_that_was_final_and_becomes_its_opposite_goes_to_a_person(
    final: order_pb2.TradeStatus.ValueType, other: order_pb2.TradeStatus.ValueType
) -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", final, 4_000_000))
    before = bench.record(order_id)
    bench.tell(trade(order_id, "t1", other, 4_000_000))
    assert letters(bench) == ["VenueContradiction"]
    assert bench.record(order_id) == before


def test_matched_again_after_confirmed_is_ignored() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", CONFIRMED, 4_000_000))
    step = bench.tell(trade(order_id, "t1", MATCHED, 4_000_000))
    assert not step.events


def test_a_fill_whose_size_changes_goes_to_a_person() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", MATCHED, 4_000_000))
    bench.tell(trade(order_id, "t1", CONFIRMED, 5_000_000))
    assert letters(bench) == ["VenueContradiction"]


def test_news_of_an_order_that_we_never_announced_goes_to_a_person() -> None:
    bench = Bench()
    for news in (trade("0xdead", "t1", MATCHED), venue_closed("0xdead"), placement("0xdead", LIVE)):
        bench.tell(news)
    assert letters(bench) == ["UnknownOrder"] * 3


def test_a_fill_before_the_answer_to_the_placement_proves_that_it_was_placed() -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(trade(order_id, "t1", MATCHED, 4_000_000))
    assert len(bench.said(order_pb2.OrderAccepted)) == 1
    bench.tell(placement(order_id, LIVE, "matched"))
    bench.tell(placement(order_id, REFUSED, "a late and wrong answer"))
    assert len(bench.said(order_pb2.OrderAccepted)) == 1
    assert ends(bench) == []


@pytest.mark.parametrize(
    ("detail", "status"),
    [
        ("not enough balance / allowance", order_pb2.CLOSE_STATUS_REJECTED),
        (WITHHELD, order_pb2.CLOSE_STATUS_CANCELLED),
        (EXPIRED_UNSENT, order_pb2.CLOSE_STATUS_EXPIRED),
    ],
)
def test_an_order_that_the_venue_never_had_ends_at_once(
    detail: str, status: order_pb2.CloseStatus.ValueType
) -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(placement(order_id, REFUSED, detail))
    assert ends(bench) == [(status, 0)]
    assert bench.said(order_pb2.OrderClosed)[0].reasons[0].detail == detail


# -- nothing is known ------------------------------------------------------------------------


def fail_submission(bench: Bench, order_id: str) -> None:
    effect = next(iter(e for e in bench.core.pending.values() if e.lane == POLICY.lane))
    failed = agent_pb2.EffectFailed(
        effect_id=effect.id, type="whaletrader.order.v1.SubmitOrder", error="timed out"
    )
    bench.tell(failed, effect.id)
    assert bench.record(order_id).phase is Phase.UNKNOWN


def test_a_lost_answer_is_unknown_and_never_a_rejection() -> None:
    bench = Bench()
    order_id = bench.announce()
    fail_submission(bench, order_id)
    assert len(bench.said(order_pb2.OrderUnknown)) == 1
    assert ends(bench) == []


def test_an_unknown_order_is_looked_for_and_never_sent_again() -> None:
    bench = Bench()
    order_id = bench.announce()
    fail_submission(bench, order_id)
    for _ in range(4):
        bench.fire("look", order_id, after_s=1)
    assert len(bench.asked(order_pb2.ResolveOrder)) == 4
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1
    assert len(bench.said(order_pb2.OrderUnknown)) == 1


def test_an_unknown_order_that_is_found_goes_on() -> None:
    bench = Bench()
    order_id = bench.announce()
    fail_submission(bench, order_id)
    bench.fire("look", order_id, after_s=2)
    bench.tell(placement(order_id, LIVE, "found"))
    assert bench.record(order_id).phase is Phase.LIVE
    bench.tell(trade(order_id, "t1", CONFIRMED))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_FILLED, 10_000_000)]


def test_a_refusal_of_an_unknown_order_is_believed_only_after_the_grace() -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(placement(order_id, UNKNOWN, "not enough balance, when tried again"))
    assert bench.record(order_id).phase is Phase.UNKNOWN
    bench.now_ns += POLICY.unknown_grace_ns - 1
    bench.tell(placement(order_id, REFUSED, "not enough balance"))
    assert ends(bench) == [], "what was sent first may still come"
    bench.now_ns += 1
    bench.tell(placement(order_id, REFUSED, "not enough balance"))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_REJECTED, 0)]


def test_absence_is_believed_only_after_the_grace() -> None:
    bench = Bench()
    order_id = bench.announce(expires_ns=T0 + 1)
    bench.now_ns = T0 + 1
    fail_submission(bench, order_id)
    bench.now_ns += POLICY.unknown_grace_ns - 1
    bench.tell(resolved(order_id, ABSENT))
    assert ends(bench) == []
    bench.now_ns += 1
    bench.tell(resolved(order_id, ABSENT))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_FAILED, 0)]
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1, "its approval has expired"


def test_an_absent_order_is_sent_again_as_it_is_while_its_approval_lives() -> None:
    bench = Bench()
    order_id = bench.announce()
    fail_submission(bench, order_id)
    bench.now_ns += 20 * S
    bench.tell(resolved(order_id, ABSENT))
    first, again = bench.asked(order_pb2.SubmitOrder)
    assert again.look_first
    again.look_first = False
    assert again == first, "the very same signed order"
    assert ends(bench) == []
    bench.tell(placement(order_id, LIVE, "live"))
    assert bench.record(order_id).phase is Phase.LIVE


def test_an_absent_order_whose_time_is_over_is_not_sent_again() -> None:
    bench = Bench()
    order_id = bench.announce(expires_ns=T0 + 600 * S)
    fail_submission(bench, order_id)
    bench.fire("leg", order_id, after_s=60)
    bench.tell(resolved(order_id, ABSENT))
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1, "its approval lives, but not its turn"
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_FAILED, 0)]


def test_an_absent_order_of_a_halted_portfolio_is_not_sent_though_what_rests_may_stay() -> None:
    bench = Bench(replace(POLICY, cancel_on_halt=False))
    order_id = bench.announce()
    fail_submission(bench, order_id)
    bench.tell(control(control_pb2.CONTROL_ACTION_HALT))
    bench.tell(resolved(order_id, ABSENT))
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1


def test_an_order_that_is_given_up_is_cancelled_should_it_turn_up_meanwhile() -> None:
    bench = Bench()
    order_id = bench.announce()
    fail_submission(bench, order_id)
    bench.now_ns += 600 * S
    bench.tell(resolved(order_id, ABSENT))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_FAILED, 0)]
    assert [it.order.order_id for it in bench.asked(order_pb2.CancelOrder)] == [order_id]


def test_an_absent_order_of_a_halted_portfolio_ends_as_cancelled() -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(control(control_pb2.CONTROL_ACTION_HALT))
    bench.tell(placement(order_id, UNKNOWN, WITHHELD))
    bench.now_ns += POLICY.unknown_grace_ns
    bench.tell(resolved(order_id, ABSENT))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_CANCELLED, 0)]
    assert len(bench.asked(order_pb2.SubmitOrder)) == 1


def test_an_order_that_appears_after_it_was_given_up_is_cancelled_and_its_fills_count() -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(placement(order_id, REFUSED, "nonsense"))
    bench.tell(placement(order_id, LIVE, "on the book"))
    [cancel] = bench.asked(order_pb2.CancelOrder)
    assert cancel.order.order_id == order_id
    bench.tell(trade(order_id, "t1", CONFIRMED, 3_000_000))
    bench.tell(venue_closed(order_id, 3_000_000))
    assert len(bench.said(order_pb2.OrderConfirmed)) == 1
    assert len(ends(bench)) == 1


def test_an_order_that_was_filled_and_is_found_again_is_left_alone() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", CONFIRMED))
    bench.tell(placement(order_id, LIVE, "found"))
    assert not bench.asked(order_pb2.CancelOrder)


# -- time and control ------------------------------------------------------------------------


def test_an_order_is_cancelled_after_its_working_time_until_it_is_gone() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.fire("leg", order_id, after_s=60)
    for _ in range(3):
        bench.fire("cancel", order_id, after_s=60)
    assert len(bench.asked(order_pb2.CancelOrder)) == 4
    bench.tell(venue_closed(order_id))
    assert ends(bench) == [(order_pb2.CLOSE_STATUS_CANCELLED, 0)]
    step = bench.fire("cancel", order_id, after_s=600)
    assert not step.effects


def test_an_order_found_after_its_working_time_is_cancelled_at_once() -> None:
    bench = Bench()
    order_id = bench.announce()
    fail_submission(bench, order_id)
    bench.fire("leg", order_id, after_s=60)
    assert not bench.asked(order_pb2.CancelOrder)
    bench.tell(placement(order_id, LIVE, "found"))
    assert len(bench.asked(order_pb2.CancelOrder)) == 1


@pytest.mark.parametrize(
    ("action", "cancel_on_halt", "cancels"),
    [
        (control_pb2.CONTROL_ACTION_HALT, True, 1),
        (control_pb2.CONTROL_ACTION_HALT, False, 0),
        (control_pb2.CONTROL_ACTION_FLATTEN, False, 1),
    ],
)
def test_what_rests_is_cancelled_by_a_flatten_and_by_a_halt_if_so_configured(
    action: control_pb2.ControlAction.ValueType, cancel_on_halt: bool, cancels: int
) -> None:
    bench = Bench(replace(POLICY, cancel_on_halt=cancel_on_halt))
    bench.live()
    bench.tell(control(action))
    bench.tell(control(action, n=1))
    assert len(bench.asked(order_pb2.CancelOrder)) == cancels


def test_an_order_that_was_on_its_way_when_the_halt_came_is_cancelled_when_it_turns_up() -> None:
    bench = Bench()
    order_id = bench.announce()
    bench.tell(control(control_pb2.CONTROL_ACTION_HALT))
    assert not bench.asked(order_pb2.CancelOrder)
    bench.tell(placement(order_id, LIVE, "live"))
    assert len(bench.asked(order_pb2.CancelOrder)) == 1


def test_dust_that_nobody_can_fill_does_not_stay_on_the_book() -> None:
    bench = Bench()
    order_id = bench.live()
    bench.tell(trade(order_id, "t1", MATCHED, 9_995_000))
    assert [it.order.order_id for it in bench.asked(order_pb2.CancelOrder)] == [order_id]


# -- fees ------------------------------------------------------------------------------------


def test_takers_pay_the_markets_fee_and_makers_none() -> None:
    bench = Bench(listed=False)
    bench.tell(listing(fee_rate_micro=70_000))
    order_id = bench.live()
    taker = order_pb2.LIQUIDITY_TAKER
    bench.tell(trade(order_id, "t1", CONFIRMED, 4_000_000, liquidity=taker, price_micro=480_000))
    bench.tell(trade(order_id, "t2", CONFIRMED, 6_000_000))
    fees = [event.fill.fee_micro for event in bench.said(order_pb2.OrderConfirmed)]
    assert fees == [taker_fee(480_000, 4_000_000, 70_000), 0]
    assert fees[0] > 0
