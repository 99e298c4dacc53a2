"""Which state the desk is in, and how it gets into another one.

Pure. TABLE is the whole machine: docs/risk.md prints it and a test walks it. What a person orders
goes before what the rules find; the rules only ever tighten, but for the exits that the table
names. Called by the agent after measures, losses, time and orders of a person.
"""

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.rules import COUNT, RATIO, USD, below
from whaletrader.services.risk.standing import note_closed
from whaletrader.services.risk.state import DAY_NS, booked_as, week_of

NORMAL: Final = risk_pb2.DESK_STATE_NORMAL
REDUCE: Final = risk_pb2.DESK_STATE_REDUCE
PAUSE: Final = risk_pb2.DESK_STATE_PAUSE
HALT: Final = risk_pb2.DESK_STATE_HALT
DELEVERAGE: Final = risk_pb2.DESK_STATE_DELEVERAGE
FLATTEN: Final = risk_pb2.DESK_STATE_FLATTEN
State: TypeAlias = risk_pb2.DeskState.ValueType

EVERY: Final[tuple[State, ...]] = (NORMAL, REDUCE, PAUSE, HALT, DELEVERAGE, FLATTEN)
# Why a desk in HALT may be put down further by the drawdown: nobody has looked at it yet.
BY_RULE: Final = (Alert.DAY_LOSS, Alert.WEEK_LOSS)

# Cause -> (from which states, to which state).
TABLE: Final[dict[Alert, tuple[tuple[State, ...], State]]] = {
    Alert.HALT: ((NORMAL, REDUCE, PAUSE, HALT, DELEVERAGE, FLATTEN), HALT),
    Alert.FLATTEN: (EVERY, FLATTEN),
    Alert.RESUME: ((PAUSE, HALT, DELEVERAGE, FLATTEN), NORMAL),
    Alert.DRAWDOWN_HALT: ((NORMAL, REDUCE, PAUSE, HALT), DELEVERAGE),
    Alert.DELEVERAGED: ((DELEVERAGE,), HALT),
    Alert.DAY_LOSS: ((NORMAL, REDUCE, PAUSE), HALT),
    Alert.WEEK_LOSS: ((NORMAL, REDUCE, PAUSE), HALT),
    Alert.DAY_OVER: ((HALT,), NORMAL),
    Alert.LOSSES_IN_ROW: ((NORMAL, REDUCE), PAUSE),
    Alert.PAUSE_OVER: ((PAUSE,), NORMAL),
    Alert.DRAWDOWN_REDUCE: ((NORMAL, REDUCE), REDUCE),
    Alert.DRAWDOWN_RECOVERED: ((REDUCE,), NORMAL),
}
EXITS: Final[dict[Alert, str]] = {
    Alert.HALT: "a person resumes",
    Alert.FLATTEN: "a person resumes",
    Alert.DRAWDOWN_HALT: "the holdings are cut down, or a person resumes",
    Alert.DELEVERAGED: "a person resumes",
    Alert.DAY_LOSS: "a person resumes",
    Alert.WEEK_LOSS: "a person resumes",
    Alert.LOSSES_IN_ROW: "the pause is over, or a person resumes",
    Alert.DRAWDOWN_REDUCE: "the drawdown is below its step",
}
BY_ITSELF: Final = "midnight UTC, or a person resumes"


@dataclass(frozen=True, slots=True)
class Change:
    """A transition that is due."""

    cause: Alert
    state: State
    reasons: list[common_pb2.Reason] = field(default_factory=list)
    until_ns: int = 0
    needs_person: bool = False
    exit_condition: str = ""
    size_micro_ratio: int = MICRO


def by_order(desk: Desk, cause: Alert) -> Change | None:
    """Return the transition that a person orders, or None where it changes nothing."""
    stance = desk.state.stance
    sources, target = TABLE[cause]
    if stance.state not in sources or (cause == Alert.HALT and stance.rule == Alert.HALT):
        return None
    return Change(
        cause,
        target,
        needs_person=target != NORMAL,
        exit_condition=EXITS.get(cause, ""),
    )


def by_time(desk: Desk) -> Change | None:
    """Return the transition that is due because a state's time is over."""
    stance = desk.state.stance
    if not stance.until_ns or desk.now_ns < stance.until_ns:
        return None
    cause = Alert.PAUSE_OVER if stance.state == PAUSE else Alert.DAY_OVER
    sources, target = TABLE[cause]
    return Change(cause, target) if stance.state in sources else None


def by_losses(desk: Desk) -> Change | None:
    """Return the transition that realised losses demand."""
    limits, state = desk.limits, desk.state
    day = below(Alert.DAY_LOSS, desk.day_loss_micro, desk.day_loss_limit_micro, USD)
    week = below(Alert.WEEK_LOSS, desk.week_loss_micro, desk.week_loss_limit_micro, USD)
    for cause, reason in ((Alert.DAY_LOSS, day), (Alert.WEEK_LOSS, week)):
        if not reason.passed and state.stance.state in TABLE[cause][0]:
            return _stopped(desk, cause, HALT, reason, needs_person=limits.day_loss_needs_resume)
    row = below(Alert.LOSSES_IN_ROW, state.history.losses_in_row, limits.losses_in_row_max, COUNT)
    if not row.passed and state.stance.state in TABLE[Alert.LOSSES_IN_ROW][0]:
        until_ns = desk.now_ns + limits.pause_ns
        exit_condition = EXITS[Alert.LOSSES_IN_ROW]
        return Change(Alert.LOSSES_IN_ROW, PAUSE, [row], until_ns, exit_condition=exit_condition)
    return None


def after_booking(desk: Desk, changes: list[risk_pb2.ExposureChanged]) -> Change | None:
    """Return the transition that is due once these changes are booked, if they realise a loss."""
    state = desk.state
    history = msgspec.structs.replace(state.history)
    realized = sum(change.realized_delta_micro for change in changes)
    history.day_realized_micro = state.realized_on(desk.today) + realized
    history.day = booked_as(desk.today, history.day)
    week = booked_as(week_of(desk.now_ns), history.week)
    history.week_realized_micro = state.realized_in(week) + realized
    history.week = week
    for change in changes:
        lot = state.lot(change.token_id, change.leader)
        if lot is not None and lot.size_micro + change.position_delta_micro == 0:
            note_closed(history, lot.realized_micro + change.realized_delta_micro)
    after = msgspec.structs.replace(
        state,
        history=history,
        cash_micro=state.cash_micro + sum(change.cash_delta_micro for change in changes),
        cost_micro=state.cost_micro + sum(change.cost_delta_micro for change in changes),
    )
    return by_losses(replace(desk, state=after)) if realized < 0 else None


def by_drawdown(desk: Desk) -> Change | None:
    """Return the transition that the drawdown demands."""
    limits, stance, fall = desk.limits, desk.state.stance, desk.drawdown_micro_ratio
    worst = below(Alert.DRAWDOWN_HALT, fall, limits.halt_drawdown_micro_ratio, RATIO)
    is_open = stance.state != HALT or stance.rule in BY_RULE
    if not worst.passed and is_open and stance.state in TABLE[Alert.DRAWDOWN_HALT][0]:
        needs_person = limits.drawdown_needs_resume
        return _stopped(desk, Alert.DRAWDOWN_HALT, DELEVERAGE, worst, needs_person=needs_person)
    if stance.state not in (NORMAL, REDUCE):
        return None
    ratio, step = size_ratio(desk, fall)
    if ratio == stance.size_micro_ratio:
        return None
    reason = below(Alert.DRAWDOWN_REDUCE, fall, step, RATIO)
    if ratio == MICRO:
        return Change(Alert.DRAWDOWN_RECOVERED, NORMAL, [reason])
    exit_condition = EXITS[Alert.DRAWDOWN_REDUCE]
    return Change(
        Alert.DRAWDOWN_REDUCE,
        REDUCE,
        [reason],
        exit_condition=exit_condition,
        size_micro_ratio=ratio,
    )


def by_deleveraging(desk: Desk) -> Change | None:
    """Return the end of a deleveraging whose sales are done."""
    stance, approvals = desk.state.stance, desk.state.approvals.values()
    if stance.state != DELEVERAGE:
        return None
    if any(it.side == common_pb2.SIDE_SELL and it.rest_micro for it in approvals):
        return None
    return Change(
        Alert.DELEVERAGED,
        HALT,
        until_ns=stance.until_ns,
        needs_person=stance.needs_person,
        exit_condition=BY_ITSELF if stance.until_ns else EXITS[Alert.DELEVERAGED],
    )


def size_ratio(desk: Desk, fall_micro_ratio: int) -> tuple[int, int]:
    """Return what buys are cut down to at that drawdown, and the step that says so."""
    limits = desk.limits
    if fall_micro_ratio >= limits.reduce_more_drawdown_micro_ratio:
        return limits.reduce_more_size_micro_ratio, limits.reduce_more_drawdown_micro_ratio
    if fall_micro_ratio >= limits.reduce_drawdown_micro_ratio:
        return limits.reduce_size_micro_ratio, limits.reduce_drawdown_micro_ratio
    return MICRO, limits.reduce_drawdown_micro_ratio


def _stopped(
    desk: Desk, cause: Alert, state: State, reason: common_pb2.Reason, *, needs_person: bool
) -> Change:
    until_ns = 0 if needs_person else (desk.now_ns // DAY_NS + 1) * DAY_NS
    exit_condition = BY_ITSELF if until_ns else EXITS[cause]
    return Change(cause, state, [reason], until_ns, needs_person, exit_condition)
