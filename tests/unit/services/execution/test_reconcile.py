"""A look at the holdings takes many reads: what moves between them is told before the look is."""

from typing import Any

from google.protobuf.message import Message

from tests.unit.services.execution.execution_bench import T0, YES, Bench
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.news import News
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.venues.port import Collateral, FillState, OrderState, VenueFill, VenueOrder

WALLET = "0xours"


class TornVenue:
    """A wallet whose resting order is filled after its cash was read, with a silent stream."""

    wallet = WALLET

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        self.shares_micro = 0

    async def open_orders(self) -> list[VenueOrder]:
        return [VenueOrder(self.order_id, "0xc", OrderState.OPEN, 0, "LIVE", T0)]

    async def fills(self, **_: Any) -> list[VenueFill]:
        if not self.shares_micro:
            return []
        state = FillState.CONFIRMED
        return [
            VenueFill(self.order_id, "t1", "t1", 500_000, self.shares_micro, False, state, T0, T0)
        ]

    async def collateral(self) -> Collateral:
        return Collateral(1_000_000_000, {})

    async def positions(self, **_: Any) -> dict[str, int]:
        self.shares_micro = 4_000_000
        return {YES: self.shares_micro}


async def test_a_fill_between_two_reads_is_told_before_the_look() -> None:
    bench = Bench()
    order_id = bench.live()
    desk = Desk()
    desk.restored(bench.core)
    news, told = News(WALLET, desk), list[Message]()
    news.attach(told.append)
    venue: Any = TornVenue(order_id)
    began_ns = bench.now_ns
    seen = await Reconciler(venue, desk, news, lambda: began_ns).holdings(1)
    [fill] = [it for it in told if isinstance(it, order_pb2.VenueTradeSeen)]
    for message in (fill, seen):
        bench.tell(message)
    # Cash without the fill, a share with it: neither is taken for what the books begin with.
    assert (seen.cash_micro, seen.holdings[0].size_micro) == (1_000_000_000, 4_000_000)
    assert bench.said(order_pb2.OrderConfirmed)
    assert not bench.said(order_pb2.PositionsReconciled)
