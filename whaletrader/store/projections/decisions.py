"""Decisions, approvals, rejections, limits and alerts, each with its reasons. Pure."""

from collections.abc import Iterable
from typing import Final

from whaletrader.schemas import anomaly_pb2, common_pb2, decision_pb2, risk_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.reasons import (
    failed_rule,
    plain,
    reasons_json,
    short_name,
    side_name,
    unit_name,
)
from whaletrader.store.tables import Change, Table, put

_WHEN: Final = {"event_time_ns": "bigint", "log_time_ns": "bigint", "correlation": "text"}
_WHAT: Final = {
    "leader": "text",
    "strategy": "text",
    "condition_id": "text",
    "token_id": "text",
    "side": "text",
    "limit_price_micro": "bigint",
}

DECISIONS: Final = Table(
    "decisions",
    {"id": "text"},
    {
        # proposed, declined, approved, rejected, unanswered.
        "outcome": "text",
        **_WHAT,
        "max_size_micro": "bigint",
        "fair_value_micro": "bigint",
        "proposal_id": "text",
        "approval_id": "text",
        "reasons": "jsonb",
        "cause": "text",
        **_WHEN,
    },
    ("event_time_ns", "proposal_id"),
)

APPROVALS: Final = Table(
    "approvals",
    {"approval_id": "text"},
    {
        "id": "text",
        "proposal_id": "text",
        "portfolio": "text",
        **_WHAT,
        "outcome_index": "integer",
        "size_micro": "bigint",
        "expires_ns": "bigint",
        "key_id": "text",
        "reasons": "jsonb",
        **_WHEN,
    },
    ("event_time_ns", "proposal_id"),
)

REJECTIONS: Final = Table(
    "rejections",
    {"id": "text"},
    {
        # The agent that said no: orchestrator, risk or execution.
        "refused_by": "text",
        "rule": "text",
        "proposal_id": "text",
        "approval_id": "text",
        "portfolio": "text",
        "leader": "text",
        "condition_id": "text",
        "token_id": "text",
        "reasons": "jsonb",
        **_WHEN,
    },
    ("event_time_ns", "proposal_id", "rule"),
)

RISK_METRICS: Final = Table(
    "risk_metrics_live",
    {"portfolio": "text", "rule": "text"},
    {
        "value": "bigint",
        "limit_value": "bigint",
        "unit": "text",
        "passed": "boolean",
        "detail": "text",
        "event_time_ns": "bigint",
        "event_id": "text",
    },
    guard=("event_time_ns", "event_id"),
)

ALERTS: Final = Table(
    "alerts",
    {"id": "text"},
    {
        # risk, derisk or anomaly.
        "kind": "text",
        "severity": "text",
        "portfolio": "text",
        "condition_id": "text",
        "rule": "text",
        "reasons": "jsonb",
        **_WHEN,
    },
    ("event_time_ns",),
)

TABLES: Final = (DECISIONS, APPROVALS, REJECTIONS, RISK_METRICS, ALERTS)

_Outcome = decision_pb2.DecisionOutcome
# Rejections by risk are risk's own events; these are the orchestrator's.
_REFUSALS: Final = frozenset(
    {decision_pb2.DECISION_OUTCOME_DECLINED, decision_pb2.DECISION_OUTCOME_UNANSWERED}
)


def _decided(event: Recorded, message: decision_pb2.DecisionMade) -> Iterable[Change]:
    proposal = message.proposal
    reasons = reasons_json(message.reasons)
    outcome = short_name(_Outcome, "DECISION_OUTCOME_", message.outcome)
    yield put(
        DECISIONS,
        event.id,
        outcome=outcome,
        leader=message.leader,
        strategy=message.strategy,
        condition_id=message.condition_id,
        token_id=message.token_id,
        side=side_name(proposal.side),
        limit_price_micro=proposal.limit_price_micro,
        max_size_micro=proposal.max_size_micro,
        fair_value_micro=proposal.fair_value_micro,
        proposal_id=proposal.meta.id,
        approval_id=message.approval_id,
        reasons=reasons,
        cause=event.cause,
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
    )
    if message.outcome in _REFUSALS:
        yield put(
            REJECTIONS,
            event.id,
            refused_by=event.source,
            rule=failed_rule(message.reasons) or outcome,
            proposal_id=proposal.meta.id,
            portfolio=proposal.portfolio,
            leader=message.leader,
            condition_id=message.condition_id,
            token_id=message.token_id,
            reasons=reasons,
            event_time_ns=event.event_time_ns,
            log_time_ns=event.log_time_ns,
            correlation=event.correlation,
        )


def _approved(event: Recorded, message: risk_pb2.ApprovedTrade) -> Iterable[Change]:
    yield put(
        APPROVALS,
        message.approval_id,
        id=event.id,
        proposal_id=message.proposal_id,
        portfolio=message.portfolio,
        leader=message.leader,
        strategy=message.strategy,
        condition_id=message.condition_id,
        token_id=message.token_id,
        outcome_index=message.outcome_index,
        side=side_name(message.side),
        limit_price_micro=message.limit_price_micro,
        size_micro=message.size_micro,
        expires_ns=message.expires_ns,
        key_id=message.key_id,
        reasons=reasons_json(message.reasons),
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
    )
    yield from _limits(event, message.portfolio, message.reasons)


def _rejected(event: Recorded, message: risk_pb2.RejectedTrade) -> Iterable[Change]:
    yield put(
        REJECTIONS,
        event.id,
        refused_by=event.source,
        rule=plain(message.rule),
        proposal_id=message.proposal_id,
        portfolio=message.portfolio,
        leader=message.leader,
        condition_id=message.condition_id,
        token_id=message.token_id,
        reasons=reasons_json(message.reasons),
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
    )
    yield from _limits(event, message.portfolio, message.reasons)


def _alerted(event: Recorded, message: risk_pb2.RiskAlerted) -> Iterable[Change]:
    severity = short_name(risk_pb2.Severity, "SEVERITY_", message.severity)
    yield _alert(event, "risk", message.reasons, severity, portfolio=message.portfolio)
    yield from _limits(event, message.portfolio, message.reasons)


def _derisked(event: Recorded, message: risk_pb2.DeriskOrdered) -> Iterable[Change]:
    where = {"portfolio": message.portfolio, "condition_id": message.condition_id}
    yield _alert(event, "derisk", message.reasons, "warning", **where)


def _anomaly(event: Recorded, message: anomaly_pb2.AnomalyRaised) -> Iterable[Change]:
    yield _alert(event, "anomaly", message.reasons, "info", condition_id=message.condition_id)


PROJECTIONS: Final = {
    decision_pb2.DecisionMade: _decided,
    risk_pb2.ApprovedTrade: _approved,
    risk_pb2.RejectedTrade: _rejected,
    risk_pb2.RiskAlerted: _alerted,
    risk_pb2.DeriskOrdered: _derisked,
    anomaly_pb2.AnomalyRaised: _anomaly,
}


def _limits(
    event: Recorded, portfolio: str, reasons: Iterable[common_pb2.Reason]
) -> Iterable[Change]:
    """How much of each limit was used when it was last looked at."""
    for reason in reasons:
        yield put(
            RISK_METRICS,
            portfolio,
            plain(reason.rule),
            value=reason.value,
            limit_value=reason.limit,
            unit=unit_name(reason.unit),
            passed=reason.passed,
            detail=plain(reason.detail),
            event_time_ns=event.event_time_ns,
            event_id=event.id,
        )


def _alert(
    event: Recorded,
    kind: str,
    reasons: Iterable[common_pb2.Reason],
    severity: str,
    **where: str,
) -> Change:
    held = list(reasons)
    return put(
        ALERTS,
        event.id,
        kind=kind,
        severity=severity,
        rule=failed_rule(held) or next((plain(reason.rule) for reason in held), ""),
        reasons=reasons_json(held),
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
        **where,
    )
