"""The policy in force and how it changes: told by a file, proposed, confirmed, withdrawn.

Pure. What a document tightens holds at once; what it loosens waits for a second command that
names it, within a time. The first document opens the portfolio. Called by the agent.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.policy_terms import (
    PolicyRefused,
    RiskPolicy,
    policy_of,
    read_policy,
    tighter_way,
)
from whaletrader.services.risk.rules import COUNT, USD, at_most
from whaletrader.services.risk.state import Charter


@dataclass(slots=True)
class Outcome:
    """What a command comes to: an event if anything changed, alerts, and what is answered."""

    answer: risk_pb2.PolicyAnswered
    event: risk_pb2.PolicyChanged | None = None
    alerts: list[tuple[Alert, list[common_pb2.Reason]]] = field(default_factory=list)


def obey(charter: Charter, command: risk_pb2.PolicyCommand, now_ns: int) -> Outcome:
    """Return what becomes of a command. Changes nothing."""
    actions = {
        risk_pb2.POLICY_ACTION_SHOW: _show,
        risk_pb2.POLICY_ACTION_PROPOSE: _told if command.from_file else _propose,
        risk_pb2.POLICY_ACTION_CONFIRM: _confirm,
        risk_pb2.POLICY_ACTION_WITHDRAW: _withdraw,
    }
    action = actions.get(command.action)
    if action is None:
        return _refused(charter, "name an action: show, propose, confirm or withdraw")
    if not charter.is_open and action is not _told:
        return _refused(charter, "no policy is in force yet: start risk with its policy file")
    if action is not _show and not command.operator:
        return _refused(charter, "say who gives the command: operator is empty")
    return action(charter, command, now_ns)


def differences(before: RiskPolicy, after: RiskPolicy) -> list[risk_pb2.PolicyDifference]:
    """Return the limits in which two policies differ, and which way."""
    return [
        risk_pb2.PolicyDifference(
            name=name,
            before=_text(getattr(before, name)),
            after=_text(getattr(after, name)),
            loosens=_loosens(name, getattr(before, name), getattr(after, name)),
        )
        for name in RiskPolicy.model_fields
        if getattr(before, name) != getattr(after, name)
    ]


def tightened(before: RiskPolicy, after: RiskPolicy) -> RiskPolicy:
    """Return the policy in force with all that the other tightens, and nothing that it loosens."""
    changes = {
        name: getattr(after, name)
        for name in RiskPolicy.model_fields
        if getattr(before, name) != getattr(after, name)
        and not _loosens(name, getattr(before, name), getattr(after, name))
    }
    return policy_of({**before.model_dump(), **changes})


def _show(charter: Charter, _command: risk_pb2.PolicyCommand, now_ns: int) -> Outcome:
    return Outcome(_answer(_after(charter, now_ns), accepted=True, detail="in force"))


def _told(charter: Charter, command: risk_pb2.PolicyCommand, now_ns: int) -> Outcome:
    """What a starting process says of its file."""
    try:
        policy = read_policy(command.document)
    except PolicyRefused as error:
        outcome = _refused(charter, str(error))
        outcome.alerts.append((Alert.POLICY_FILE_REFUSED, _plain(str(error))))
        return outcome
    if not charter.is_open:
        return _opened(command, policy)
    cash = at_most(Alert.STARTING_CASH_DIFFERS, command.starting_cash_micro, 0, USD)
    cash.limit = charter.starting_cash_micro
    alerts = []
    if command.starting_cash_micro != charter.starting_cash_micro:
        alerts.append((Alert.STARTING_CASH_DIFFERS, [cash]))
    if policy.digest in (charter.digest, charter.file_digest):
        # In force, or told before: a restart with the same file proposes nothing anew.
        answer = _answer(_after(charter, now_ns), accepted=True, detail="known")
        return Outcome(answer, alerts=alerts)
    outcome = _put_forward(charter, command, policy, now_ns)
    outcome.alerts[:0] = alerts
    return outcome


def _propose(charter: Charter, command: risk_pb2.PolicyCommand, now_ns: int) -> Outcome:
    try:
        policy = read_policy(command.document)
    except PolicyRefused as error:
        return _refused(charter, str(error))
    if policy.digest == charter.digest:
        answer = _answer(_after(charter, now_ns), accepted=True, detail="in force already")
        return Outcome(answer)
    return _put_forward(charter, command, policy, now_ns)


def _put_forward(
    charter: Charter, command: risk_pb2.PolicyCommand, policy: RiskPolicy, now_ns: int
) -> Outcome:
    before = read_policy(charter.document)
    changed = differences(before, policy)
    try:
        now = tightened(before, policy)
    except PolicyRefused as error:
        detail = f"what it tightens cannot hold beside what it loosens: propose one first. {error}"
        outcome = _refused(charter, detail)
        if command.from_file:
            outcome.alerts.append((Alert.POLICY_FILE_REFUSED, _plain(detail)))
        return outcome
    waits = any(change.loosens for change in changed)
    event = risk_pb2.PolicyChanged(
        document=now.document(),
        digest=now.digest,
        version=now.version,
        operator=command.operator,
        note=command.note,
        differences=changed,
        file_digest=policy.digest if command.from_file else charter.file_digest,
    )
    if waits:
        event.pending_document = policy.document()
        event.pending_digest = policy.digest
        event.pending_operator = command.operator
        event.pending_until_ns = now_ns + now.limits().confirm_within_ns
    detail = "in force"
    alerts = []
    if now.digest != before.digest:
        alerts.append((Alert.POLICY_CHANGED, _named(changed, loosens=False)))
    if waits:
        detail = f"what it loosens waits: confirm {policy.digest} to put it in force"
        alerts.append((Alert.POLICY_WAITS, _named(changed, loosens=True)))
    return Outcome(_answer(event, accepted=True, detail=detail), event, alerts)


def _confirm(charter: Charter, command: risk_pb2.PolicyCommand, now_ns: int) -> Outcome:
    if not charter.pending_digest:
        return _refused(charter, "nothing waits to be confirmed: propose a policy first")
    if command.digest != charter.pending_digest:
        return _refused(charter, f"{charter.pending_digest} waits, not {command.digest or 'that'}")
    if now_ns > charter.pending_until_ns:
        return _refused(charter, "it waited too long: propose it again")
    policy = read_policy(charter.pending_document)
    changed = differences(read_policy(charter.document), policy)
    event = risk_pb2.PolicyChanged(
        document=policy.document(),
        digest=policy.digest,
        version=policy.version,
        operator=f"{charter.pending_operator}, confirmed by {command.operator}",
        note=command.note,
        differences=changed,
        file_digest=charter.file_digest,
    )
    alerts = [(Alert.POLICY_CHANGED, _named(changed, loosens=True))]
    return Outcome(_answer(event, accepted=True, detail="in force"), event, alerts)


def _withdraw(charter: Charter, command: risk_pb2.PolicyCommand, now_ns: int) -> Outcome:
    if not charter.pending_digest or command.digest not in ("", charter.pending_digest):
        return _refused(charter, "that policy does not wait")
    event = _after(charter, now_ns)
    for name in ("document", "digest", "operator", "until_ns"):
        event.ClearField(f"pending_{name}")  # type: ignore[arg-type]
    event.operator, event.note = command.operator, command.note
    return Outcome(_answer(event, accepted=True, detail="withdrawn"), event)


def _opened(command: risk_pb2.PolicyCommand, policy: RiskPolicy) -> Outcome:
    event = risk_pb2.PolicyChanged(
        document=policy.document(),
        digest=policy.digest,
        version=policy.version,
        operator=command.operator,
        note=command.note,
        file_digest=policy.digest,
        starting_cash_micro=command.starting_cash_micro,
    )
    return Outcome(_answer(event, accepted=True, detail="the portfolio is open"), event)


def _after(charter: Charter, now_ns: int) -> risk_pb2.PolicyChanged:
    event = risk_pb2.PolicyChanged(
        document=charter.document, digest=charter.digest, file_digest=charter.file_digest
    )
    if charter.pending_digest and now_ns <= charter.pending_until_ns:
        event.pending_document = charter.pending_document
        event.pending_digest = charter.pending_digest
        event.pending_operator = charter.pending_operator
        event.pending_until_ns = charter.pending_until_ns
    return event


def _refused(charter: Charter, detail: str) -> Outcome:
    return Outcome(_answer(_after(charter, 0), accepted=False, detail=detail))


def _answer(
    event: risk_pb2.PolicyChanged, *, accepted: bool, detail: str
) -> risk_pb2.PolicyAnswered:
    return risk_pb2.PolicyAnswered(
        accepted=accepted,
        detail=detail,
        document=event.document,
        digest=event.digest,
        pending_document=event.pending_document,
        pending_digest=event.pending_digest,
        pending_until_ns=event.pending_until_ns,
        differences=event.differences,
    )


def _loosens(name: str, before: Any, after: Any) -> bool:
    way = tighter_way(name)
    if name in ("name", "version") or before == after:
        # They name the document and limit nothing.
        return False
    if way == "lower":
        return bool(after > before)
    if way == "higher":
        return bool(after < before)
    if way in ("true", "false"):
        return bool(after) != (way == "true")
    return True


def _named(changed: list[risk_pb2.PolicyDifference], *, loosens: bool) -> list[common_pb2.Reason]:
    return [
        at_most(change.name, int(change.loosens), 1, COUNT, f"{change.before} to {change.after}")
        for change in changed
        if change.loosens == loosens
    ]


def _plain(detail: str) -> list[common_pb2.Reason]:
    return [at_most(Alert.POLICY_FILE_REFUSED, 1, 0, COUNT, detail)]


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return ", ".join(map(_text, value)) if isinstance(value, tuple) else str(value)
