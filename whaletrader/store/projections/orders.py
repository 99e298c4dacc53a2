"""Orders and fills: the life of each order at the venue, from order.events. Pure."""

from collections.abc import Iterable
from typing import Any, Final

from whaletrader.schemas import order_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.decisions import REJECTIONS
from whaletrader.store.projections.reasons import (
    failed_rule,
    plain,
    reasons_json,
    short_name,
    side_name,
)
from whaletrader.store.projections.works import tactic_name, work_event
from whaletrader.store.tables import Change, Table, Value, put

_REF: Final = {
    "portfolio": "text",
    "leader": "text",
    "strategy": "text",
    "condition_id": "text",
    "token_id": "text",
    "outcome_index": "integer",
    "side": "text",
    "price_micro": "bigint",
    "size_micro": "bigint",
    "approval_id": "text",
    "proposal_id": "text",
}

ORDERS: Final = Table(
    "orders",
    {"order_id": "text"},
    {
        **_REF,
        # announced, accepted, unknown, then one of filled, cancelled, expired, rejected, failed.
        "status": "text",
        "venue_status": "text",
        "order_type": "text",
        "venue": "text",
        # How its approved trade is worked, which order of it this is, and in which phase.
        "tactic": "text",
        "child": "integer",
        "phase": "integer",
        "post_only": "boolean",
        "announced_ns": "bigint",
        # 0 unless the venue said that it holds the order back.
        "submitted_ns": "bigint",
        "closed_ns": "bigint",
        "updated_ns": "bigint",
        # As the venue said when it closed the order; fills are in `fills`.
        "closed_size_micro": "bigint",
        "reasons": "jsonb",
        "correlation": "text",
    },
    ("announced_ns", "approval_id", "condition_id"),
)

FILLS: Final = Table(
    "fills",
    {"order_id": "text", "trade_id": "text"},
    {
        "portfolio": "text",
        "leader": "text",
        "strategy": "text",
        "condition_id": "text",
        "token_id": "text",
        "outcome_index": "integer",
        "side": "text",
        "price_micro": "bigint",
        "size_micro": "bigint",
        "fee_micro": "bigint",
        "liquidity": "text",
        # matched (provisional, also once it is mined), confirmed, reversed.
        "status": "text",
        "event_time_ns": "bigint",
        "matched_ns": "bigint",
        "mined_ns": "bigint",
        "reasons": "jsonb",
        "correlation": "text",
    },
    ("event_time_ns", "trade_id"),
)

ORDER_EVENTS: Final = Table(
    "order_events",
    {"order_id": "text", "event_id": "text"},
    {"type": "text", "log_time_ns": "bigint", "correlation": "text"},
)

TABLES: Final = (ORDERS, FILLS, ORDER_EVENTS)


def _announced(event: Recorded, message: order_pb2.OrderAnnounced) -> Iterable[Change]:
    yield from _order(
        event,
        message.order,
        **_ref(message.order),
        status="announced",
        order_type=short_name(order_pb2.OrderType, "ORDER_TYPE_", message.order_type),
        venue=plain(message.venue),
        tactic=tactic_name(message.tactic),
        child=message.child,
        phase=message.phase,
        post_only=message.post_only,
        announced_ns=event.event_time_ns,
        correlation=event.correlation,
    )
    yield work_event(event, message.order.approval_id)


def _submitted(event: Recorded, message: order_pb2.OrderSubmitted) -> Iterable[Change]:
    # Still announced: the venue has the request, and the order neither rests nor trades yet.
    return _order(
        event,
        message.order,
        submitted_ns=event.event_time_ns,
        venue_status=plain(message.venue_status),
    )


def _accepted(event: Recorded, message: order_pb2.OrderAccepted) -> Iterable[Change]:
    return _order(event, message.order, status="accepted", venue_status=plain(message.venue_status))


def _unknown(event: Recorded, message: order_pb2.OrderUnknown) -> Iterable[Change]:
    reasons = reasons_json(message.reasons)
    return _order(event, message.order, status="unknown", reasons=reasons)


def _closed(event: Recorded, message: order_pb2.OrderClosed) -> Iterable[Change]:
    return _order(
        event,
        message.order,
        status=short_name(order_pb2.CloseStatus, "CLOSE_STATUS_", message.status),
        closed_ns=event.event_time_ns,
        closed_size_micro=message.filled_size_micro,
        reasons=reasons_json(message.reasons),
    )


def _matched(event: Recorded, message: order_pb2.OrderMatched) -> Iterable[Change]:
    at_ns = event.event_time_ns
    return _fill(event, message, status="matched", event_time_ns=at_ns, matched_ns=at_ns)


def _mined(event: Recorded, message: order_pb2.OrderMined) -> Iterable[Change]:
    return _fill(event, message, mined_ns=event.event_time_ns)


def _confirmed(event: Recorded, message: order_pb2.OrderConfirmed) -> Iterable[Change]:
    return _fill(event, message, status="confirmed", event_time_ns=event.event_time_ns)


def _reversed(event: Recorded, message: order_pb2.OrderReversed) -> Iterable[Change]:
    return _fill(event, message, status="reversed", reasons=reasons_json(message.reasons))


def _refused(event: Recorded, message: order_pb2.ApprovalRefused) -> Iterable[Change]:
    yield put(
        REJECTIONS,
        event.id,
        refused_by=event.source,
        approval_id=message.approval_id,
        portfolio=message.portfolio,
        condition_id=message.condition_id,
        rule=failed_rule(message.reasons),
        reasons=reasons_json(message.reasons),
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
    )


PROJECTIONS: Final = {
    order_pb2.OrderAnnounced: _announced,
    order_pb2.OrderSubmitted: _submitted,
    order_pb2.OrderAccepted: _accepted,
    order_pb2.OrderUnknown: _unknown,
    order_pb2.OrderClosed: _closed,
    order_pb2.OrderMatched: _matched,
    order_pb2.OrderMined: _mined,
    order_pb2.OrderConfirmed: _confirmed,
    order_pb2.OrderReversed: _reversed,
    order_pb2.ApprovalRefused: _refused,
}


def _order(event: Recorded, order: order_pb2.OrderRef, **sets: Value) -> Iterable[Change]:
    yield put(ORDERS, order.order_id, updated_ns=event.event_time_ns, **sets)
    yield _history(event, order)


def _fill(event: Recorded, message: Any, **sets: Value) -> Iterable[Change]:
    order, fill = message.order, message.fill
    ref = _ref(order)
    for name in ("approval_id", "proposal_id", "price_micro", "size_micro"):
        del ref[name]
    yield put(
        FILLS,
        order.order_id,
        fill.trade_id,
        **ref,
        price_micro=fill.price_micro,
        size_micro=fill.size_micro,
        fee_micro=fill.fee_micro,
        liquidity=short_name(order_pb2.Liquidity, "LIQUIDITY_", fill.liquidity),
        correlation=event.correlation,
        **sets,
    )
    yield _history(event, order)


def _history(event: Recorded, order: order_pb2.OrderRef) -> Change:
    return put(
        ORDER_EVENTS,
        order.order_id,
        event.id,
        type=event.type,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
    )


def _ref(order: order_pb2.OrderRef) -> dict[str, Value]:
    return {
        "portfolio": order.portfolio,
        "leader": order.leader,
        "strategy": order.strategy,
        "condition_id": order.condition_id,
        "token_id": order.token_id,
        "outcome_index": order.outcome_index,
        "side": side_name(order.side),
        "price_micro": order.price_micro,
        "size_micro": order.size_micro,
        "approval_id": order.approval_id,
        "proposal_id": order.proposal_id,
    }
