"""Turns what the venue shows of our orders into messages for the agent, each fact once.

The stream, the reads after a reconnect and the performers all meet the same facts; here they
become one message with an id derived from the fact. Counts the final ones. No I/O.
"""

from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.transitions import FILL_STEPS, Phase
from whaletrader.venues.port import FillState, OrderState, VenueFill, VenueOrder

_CLOSE_STATUSES: Final = {
    OrderState.CANCELLED: order_pb2.CLOSE_STATUS_CANCELLED,
    OrderState.EXPIRED: order_pb2.CLOSE_STATUS_EXPIRED,
    OrderState.REJECTED: order_pb2.CLOSE_STATUS_REJECTED,
}
_TRADE_STATUSES: Final = {
    FillState.PROVISIONAL: order_pb2.TRADE_STATUS_MATCHED,
    FillState.MINED: order_pb2.TRADE_STATUS_MINED,
    FillState.RETRYING: order_pb2.TRADE_STATUS_RETRYING,
    FillState.CONFIRMED: order_pb2.TRADE_STATUS_CONFIRMED,
    FillState.FAILED: order_pb2.TRADE_STATUS_FAILED,
}


class News:
    """One wallet's facts. Until a source is attached nothing is told, and nothing is marked."""

    def __init__(self, wallet: str, desk: Desk) -> None:
        self._wallet = wallet
        self._desk = desk
        self._put: Callable[[Message], None] | None = None
        self._told: dict[tuple[str, str], FillState] = {}
        self._final_trades: set[str] = set()
        self._closed_orders: set[str] = set()
        # Provisional fills by the time of their match: how far back the next read must reach.
        self._unsettled: dict[tuple[str, str], int] = {}
        # Up to here a whole read has told every fill. What the stream or a look at one order
        # tells does not move it: an older fill may have been lost on its way.
        self._read_through_ns = 0

    @property
    def desk(self) -> Desk:
        """The running agent's state, as the edges may see it."""
        return self._desk

    def attach(self, put: Callable[[Message], None]) -> None:
        """Begin to tell an agent that was just restored.

        What an earlier agent was told and had not committed is lost with it, so everything but
        what this one knows is news again.
        """
        self._unsettled.clear()
        self._final_trades.clear()
        self.doubt()
        self._closed_orders = set(self._desk.venue_closed_orders())
        self._put = put

    def doubt(self) -> None:
        """Trust nothing that was read before: the next read is of everything.

        What the agent knows is no news to it; what it should know and does not is told again.
        """
        self._told.clear()
        self._read_through_ns = 0

    def detach(self) -> None:
        """Stop telling: nobody commits it any more."""
        self._put = None

    def facts(self) -> Mapping[str, int]:
        """Return, by wallet, final trades plus orders closed without being filled."""
        return {self._wallet: len(self._final_trades) + len(self._closed_orders)}

    @property
    def read_from_ns(self) -> int:
        """The match time before which every fill is known and final."""
        return min([self._read_through_ns, *self._unsettled.values()])

    def mark_read(self, through_ns: int) -> None:
        """Note that a whole read has told every fill that matched up to this time."""
        self._read_through_ns = max(self._read_through_ns, through_ns)

    def tell_fill(self, fill: VenueFill) -> None:
        """Tell a fill's state, unless the agent has it already."""
        if self._put is None:
            return
        key = (fill.order_id, fill.fill_id)
        told = self._told.get(key)
        if told is fill.state or (told is not None and told.is_final and not fill.state.is_final):
            return
        self._told[key] = fill.state
        if fill.state.is_final:
            self._final_trades.add(fill.trade_id)
            self._unsettled.pop(key, None)
        else:
            self._unsettled[key] = fill.matched_ns
        # What the agent's own table makes no step of is no news to it.
        stage = self._desk.stage(*key)
        if FILL_STEPS[stage][_TRADE_STATUSES[fill.state]] is not stage:
            self._put(self._trade_seen(fill))

    def tell_order(self, order: VenueOrder, now_ns: int) -> None:
        """Tell an order's end, or that one is there which we did not take to be."""
        if self._put is None:
            return
        status = _CLOSE_STATUSES.get(order.state)
        if status is None:
            if order.state is OrderState.OPEN:
                self.tell_open(order.order_id, order.at_ns or now_ns)
            return
        if order.order_id in self._closed_orders or self._desk.is_venue_closed(order.order_id):
            self._closed_orders.add(order.order_id)
            return
        self._closed_orders.add(order.order_id)
        event = order_pb2.VenueOrderClosed(
            order_id=order.order_id,
            status=status,
            matched_size_micro=order.matched_size_micro,
            detail=order.detail,
        )
        event.meta.id = derived_id("venue", "closed", order.order_id)
        event.meta.event_time_ns = order.at_ns or now_ns
        self._put(event)

    def tell_open(self, order_id: str, at_ns: int) -> None:
        """Tell that an order is on the book, if the agent does not count on that."""
        phase = self._desk.phase(order_id)
        if self._put is None or phase in (Phase.ANNOUNCED, Phase.LIVE, Phase.MATCHED):
            # Announced: the answer to its placement is under way and will say so.
            return
        event = order_pb2.OrderPlacement(
            order_id=order_id, status=order_pb2.PLACEMENT_STATUS_LIVE, detail="on the book"
        )
        event.meta.id = derived_id("venue", "open", order_id)
        event.meta.event_time_ns = at_ns
        self._put(event)

    def tell(self, message: Message) -> None:
        """Tell something that is news by itself."""
        if self._put is not None:
            self._put(message)

    def _trade_seen(self, fill: VenueFill) -> order_pb2.VenueTradeSeen:
        event = order_pb2.VenueTradeSeen(
            order_id=fill.order_id,
            fill=order_pb2.Fill(
                trade_id=fill.fill_id,
                price_micro=fill.price_micro,
                size_micro=fill.size_micro,
                liquidity=(
                    order_pb2.LIQUIDITY_TAKER if fill.is_taker else order_pb2.LIQUIDITY_MAKER
                ),
            ),
            status=_TRADE_STATUSES[fill.state],
        )
        event.meta.id = derived_id("venue", "fill", fill.order_id, fill.fill_id, fill.state.value)
        is_match = fill.state in (FillState.PROVISIONAL, FillState.RETRYING)
        event.meta.event_time_ns = fill.matched_ns if is_match else fill.updated_ns
        return event
