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


# What these states do to trading is more than a warning; what a person ordered is known to one.
_CRITICAL_STATES = {
    risk_pb2.DESK_STATE_HALT,
    risk_pb2.DESK_STATE_DELEVERAGE,
    risk_pb2.DESK_STATE_FLATTEN,
}
_ORDERED = frozenset({"operator-halt", "operator-resume", "operator-flatten"})


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. Notices of one dedup key are one incident.

    `is_always_news`: told again however lately it was, because each is an incident of its own.
    """

    dedup_key: str
    urgency: Urgency
    summary: str
    detail: str
    is_always_news: bool = False


def notice_of(message: Message) -> Notice | None:
    """Return what to tell about a message, or None if nobody needs to know."""
    if isinstance(message, risk_pb2.RiskAlerted):
        urgency = _SEVERITIES.get(message.severity, Urgency.WARNING)
        summary = f"Risk alert on portfolio {message.portfolio}: {message.rule}"
        key = f"risk/{message.portfolio}/{message.rule}"
        return Notice(key, urgency, summary, _explained(message.reasons))
    if isinstance(message, risk_pb2.TradingStateChanged):
        return _of_state(message)
    if isinstance(message, order_pb2.ReconciliationFailed):
        return _of_difference(message)
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


def _of_state(message: risk_pb2.TradingStateChanged) -> Notice | None:
    if message.state not in _CRITICAL_STATES or message.rule in _ORDERED:
        return None
    state = risk_pb2.DeskState.Name(message.state).removeprefix("DESK_STATE_").lower()
    # The alert of the same rule follows and is the same incident: one page for both. A second
    # stop within the interval is another one, which a resumed desk must not miss.
    return Notice(
        f"risk/{message.portfolio}/{message.rule}",
        Urgency.CRITICAL,
        f"Portfolio {message.portfolio} is in state {state}: {message.rule}",
        f"ends when {message.exit_condition}; {_explained(message.reasons)}",
        is_always_news=True,
    )


def _of_difference(message: order_pb2.ReconciliationFailed) -> Notice:
    # The first look may meet a fill on its way; the second in a row stops all trading.
    end = "trading is halted" if message.halted else "it is looked at again"
    return Notice(
        f"reconciliation/{message.wallet}/{'halted' if message.halted else 'differs'}",
        Urgency.CRITICAL if message.halted else Urgency.WARNING,
        f"The venue holds something else for {message.wallet} than our fills add up to: {end}",
        _explained(message.reasons),
    )


def _explained(reasons: object) -> str:
    return "; ".join(
        f"{reason.rule}: {reason.value} against {reason.limit} "
        f"({common_pb2.Unit.Name(reason.unit)}) {reason.detail}".rstrip()
        for reason in reasons  # type: ignore[attr-defined]
    )
