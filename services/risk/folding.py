"""How risk's own events change the book: money, lots, approvals, running totals. Called by the
agent for each event that it emits, and by nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.message import Message

from whaletrader.runtime.codec import encode, type_name
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import facts, standing
from whaletrader.services.risk.state import (
    FLATTEN,
    Approval,
    Child,
    Done,
    Fill,
    Lot,
    RiskState,
    Tag,
    Verdict,
    booked_as,
    day_of,
    week_of,
)

SELL: Final = common_pb2.SIDE_SELL
# Verdicts kept for whoever asks again: askers stop after a deadline of a second at most.
VERDICTS_MAX: Final = 1_024
# Approvals kept after their end, so that a fact told again is not booked again.
DONE_MAX: Final = 4_096

V = TypeVar("V")


def fold(state: RiskState, event: Message, now_ns: int) -> None:
    """Fold one of risk's own events into the book; events of other types change nothing."""
    handler = FOLDS.get(type(event))
    if handler is not None:
        handler(state, event, now_ns)


def remember(state: RiskState, proposal_id: str, verdict: Message, asked: str) -> None:
    """Keep an answer for whoever asks again."""
    state.verdicts[proposal_id] = Verdict(type_name(verdict), encode(verdict), asked)
    _trim(state.verdicts, VERDICTS_MAX)


def _fold_approved(state: RiskState, approval: risk_pb2.ApprovedTrade, _now_ns: int) -> None:
    remember(state, approval.proposal_id, approval, approval.proposal_digest)
    state.approvals[approval.approval_id] = Approval(
        condition_id=approval.condition_id,
        token_id=approval.token_id,
        leader=approval.leader,
        side=approval.side,
        limit_price_micro=approval.limit_price_micro,
        size_micro=approval.size_micro,
        expires_ns=approval.expires_ns,
        strategy=approval.strategy,
        rest_micro=approval.size_micro,
    )
    if approval.side == SELL:
        lot = _lot_of(state, approval.condition_id, approval.token_id, approval.leader)
        lot.selling_micro += approval.size_micro
        lot.flattens += approval.strategy == FLATTEN


def _fold_mandate(state: RiskState, mandate: risk_pb2.QuoteMandate, _now_ns: int) -> None:
    remember(state, mandate.proposal_id, mandate, mandate.proposal_digest)
    state.approvals[mandate.approval_id] = Approval(
        condition_id=mandate.condition_id,
        token_id=mandate.token_id,
        leader="",
        side=common_pb2.SIDE_BUY,
        limit_price_micro=mandate.bid_micro_max,
        size_micro=mandate.inventory_micro_max,
        expires_ns=mandate.expires_ns,
        strategy=mandate.strategy,
        rest_micro=mandate.inventory_micro_max,
    )


def _fold_rejected(state: RiskState, rejection: risk_pb2.RejectedTrade, _now_ns: int) -> None:
    # A second proposal under one id is refused, and the first one's verdict stays.
    if rejection.proposal_id not in state.verdicts:
        remember(state, rejection.proposal_id, rejection, rejection.proposal_digest)


def _fold_batch(state: RiskState, verdict: risk_pb2.BatchVerdict, _now_ns: int) -> None:
    remember(state, verdict.batch_id, verdict, verdict.proposal_digest)


def _fold_order_closed(state: RiskState, event: order_pb2.OrderClosed, _now_ns: int) -> None:
    # Shares promised beyond what the order filled are free again.
    approval = state.approvals.get(event.order.approval_id)
    if approval is None:
        return
    if approval.is_worked:
        child = approval.children.get(event.order.order_id)
        if child is not None:
            child.is_closed = True
        return
    _finish(state, approval, event.filled_size_micro)


def _fold_work_started(state: RiskState, event: order_pb2.WorkStarted, _now_ns: int) -> None:
    approval = state.approvals.get(event.approval_id)
    if approval is not None:
        approval.is_worked = True
        approval.announced = True


def _fold_work_finished(state: RiskState, event: order_pb2.WorkFinished, _now_ns: int) -> None:
    approval = state.approvals.get(event.approval_id)
    if approval is not None:
        _finish(state, approval, event.filled_size_micro)


def _finish(state: RiskState, approval: Approval, filled_micro: int) -> None:
    approval.final_micro = filled_micro
    rest = max(0, filled_micro - approval.standing_micro)
    _release_shares(state, approval, max(0, approval.rest_micro - rest))


def _fold_exposure(state: RiskState, event: risk_pb2.ExposureChanged, now_ns: int) -> None:
    _book_money(state, event, now_ns)
    charge = _book_lot(state, event) + event.reserved_delta_micro
    approval = _approval_of(state, event) if event.approval_id else None
    if approval is not None:
        charge += _book_approval(state, approval, event)
    strategy = event.strategy or (approval.strategy if approval is not None else "")
    _charge(state, event, strategy, charge)
    if approval is not None and approval.closed and not approval.awaits:
        del state.approvals[event.approval_id]
        state.done[event.approval_id] = Done(approval.announced, approval.facts)
        _trim(state.done, DONE_MAX)
    _drop_empty_lot(state, event.token_id, event.leader)


def _book_money(state: RiskState, event: risk_pb2.ExposureChanged, now_ns: int) -> None:
    state.cash_micro += event.cash_delta_micro
    state.cost_micro += event.cost_delta_micro
    state.reserved_micro += event.reserved_delta_micro
    state.fees_micro += event.fee_delta_micro
    state.realized_micro += event.realized_delta_micro
    if not event.realized_delta_micro:
        return
    history = state.history
    day = booked_as(day_of(now_ns), history.day)
    week = booked_as(week_of(now_ns), history.week)
    history.day_realized_micro = state.realized_on(day) + event.realized_delta_micro
    history.day = day
    if week != history.week:
        history.week_realized_micro, history.week = 0, week
        history.leader_realized_micro = {}
    history.week_realized_micro += event.realized_delta_micro
    if event.leader:
        by_leader = history.leader_realized_micro
        by_leader[event.leader] = by_leader.get(event.leader, 0) + event.realized_delta_micro


def _book_lot(state: RiskState, event: risk_pb2.ExposureChanged) -> int:
    if not event.position_delta_micro and not event.cost_delta_micro:
        return 0
    lot = _lot_of(state, event.condition_id, event.token_id, event.leader)
    before = max(0, lot.cost_micro)
    lot.size_micro += event.position_delta_micro
    lot.cost_micro += event.cost_delta_micro
    lot.realized_micro += event.realized_delta_micro
    # A holding below zero (a sale whose purchase was undone) is no room for others.
    return max(0, lot.cost_micro) - before


def _approval_of(state: RiskState, event: risk_pb2.ExposureChanged) -> Approval:
    found = state.approvals.get(event.approval_id)
    if found is None:
        # An order without an approval of ours, or after its end: it is booked all the same.
        done = state.done.pop(event.approval_id, Done(False, {}))
        found = state.approvals[event.approval_id] = Approval(
            condition_id=event.condition_id,
            token_id=event.token_id,
            leader=event.leader,
            announced=done.announced,
            # Its order was closed before: nothing is to come, and what comes is booked.
            final_micro=0 if done.announced else -1,
            facts=dict(done.facts),
        )
    return found


def _book_approval(state: RiskState, approval: Approval, event: risk_pb2.ExposureChanged) -> int:
    """Return the change of exposure that is held back while a sale is not final."""
    fact = event.meta.id
    approval.facts[fact] = True
    approval.reserved_micro += event.reserved_delta_micro
    if event.kind == risk_pb2.EXPOSURE_KIND_ANNOUNCED:
        approval.children[event.order_id] = Child(event.order_size_micro)
    held_back = 0
    if fact in approval.awaits:
        held_back = -_finish_fill(state, approval, event)
    elif event.position_delta_micro:
        held_back = _start_fill(state, approval, event)
    if event.closed:
        approval.closed = True
        _release_shares(state, approval, approval.rest_micro)
    elif fact != facts.reserved(event.approval_id):
        approval.announced = True
    return held_back


def _start_fill(state: RiskState, approval: Approval, event: risk_pb2.ExposureChanged) -> int:
    name = event.meta.id
    fill = Fill(
        position_micro=event.position_delta_micro,
        cost_micro=event.cost_delta_micro,
        fee_micro=event.fee_delta_micro,
        realized_micro=event.realized_delta_micro,
        cash_micro=event.cash_delta_micro,
    )
    approval.fills[name] = fill
    approval.awaits[facts.confirmed(name)] = name
    approval.awaits[facts.undone(name)] = name
    size = abs(fill.position_micro)
    approval.matched_micro += size
    approval.standing_micro += size
    child = approval.children.get(event.order_id)
    if child is not None:
        child.standing_micro += size
    _release_shares(state, approval, min(size, approval.rest_micro))
    if fill.position_micro > 0:
        return 0
    state.unsettled_micro += fill.cash_micro
    return max(0, -fill.cost_micro)


def _finish_fill(state: RiskState, approval: Approval, event: risk_pb2.ExposureChanged) -> int:
    name = approval.awaits[event.meta.id]
    for outcome in (facts.confirmed(name), facts.undone(name)):
        del approval.awaits[outcome]
    fill = approval.fills.pop(name)
    if event.meta.id == facts.undone(name):
        _undo_fill(state, approval, event.order_id, abs(fill.position_micro))
    if fill.position_micro > 0:
        return 0
    state.unsettled_micro -= fill.cash_micro
    return max(0, -fill.cost_micro)


def _undo_fill(state: RiskState, approval: Approval, order_id: str, size_micro: int) -> None:
    approval.standing_micro -= size_micro
    child = approval.children.get(order_id)
    if child is not None:
        child.standing_micro -= size_micro
    if approval.is_worked and approval.final_micro < 0 and not approval.closed:
        # Another order may be sent for it while the work goes on.
        again = min(size_micro, approval.size_micro - approval.standing_micro - approval.rest_micro)
        _release_shares(state, approval, -max(0, again))


def _release_shares(state: RiskState, approval: Approval, size_micro: int) -> None:
    approval.rest_micro -= size_micro
    if approval.side != SELL:
        return
    lot = state.lot(approval.token_id, approval.leader)
    if lot is None and size_micro < 0:
        lot = _lot_of(state, approval.condition_id, approval.token_id, approval.leader)
    if lot is not None:
        lot.selling_micro -= size_micro


def _charge(
    state: RiskState, event: risk_pb2.ExposureChanged, strategy: str, delta_micro: int
) -> None:
    if not delta_micro:
        return
    leaders = state.tags.setdefault(event.token_id, {})
    tags = leaders.setdefault(event.leader, [])
    own = Tag(strategy, event.category, event.topic)
    if delta_micro > 0:
        same = (it for it in tags if _is_alike(it, own))
        tag = next(same, None)
        if tag is None:
            tags.append(tag := own)
        _count(state, event, tag, delta_micro)
    # What goes is taken from what the strategy itself put there, then from the oldest.
    for tag in sorted(tags, key=lambda it: (not _is_alike(it, own), it.strategy != strategy)):
        taken = min(tag.exposure_micro, max(0, -delta_micro))
        _count(state, event, tag, -taken)
        delta_micro += taken
    leaders[event.leader] = [tag for tag in tags if tag.exposure_micro]
    if not leaders[event.leader]:
        del leaders[event.leader]
    if not leaders:
        del state.tags[event.token_id]


def _is_alike(one: Tag, other: Tag) -> bool:
    return (one.strategy, one.category, one.topic) == (other.strategy, other.category, other.topic)


def _count(state: RiskState, event: risk_pb2.ExposureChanged, tag: Tag, delta_micro: int) -> None:
    if not delta_micro:
        return
    tag.exposure_micro += delta_micro
    state.exposure_micro += delta_micro
    for totals, key in (
        (state.by_token, event.token_id),
        (state.by_market, event.condition_id),
        (state.by_leader, event.leader),
        (state.by_strategy, tag.strategy),
        (state.by_category, tag.category),
        (state.by_topic.setdefault(tag.topic, {}), event.condition_id),
    ):
        totals[key] = totals.get(key, 0) + delta_micro
        if not totals[key]:
            del totals[key]
    if not state.by_topic[tag.topic]:
        del state.by_topic[tag.topic]


def _lot_of(state: RiskState, condition_id: str, token_id: str, leader: str) -> Lot:
    return state.lots.setdefault(token_id, {}).setdefault(leader, Lot(condition_id))


def _drop_empty_lot(state: RiskState, token_id: str, leader: str) -> None:
    lot = state.lot(token_id, leader)
    if lot is None or lot.size_micro or lot.cost_micro or lot.selling_micro:
        return
    if lot.realized_micro:
        standing.note_closed(state.history, lot.realized_micro)
    del state.lots[token_id][leader]
    if not state.lots[token_id]:
        del state.lots[token_id]


def _trim(kept: dict[str, V], size_max: int) -> None:
    while len(kept) > size_max:
        del kept[next(iter(kept))]


FOLDS: Final[Mapping[type[Message], Callable[[RiskState, Any, int], None]]] = {
    risk_pb2.ApprovedTrade: _fold_approved,
    risk_pb2.RejectedTrade: _fold_rejected,
    risk_pb2.BatchVerdict: _fold_batch,
    risk_pb2.QuoteMandate: _fold_mandate,
    risk_pb2.ExposureChanged: _fold_exposure,
    order_pb2.OrderClosed: _fold_order_closed,
    order_pb2.WorkStarted: _fold_work_started,
    order_pb2.WorkFinished: _fold_work_finished,
    **standing.FOLDS,
}
