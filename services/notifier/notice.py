"""Decides what is worth telling a person, and how urgent it is. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.message import Message

from whaletrader.schemas import agent_pb2, common_pb2, control_pb2, order_pb2, risk_pb2


class Urgency(StrEnum):
    """PagerDuty's severities; a channel may take only the more urgent ones."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


RANK = {Urgency.INFO: 0, Urgency.WARNING: 1, Urgency.CRITICAL: 2}

_SEVERITIES = {
    risk_pb2.SEVERITY_INFO: Urgency.INFO,
    risk_pb2.SEVERITY_WARNING: Urgency.WARNING,
    risk_pb2.SEVERITY_CRITICAL: Urgency.CRITICAL,
}

_ACTIONS = {
    control_pb2.CONTROL_ACTION_HALT: "halted",
    control_pb2.CONTROL_ACTION_RESUME: "resumed",
    control_pb2.CONTROL_ACTION_FLATTEN: "told to flatten",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. Notices of one dedup key are one incident."""

    dedup_key: str
    urgency: Urgency
    summary: str
    detail: str


def notice_of(message: Message) -> Notice | None:
    """Return what to tell about a message, or None if nobody needs to know."""
    if isinstance(message, risk_pb2.RiskAlerted):
        urgency = _SEVERITIES.get(message.severity, Urgency.WARNING)
        summary = f"Risk alert on portfolio {message.portfolio}: {message.rule}"
        key = f"risk/{message.portfolio}/{message.rule}"
        return Notice(key, urgency, summary, _explained(message.reasons))
    if isinstance(message, control_pb2.ControlOrdered):
        done = _ACTIONS.get(message.action, "controlled")
        summary = f"Portfolio {message.portfolio} was {done} by {message.operator}"
        key = f"control/{message.portfolio}/{message.meta.id}"
        return Notice(key, Urgency.WARNING, summary, message.note)
    if isinstance(message, order_pb2.ApprovalRefused):
        # Forged, altered or replayed: somebody should look at once.
        summary = f"Execution refused approval {message.approval_id}"
        key = f"approval/{message.approval_id}"
        return Notice(key, Urgency.CRITICAL, summary, _explained(message.reasons))
    if isinstance(message, order_pb2.OrderUnknown):
        summary = f"The venue's answer is unknown for order {message.order.order_id}"
        key = f"order/{message.order.order_id}"
        return Notice(key, Urgency.WARNING, summary, _explained(message.reasons))
    if isinstance(message, agent_pb2.DeadLettered):
        summary = f"{message.agent} could not handle a {message.type or 'message'}"
        key = f"dead-letter/{message.agent}/{message.type}"
        return Notice(key, Urgency.WARNING, summary, message.error)
    return None


def _explained(reasons: object) -> str:
    return "; ".join(
        f"{reason.rule}: {reason.value} against {reason.limit} "
        f"({common_pb2.Unit.Name(reason.unit)}) {reason.detail}".rstrip()
        for reason in reasons  # type: ignore[attr-defined]
    )
