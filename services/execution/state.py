"""What execution remembers, and how its own events change it.

The state is the fold of execution's events and nothing else: orders with their fills, which
approvals were used, and which portfolios may not trade. Pure; called by the agent only.
"""

from enum import StrEnum
from typing import Final

import msgspec

from whaletrader.schemas import market_pb2, order_pb2, risk_pb2

# Closed orders are kept so that late or repeated news of them is understood. News is late by
# minutes; at ten orders a second this many are more than an hour.
CLOSED_ORDERS_MAX: Final = 50_000


class Phase(StrEnum):
    """How far an order is, as far as we know."""

    ANNOUNCED = "announced"
    LIVE = "live"
    UNKNOWN = "unknown"
    CLOSED = "closed"


class FillStage(StrEnum):
    """How far a fill is. Only what is not reversed stands."""

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    REVERSED = "reversed"


class Stop(StrEnum):
    """Why a portfolio may not trade."""

    HALT = "halt"
    # Selling is still allowed: that is how a flattened portfolio gets rid of what it holds.
    FLATTEN = "flatten"


class StandingFill(msgspec.Struct):
    """One fill of one order, in micro-units."""

    price_micro: int
    size_micro: int
    fee_micro: int
    liquidity: int
    stage: FillStage


class OrderRecord(msgspec.Struct):
    """One order. `announced` is the OrderAnnounced event, `fills` go by fill id."""

    announced: bytes
    portfolio: str
    condition_id: str
    token_id: str
    size_micro: int
    announced_ns: int
    phase: Phase = Phase.ANNOUNCED
    unknown_since_ns: int = 0
    fills: dict[str, StandingFill] = msgspec.field(default_factory=dict)
    # What the venue said when it took the order off the book; 0 while it has not.
    venue_status: int = 0
    venue_matched_micro: int = 0
    venue_detail: str = ""
    # How it ended, as we announced it; 0 while it has not.
    close_status: int = 0

    def size_in(self, *stages: FillStage) -> int:
        """Return how many micro-shares of fills are in one of the stages."""
        return sum(fill.size_micro for fill in self.fills.values() if fill.stage in stages)

    @property
    def has_provisional(self) -> bool:
        return any(fill.stage is FillStage.PROVISIONAL for fill in self.fills.values())


class ExecutionState(msgspec.Struct):
    """Orders by id, oldest first; approval id -> order id; portfolio -> why it is stopped."""

    orders: dict[str, OrderRecord] = msgspec.field(default_factory=dict)
    used_approvals: dict[str, str] = msgspec.field(default_factory=dict)
    stops: dict[str, Stop] = msgspec.field(default_factory=dict)
    closed_count: int = 0


class MarketTerms(msgspec.Struct, frozen=True):
    """What an order needs to know of its market."""

    condition_id: str
    outcome_index: int
    tick_micro: int
    min_size_micro: int
    fee_rate_micro: int
    fee_exponent: int
    neg_risk: bool


class ExecutionViews(msgspec.Struct):
    """Terms by token, and the markets that are decided."""

    tokens: dict[str, MarketTerms] = msgspec.field(default_factory=dict)
    resolved: dict[str, bool] = msgspec.field(default_factory=dict)


def note_listing(views: ExecutionViews, listed: market_pb2.MarketListed) -> None:
    """Take a market's terms; a later listing replaces an earlier one."""
    for index, token in enumerate(listed.tokens):
        views.tokens[token.token_id] = MarketTerms(
            condition_id=listed.condition_id,
            outcome_index=index,
            tick_micro=listed.tick_size_micro,
            min_size_micro=listed.min_size_micro,
            fee_rate_micro=listed.fee_rate_micro,
            fee_exponent=listed.fee_exponent or 1,
            neg_risk=listed.neg_risk,
        )


def announce(state: ExecutionState, event: order_pb2.OrderAnnounced, now_ns: int) -> None:
    """Remember a new order, and that its approval is used."""
    ref = event.order
    state.orders[ref.order_id] = OrderRecord(
        announced=event.SerializeToString(deterministic=True),
        portfolio=ref.portfolio,
        condition_id=ref.condition_id,
        token_id=ref.token_id,
        size_micro=ref.size_micro,
        announced_ns=now_ns,
    )
    state.used_approvals[ref.approval_id] = ref.order_id


def note_fill(record: OrderRecord, fill: order_pb2.Fill, stage: FillStage) -> None:
    """Take a fill's newest stage."""
    record.fills[fill.trade_id] = StandingFill(
        fill.price_micro, fill.size_micro, fill.fee_micro, int(fill.liquidity), stage
    )


def note_venue_closed(record: OrderRecord, event: order_pb2.VenueOrderClosed) -> None:
    """Take the venue's word that the order is off the book. The first word counts."""
    if not record.venue_status:
        record.venue_status = int(event.status)
        record.venue_matched_micro = event.matched_size_micro
        record.venue_detail = event.detail


def close(state: ExecutionState, event: order_pb2.OrderClosed) -> None:
    """End an order for good, and forget the oldest closed ones above the limit."""
    record = state.orders[event.order.order_id]
    record.phase = Phase.CLOSED
    record.close_status = int(event.status)
    state.closed_count += 1
    if state.closed_count > CLOSED_ORDERS_MAX:
        _forget_oldest_closed(state)


def note_trading_state(state: ExecutionState, event: risk_pb2.TradingStateChanged) -> None:
    """Stop a portfolio, or let it trade again."""
    if event.halted:
        state.stops[event.portfolio] = Stop(event.rule)
    else:
        state.stops.pop(event.portfolio, None)


def _forget_oldest_closed(state: ExecutionState) -> None:
    oldest = next(name for name, record in state.orders.items() if record.phase is Phase.CLOSED)
    announced = order_pb2.OrderAnnounced.FromString(state.orders.pop(oldest).announced)
    state.used_approvals.pop(announced.order.approval_id, None)
    state.closed_count -= 1
