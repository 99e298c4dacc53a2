"""An approved trade under work: phases, parts, makers and takers, and never beyond the approval."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.services.execution.execution_bench import (
    POLICY,
    T0,
    TRADE_CONFIRMED,
    Bench,
    S,
    approval,
    control,
    listing,
    placement,
    resolved,
    trade,
)
from whaletrader.domain.money import MICRO
from whaletrader.schemas import agent_pb2, common_pb2, control_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.working.terms import TacticSettings

LIVE = order_pb2.PLACEMENT_STATUS_LIVE
REFUSED = order_pb2.PLACEMENT_STATUS_REFUSED
MATCHED = order_pb2.TRADE_STATUS_MATCHED
FAILED = order_pb2.TRADE_STATUS_FAILED
# A narrow, deep book: three phases. Limits are far enough for all of them.
BIDS, ASKS = [(49, 5_000)], [(50, 5_000)]
TERMS: dict[str, Any] = {
    "limit_price_micro": 600_000,
    "size_micro": 100 * MICRO,
    "expires_ns": T0 + 300 * S,
}


def working(**settings: Any) -> Bench:
    made = Bench(replace(POLICY, tactics=TacticSettings(**settings)), listed=False)
    made.tell(listing(fee_rate_micro=0))
    return made


def begun(bench: Bench, **changes: Any) -> None:
    bench.tell(approval(**TERMS | changes))


def orders(bench: Bench) -> list[tuple[int, int, int]]:
    """Return phase, price in cents and shares of every order."""
    return [
        (e.phase, e.order.price_micro // 10_000, e.order.size_micro // MICRO)
        for e in bench.said(order_pb2.OrderAnnounced)
    ]


def finished(bench: Bench) -> Any:
    [event] = bench.said(order_pb2.WorkFinished)
    return event


def live(bench: Bench) -> str:
    order_id = bench.newest
    bench.tell(placement(order_id, LIVE, "live"))
    return order_id


def test_nothing_is_ordered_before_the_book_is_read() -> None:
    bench = working()
    begun(bench)
    assert len(bench.asked(order_pb2.ReadBook)) == 1
    assert not bench.said(order_pb2.OrderAnnounced)
    bench.read(BIDS, ASKS)
    [started] = [e for e in bench.said(order_pb2.WorkStarted) if e.tactic]
    assert started.tactic == order_pb2.TACTIC_ADAPTIVE
    assert (started.arrival_bid_micro, started.arrival_ask_micro) == (490_000, 500_000)
    assert {r.rule for r in started.reasons} >= {"tactic.urgent", "tactic.cheaper_to_make"}


def test_three_phases_ask_more_for_less() -> None:
    bench = working()
    begun(bench)
    bench.read(BIDS, ASKS)
    for after_s, part in ((30, 40), (45, 0)):
        first = live(bench)
        bench.fire("leg", "a1", after_s=after_s)
        assert bench.asked(order_pb2.CancelOrder)[-1].order.order_id == first
        bench.take_off(first, part * MICRO)
        bench.read(BIDS, ASKS)
    # 0.495 rounds down to 0.49. Of 60 left nine tenths at +2 cents, then three quarters at +5.
    assert orders(bench) == [(0, 49, 100), (1, 51, 54), (2, 54, 45)]
    last = live(bench)
    bench.fire("leg", "a1", after_s=60)
    bench.take_off(last, 45 * MICRO)
    event = finished(bench)
    assert event.result == order_pb2.WORK_RESULT_PARTIAL
    assert (event.filled_size_micro, event.fill_rate_micro_ratio) == (85 * MICRO, 850_000)
    assert [(p.phase, p.orders, p.filled_size_micro // MICRO) for p in event.parts] == [
        (0, 1, 40),
        (1, 1, 0),
        (2, 1, 45),
    ]
    assert not bench.state.works


def test_no_phase_goes_beyond_the_approved_limit() -> None:
    bench = working()
    begun(bench, limit_price_micro=500_000)
    bench.read(BIDS, ASKS)
    for after_s in (30, 45):
        first = live(bench)
        bench.fire("leg", "a1", after_s=after_s)
        bench.take_off(first)
        bench.read(BIDS, ASKS)
    assert [price for _, price, _ in orders(bench)] == [49, 50, 50]


def test_the_next_order_waits_until_the_last_one_is_off_the_book_with_all_its_fills() -> None:
    bench = working()
    begun(bench)
    bench.read(BIDS, ASKS)
    first = live(bench)
    bench.fire("leg", "a1", after_s=30)
    bench.tell(trade(first, "t1", MATCHED, 30 * MICRO))
    assert len(bench.asked(order_pb2.ReadBook)) == 1, "it may be filled further"
    bench.tell(
        order_pb2.VenueOrderClosed(
            order_id=first, status=order_pb2.CLOSE_STATUS_CANCELLED, matched_size_micro=50 * MICRO
        )
    )
    assert len(bench.asked(order_pb2.ReadBook)) == 1, "twenty more shares were filled"
    bench.tell(trade(first, "t2", MATCHED, 20 * MICRO))
    bench.read(BIDS, ASKS)
    assert orders(bench)[-1] == (1, 51, 45)


def test_a_fill_that_fails_in_a_phase_is_ordered_again_in_the_next() -> None:
    bench = working()
    begun(bench)
    bench.read(BIDS, ASKS)
    first = live(bench)
    bench.tell(trade(first, "t1", MATCHED, 100 * MICRO))
    bench.fire("leg", "a1", after_s=30)
    assert len(bench.said(order_pb2.OrderAnnounced)) == 1
    bench.tell(trade(first, "t1", FAILED, 100 * MICRO))
    assert len(bench.asked(order_pb2.ResolveOrder)) == 1
    assert len(bench.asked(order_pb2.ReadBook)) == 1, "it may be on the book again"
    bench.tell(resolved(first, order_pb2.VENUE_ORDER_STATE_CANCELLED, fills=1))
    bench.fire("retry", "a1", after_s=1)
    bench.read(BIDS, ASKS)
    assert orders(bench)[-1] == (1, 51, 90)


def test_an_order_that_is_on_the_book_again_after_a_failed_fill_counts_on() -> None:
    bench = working()
    begun(bench)
    bench.read(BIDS, ASKS)
    first = live(bench)
    bench.tell(trade(first, "t1", MATCHED, 100 * MICRO))
    bench.tell(trade(first, "t1", FAILED, 100 * MICRO))
    bench.tell(resolved(first, order_pb2.VENUE_ORDER_STATE_OPEN, fills=1))
    assert not bench.said(order_pb2.OrderClosed)
    bench.tell(trade(first, "t2", TRADE_CONFIRMED, 100 * MICRO))
    assert finished(bench).result == order_pb2.WORK_RESULT_FILLED
    assert finished(bench).reversed_size_micro == 100 * MICRO


def test_an_iceberg_shows_a_tenth_of_the_depth_and_goes_on_until_it_is_filled() -> None:
    bench = working()
    begun(bench)
    asks = [(50, 300), (51, 300)]
    for _ in range(2):
        bench.read(BIDS, asks)
        bench.tell(trade(live(bench), f"t{_}", TRADE_CONFIRMED, 60 * MICRO if _ == 0 else 1))
        if _ == 0:
            assert orders(bench)[0] == (0, 49, 60)
    # Forty are left: that is less than the part.
    assert orders(bench)[1] == (0, 49, 40)
    [started] = [e for e in bench.said(order_pb2.WorkStarted) if e.tactic]
    assert started.tactic == order_pb2.TACTIC_ICEBERG


def test_what_is_larger_than_the_depth_is_spread_over_time() -> None:
    bench = working()
    begun(bench)
    bench.read([(49, 10)], [(50, 90)])
    assert orders(bench) == [(0, 50, 20)]
    bench.take_off(live(bench), 20 * MICRO)
    for _ in range(4):
        bench.fire("leg", "a1", after_s=25)
        bench.read([(49, 10)], [(50, 90)])
        bench.take_off(live(bench), 20 * MICRO)
    assert [size for _, _, size in orders(bench)] == [20] * 5
    assert finished(bench).result == order_pb2.WORK_RESULT_FILLED


def test_a_wide_spread_is_not_paid_but_rested_in() -> None:
    bench = working()
    begun(bench)
    bench.read([(47, 5_000)], [(50, 5_000)])
    [announced] = bench.said(order_pb2.OrderAnnounced)
    assert announced.post_only
    assert announced.order.price_micro == 470_000
    assert announced.tactic == order_pb2.TACTIC_PASSIVE


def test_a_fee_that_costs_more_than_missing_makes_us_rest() -> None:
    bench = Bench(replace(POLICY, tactics=TacticSettings()), listed=False)
    bench.tell(listing(fee_rate_micro=70_000, category="crypto"))
    begun(bench)
    bench.read(BIDS, ASKS)
    [announced] = bench.said(order_pb2.OrderAnnounced)
    assert announced.tactic == order_pb2.TACTIC_PASSIVE
    [started] = [e for e in bench.said(order_pb2.WorkStarted) if e.tactic]
    reason = next(r for r in started.reasons if r.rule == "tactic.cheaper_to_make")
    assert reason.passed
    assert reason.value < reason.limit


def test_a_sale_in_haste_takes_what_is_there_and_rests_nothing() -> None:
    bench = working()
    begun(bench, side=common_pb2.SIDE_SELL, limit_price_micro=400_000, strategy="flatten")
    bench.read([(49, 60), (48, 20)], ASKS)
    [announced] = bench.said(order_pb2.OrderAnnounced)
    assert announced.order_type == order_pb2.ORDER_TYPE_FAK
    assert announced.order.size_micro == 80 * MICRO
    assert announced.order.price_micro >= 400_000


def test_a_purchase_in_haste_is_a_limit_order_that_is_taken_off_at_once() -> None:
    bench = working()
    begun(bench, expires_ns=T0 + 40 * S)
    bench.read(BIDS, [(50, 60)])
    [announced] = bench.said(order_pb2.OrderAnnounced)
    # In dollars a market order could give more shares than were approved.
    assert announced.order_type == order_pb2.ORDER_TYPE_GTC
    assert announced.order.size_micro == 60 * MICRO
    live(bench)
    assert len(bench.asked(order_pb2.CancelOrder)) == 1


def test_slippage_beyond_the_limit_is_skipped_with_its_figures() -> None:
    bench = working(wide_spread_micro_ratio=MICRO, miss_cost_micro=900_000)
    begun(bench)
    # The mid is 0.40; five per cent of it is two cents, the ask is ten away.
    bench.read([(30, 5_000)], [(50, 5_000)])
    for after_s in (30, 45, 60):
        if bench.said(order_pb2.OrderAnnounced):
            bench.take_off(live(bench))
        bench.fire("leg", "a1", after_s=after_s)
        if after_s != 60:
            bench.read([(30, 5_000)], [(50, 5_000)])
    assert [phase for phase, _, _ in orders(bench)] == [0]
    skips = bench.said(order_pb2.ChildSkipped)
    assert [skip.phase for skip in skips] == [1, 2]
    [failed] = [r for r in skips[0].reasons if not r.passed]
    assert (failed.rule, failed.value) == ("child.slippage_limit", 50_000)


def test_a_book_that_cannot_be_read_ends_on_the_review_list() -> None:
    bench = working()
    begun(bench)
    for n in range(5):
        effect = next(
            e for e in bench.core.pending.values() if isinstance(e.message, order_pb2.ReadBook)
        )
        failed = agent_pb2.EffectFailed(
            effect_id=effect.id, type="whaletrader.order.v1.ReadBook", error="no answer"
        )
        bench.tell(failed, effect.id)
        if n < 4:
            assert not bench.said(order_pb2.WorkFinished)
            bench.fire("retry", "a1", after_s=2**n)
    event = finished(bench)
    assert event.result == order_pb2.WORK_RESULT_FAILED
    [letter] = bench.said(agent_pb2.DeadLettered)
    assert (letter.topic, letter.key) == ("trade.approved", b"a1")
    assert "no answer" in letter.error
    review = order_pb2.WorkFinished.FromString(letter.payload)
    assert review.reasons == event.reasons


def test_refusals_are_tried_again_with_pauses_and_given_up_in_the_end() -> None:
    bench = working(failures_max=3)
    begun(bench)
    for n in range(3):
        bench.read(BIDS, ASKS)
        bench.tell(placement(bench.newest, REFUSED, "order crosses the book"))
        if n < 2:
            bench.fire("retry", "a1", after_s=2**n)
    assert len({e.order.order_id for e in bench.said(order_pb2.OrderAnnounced)}) == 3
    assert finished(bench).result == order_pb2.WORK_RESULT_FAILED
    assert len(bench.said(agent_pb2.DeadLettered)) == 1


def test_nothing_is_ordered_after_the_approval_has_expired() -> None:
    bench = working(urgent_ns=0)
    begun(bench, expires_ns=T0 + 50 * S)
    bench.read(BIDS, ASKS)
    first = live(bench)
    bench.fire("leg", "a1", after_s=30)
    bench.take_off(first)
    bench.read(BIDS, ASKS)
    second = live(bench)
    # The second phase would last 45 s; the approval has 20 left.
    timers = [t for t in bench.asked(agent_pb2.SetTimer) if t.timer_id == "leg:1:a1"]
    assert [t.due_ns for t in timers] == [T0 + 50 * S]
    bench.fire("leg", "a1", after_s=20)
    assert bench.asked(order_pb2.CancelOrder)[-1].order.order_id == second
    bench.take_off(second)
    assert finished(bench).reasons[0].detail == "the approval has expired"


@pytest.mark.parametrize(
    "stop",
    [
        control(control_pb2.CONTROL_ACTION_HALT),
        control(control_pb2.CONTROL_ACTION_FLATTEN),
        risk_pb2.TradingStateChanged(
            portfolio="main", halted=True, rule="day-loss", state=risk_pb2.DESK_STATE_HALT
        ),
    ],
    ids=["halt", "flatten", "risk"],
)
def test_after_a_stop_what_rests_is_cancelled_and_no_new_order_leaves(stop: Any) -> None:
    bench = working()
    begun(bench)
    bench.read(BIDS, ASKS)
    first = live(bench)
    message = type(stop)()
    message.CopyFrom(stop)
    bench.tell(message)
    assert [c.order.order_id for c in bench.asked(order_pb2.CancelOrder)] == [first]
    bench.take_off(first, 30 * MICRO)
    assert len(bench.said(order_pb2.OrderAnnounced)) == 1
    assert finished(bench).filled_size_micro == 30 * MICRO


def test_while_risk_has_halted_one_may_sell() -> None:
    bench = working()
    halted = risk_pb2.TradingStateChanged(
        portfolio="main", halted=True, rule="day-loss", state=risk_pb2.DESK_STATE_HALT
    )
    bench.tell(halted)
    begun(bench)
    [refusal] = bench.said(order_pb2.ApprovalRefused)
    assert [r.rule for r in refusal.reasons if not r.passed] == ["trading.running"]
    begun(bench, approval_id="a2", side=common_pb2.SIDE_SELL, limit_price_micro=400_000)
    bench.read(BIDS, ASKS)
    assert len(bench.said(order_pb2.OrderAnnounced)) == 1


def test_a_book_on_the_log_that_is_fresh_saves_the_read() -> None:
    from whaletrader.schemas import market_pb2

    bench = working()
    seen = market_pb2.BookSnapshotted(
        condition_id=listing().condition_id,
        token_id=approval().token_id,
        bids=[market_pb2.Level(price_micro=490_000, size_micro=5_000 * MICRO)],
        asks=[market_pb2.Level(price_micro=500_000, size_micro=5_000 * MICRO)],
    )
    seen.meta.event_time_ns = T0
    bench.tell(seen)
    begun(bench)
    assert orders(bench) == [(0, 49, 100)]
    assert not bench.asked(order_pb2.ReadBook)


def test_the_quality_of_a_fill_is_reckoned_from_the_arrival() -> None:
    bench = working()
    begun(bench)
    bench.read(BIDS, ASKS)
    bench.now_ns += 3 * S
    fill = trade(
        live(bench),
        "t1",
        TRADE_CONFIRMED,
        100 * MICRO,
        price_micro=500_000,
        liquidity=order_pb2.LIQUIDITY_TAKER,
    )
    fill.meta.event_time_ns = T0 + 2 * S
    bench.tell(fill)
    event = finished(bench)
    assert (event.arrival_mid_micro, event.expected_price_micro) == (495_000, 500_000)
    assert event.average_price_micro == 500_000
    # Half a cent on 0.495 is 1.0101 per cent.
    assert event.slippage_micro_ratio == 10_101
    assert event.slippage_to_expected_micro_ratio == 0
    assert event.time_to_first_fill_ns == event.time_to_full_fill_ns == 2 * S
    assert [p.liquidity for p in event.parts] == [order_pb2.LIQUIDITY_TAKER]
