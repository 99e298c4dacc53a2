"""What an order event changes in the book. Each fact once, whatever is repeated or reordered.

Pure: returns the changes to be journaled and what a person should know; the agent emits them and
state.py folds them. Money stays set aside while anything may still be filled: an unknown order
keeps its reservation.
"""

from dataclasses import dataclass

from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import facts, sizing
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.booking import (
    Booking,
    book_fill,
    change,
    flaw_of_order,
    is_booked,
    release,
    reserved_again,
    settle,
    with_settlement,
)
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.state import Approval

BUY = common_pb2.SIDE_BUY


def on_announced(desk: Desk, event: order_pb2.OrderAnnounced) -> Booking:
    """Hold the order against what its approval has left; set aside what the orders can cost."""
    order = event.order
    booking = Booking()
    name = facts.announced(order.approval_id, order.order_id)
    if is_booked(desk, order, name):
        return booking
    approval = desk.state.approvals.get(order.approval_id)
    alert = flaw_of_order(desk, order)
    if alert is not None:
        booking.alerts.append((alert, order.order_id))
    moved = change(desk, order, name, risk_pb2.EXPOSURE_KIND_ANNOUNCED)
    moved.order_size_micro = order.size_micro
    if order.side == BUY:
        moved.reserved_delta_micro = _reserve_of_new_order(desk, order, approval)
    booking.events.append(moved)
    return booking


def _reserve_of_new_order(desk: Desk, order: order_pb2.OrderRef, approval: Approval | None) -> int:
    market = desk.market(order.condition_id)
    needed = sizing.reserve_for(market, order.price_micro, order.size_micro)
    if approval is None:
        return needed
    if approval.is_worked:
        # The whole approval is set aside already; only what is beyond it comes on top.
        beyond = approval.claimed_micro + order.size_micro - approval.size_micro
        return sizing.reserve_for(market, order.price_micro, max(0, beyond))
    # A second order comes on top of the first.
    return needed - (0 if approval.announced else approval.reserved_micro)


def on_matched(desk: Desk, event: order_pb2.OrderMatched) -> Booking:
    """Move what was set aside for the fill into the holding."""
    order, fill = event.order, event.fill
    name = facts.matched(order.order_id, fill.trade_id)
    if is_booked(desk, order, name) or is_booked(desk, order, facts.undone(name)):
        return Booking()
    return book_fill(desk, order, fill)


def on_confirmed(desk: Desk, event: order_pb2.OrderConfirmed) -> Booking:
    """Make the fill final; book it first if its match was never heard of."""
    order, fill = event.order, event.fill
    name = facts.matched(order.order_id, fill.trade_id)
    if is_booked(desk, order, facts.confirmed(name)):
        return Booking()
    if is_booked(desk, order, facts.undone(name)):
        return Booking(alerts=[(Alert.FILL_CONTRADICTED, fill.trade_id)])
    booking = Booking() if is_booked(desk, order, name) else book_fill(desk, order, fill)
    made_final = change(desk, order, facts.confirmed(name), risk_pb2.EXPOSURE_KIND_CONFIRMED)
    made_final.trade_id = fill.trade_id
    booking.events.append(made_final)
    return booking


def on_reversed(desk: Desk, event: order_pb2.OrderReversed) -> Booking:
    """Undo the fill exactly; its rest is set aside again while the work on its approval goes on."""
    order, fill = event.order, event.fill
    name = facts.matched(order.order_id, fill.trade_id)
    if is_booked(desk, order, facts.undone(name)):
        return Booking()
    if is_booked(desk, order, facts.confirmed(name)):
        return Booking(alerts=[(Alert.FILL_CONTRADICTED, fill.trade_id)])
    approval = desk.state.approvals.get(order.approval_id)
    if approval is None:
        return Booking()
    moved = change(desk, order, facts.undone(name), risk_pb2.EXPOSURE_KIND_REVERSED)
    moved.trade_id = fill.trade_id
    booked = approval.fills.get(name)
    if booked is not None:
        moved.reserved_delta_micro = reserved_again(desk, order, approval, booked)
        moved.position_delta_micro = -booked.position_micro
        moved.cost_delta_micro = -booked.cost_micro
        moved.fee_delta_micro = -booked.fee_micro
        moved.realized_delta_micro = -booked.realized_micro
        moved.cash_delta_micro = -booked.cash_micro
    return with_settlement(desk, Booking([moved]))


def on_closed(desk: Desk, event: order_pb2.OrderClosed) -> Booking:
    """Set free what the order did not fill, unless more orders may come of its approval."""
    order = event.order
    approval = desk.state.approvals.get(order.approval_id)
    if approval is None or approval.final_micro >= 0:
        return Booking()
    private = order_pb2.OrderClosed()
    private.CopyFrom(event)
    private.ClearField("meta")
    if approval.is_worked:
        child = approval.children.get(order.order_id)
        return Booking([] if child is None or child.is_closed else [private])
    end = _End(order.approval_id, order.order_id, order.price_micro, event.filled_size_micro)
    return Booking([private, _end(desk, approval, end)])


def on_work_started(desk: Desk, event: order_pb2.WorkStarted) -> Booking:
    """Note that several orders may come of the approval: it is done when the work is."""
    approval = desk.state.approvals.get(event.approval_id)
    if approval is None or approval.is_worked or approval.final_micro >= 0:
        return Booking()
    private = order_pb2.WorkStarted(approval_id=event.approval_id, portfolio=event.portfolio)
    return Booking([private])


def on_work_finished(desk: Desk, event: order_pb2.WorkFinished) -> Booking:
    """Set free what the orders of an approval did not fill: no more come."""
    approval = desk.state.approvals.get(event.approval_id)
    if approval is None or approval.final_micro >= 0:
        return Booking()
    private = order_pb2.WorkFinished(
        approval_id=event.approval_id,
        portfolio=event.portfolio,
        filled_size_micro=event.filled_size_micro,
    )
    end = _End(event.approval_id, "", approval.limit_price_micro, event.filled_size_micro)
    return Booking([private, _end(desk, approval, end)])


@dataclass(frozen=True, slots=True)
class _End:
    """What is said at the end of an order or of the work: up to which price, how much filled."""

    approval_id: str
    order_id: str
    price_micro: int
    filled_micro: int


def _end(desk: Desk, approval: Approval, end: _End) -> risk_pb2.ExposureChanged:
    # Fills that it speaks of and that are not here yet stay provided for.
    missing = max(0, end.filled_micro - approval.standing_micro)
    kept = 0
    if approval.side != common_pb2.SIDE_SELL:
        reserve = sizing.reserve_for(desk.market(approval.condition_id), end.price_micro, missing)
        kept = min(approval.reserved_micro, reserve)
    return risk_pb2.ExposureChanged(
        portfolio=desk.portfolio,
        approval_id=end.approval_id,
        order_id=end.order_id,
        condition_id=approval.condition_id,
        token_id=approval.token_id,
        leader=approval.leader,
        reserved_delta_micro=kept - approval.reserved_micro,
        closed=missing == 0,
        kind=risk_pb2.EXPOSURE_KIND_CLOSED,
    )


def on_unused(desk: Desk, approval_id: str) -> Booking:
    """Set free what an approval held that was refused or expired, if no order came of it."""
    approval = desk.state.approvals.get(approval_id)
    if approval is None or approval.announced:
        return Booking()
    return Booking([release(desk, approval_id, approval)])


def on_resolved(desk: Desk, condition_id: str, winning_token: str) -> Booking:
    """Pay out the market's holdings, and set free what closed orders there still held."""
    booking = Booking()
    for token_id, leaders in desk.state.lots.items():
        for leader, lot in leaders.items():
            if lot.condition_id == condition_id and (lot.size_micro or lot.cost_micro):
                booking.events.append(settle(desk, lot, token_id, leader, winning_token))
    for approval_id, approval in desk.state.approvals.items():
        if approval.condition_id == condition_id and approval.final_micro >= 0:
            booking.events.append(release(desk, approval_id, approval))
    return booking
