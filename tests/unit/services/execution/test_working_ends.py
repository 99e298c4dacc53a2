"""What ends an approved trade before its book has come: nothing is ordered any more."""

from typing import Any

import pytest

from tests.unit.services.execution.execution_bench import CONDITION, S, control
from tests.unit.services.execution.test_working import ASKS, BIDS, begun, finished, working
from whaletrader.schemas import control_pb2, market_pb2, order_pb2

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
