"""Risk's book: cash, holdings, money set aside, verdicts. The fold of risk's own events only.

Nothing here judges; exposure.py says what changes, verdict.py what is allowed. Amounts are
micro-dollars and micro-shares.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from google.protobuf.message import Message

from whaletrader.runtime.codec import encode, type_name
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import facts
from whaletrader.services.risk.rules import Alert

DAY_NS: Final = 86_400 * 1_000_000_000
FLATTEN: Final = "flatten"
# Verdicts kept for whoever asks again: askers stop after a deadline of a second at most.
VERDICTS_MAX: Final = 4_096
# Approvals kept after their end, so that a fact told again is not booked again.
DONE_MAX: Final = 4_096

V = TypeVar("V")


class Lot(msgspec.Struct):
    """What is held of one token for one leader."""

    condition_id: str
    size_micro: int = 0
    # What was paid for it, fees included.
    cost_micro: int = 0
    # Promised to sales that were approved and are not filled.
    selling_micro: int = 0
    # How often it was put up for sale in the flattening under way.
    flattens: int = 0

    @property
    def free_micro(self) -> int:
        return max(0, self.size_micro - self.selling_micro)


class Fill(msgspec.Struct, frozen=True):
    """What booking a fill changed, so that it can be undone exactly."""

    position_micro: int
    cost_micro: int
    fee_micro: int
    realized_micro: int
    cash_micro: int


class Approval(msgspec.Struct):
    """One approval until its order and all fills are final."""

    condition_id: str
    token_id: str
    leader: str
    # UNSPECIFIED: an order appeared under an approval that was never given.
    side: int = 0
    limit_price_micro: int = 0
    size_micro: int = 0
    reserved_micro: int = 0
    # Not filled yet of what was approved; for a sale, the shares still promised.
    rest_micro: int = 0
    # Ever matched, and what of it was not undone.
    matched_micro: int = 0
    standing_micro: int = 0
    # What the closed order says it filled; -1 while it is open.
    final_micro: int = -1
    announced: bool = False
    closed: bool = False
    # By name, see facts.py. Fills by the name of their match.
    facts: dict[str, bool] = msgspec.field(default_factory=dict)
    fills: dict[str, Fill] = msgspec.field(default_factory=dict)
    # The facts that would make a provisional fill final, and the fill they speak of.
    awaits: dict[str, str] = msgspec.field(default_factory=dict)


class Done(msgspec.Struct, frozen=True):
    """What is remembered of an approval after its end."""

    announced: bool
    facts: dict[str, bool]


class Verdict(msgspec.Struct, frozen=True):
    type: str
    payload: bytes


class RiskState(msgspec.Struct):
    """The book of one portfolio. Exposures count cost of holdings plus money set aside."""

    cash_micro: int
    cost_micro: int = 0
    reserved_micro: int = 0
    # Proceeds of sales that are not final: neither spent nor counted as lower exposure.
    unsettled_micro: int = 0
    realized_micro: int = 0
    fees_micro: int = 0
    day: int = 0
    day_realized_micro: int = 0
    exposure_micro: int = 0
    by_token: dict[str, int] = msgspec.field(default_factory=dict)
    by_market: dict[str, int] = msgspec.field(default_factory=dict)
    by_leader: dict[str, int] = msgspec.field(default_factory=dict)
    # Token id -> leader -> lot.
    lots: dict[str, dict[str, Lot]] = msgspec.field(default_factory=dict)
    approvals: dict[str, Approval] = msgspec.field(default_factory=dict)
    done: dict[str, Done] = msgspec.field(default_factory=dict)
    verdicts: dict[str, Verdict] = msgspec.field(default_factory=dict)
    # Why trading is halted (an Alert); empty while it is not.
    halt: str = ""
    halt_day: int = 0

    @property
    def available_micro(self) -> int:
        """Cash that is settled and not set aside."""
        return self.cash_micro - self.reserved_micro - self.unsettled_micro

    @property
    def capital_micro(self) -> int:
        """Cash plus holdings at cost."""
        return self.cash_micro + self.cost_micro

    def realized_on(self, day: int) -> int:
        return self.day_realized_micro if day == self.day else 0

    def lot(self, token_id: str, leader: str) -> Lot | None:
        return self.lots.get(token_id, {}).get(leader)


def fold(state: RiskState, event: Message, now_ns: int) -> None:
    """Fold one of risk's own events into the book; events of other types change nothing."""
    handler = FOLDS.get(type(event))
    if handler is not None:
        handler(state, event, now_ns)


def _fold_approved(state: RiskState, approval: risk_pb2.ApprovedTrade, _now_ns: int) -> None:
    _remember_verdict(state, approval.proposal_id, approval)
    state.approvals[approval.approval_id] = Approval(
        condition_id=approval.condition_id,
        token_id=approval.token_id,
        leader=approval.leader,
        side=approval.side,
        limit_price_micro=approval.limit_price_micro,
        size_micro=approval.size_micro,
        rest_micro=approval.size_micro,
    )
    if approval.side == common_pb2.SIDE_SELL:
        lot = _lot_of(state, approval.condition_id, approval.token_id, approval.leader)
        lot.selling_micro += approval.size_micro
        lot.flattens += approval.strategy == FLATTEN


def _fold_rejected(state: RiskState, rejection: risk_pb2.RejectedTrade, _now_ns: int) -> None:
    _remember_verdict(state, rejection.proposal_id, rejection)


def _fold_trading_state(state: RiskState, event: risk_pb2.TradingStateChanged, now_ns: int) -> None:
    state.halt = event.rule if event.halted else ""
    state.halt_day = now_ns // DAY_NS
    if event.rule == Alert.FLATTEN:
        for leaders in state.lots.values():
            for lot in leaders.values():
                lot.flattens = 0


def _fold_order_closed(state: RiskState, event: order_pb2.OrderClosed, _now_ns: int) -> None:
    # Shares promised beyond what the order filled are free again.
    approval = state.approvals.get(event.order.approval_id)
    if approval is None:
        return
    approval.final_micro = event.filled_size_micro
    rest = max(0, event.filled_size_micro - approval.standing_micro)
    _release_shares(state, approval, max(0, approval.rest_micro - rest))


def _fold_exposure(state: RiskState, event: risk_pb2.ExposureChanged, now_ns: int) -> None:
    _book_money(state, event, now_ns)
    charge = _book_lot(state, event) + event.reserved_delta_micro
    approval = _approval_of(state, event) if event.approval_id else None
    if approval is not None:
        charge += _book_approval(state, approval, event)
    _charge(state, event, charge)
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
    if event.realized_delta_micro:
        day = now_ns // DAY_NS
        state.day_realized_micro = state.realized_on(day) + event.realized_delta_micro
        state.day = day


def _book_lot(state: RiskState, event: risk_pb2.ExposureChanged) -> int:
    if not event.position_delta_micro and not event.cost_delta_micro:
        return 0
    lot = _lot_of(state, event.condition_id, event.token_id, event.leader)
    before = max(0, lot.cost_micro)
    lot.size_micro += event.position_delta_micro
    lot.cost_micro += event.cost_delta_micro
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
    held_back = 0
    if fact in approval.awaits:
        held_back = -_finish_fill(state, approval, fact)
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
    _release_shares(state, approval, min(size, approval.rest_micro))
    if fill.position_micro > 0:
        return 0
    state.unsettled_micro += fill.cash_micro
    return max(0, -fill.cost_micro)


def _finish_fill(state: RiskState, approval: Approval, fact: str) -> int:
    name = approval.awaits[fact]
    for outcome in (facts.confirmed(name), facts.undone(name)):
        del approval.awaits[outcome]
    fill = approval.fills.pop(name)
    if fact == facts.undone(name):
        approval.standing_micro -= abs(fill.position_micro)
    if fill.position_micro > 0:
        return 0
    state.unsettled_micro -= fill.cash_micro
    return max(0, -fill.cost_micro)


def _release_shares(state: RiskState, approval: Approval, size_micro: int) -> None:
    approval.rest_micro -= size_micro
    lot = state.lot(approval.token_id, approval.leader)
    if approval.side == common_pb2.SIDE_SELL and lot is not None:
        lot.selling_micro -= size_micro


def _charge(state: RiskState, event: risk_pb2.ExposureChanged, delta_micro: int) -> None:
    state.exposure_micro += delta_micro
    for totals, key in (
        (state.by_token, event.token_id),
        (state.by_market, event.condition_id),
        (state.by_leader, event.leader),
    ):
        totals[key] = totals.get(key, 0) + delta_micro
        if not totals[key]:
            del totals[key]


def _lot_of(state: RiskState, condition_id: str, token_id: str, leader: str) -> Lot:
    return state.lots.setdefault(token_id, {}).setdefault(leader, Lot(condition_id))


def _drop_empty_lot(state: RiskState, token_id: str, leader: str) -> None:
    lot = state.lot(token_id, leader)
    if lot is not None and not (lot.size_micro or lot.cost_micro or lot.selling_micro):
        del state.lots[token_id][leader]
        if not state.lots[token_id]:
            del state.lots[token_id]


def _remember_verdict(state: RiskState, proposal_id: str, verdict: Message) -> None:
    state.verdicts[proposal_id] = Verdict(type_name(verdict), encode(verdict))
    _trim(state.verdicts, VERDICTS_MAX)


def _trim(kept: dict[str, V], size_max: int) -> None:
    while len(kept) > size_max:
        del kept[next(iter(kept))]


FOLDS: Final[Mapping[type[Message], Callable[[RiskState, Any, int], None]]] = {
    risk_pb2.ApprovedTrade: _fold_approved,
    risk_pb2.RejectedTrade: _fold_rejected,
    risk_pb2.ExposureChanged: _fold_exposure,
    risk_pb2.TradingStateChanged: _fold_trading_state,
    order_pb2.OrderClosed: _fold_order_closed,
}
