"""The edges of working: books that come too late, pauses, and remainders too small to order."""

from typing import Any

import pytest

from tests.unit.services.execution.execution_bench import CONDITION, S, control
from tests.unit.services.execution.test_working import (
    ASKS,
    BIDS,
    begun,
    finished,
    live,
    orders,
    working,
)
from whaletrader.domain.money import MICRO
from whaletrader.schemas import agent_pb2, control_pb2, market_pb2, order_pb2

RESOLVED = market_pb2.MarketResolved(condition_id=CONDITION, winning_index=0)


@pytest.mark.parametrize(
    ("news", "after_s", "why"),
    [
        (None, 300, "the approval has expired"),
        (RESOLVED, 1, "the market is decided"),
        (control(control_pb2.CONTROL_ACTION_HALT), 1, "stopped: halt"),
    ],
)
def test_a_book_that_comes_too_late_orders_nothing(news: Any, after_s: int, why: str) -> None:
    bench = working()
    begun(bench)
    bench.now_ns += after_s * S
    if news is not None:
        bench.tell(news)
    if bench.state.works:
        bench.read(BIDS, ASKS)
    assert not bench.said(order_pb2.OrderAnnounced)
    event = finished(bench)
    assert event.result == order_pb2.WORK_RESULT_UNFILLED
    assert event.reasons[0].detail == why


def test_the_pauses_between_failures_double() -> None:
    bench = working()
    begun(bench)
    pauses_s = []
    for after_s in (1, 2, 4):
        bench.read([], [])
        [*_, timer] = [
            it for it in bench.asked(agent_pb2.SetTimer) if it.timer_id.startswith("retry")
        ]
        pauses_s.append((timer.due_ns - bench.now_ns) // S)
        bench.fire("retry", "a1", after_s=after_s)
    assert pauses_s == [1, 2, 4]


def test_no_order_leaves_less_than_could_be_ordered() -> None:
    bench = working()
    begun(bench)
    bench.read(BIDS, ASKS)
    first = live(bench)
    bench.fire("leg", "a1", after_s=30)
    bench.take_off(first, 60 * MICRO)
    bench.read(BIDS, ASKS)
    # Nine tenths of forty would leave four, which is below the market's five.
    assert [shares for _, _, shares in orders(bench)] == [100, 40]
