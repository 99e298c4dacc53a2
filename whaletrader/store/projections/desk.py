"""The desk as risk tells it: its state and every change of it, and the last measures. Pure.

Reads risk.alert, which one partition carries for a portfolio: the last event stands.
"""

from collections.abc import Iterable
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.schemas import risk_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.decisions import RISK_METRICS
from whaletrader.store.projections.reasons import plain, reasons_json, short_name, unit_name
from whaletrader.store.tables import Change, Table, Value, put

_CHANGE: Final = {
    # normal, reduce, pause, halt, deleverage, flatten.
    "state": "text",
    "previous": "text",
    "halted": "boolean",
    "rule": "text",
    "detail": "text",
    # When it ends by itself; 0 if it does not.
    "until_ns": "bigint",
    "needs_person": "boolean",
    "exit_condition": "text",
    "size_micro_ratio": "bigint",
    "reasons": "jsonb",
}

STATE: Final = Table(
    "desk_state",
    {"portfolio": "text"},
    {**_CHANGE, "since_ns": "bigint", "event_id": "text"},
)

CHANGES: Final = Table(
    "desk_state_changes",
    {"id": "text"},
    {
        "portfolio": "text",
        **_CHANGE,
        "event_time_ns": "bigint",
        "log_time_ns": "bigint",
        "correlation": "text",
    },
    ("portfolio, event_time_ns",),
)

_MEASURED: Final = {
    "cash_micro": "bigint",
    "positions_cost_micro": "bigint",
    "positions_value_micro": "bigint",
    "reserved_micro": "bigint",
    "exposure_micro": "bigint",
    "equity_micro": "bigint",
    "high_water_micro": "bigint",
    "drawdown_micro_ratio": "bigint",
    "day_loss_micro": "bigint",
    "week_loss_micro": "bigint",
    "losses_in_row": "integer",
    "open_positions": "integer",
    "var_99_micro": "bigint",
    "cvar_975_micro": "bigint",
    "modified_var_99_micro": "bigint",
    "historical_var_99_micro": "bigint",
    "worst_case_micro": "bigint",
    "correlation_micro_ratio": "bigint",
    "diversification_micro_ratio": "bigint",
    "phase": "integer",
    "phase_micro_ratio": "bigint",
    "policy_digest": "text",
    "var_exceptions": "integer",
    "var_days": "integer",
    "state_rule": "text",
    "exit_condition": "text",
    "needs_person": "boolean",
}

MEASURES: Final = Table(
    "risk_measures",
    {"portfolio": "text"},
    {
        "state": "text",
        **_MEASURED,
        "event_time_ns": "bigint",
        "log_time_ns": "bigint",
        "event_id": "text",
    },
)

TABLES: Final = (STATE, CHANGES, MEASURES)


def state_name(state: int) -> str:
    return short_name(risk_pb2.DeskState, "DESK_STATE_", state)


def _changed(event: Recorded, message: risk_pb2.TradingStateChanged) -> Iterable[Change]:
    told: dict[str, Value] = {
        "state": state_name(message.state),
        "previous": state_name(message.previous),
        "halted": message.halted,
        "rule": plain(message.rule),
        "detail": plain(message.detail),
        "until_ns": message.until_ns,
        "needs_person": message.needs_person,
        "exit_condition": plain(message.exit_condition),
        "size_micro_ratio": message.size_micro_ratio,
        "reasons": reasons_json(message.reasons),
    }
    yield put(STATE, message.portfolio, **told, since_ns=event.event_time_ns, event_id=event.id)
    yield put(
        CHANGES,
        event.id,
        portfolio=message.portfolio,
        **told,
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
        correlation=event.correlation,
    )


def _measured(event: Recorded, message: risk_pb2.RiskMeasured) -> Iterable[Change]:
    told: dict[str, Value] = {name: getattr(message, name) for name in _MEASURED}
    yield put(
        MEASURES,
        message.portfolio,
        state=state_name(message.state),
        **told,
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
        event_id=event.id,
    )
    for limit in message.limits:
        yield put(
            RISK_METRICS,
            message.portfolio,
            plain(limit.rule),
            value=limit.value,
            limit_value=limit.limit,
            unit=unit_name(limit.unit),
            passed=limit.used_micro_ratio <= MICRO,
            # Where most of it is used: the market, wallet, category...
            detail=plain(limit.key),
            event_time_ns=event.event_time_ns,
            event_id=event.id,
        )


PROJECTIONS: Final = {
    risk_pb2.TradingStateChanged: _changed,
    risk_pb2.RiskMeasured: _measured,
}
