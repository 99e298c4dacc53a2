"""Whether a fill event changes the books, repeats what they hold, or contradicts it.

A matched fill counts at once and is undone when it is reversed; confirmed and reversed are final.
Events may be repeated or come late: matched after confirmed, or a confirmation of which the match
was never seen. Pure; called by the agent before anything is written.
"""

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.services.attribution.errors import FillContradiction, InvalidFill
from whaletrader.services.attribution.state import (
    CONFIRMED,
    MATCHED,
    REVERSED,
    AttributionState,
    FillEvent,
    fill_digest,
    fill_key,
    position_of,
)


def changes_books(state: AttributionState, event: FillEvent) -> bool:
    """Return whether the event says something new. Raises InvalidFill, FillContradiction."""
    _check_fill(event)
    record = state.fills.get(fill_key(event))
    if record is None:
        return True
    what = f"trade {event.fill.trade_id} of order {event.order.order_id}"
    if isinstance(event, order_pb2.OrderReversed):
        if record.status == CONFIRMED:
            raise FillContradiction(f"{what} was confirmed and is now reversed")
        return record.status == MATCHED and _is_counted(state, event, what)
    if record.status == REVERSED:
        if isinstance(event, order_pb2.OrderConfirmed):
            raise FillContradiction(f"{what} was reversed and is now confirmed")
        return False
    if record.digest != fill_digest(event):
        raise FillContradiction(f"{what} was told with other amounts")
    return isinstance(event, order_pb2.OrderConfirmed) and record.status == MATCHED


def _is_counted(state: AttributionState, event: FillEvent, what: str) -> bool:
    key = fill_key(event)
    if any(fill.key == key for fill in position_of(state, event.order).fills):
        return True
    raise FillContradiction(f"{what} is reversed in another position than it was counted in")


def _check_fill(event: FillEvent) -> None:
    order, fill = event.order, event.fill
    if not (order.order_id and fill.trade_id and order.portfolio):
        raise InvalidFill("a fill needs an order, a trade and a portfolio")
    if not (order.condition_id and order.token_id) or order.outcome_index not in (0, 1):
        raise InvalidFill(f"order {order.order_id} names no outcome of a market")
    if order.side not in (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL):
        raise InvalidFill(f"order {order.order_id} has side {order.side}")
    if not 0 < fill.price_micro < MICRO or fill.size_micro <= 0 or fill.fee_micro < 0:
        raise InvalidFill(
            f"trade {fill.trade_id}: {fill.size_micro} at {fill.price_micro}, fee {fill.fee_micro}"
        )
