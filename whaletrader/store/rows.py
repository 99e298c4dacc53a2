"""What the read models are read as: frozen rows, amounts in micro-units, times in nanoseconds.

Called by `queries` and whoever shows them. Holds no SQL.
"""

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every row."""


class Reason(Row, frozen=True, kw_only=True):
    """One rule that was held against a decision. `unit` is the scale of value and limit."""

    rule: str
    value: int
    limit: int
    unit: str
    passed: bool
    detail: str


class PortfolioState(Row, frozen=True, kw_only=True):
    """The portfolio when it was last valued."""

    portfolio: str
    cash_micro: int
    positions_value_micro: int
    positions_cost_micro: int
    realized_micro: int
    fees_micro: int
    open_positions: int
    event_time_ns: int

    @property
    def equity_micro(self) -> int:
        """Cash and open positions at the last traded prices."""
        return self.cash_micro + self.positions_value_micro


class Whale(Row, frozen=True, kw_only=True):
    """A wallet's latest score, and when and why it became a whale or stopped being one."""

    wallet: str
    is_whale: bool
    edge_micro: int
    edge_lower_micro: int
    edge_upper_micro: int
    realized_profit_micro: int
    fees_micro: int
    volume_micro: int
    trades: int
    markets: int
    markets_won: int
    base_edge_micro: int
    shrinkage_micro: int
    scored_ns: int
    discovered_ns: int
    discovered_reasons: tuple[Reason, ...]
    pruned_ns: int
    pruned_reasons: tuple[Reason, ...]


class Decision(Row, frozen=True, kw_only=True):
    """What was decided and why, also when the answer was no."""

    id: str
    outcome: str
    leader: str
    strategy: str
    condition_id: str
    question: str
    token_id: str
    side: str
    limit_price_micro: int
    max_size_micro: int
    fair_value_micro: int
    proposal_id: str
    approval_id: str
    reasons: tuple[Reason, ...]
    cause: str
    event_time_ns: int
    log_time_ns: int
    correlation: str


class Approval(Row, frozen=True, kw_only=True):
    """Risk's yes."""

    approval_id: str
    proposal_id: str
    portfolio: str
    leader: str
    strategy: str
    condition_id: str
    question: str
    token_id: str
    side: str
    limit_price_micro: int
    size_micro: int
    expires_ns: int
    reasons: tuple[Reason, ...]
    event_time_ns: int
    correlation: str


class Rejection(Row, frozen=True, kw_only=True):
    """A no, by whom and which rule. `id` is the event's."""

    id: str
    refused_by: str
    rule: str
    proposal_id: str
    approval_id: str
    portfolio: str
    leader: str
    condition_id: str
    question: str
    token_id: str
    reasons: tuple[Reason, ...]
    event_time_ns: int
    correlation: str


class RejectionCount(Row, frozen=True, kw_only=True):
    """How often a rule said no."""

    rule: str
    refused_by: str
    count: int
    last_ns: int


class Order(Row, frozen=True, kw_only=True):
    """An order at the venue. Filled: what stands of its fills, confirmed or not yet."""

    order_id: str
    status: str
    portfolio: str
    leader: str
    strategy: str
    condition_id: str
    question: str
    token_id: str
    outcome_index: int
    side: str
    price_micro: int
    size_micro: int
    filled_size_micro: int
    filled_notional_micro: int
    fees_micro: int
    approval_id: str
    proposal_id: str
    venue_status: str
    announced_ns: int
    closed_ns: int
    updated_ns: int
    reasons: tuple[Reason, ...]
    correlation: str


class Fill(Row, frozen=True, kw_only=True):
    """One trade of an order: matched (provisional), confirmed or reversed."""

    order_id: str
    trade_id: str
    status: str
    portfolio: str
    leader: str
    condition_id: str
    question: str
    token_id: str
    side: str
    price_micro: int
    size_micro: int
    fee_micro: int
    liquidity: str
    event_time_ns: int
    correlation: str


class Position(Row, frozen=True, kw_only=True):
    """Shares held for one leader. Price: the last one traded, 0 if none was seen."""

    portfolio: str
    condition_id: str
    question: str
    token_id: str
    outcome: str
    leader: str
    size_micro: int
    cost_micro: int
    realized_micro: int
    fees_micro: int
    price_micro: int
    value_micro: int
    updated_ns: int


class LeaderProfit(Row, frozen=True, kw_only=True):
    """Profit by leader. The error treats each market as one observation."""

    leader: str
    realized_micro: int
    open_micro: int
    fees_micro: int
    markets: int
    # One standard error of the realised sum; 0 with fewer than two markets.
    standard_error_micro: int


class MarketProfit(Row, frozen=True, kw_only=True):
    """Profit by market."""

    condition_id: str
    question: str
    realized_micro: int
    fees_micro: int
    leaders: int


class DayProfit(Row, frozen=True, kw_only=True):
    """Profit by day, UTC, as days since 1970-01-01."""

    day: int
    realized_micro: int
    fees_micro: int


class RiskMetric(Row, frozen=True, kw_only=True):
    """How much of a limit was used when it was last looked at."""

    portfolio: str
    rule: str
    value: int
    limit_value: int
    unit: str
    passed: bool
    detail: str
    event_time_ns: int


class Alert(Row, frozen=True, kw_only=True):
    """A warning by risk or intelligence."""

    id: str
    kind: str
    severity: str
    portfolio: str
    condition_id: str
    rule: str
    reasons: tuple[Reason, ...]
    event_time_ns: int
    correlation: str


class AgentState(Row, frozen=True, kw_only=True):
    """An agent's journal and, where it reports one, its health."""

    agent: str
    sequence: int
    inputs: int
    events: int
    effects: int
    now_ns: int
    log_time_ns: int
    # Empty when no health report was recorded.
    status: str
    pending_effects: int
    open_circuits: tuple[str, ...]
    health_log_time_ns: int


class DeadLetter(Row, frozen=True, kw_only=True):
    """What could not be read or handled. The bytes are in the event."""

    id: str
    agent: str
    topic: str
    partition: int
    record_offset: int
    type: str
    error: str
    bytes: int
    log_time_ns: int


class OutcomeToken(Row, frozen=True, kw_only=True):
    token_id: str
    outcome: str


class Market(Row, frozen=True, kw_only=True):
    """A market's terms and, once it is decided, its end."""

    condition_id: str
    question: str
    slug: str
    category: str
    venue: str
    tokens: tuple[OutcomeToken, ...]
    tick_size_micro: int
    fee_rate_micro: int
    neg_risk: bool
    opens_ns: int
    ends_ns: int
    resolved_ns: int
    winning_index: int
    winning_token_id: str


class ControlState(Row, frozen=True, kw_only=True):
    """The last order that an operator gave: halt, resume or flatten."""

    portfolio: str
    action: str
    operator: str
    note: str
    event_time_ns: int

    @property
    def is_halted(self) -> bool:
        return self.action in {"halt", "flatten"}


class HopLatency(Row, frozen=True, kw_only=True):
    """How long after its cause the log had an event, in microseconds."""

    cause_type: str
    effect_type: str
    count: int
    mean_us: float
    p50_us: float
    p99_us: float


class TopicTotal(Row, frozen=True, kw_only=True):
    """How much of a topic is recorded."""

    topic: str
    events: int
    last_log_time_ns: int
