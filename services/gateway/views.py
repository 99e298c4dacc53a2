"""What the API answers: one frozen type for each thing that a person can look at.

Integers of 64 bits (money, sizes, prices in millionths; times in nanoseconds) travel as decimal
strings, because a browser's numbers are exact only up to 2^53. Counts are plain numbers.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer

Big = Annotated[int, PlainSerializer(str, return_type=str, when_used="json")]


class View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(View):
    """One rule that was held against something; `by` is the agent that held it."""

    by: str = ""
    rule: str
    value: Big
    limit: Big
    unit: str
    passed: bool
    detail: str = ""


class Summary(View):
    """The portfolio at its last valuation. `as_of_ns` is 0 when there has been none."""

    portfolio: str
    as_of_ns: Big = 0
    cash_micro: Big = 0
    positions_value_micro: Big = 0
    # What the open positions cost: the money that is at risk in them.
    exposure_micro: Big = 0
    fees_micro: Big = 0
    # Realised profit less fees; change of value of what is held; both together.
    realized_after_fees_micro: Big = 0
    open_profit_micro: Big = 0
    profit_micro: Big = 0
    open_positions: int = 0
    open_orders: int = 0
    whales: int = 0
    events: Big = 0
    # Since when risk itself has stopped buying, or 0.
    risk_stopped_ns: Big = 0


class CurvePoint(View):
    """The portfolio at a moment, and the valuation's offset on the log."""

    at_ns: Big
    log_offset: Big
    profit_micro: Big
    realized_after_fees_micro: Big


class Curve(View):
    """Profit after fees over event time, oldest first."""

    portfolio: str
    points: list[CurvePoint]


class Whale(View):
    """A wallet's score. Edges are dollars a share after fees, in millionths."""

    wallet: str
    is_whale: bool
    edge_micro: Big
    edge_lower_micro: Big
    edge_upper_micro: Big
    realized_profit_micro: Big
    volume_micro: Big
    trades: int
    markets: int
    markets_won: int
    scored_ns: Big
    discovered_ns: Big
    pruned_ns: Big
    reasons: list[Reason]
    # What copying it has brought us, after fees.
    copied_profit_micro: Big
    copied_markets: int


class Decision(View):
    """What was decided about one trade, with every rule that any agent held against it."""

    id: str
    outcome: str
    leader: str
    strategy: str
    condition_id: str
    question: str
    token_id: str
    token_name: str
    side: str
    limit_price_micro: Big
    max_size_micro: Big
    fair_value_micro: Big
    approved_size_micro: Big
    proposal_id: str
    approval_id: str
    order_id: str
    order_status: str
    event_time_ns: Big
    log_time_ns: Big
    correlation: str
    failed_rule: str
    reasons: list[Reason]


class DecisionPage(View):
    """`next` is to be given as `before` for the page after this one; empty on the last."""

    decisions: list[Decision]
    next: str


class Fact(View):
    """One line of a step: `kind` says how the value is to be read."""

    label: str
    value: str
    kind: Literal["text", "usd", "shares", "price", "time", "id", "count"]


class Step(View):
    """One event of a chain, after the one that caused it."""

    id: str
    cause: str
    type: str
    title: str
    agent: str
    topic: str
    event_time_ns: Big
    log_time_ns: Big
    # Since the step before it in the log.
    after_ns: Big
    facts: list[Fact]
    reasons: list[Reason]


class Chain(View):
    """Everything that hangs together with what was asked for, causes before effects."""

    asked: str
    # What that is (order, decision, ...), and its whole id.
    kind: str
    id: str
    correlation: str
    steps: list[Step]
    is_cut: bool


class Order(View):
    order_id: str
    status: str
    leader: str
    condition_id: str
    question: str
    token_id: str
    token_name: str
    side: str
    price_micro: Big
    size_micro: Big
    filled_micro: Big
    # Of what was filled, how much is not settled yet.
    provisional_micro: Big
    fee_micro: Big
    announced_ns: Big
    closed_ns: Big
    reasons: list[Reason]


class Position(View):
    """One token held for one leader. Without a trade seen it is worth what it cost."""

    condition_id: str
    question: str
    token_id: str
    token_name: str
    leader: str
    size_micro: Big
    cost_micro: Big
    value_micro: Big
    mark_micro: Big
    profit_micro: Big
    updated_ns: Big


class RuleCount(View):
    refused_by: str
    rule: str
    count: int
    last_ns: Big


class AgentView(View):
    agent: str
    # running, standby, starting, stopping; or "working" where only its journal is known.
    status: str
    inputs: Big
    events: Big
    effects: Big
    pending_effects: int
    open_circuits: list[str]
    last_ns: Big


class Hop(View):
    """How long the log took from a cause to its effect. Percentiles are upper bounds."""

    cause: str
    effect: str
    count: Big
    mean_us: Big
    p50_us: Big
    p99_us: Big


class DeadLetter(View):
    id: str
    agent: str
    topic: str
    partition: int
    offset: Big
    type: str
    error: str
    bytes: int
    log_time_ns: Big


class Alert(View):
    id: str
    kind: str
    severity: str
    rule: str
    condition_id: str
    question: str
    event_time_ns: Big
    reasons: list[Reason]


class ControlState(View):
    """The last order that a person gave, as the log has it."""

    portfolio: str
    state: Literal["trading", "halted", "flattened"]
    operator: str = ""
    note: str = ""
    ordered_ns: Big = 0
    event_id: str = ""
    # False while the log cannot be read: then the state is the last that was known.
    is_current: bool = True


class Progress(View):
    """How far the tape is. `windows` is 0 when no tape is known to play."""

    mode: str
    window: int = 0
    windows: int = 0
    now_ns: Big = 0
    trades: int = 0


class LeaderProfit(View):
    """Profit after fees from copying one wallet, with a 95 % interval over its markets."""

    leader: str
    profit_micro: Big
    lower_micro: Big | None
    upper_micro: Big | None
    markets: int


class Report(View):
    """The whole run in one answer."""

    summary: Summary
    whales_found: int
    whales_pruned: int
    proposals: int
    approvals: int
    rejections: list[RuleCount]
    orders: dict[str, int]
    fills: int
    fills_reversed: int
    leaders: list[LeaderProfit]
    latency: list[Hop]
