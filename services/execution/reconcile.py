"""Asks the venue what is true, and tells it as news: the stream may lose, repeat and reorder.

Called after every connect, every so often, and by the performers for single orders.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from whaletrader.domain.ids import derived_id
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.desk import Desk, LiveOrder
from whaletrader.services.execution.news import News
from whaletrader.services.execution.state import LOT_MICRO
from whaletrader.services.execution.transitions import Phase
from whaletrader.venues.port import OrderState, Venue, VenueOrder


@dataclass(frozen=True, slots=True)
class Look:
    """What the venue has of one order: None if nothing, and how many fills it lists."""

    order: VenueOrder | None
    fills: int


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

    async def holdings(self, look: int) -> order_pb2.HoldingsSeen:
        """Read what the wallet holds and what rests there.

        It takes many reads, and a fill between two of them would be in one figure and not in the
        other. So all fills are told before it and once more after it: a look during which anything
        moved is met by an agent that knows of the move, and counts for nothing.
        """
        await self.all()
        began_ns = self._now_ns()
        collateral = await self._venue.collateral()
        positions = await self._venue.positions(also=tuple(self._desk.tokens()))
        resting = await self._venue.open_orders()
        await self.all()
        seen = order_pb2.HoldingsSeen(
            cash_micro=collateral.balance_micro,
            holdings=[
                order_pb2.Holding(token_id=token_id, size_micro=size)
                for token_id, size in sorted(positions.items())
                if size
            ],
            open_order_ids=sorted(order.order_id for order in resting),
            look=look,
            began_ns=began_ns,
        )
        seen.meta.id = derived_id("venue", "holdings", self._venue.wallet, look, began_ns)
        seen.meta.event_time_ns = began_ns
        return seen

    async def trade(self, trade_id: str) -> None:
        """Tell our fills in one trade."""
        for fill in await self._venue.fills_of_trade(trade_id):
            self._news.tell_fill(fill)

    async def order(self, order: LiveOrder, *, is_gone: bool = False) -> Look:
        """Tell all about one order, and return it.

        `is_gone`: the venue has just said that it is not open any more.
        """
        found = await self._venue.order(order.order_id)
        fills = await self._venue.fills(condition_id=order.condition_id)
        ours = [fill for fill in fills if fill.order_id == order.order_id]
        for fill in ours:
            self._news.tell_fill(fill)
        was_there = is_gone and self._desk.phase(order.order_id) in (Phase.LIVE, Phase.MATCHED)
        matched = sum(fill.size_micro for fill in ours)
        if found is None and (ours or was_there):
            # The venue forgets closed orders: what it filled is what it matched.
            found = VenueOrder(
                order_id=order.order_id,
                condition_id=order.condition_id,
                state=OrderState.FILLED,
                matched_size_micro=matched,
                detail="not on record any more",
            )
        if (
            found is not None
            and found.state is OrderState.FILLED
            and found.matched_size_micro <= order.size_micro - LOT_MICRO
        ):
            # It took what there was and never rested, or the rest was taken off and forgotten.
            found = replace(found, state=OrderState.CANCELLED)
        if found is not None and found.state is not OrderState.OPEN:
            self._news.tell_order(found, self._now_ns())
        return Look(found, len(ours))

    async def _gone(self, order: LiveOrder) -> None:
        # Between the two reads it may have closed as well as filled: ask for it alone.
        await self.order(order, is_gone=True)
