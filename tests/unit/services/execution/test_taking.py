"""What only takes may pay more than what rests, up to a limit of its own."""

from tests.unit.services.execution.test_working import begun, orders, working
from whaletrader.schemas import order_pb2

BIDS = [(49, 5_000)]


def test_an_order_that_only_takes_may_slip_four_percent() -> None:
    bench = working(fixed=order_pb2.TACTIC_AGGRESSIVE)
    begun(bench)
    # The mid is 0.50, and a hundred shares cost 0.52 on the average.
    bench.read(BIDS, [(51, 50), (53, 50)])
    assert [shares for _, _, shares in orders(bench)] == [100]


def test_an_order_that_only_takes_is_held_back_above_five_percent() -> None:
    bench = working(fixed=order_pb2.TACTIC_AGGRESSIVE)
    begun(bench)
    bench.read(BIDS, [(51, 10), (54, 90)])
    assert not orders(bench)
    [skipped] = bench.said(order_pb2.ChildSkipped)
    [failed] = [reason for reason in skipped.reasons if not reason.passed]
    assert (failed.rule, failed.value, failed.limit) == ("child.slippage_market", 74_000, 50_000)
