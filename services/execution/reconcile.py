"""Asks the venue what is true, and tells it as news: the stream may lose, repeat and reorder.

Called after every connect, every so often, and by the performers for single orders.
"""

from collections.abc import Callable

from whaletrader.services.execution.desk import Desk, LiveOrder
from whaletrader.services.execution.news import News
from whaletrader.services.execution.state import Phase
from whaletrader.venues.port import OrderState, Venue, VenueOrder


class Reconciler:
    """Reads of one wallet. Raises what the venue's reads raise; nothing is told twice."""

    def __init__(self, venue: Venue, desk: Desk, news: News, now_ns: Callable[[], int]) -> None:
        self._venue = venue
        self._desk = desk
        self._news = news
        self._now_ns = now_ns

    async def all(self) -> None:
        """Bring the agent up to date with everything that the venue has of us."""
        # Taken first: an order that goes live during the reads must not look gone.
        expected = self._desk.live_orders()
        open_now = await self._venue.open_orders()
        fills = await self._venue.fills(after_ns=self._news.read_from_ns)
        for fill in fills:
            self._news.tell_fill(fill)
        self._news.mark_read(max((fill.matched_ns for fill in fills), default=0))
        for found in open_now:
            self._news.tell_order(found, self._now_ns())
        there = {found.order_id for found in open_now}
        for order in expected:
            if order.order_id not in there:
                await self._gone(order)

    async def trade(self, trade_id: str) -> None:
        """Tell our fills in one trade."""
        for fill in await self._venue.fills_of_trade(trade_id):
            self._news.tell_fill(fill)

    async def order(self, order: LiveOrder, *, is_gone: bool = False) -> VenueOrder | None:
        """Tell all about one order; return it, or None if the venue never had it.

        `is_gone`: the venue has just said that it is not open any more.
        """
        found = await self._venue.order(order.order_id)
        fills = await self._venue.fills(condition_id=order.condition_id)
        ours = [fill for fill in fills if fill.order_id == order.order_id]
        for fill in ours:
            self._news.tell_fill(fill)
        was_there = is_gone and self._desk.phase(order.order_id) is Phase.LIVE
        if found is None and (ours or was_there):
            # The venue forgets closed orders: what it filled is what it matched.
            matched = sum(fill.size_micro for fill in ours)
            is_filled = matched >= order.size_micro
            found = VenueOrder(
                order_id=order.order_id,
                condition_id=order.condition_id,
                state=OrderState.FILLED if is_filled else OrderState.CANCELLED,
                matched_size_micro=matched,
                detail="not on record any more",
            )
        if found is not None and found.state is not OrderState.OPEN:
            self._news.tell_order(found, self._now_ns())
        return found

    async def _gone(self, order: LiveOrder) -> None:
        # Between the two reads it may have closed as well as filled: ask for it alone.
        await self.order(order, is_gone=True)
