"""What an order event changes in the book. Each fact once, whatever is repeated or reordered.

Pure: returns the changes to be journaled and what a person should know; the agent emits them and
state.py folds them. Money stays set aside while anything may still be filled: an unknown order
keeps its reservation.
"""

from dataclasses import dataclass, field

from google.protobuf.message import Message

from whaletrader.domain.money import MoneyError, checked_price, notional
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import facts, sizing
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.rules import Alert
from whaletrader.services.risk.state import Approval, Lot

BUY = common_pb2.SIDE_BUY


@dataclass(slots=True)
class Booking:
    """Events for the journal, in order, and alerts with what names them."""

    events: list[Message] = field(default_factory=list)
    alerts: list[tuple[Alert, str]] = field(default_factory=list)

    @property
    def changes(self) -> list[risk_pb2.ExposureChanged]:
        return [event for event in self.events if isinstance(event, risk_pb2.ExposureChanged)]

    @property
    def realized_micro(self) -> int:
        return sum(change.realized_delta_micro for change in self.changes)


def on_announced(desk: Desk, event: order_pb2.OrderAnnounced) -> Booking:
    """Hold the order against its approval; set aside what the order itself can cost."""
    order = event.order
    booking = Booking()
    if _is_booked(desk, order, facts.announced(order.approval_id, order.order_id)):
        return booking
    approval = desk.state.approvals.get(order.approval_id)
    alert = _flaw_of_order(desk, order)
    if alert is not None:
        booking.alerts.append((alert, order.order_id))
    change = _change(order, facts.announced(order.approval_id, order.order_id))
    if order.side == BUY:
        needed = sizing.reserve_for(
            desk.market(order.condition_id), order.price_micro, order.size_micro
        )
        # A second order comes on top of the first.
        is_first = approval is not None and not approval.announced
        set_aside = approval.reserved_micro if approval is not None and is_first else 0
        change.reserved_delta_micro = needed - set_aside
    booking.events.append(change)
    return booking


def on_matched(desk: Desk, event: order_pb2.OrderMatched) -> Booking:
    """Move what was set aside for the fill into the holding."""
    order, fill = event.order, event.fill
    name = facts.matched(order.order_id, fill.trade_id)
    if _is_booked(desk, order, name) or _is_booked(desk, order, facts.undone(name)):
        return Booking()
    return _book_fill(desk, order, fill)


def on_confirmed(desk: Desk, event: order_pb2.OrderConfirmed) -> Booking:
    """Make the fill final; book it first if its match was never heard of."""
    order, fill = event.order, event.fill
    name = facts.matched(order.order_id, fill.trade_id)
    if _is_booked(desk, order, facts.confirmed(name)):
        return Booking()
    if _is_booked(desk, order, facts.undone(name)):
        return Booking(alerts=[(Alert.FILL_CONTRADICTED, fill.trade_id)])
    booking = Booking() if _is_booked(desk, order, name) else _book_fill(desk, order, fill)
    booking.events.append(_change(order, facts.confirmed(name)))
    return booking


def on_reversed(desk: Desk, event: order_pb2.OrderReversed) -> Booking:
    """Undo the fill exactly. What it had set aside stays spent: the venue does not retry it."""
    order, fill = event.order, event.fill
    name = facts.matched(order.order_id, fill.trade_id)
    if _is_booked(desk, order, facts.undone(name)):
        return Booking()
    if _is_booked(desk, order, facts.confirmed(name)):
        return Booking(alerts=[(Alert.FILL_CONTRADICTED, fill.trade_id)])
    approval = desk.state.approvals.get(order.approval_id)
    if approval is None:
        return Booking()
    change = _change(order, facts.undone(name))
    booked = approval.fills.get(name)
    if booked is not None:
        change.position_delta_micro = -booked.position_micro
        change.cost_delta_micro = -booked.cost_micro
        change.fee_delta_micro = -booked.fee_micro
        change.realized_delta_micro = -booked.realized_micro
        change.cash_delta_micro = -booked.cash_micro
    return _with_settlement(desk, Booking([change]))


def on_closed(desk: Desk, event: order_pb2.OrderClosed) -> Booking:
    """Set free what the order did not fill. Fills it speaks of that are not here yet stay
    provided for."""
    order = event.order
    approval = desk.state.approvals.get(order.approval_id)
    if approval is None or approval.final_micro >= 0:
        return Booking()
    private = order_pb2.OrderClosed()
    private.CopyFrom(event)
    private.ClearField("meta")
    missing = max(0, event.filled_size_micro - approval.standing_micro)
    change = _change(order, "")
    change.closed = missing == 0
    kept = 0
    if order.side == BUY:
        reserve = sizing.reserve_for(desk.market(order.condition_id), order.price_micro, missing)
        kept = min(approval.reserved_micro, reserve)
    change.reserved_delta_micro = kept - approval.reserved_micro
    return Booking([private, change])


def on_unused(desk: Desk, approval_id: str) -> Booking:
    """Set free what an approval held that was refused or expired, if no order came of it."""
    approval = desk.state.approvals.get(approval_id)
    if approval is None or approval.announced:
        return Booking()
    return Booking([_release(desk, approval_id, approval)])


def on_resolved(desk: Desk, condition_id: str, winning_token: str) -> Booking:
    """Pay out the market's holdings, and set free what closed orders there still held."""
    booking = Booking()
    for token_id, leaders in desk.state.lots.items():
        for leader, lot in leaders.items():
            if lot.condition_id == condition_id and (lot.size_micro or lot.cost_micro):
                booking.events.append(_settle(desk, lot, token_id, leader, winning_token))
    for approval_id, approval in desk.state.approvals.items():
        if approval.condition_id == condition_id and approval.final_micro >= 0:
            booking.events.append(_release(desk, approval_id, approval))
    return booking


def _book_fill(desk: Desk, order: order_pb2.OrderRef, fill: order_pb2.Fill) -> Booking:
    if fill.size_micro <= 0:
        raise MoneyError(f"a fill of {fill.size_micro} micro-shares")
    checked_price(fill.price_micro)
    approval = desk.state.approvals.get(order.approval_id)
    booking = Booking()
    if approval is None:
        alert = _flaw_of_order(desk, order) or Alert.UNAPPROVED_ORDER
        booking.alerts.append((alert, order.order_id))
    is_buy = order.side == BUY
    matched = fill.size_micro + (approval.matched_micro if approval is not None else 0)
    is_worse = (fill.price_micro - order.price_micro) * (1 if is_buy else -1) > 0
    if matched > order.size_micro or is_worse:
        booking.alerts.append((Alert.FILL_BEYOND_ORDER, fill.trade_id))
    change = _change(order, facts.matched(order.order_id, fill.trade_id))
    change.fee_delta_micro = fill.fee_micro
    if is_buy:
        cost = notional(fill.price_micro, fill.size_micro, up=True) + fill.fee_micro
        change.position_delta_micro = fill.size_micro
        change.cost_delta_micro = cost
        change.cash_delta_micro = -cost
    else:
        _sell(desk, order, fill, change)
    rest = _rest_after(desk, order, fill)
    if is_buy:
        reserved = approval.reserved_micro if approval is not None else 0
        change.reserved_delta_micro = (
            _kept_for_rest(desk, order, rest, reserved - change.cost_delta_micro) - reserved
        )
    change.closed = rest == 0 and _is_closed(desk, order)
    booking.events.append(change)
    return _with_settlement(desk, booking)


def _sell(
    desk: Desk, order: order_pb2.OrderRef, fill: order_pb2.Fill, change: risk_pb2.ExposureChanged
) -> None:
    lot = desk.state.lot(order.token_id, order.leader) or Lot(order.condition_id)
    proceeds = notional(fill.price_micro, fill.size_micro) - fill.fee_micro
    # Of the shares that are there; what is sold beyond them has cost nothing yet.
    sold = min(fill.size_micro, max(0, lot.size_micro))
    paid = lot.cost_micro * sold // lot.size_micro if sold else 0
    change.position_delta_micro = -fill.size_micro
    change.cost_delta_micro = -paid
    change.realized_delta_micro = proceeds - paid
    change.cash_delta_micro = proceeds


def _rest_after(desk: Desk, order: order_pb2.OrderRef, fill: order_pb2.Fill) -> int:
    approval = desk.state.approvals.get(order.approval_id)
    if approval is None:
        return 0 if _is_closed(desk, order) else max(0, order.size_micro - fill.size_micro)
    if approval.closed:
        return 0
    if approval.final_micro >= 0:
        return max(0, approval.final_micro - approval.standing_micro - fill.size_micro)
    return max(0, order.size_micro - approval.matched_micro - fill.size_micro)


def _is_closed(desk: Desk, order: order_pb2.OrderRef) -> bool:
    approval = desk.state.approvals.get(order.approval_id)
    if approval is not None:
        return approval.final_micro >= 0
    done = desk.state.done.get(order.approval_id)
    return done is not None and done.announced


def _kept_for_rest(desk: Desk, order: order_pb2.OrderRef, rest: int, left: int) -> int:
    # A better price than the limit sets money free; the slack for rounding stays until the end.
    if rest == 0:
        return 0
    market = desk.market(order.condition_id)
    floor = sizing.worst_cost(market, order.price_micro, rest)
    return min(max(left, floor), sizing.reserve_for(market, order.price_micro, rest))


def _with_settlement(desk: Desk, booking: Booking) -> Booking:
    """Settle at once what was booked in a market that is decided already, and what money a
    holding of nothing still counts: a purchase was undone after its shares were sold."""
    change = booking.changes[-1]
    lot = desk.state.lot(change.token_id, change.leader) or Lot(change.condition_id)
    after = Lot(
        change.condition_id,
        lot.size_micro + change.position_delta_micro,
        lot.cost_micro + change.cost_delta_micro,
    )
    winner = desk.views.winners.get(change.condition_id, "")
    is_over = winner or not after.size_micro
    if is_over and (after.size_micro or after.cost_micro):
        booking.events.append(_settle(desk, after, change.token_id, change.leader, winner))
    elif after.size_micro < 0:
        booking.alerts.append((Alert.OVERSOLD, change.token_id))
    return booking


def _settle(
    desk: Desk, lot: Lot, token_id: str, leader: str, winning_token: str
) -> risk_pb2.ExposureChanged:
    payout = lot.size_micro if token_id == winning_token else 0
    return risk_pb2.ExposureChanged(
        portfolio=desk.portfolio,
        condition_id=lot.condition_id,
        token_id=token_id,
        leader=leader,
        position_delta_micro=-lot.size_micro,
        cost_delta_micro=-lot.cost_micro,
        realized_delta_micro=payout - lot.cost_micro,
        cash_delta_micro=payout,
    )


def _release(desk: Desk, approval_id: str, approval: Approval) -> risk_pb2.ExposureChanged:
    return risk_pb2.ExposureChanged(
        portfolio=desk.portfolio,
        approval_id=approval_id,
        condition_id=approval.condition_id,
        token_id=approval.token_id,
        leader=approval.leader,
        reserved_delta_micro=-approval.reserved_micro,
        closed=True,
    )


def _change(order: order_pb2.OrderRef, fact: str) -> risk_pb2.ExposureChanged:
    return risk_pb2.ExposureChanged(
        meta=common_pb2.Meta(id=fact),
        portfolio=order.portfolio,
        approval_id=order.approval_id,
        condition_id=order.condition_id,
        token_id=order.token_id,
        leader=order.leader,
    )


def _is_booked(desk: Desk, order: order_pb2.OrderRef, fact: str) -> bool:
    approval = desk.state.approvals.get(order.approval_id)
    if approval is not None:
        return fact in approval.facts
    done = desk.state.done.get(order.approval_id)
    return done is not None and fact in done.facts


def _flaw_of_order(desk: Desk, order: order_pb2.OrderRef) -> Alert | None:
    approval = desk.state.approvals.get(order.approval_id)
    if approval is None:
        done = desk.state.done.get(order.approval_id)
        if done is None:
            return Alert.UNAPPROVED_ORDER
        return Alert.SECOND_ORDER if done.announced else Alert.LATE_ORDER
    if approval.announced:
        return Alert.SECOND_ORDER
    is_worse = (order.price_micro - approval.limit_price_micro) * (
        1 if order.side == BUY else -1
    ) > 0
    fits = (
        order.side == approval.side
        and order.token_id == approval.token_id
        and order.size_micro <= approval.size_micro
        and not is_worse
    )
    return None if fits else Alert.ORDER_TOO_LARGE
