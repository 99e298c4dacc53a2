"""Positions, profit and the portfolio's value, from portfolio.attribution; control. Pure."""

from collections.abc import Iterable
from typing import Final

from whaletrader.schemas import control_pb2, portfolio_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.reasons import plain, short_name
from whaletrader.store.tables import Change, Table, put

_VALUES: Final = {
    "cash_micro": "bigint",
    "positions_value_micro": "bigint",
    "positions_cost_micro": "bigint",
    "realized_micro": "bigint",
    "fees_micro": "bigint",
    "open_positions": "integer",
}

POSITIONS: Final = Table(
    "positions",
    {"portfolio": "text", "condition_id": "text", "token_id": "text", "leader": "text"},
    {
        "size_micro": "bigint",
        "cost_micro": "bigint",
        "realized_micro": "bigint",
        "fees_micro": "bigint",
        "updated_ns": "bigint",
    },
)

PROFIT: Final = Table(
    "profit_by_leader",
    {
        "portfolio": "text",
        "leader": "text",
        "strategy": "text",
        "condition_id": "text",
        # UTC, days since 1970-01-01.
        "day": "integer",
    },
    {
        "realized_micro": "bigint",
        "fees_micro": "bigint",
        "cash_micro": "bigint",
        "size_micro": "bigint",
        "cost_micro": "bigint",
        "events": "bigint",
    },
)

STATE: Final = Table(
    "current_portfolio_state",
    {"portfolio": "text"},
    {**_VALUES, "event_time_ns": "bigint", "event_id": "text"},
)

CURVE: Final = Table(
    "profit_curve",
    {"portfolio": "text", "event_time_ns": "bigint", "event_id": "text"},
    _VALUES,
)

CONTROL: Final = Table(
    "control_state",
    {"portfolio": "text"},
    {
        # halt, resume or flatten: the last order given.
        "action": "text",
        "operator": "text",
        "note": "text",
        "event_time_ns": "bigint",
        "event_id": "text",
    },
)

TABLES: Final = (POSITIONS, PROFIT, STATE, CURVE, CONTROL)


def _attributed(event: Recorded, message: portfolio_pb2.ProfitAttributed) -> Iterable[Change]:
    place = (message.portfolio, message.condition_id, message.token_id, message.leader)
    yield Change(
        POSITIONS,
        place,
        sets={"updated_ns": event.event_time_ns},
        adds={
            "size_micro": message.size_delta_micro,
            "cost_micro": message.cost_delta_micro,
            "realized_micro": message.realized_delta_micro,
            "fees_micro": message.fee_delta_micro,
        },
    )
    yield Change(
        PROFIT,
        (message.portfolio, message.leader, message.strategy, message.condition_id, message.day),
        adds={
            "realized_micro": message.realized_delta_micro,
            "fees_micro": message.fee_delta_micro,
            "cash_micro": message.cash_delta_micro,
            "size_micro": message.size_delta_micro,
            "cost_micro": message.cost_delta_micro,
            "events": 1,
        },
    )


def _valued(event: Recorded, message: portfolio_pb2.PortfolioValued) -> Iterable[Change]:
    values = {name: getattr(message, name) for name in _VALUES}
    yield put(
        STATE,
        message.portfolio,
        **values,
        event_time_ns=event.event_time_ns,
        event_id=event.id,
    )
    yield put(CURVE, message.portfolio, event.event_time_ns, event.id, **values)


def _controlled(event: Recorded, message: control_pb2.ControlOrdered) -> Iterable[Change]:
    yield put(
        CONTROL,
        message.portfolio,
        action=short_name(control_pb2.ControlAction, "CONTROL_ACTION_", message.action),
        operator=plain(message.operator),
        note=plain(message.note),
        event_time_ns=event.event_time_ns,
        event_id=event.id,
    )


PROJECTIONS: Final = {
    portfolio_pb2.ProfitAttributed: _attributed,
    portfolio_pb2.PortfolioValued: _valued,
    control_pb2.ControlOrdered: _controlled,
}
