"""What a fill, its reversal and a market's end do to one holding, as events for the journal.

Pure. Used by exposure.py, which says which fact is news.
"""

from dataclasses import dataclass, field

from google.protobuf.message import Message

from whaletrader.domain.money import MoneyError, checked_price, notional
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import facts, sizing
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.state import Approval, Fill, Lot

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


def book_fill(desk: Desk, order: order_pb2.OrderRef, fill: order_pb2.Fill) -> Booking:
    if fill.size_micro <= 0:
        raise MoneyError(f"a fill of {fill.size_micro} micro-shares")
    checked_price(fill.price_micro)
    approval = desk.state.approvals.get(order.approval_id)
    booking = Booking()
    if approval is None:
        alert = flaw_of_order(desk, order) or Alert.UNAPPROVED_ORDER
        booking.alerts.append((alert, order.order_id))
    is_buy = order.side == BUY
    matched = fill.size_micro + _matched_of(approval, order.order_id)
    is_worse = (fill.price_micro - order.price_micro) * (1 if is_buy else -1) > 0
    if matched > order.size_micro or is_worse:
        booking.alerts.append((Alert.FILL_BEYOND_ORDER, fill.trade_id))
    name = facts.matched(order.order_id, fill.trade_id)
    moved = change(desk, order, name, risk_pb2.EXPOSURE_KIND_MATCHED)
    moved.trade_id = fill.trade_id
    moved.fee_delta_micro = fill.fee_micro
    if is_buy:
        cost = notional(fill.price_micro, fill.size_micro, up=True) + fill.fee_micro
        moved.position_delta_micro = fill.size_micro
        moved.cost_delta_micro = cost
        moved.cash_delta_micro = -cost
    else:
        _sell(desk, order, fill, moved)
    rest = _rest_after(desk, order, fill)
    if is_buy:
        reserved = approval.reserved_micro if approval is not None else 0
        moved.reserved_delta_micro = (
            _kept_for_rest(desk, order, rest, reserved - moved.cost_delta_micro) - reserved
        )
    moved.closed = rest == 0 and _is_closed(desk, order)
    booking.events.append(moved)
    return with_settlement(desk, booking)


def _matched_of(approval: Approval | None, order_id: str) -> int:
    if approval is None:
        return 0
    child = approval.children.get(order_id)
    return child.standing_micro if approval.is_worked and child else approval.matched_micro


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
    if approval.is_worked:
        return max(0, approval.rest_micro - fill.size_micro)
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
    approval = desk.state.approvals.get(order.approval_id)
    # Of a worked approval the rest may be ordered up to its limit, whatever this order's price.
    is_worked = approval is not None and approval.is_worked
    price = approval.limit_price_micro if approval and is_worked else order.price_micro
    floor = sizing.worst_cost(market, price, rest)
    return min(max(left, floor), sizing.reserve_for(market, price, rest))


def with_settlement(desk: Desk, booking: Booking) -> Booking:
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
        booking.events.append(settle(desk, after, change.token_id, change.leader, winner))
    elif after.size_micro < 0:
        booking.alerts.append((Alert.OVERSOLD, change.token_id))
    return booking


def settle(
    desk: Desk, lot: Lot, token_id: str, leader: str, winning_token: str
) -> risk_pb2.ExposureChanged:
    payout = lot.size_micro if token_id == winning_token else 0
    return risk_pb2.ExposureChanged(
        portfolio=desk.portfolio,
        kind=risk_pb2.EXPOSURE_KIND_SETTLED,
        condition_id=lot.condition_id,
        token_id=token_id,
        leader=leader,
        position_delta_micro=-lot.size_micro,
        cost_delta_micro=-lot.cost_micro,
        realized_delta_micro=payout - lot.cost_micro,
        cash_delta_micro=payout,
    )


def release(desk: Desk, approval_id: str, approval: Approval) -> risk_pb2.ExposureChanged:
    return risk_pb2.ExposureChanged(
        portfolio=desk.portfolio,
        approval_id=approval_id,
        kind=risk_pb2.EXPOSURE_KIND_RELEASED,
        condition_id=approval.condition_id,
        token_id=approval.token_id,
        leader=approval.leader,
        reserved_delta_micro=-approval.reserved_micro,
        closed=True,
    )


def change(
    desk: Desk, order: order_pb2.OrderRef, fact: str, kind: risk_pb2.ExposureKind.ValueType
) -> risk_pb2.ExposureChanged:
    market = desk.market(order.condition_id)
    return risk_pb2.ExposureChanged(
        meta=common_pb2.Meta(id=fact),
        portfolio=order.portfolio,
        approval_id=order.approval_id,
        order_id=order.order_id,
        condition_id=order.condition_id,
        token_id=order.token_id,
        leader=order.leader,
        kind=kind,
        strategy=order.strategy,
        category=market.category if market else "",
        topic=market.topic if market else order.condition_id,
    )


def reserved_again(desk: Desk, order: order_pb2.OrderRef, approval: Approval, booked: Fill) -> int:
    """Return what must be set aside anew for a fill that was undone while the work goes on."""
    is_over = approval.closed or approval.final_micro >= 0
    if not approval.is_worked or is_over or order.side != BUY:
        return 0
    market = desk.market(approval.condition_id)
    rest = approval.rest_micro + booked.position_micro
    needed = sizing.reserve_for(market, approval.limit_price_micro, rest)
    return max(0, needed - approval.reserved_micro)


def is_booked(desk: Desk, order: order_pb2.OrderRef, fact: str) -> bool:
    approval = desk.state.approvals.get(order.approval_id)
    if approval is not None:
        return fact in approval.facts
    done = desk.state.done.get(order.approval_id)
    return done is not None and fact in done.facts


def flaw_of_order(desk: Desk, order: order_pb2.OrderRef) -> Alert | None:
    approval = desk.state.approvals.get(order.approval_id)
    if approval is None:
        done = desk.state.done.get(order.approval_id)
        if done is None:
            return Alert.UNAPPROVED_ORDER
        return Alert.SECOND_ORDER if done.announced else Alert.LATE_ORDER
    is_worked = approval.is_worked
    if approval.announced and not is_worked:
        return Alert.SECOND_ORDER
    if is_worked and approval.claimed_micro + order.size_micro > approval.size_micro:
        return Alert.SECOND_ORDER if approval.children else Alert.ORDER_TOO_LARGE
    if is_worked and desk.now_ns >= approval.expires_ns + desk.limits.expiry_grace_ns:
        return Alert.LATE_ORDER
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
