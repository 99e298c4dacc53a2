"""How risk's own events change what stands above the book: the policy in force, the desk's state,
its history of losses and highs, wallets that are barred, holdings that are watched.

Called by folding.py only.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from whaletrader.domain.money import MICRO
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.policy_terms import read_policy
from whaletrader.services.risk.state import NORMAL, History, RiskState, Stance, day_of

# A year of days: what the historical VaR and its backtest look at.
DAYS_KEPT_MAX: Final = 366


def note_closed(history: History, realized_micro: int) -> None:
    """Count a holding that came to its end: a loss in a row, or the end of the row."""
    history.closed_positions += 1
    history.phase_closed_positions += 1
    history.losses_in_row = history.losses_in_row + 1 if realized_micro < 0 else 0


def _fold_policy(state: RiskState, event: risk_pb2.PolicyChanged, now_ns: int) -> None:
    charter = state.charter
    if not charter.is_open:
        charter.is_open = True
        charter.starting_cash_micro = event.starting_cash_micro
        state.cash_micro += event.starting_cash_micro
        state.history.phase_equity_micro = event.starting_cash_micro
    charter.document, charter.digest = event.document, event.digest
    charter.limits = read_policy(event.document).limits()
    charter.file_digest = event.file_digest or charter.file_digest
    charter.pending_document = event.pending_document
    charter.pending_digest = event.pending_digest
    charter.pending_operator = event.pending_operator
    charter.pending_until_ns = event.pending_until_ns
    history = state.history
    phases = len(charter.limits.phase_micro_ratios)
    if not history.phase:
        history.phase, history.phase_since_ns = charter.limits.phase_start, now_ns
    history.phase = min(history.phase, phases)


def _fold_trading_state(state: RiskState, event: risk_pb2.TradingStateChanged, now_ns: int) -> None:
    before = state.stance
    state.stance = Stance(
        number=event.state,
        rule=event.rule if event.state != NORMAL else "",
        since_ns=now_ns,
        until_ns=event.until_ns,
        needs_person=event.needs_person,
        exit_condition=event.exit_condition,
        size_micro_ratio=event.size_micro_ratio or MICRO,
    )
    history = state.history
    if event.rule == Alert.RESUME or (event.previous == risk_pb2.DESK_STATE_PAUSE):
        history.losses_in_row = 0
    was_fallen = before.rule in (Alert.DRAWDOWN_HALT, Alert.DELEVERAGED)
    if event.state == NORMAL and (was_fallen or event.rule == Alert.RESUME):
        # It was looked at, or its time is over: from here the next drawdown is measured.
        history.review_high_micro = history.equity_micro
    if event.state in (risk_pb2.DESK_STATE_FLATTEN, risk_pb2.DESK_STATE_DELEVERAGE):
        for leaders in state.lots.values():
            for lot in leaders.values():
                lot.flattens = 0


def _fold_measured(state: RiskState, event: risk_pb2.RiskMeasured, now_ns: int) -> None:
    history, day = state.history, day_of(now_ns)
    daily = history.daily_equity_micro
    if len(daily) > 1 and day != history.equity_day and history.told_var_micro:
        history.var_exceeded.append(daily[-2] - daily[-1] > history.told_var_micro)
        del history.var_exceeded[:-DAYS_KEPT_MAX]
    if day != history.equity_day or not daily:
        daily.append(event.equity_micro)
        del daily[:-DAYS_KEPT_MAX]
        history.told_var_micro = event.var_99_micro
    daily[-1] = event.equity_micro
    history.equity_day = day
    history.measured_ns = now_ns
    history.told_modified_var_micro = event.modified_var_99_micro
    history.equity_micro = event.equity_micro
    history.high_water_micro = max(history.high_water_micro, event.equity_micro)
    history.review_high_micro = max(history.review_high_micro, event.equity_micro)
    history.phase_high_micro = max(history.phase_high_micro, event.equity_micro)
    fall = drawdown(history.phase_high_micro, event.equity_micro)
    history.phase_drawdown_micro_ratio = max(history.phase_drawdown_micro_ratio, fall)


def _fold_phase(state: RiskState, event: risk_pb2.CapitalPhaseChanged, now_ns: int) -> None:
    history = state.history
    history.phase, history.phase_since_ns = event.phase, now_ns
    history.phase_closed_positions = 0
    history.phase_high_micro = history.phase_equity_micro = history.equity_micro
    history.phase_drawdown_micro_ratio = 0


def _fold_barred(state: RiskState, event: risk_pb2.LeaderBarred, _now_ns: int) -> None:
    if event.barred:
        state.barred[event.wallet] = True
    else:
        state.barred.pop(event.wallet, None)


def _fold_watched(state: RiskState, event: risk_pb2.PositionWatched, now_ns: int) -> None:
    lot = state.lot(event.token_id, event.leader)
    if lot is None:
        return
    lot.peak_micro = max(lot.peak_micro, event.peak_micro)
    if event.exit_rule:
        lot.exit_rule, lot.exit_ns = event.exit_rule, now_ns


def drawdown(high_micro: int, equity_micro: int) -> int:
    """Return by how much of the high the equity is below it, in millionths, rounded up."""
    if high_micro <= 0 or equity_micro >= high_micro:
        return 0
    return -(-(high_micro - equity_micro) * MICRO // high_micro)


FOLDS: Final[Mapping[type[Message], Callable[[RiskState, Any, int], None]]] = {
    risk_pb2.PolicyChanged: _fold_policy,
    risk_pb2.TradingStateChanged: _fold_trading_state,
    risk_pb2.RiskMeasured: _fold_measured,
    risk_pb2.CapitalPhaseChanged: _fold_phase,
    risk_pb2.LeaderBarred: _fold_barred,
    risk_pb2.PositionWatched: _fold_watched,
}
