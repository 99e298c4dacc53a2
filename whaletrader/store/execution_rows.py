"""What is read of worked trades and of the desk: frozen rows, as `rows` has those of the rest.

Called by `execution_queries`, `desk_queries` and whoever shows them. Holds no SQL.
"""

from whaletrader.store.rows import Reason, Row


class Part(Row, frozen=True, kw_only=True):
    """What one phase, tactic and liquidity came to.

    Orders and what was ordered are of the phase and tactic: every liquidity of them repeats both.
    """

    tactic: str
    phase: int
    liquidity: str
    orders: int
    ordered_size_micro: int
    filled_size_micro: int
    average_price_micro: int
    fees_micro: int


class SkipCount(Row, frozen=True, kw_only=True):
    """How often a rule kept an order of one approved trade from being sent."""

    rule: str
    count: int


class ExecutionQuality(Row, frozen=True, kw_only=True):
    """An approved trade that is done, with its figures.

    Prices are 0 where they are not known. Slippage is against the mid at the decision, positive
    is worse for us, and says nothing unless `has_slippage`. A time of 0: it did not happen.
    """

    approval_id: str
    event_id: str
    proposal_id: str
    portfolio: str
    leader: str
    strategy: str
    condition_id: str
    question: str
    token_id: str
    side: str
    result: str
    tactic: str
    limit_price_micro: int
    size_micro: int
    filled_size_micro: int
    reversed_size_micro: int
    orders: int
    arrival_mid_micro: int
    expected_price_micro: int
    average_price_micro: int
    has_slippage: bool
    slippage_micro: int
    slippage_micro_ratio: int
    slippage_to_expected_micro_ratio: int
    fill_rate_micro_ratio: int
    fees_micro: int
    rebates_expected_micro: int
    maker_size_micro: int
    taker_size_micro: int
    started_ns: int
    finished_ns: int
    time_to_first_fill_ns: int
    time_to_full_fill_ns: int
    phases: tuple[int, ...]
    parts: tuple[Part, ...]
    skips: tuple[SkipCount, ...]
    reasons: tuple[Reason, ...]
    correlation: str


class PhaseTime(Row, frozen=True, kw_only=True):
    """When the first order of a phase was announced and first filled, nanoseconds, 0 if not."""

    approval_id: str
    phase: int
    announced_ns: int
    first_fill_ns: int


class Difference(Row, frozen=True, kw_only=True):
    """A holding (the cash, where the token is empty) that is not what our fills add up to."""

    token_id: str
    condition_id: str
    ours_micro: int
    venue_micro: int
    order_ids: tuple[str, ...]


class Reconciliation(Row, frozen=True, kw_only=True):
    """One look at what the venue holds for a wallet, against our fills."""

    event_id: str
    wallet: str
    passed: bool
    halted: bool
    opening: bool
    looks: int
    condition_id: str
    holdings: int
    cash_micro: int
    differences: tuple[Difference, ...]
    reasons: tuple[Reason, ...]
    event_time_ns: int


class DeskState(Row, frozen=True, kw_only=True):
    """What the desk may do, since when, why, and how that ends."""

    portfolio: str
    state: str
    previous: str
    halted: bool
    rule: str
    detail: str
    until_ns: int
    needs_person: bool
    exit_condition: str
    size_micro_ratio: int
    reasons: tuple[Reason, ...]
    since_ns: int


class RiskMeasures(Row, frozen=True, kw_only=True):
    """The last measures of the desk. VaR and its kin look one day ahead, losses positive."""

    portfolio: str
    state: str
    state_rule: str
    exit_condition: str
    needs_person: bool
    cash_micro: int
    positions_cost_micro: int
    positions_value_micro: int
    reserved_micro: int
    exposure_micro: int
    equity_micro: int
    high_water_micro: int
    drawdown_micro_ratio: int
    day_loss_micro: int
    week_loss_micro: int
    losses_in_row: int
    open_positions: int
    var_99_micro: int
    cvar_975_micro: int
    modified_var_99_micro: int
    # From the desk's own history; 0 while that is too short.
    historical_var_99_micro: int
    worst_case_micro: int
    correlation_micro_ratio: int
    diversification_micro_ratio: int
    phase: int
    phase_micro_ratio: int
    policy_digest: str
    var_exceptions: int
    var_days: int
    event_time_ns: int
