"""How approved trades were worked: their figures at the end, what was skipped. Pure.

Also which events belong to an approved trade, and what came of holding our books against the
venue's. Reads order.events; every row is put whole by one event, so a repeat changes nothing.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.reasons import (
    failed_rule,
    plain,
    reasons_json,
    short_name,
    side_name,
)
from whaletrader.store.tables import Change, Table, Value, put

_COPIED: Final = (
    "limit_price_micro",
    "size_micro",
    "filled_size_micro",
    "reversed_size_micro",
    "orders",
    "arrival_mid_micro",
    "expected_price_micro",
    "average_price_micro",
    "slippage_micro_ratio",
    "slippage_to_expected_micro_ratio",
    "fill_rate_micro_ratio",
    "fees_micro",
    "rebates_expected_micro",
    "started_ns",
    "finished_ns",
    "time_to_first_fill_ns",
    "time_to_full_fill_ns",
)

QUALITY: Final = Table(
    "execution_quality",
    {"approval_id": "text"},
    {
        "event_id": "text",
        "proposal_id": "text",
        "portfolio": "text",
        "leader": "text",
        "strategy": "text",
        "condition_id": "text",
        "token_id": "text",
        "side": "text",
        # filled, partial, unfilled, skipped, failed.
        "result": "text",
        "tactic": "text",
        **{name: "integer" if name == "orders" else "bigint" for name in _COPIED},
        # Dollars a share, positive is worse for us. Only where has_slippage: a mid was read and
        # something was filled; else 0 says nothing.
        "has_slippage": "boolean",
        "slippage_micro": "bigint",
        "maker_size_micro": "bigint",
        "taker_size_micro": "bigint",
        # The phases in which an order was sent, and what each came to.
        "phases": "jsonb",
        "parts": "jsonb",
        "reasons": "jsonb",
        "correlation": "text",
    },
    ("finished_ns", "condition_id", "leader"),
)

SKIPS: Final = Table(
    "execution_skips",
    {"event_id": "text"},
    {
        "approval_id": "text",
        "portfolio": "text",
        "condition_id": "text",
        "token_id": "text",
        "tactic": "text",
        "phase": "integer",
        # The first rule that failed.
        "rule": "text",
        "reasons": "jsonb",
        "event_time_ns": "bigint",
    },
    ("approval_id",),
)

WORK_EVENTS: Final = Table(
    "work_events",
    {"approval_id": "text", "event_id": "text"},
    {"type": "text", "log_time_ns": "bigint", "correlation": "text"},
)

RECONCILIATIONS: Final = Table(
    "reconciliations",
    {"event_id": "text"},
    {
        "wallet": "text",
        "passed": "boolean",
        # For the second look in a row: no new order leaves.
        "halted": "boolean",
        "opening": "boolean",
        "looks": "integer",
        "condition_id": "text",
        "holdings": "integer",
        "cash_micro": "bigint",
        "differences": "jsonb",
        "reasons": "jsonb",
        "event_time_ns": "bigint",
    },
    ("wallet, event_time_ns",),
)

TABLES: Final = (QUALITY, SKIPS, WORK_EVENTS, RECONCILIATIONS)


def work_event(event: Recorded, approval_id: str) -> Change:
    """Return the row that makes an event part of an approved trade's work."""
    return put(
        WORK_EVENTS,
        approval_id,
        event.id,
        type=event.type,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
    )


def tactic_name(tactic: int) -> str:
    return short_name(order_pb2.Tactic, "TACTIC_", tactic)


def _started(event: Recorded, message: order_pb2.WorkStarted) -> Iterable[Change]:
    yield work_event(event, message.approval_id)


def _skipped(event: Recorded, message: order_pb2.ChildSkipped) -> Iterable[Change]:
    yield put(
        SKIPS,
        event.id,
        approval_id=message.approval_id,
        portfolio=message.portfolio,
        condition_id=message.condition_id,
        token_id=message.token_id,
        tactic=tactic_name(message.tactic),
        phase=message.phase,
        rule=failed_rule(message.reasons),
        reasons=reasons_json(message.reasons),
        event_time_ns=event.event_time_ns,
    )
    yield work_event(event, message.approval_id)


def _finished(event: Recorded, message: order_pb2.WorkFinished) -> Iterable[Change]:
    figures: dict[str, Value] = {name: getattr(message, name) for name in _COPIED}
    yield put(
        QUALITY,
        message.approval_id,
        event_id=event.id,
        proposal_id=message.proposal_id,
        portfolio=message.portfolio,
        leader=message.leader,
        strategy=message.strategy,
        condition_id=message.condition_id,
        token_id=message.token_id,
        side=side_name(message.side),
        result=short_name(order_pb2.WorkResult, "WORK_RESULT_", message.result),
        tactic=tactic_name(message.tactic),
        **figures,
        has_slippage=bool(message.arrival_mid_micro and message.average_price_micro),
        slippage_micro=slippage_micro(message),
        maker_size_micro=_filled_as(message, order_pb2.LIQUIDITY_MAKER),
        taker_size_micro=_filled_as(message, order_pb2.LIQUIDITY_TAKER),
        phases=_json(sorted({part.phase for part in message.parts})),
        parts=_json([_part(part) for part in message.parts]),
        reasons=reasons_json(message.reasons),
        correlation=event.correlation,
    )
    yield work_event(event, message.approval_id)


def slippage_micro(message: order_pb2.WorkFinished) -> int:
    """Return what a share cost more than the mid at the decision; 0 where that is not known."""
    if not (message.arrival_mid_micro and message.average_price_micro):
        return 0
    above = message.average_price_micro - message.arrival_mid_micro
    return above if message.side == common_pb2.SIDE_BUY else -above


def _reconciled(event: Recorded, message: order_pb2.PositionsReconciled) -> Iterable[Change]:
    yield put(
        RECONCILIATIONS,
        event.id,
        wallet=message.wallet,
        passed=True,
        opening=message.opening,
        condition_id=message.condition_id,
        holdings=message.holdings,
        cash_micro=message.cash_micro,
        reasons=reasons_json(message.reasons),
        event_time_ns=event.event_time_ns,
    )


def _differed(event: Recorded, message: order_pb2.ReconciliationFailed) -> Iterable[Change]:
    differences = [
        {
            "token_id": plain(it.token_id),
            "condition_id": plain(it.condition_id),
            "ours_micro": it.ours_micro,
            "venue_micro": it.venue_micro,
            "provisional_bought_micro": it.provisional_bought_micro,
            "provisional_sold_micro": it.provisional_sold_micro,
            "order_ids": [plain(order_id) for order_id in it.order_ids],
        }
        for it in message.differences
    ]
    yield put(
        RECONCILIATIONS,
        event.id,
        wallet=message.wallet,
        passed=False,
        halted=message.halted,
        looks=message.looks,
        condition_id=message.condition_id,
        differences=_json(differences),
        reasons=reasons_json(message.reasons),
        event_time_ns=event.event_time_ns,
    )


PROJECTIONS: Final = {
    order_pb2.WorkStarted: _started,
    order_pb2.ChildSkipped: _skipped,
    order_pb2.WorkFinished: _finished,
    order_pb2.PositionsReconciled: _reconciled,
    order_pb2.ReconciliationFailed: _differed,
}


def _filled_as(message: order_pb2.WorkFinished, liquidity: int) -> int:
    return sum(part.filled_size_micro for part in message.parts if part.liquidity == liquidity)


def _part(part: order_pb2.ExecutionPart) -> dict[str, Any]:
    return {
        "tactic": tactic_name(part.tactic),
        "phase": part.phase,
        "liquidity": short_name(order_pb2.Liquidity, "LIQUIDITY_", part.liquidity),
        "orders": part.orders,
        "ordered_size_micro": part.ordered_size_micro,
        "filled_size_micro": part.filled_size_micro,
        "average_price_micro": part.average_price_micro,
        "fees_micro": part.fees_micro,
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
