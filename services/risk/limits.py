"""What the rules are held against, in micro-units and nanoseconds. Made by a policy; part of the
journaled state, so that a replay judges by the limits that were in force."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Each field is the policy's of the same name: usd, ratio, s and ms scaled to integers."""

    trade_micro_max: int
    trade_micro_ratio_max: int
    position_micro_max: int
    position_micro_ratio_max: int
    market_micro_max: int
    market_micro_ratio_max: int
    leader_micro_max: int
    strategy_micro_ratio_max: int
    category_micro_ratio_max: int
    topic_micro_ratio_max: int
    topic_markets_max: int
    group_micro_ratio_max: int
    correlation_micro_ratio_max: int
    total_micro_max: int
    total_micro_ratio_max: int
    worst_case_micro_ratio_max: int
    open_positions_max: int
    liquidity_micro_ratio_max: int
    cvar_micro_ratio_max: int
    mvar_micro_ratio_warn: int
    mvar_micro_ratio_max: int
    day_loss_micro_max: int
    day_loss_micro_ratio_max: int
    week_loss_micro_max: int
    week_loss_micro_ratio_max: int
    leader_loss_micro_max: int
    losses_in_row_max: int
    pause_ns: int
    day_loss_needs_resume: bool
    drawdown_needs_resume: bool
    reduce_drawdown_micro_ratio: int
    reduce_size_micro_ratio: int
    reduce_more_drawdown_micro_ratio: int
    reduce_more_size_micro_ratio: int
    halt_drawdown_micro_ratio: int
    deleverage_micro_ratio: int
    phase_micro_ratios: tuple[int, ...]
    phase_start: int
    phase_days_min: int
    phase_trades_min: int
    phase_drawdown_micro_ratio_max: int
    fallback_drawdown_micro_ratio: int
    method: str
    kelly_micro_ratio: int
    copy_micro_ratio: int
    fixed_micro: int
    capped_micro: int
    volatility_target_micro_ratio: int
    notional_micro_min: int
    price_micro_min: int
    price_micro_max: int
    price_gap_micro_max: int
    edge_micro_max: int
    price_age_ns_max: int
    clock_skew_ns_max: int
    time_to_end_ns_min: int
    time_to_end_ns_max: int
    end_must_be_known: bool
    approval_ttl_ns: int
    expiry_grace_ns: int
    mandate_ns_max: int
    stop_loss_micro_ratio: int
    take_profit_micro_ratio: int
    trailing_micro_ratio: int
    atr_micro_multiple: int
    emergency_drop_micro: int
    exit_before_end_ns: int
    exit_pruned: bool
    exit_cooldown_ns: int
    flatten_slippage_micro: int
    flatten_attempts_max: int
    measure_every_ns: int
    bar_ns: int
    confirm_within_ns: int

    def of_capital(self, amount_micro: int, ratio_micro: int, capital_micro: int) -> int:
        """Return the smaller of an amount and a share of the capital, rounded down."""
        return min(amount_micro, share(ratio_micro, capital_micro))


def share(ratio_micro: int, whole_micro: int) -> int:
    """Return that share of the whole, rounded down; nothing of what is below zero."""
    return ratio_micro * max(0, whole_micro) // 1_000_000
