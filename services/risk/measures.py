"""The measures of the desk and how much of each limit is used, as the event that tells them.

Pure. Called by the agent at a bounded rate. Historical VaR is the quantile of the desk's own daily
results; the others look a day ahead by scenarios (marks.py).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from whaletrader.domain.money import MICRO
from whaletrader.quant.risk.backtest import christoffersen, kupiec
from whaletrader.quant.risk.tail import tail
from whaletrader.schemas import risk_pb2
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.limits import share
from whaletrader.services.risk.marks import DayAhead
from whaletrader.services.risk.rules import COUNT, RATIO, USD, Rule, Unit
from whaletrader.services.risk.standing import drawdown

# Daily results below this many say nothing about one day in a hundred.
DAYS_MIN: Final = 30


def measured(desk: Desk) -> risk_pb2.RiskMeasured:
    """Return the measures of the desk now."""
    state, history, stance = desk.state, desk.state.history, desk.state.stance
    ahead = desk.marks.day_ahead(state, desk.views)
    correlation, diversification = _together(desk)
    high = max(history.high_water_micro, desk.equity_micro)
    said = risk_pb2.RiskMeasured(
        portfolio=desk.portfolio,
        state=stance.state,
        state_rule=stance.rule,
        exit_condition=stance.exit_condition,
        needs_person=stance.needs_person,
        cash_micro=state.cash_micro,
        positions_cost_micro=state.cost_micro,
        positions_value_micro=desk.marks.value_micro,
        reserved_micro=state.reserved_micro,
        exposure_micro=state.exposure_micro,
        equity_micro=desk.equity_micro,
        high_water_micro=high,
        drawdown_micro_ratio=drawdown(high, desk.equity_micro),
        day_loss_micro=desk.day_loss_micro,
        week_loss_micro=desk.week_loss_micro,
        losses_in_row=history.losses_in_row,
        open_positions=len(state.by_token),
        var_99_micro=ahead.var_99_micro,
        cvar_975_micro=ahead.cvar_975_micro,
        modified_var_99_micro=ahead.modified_var_99_micro,
        historical_var_99_micro=historical_var(history.daily_equity_micro),
        worst_case_micro=desk.marks.worst_micro,
        correlation_micro_ratio=correlation,
        diversification_micro_ratio=diversification,
        phase=history.phase,
        phase_micro_ratio=desk.phase_micro_ratio,
        policy_digest=state.charter.digest,
        limits=utilisation(desk, ahead),
        var_exceptions=sum(history.var_exceeded),
        var_days=len(history.var_exceeded),
    )
    _backtest(said, history.var_exceeded)
    return said


def utilisation(desk: Desk, ahead: DayAhead) -> list[risk_pb2.LimitUtilisation]:
    """Return how much of each limit is used, by whatever uses most of it."""
    return [
        risk_pb2.LimitUtilisation(
            rule=rule,
            key=key,
            value=value,
            limit=limit,
            unit=unit,
            used_micro_ratio=value * MICRO // limit if limit > 0 else MICRO * (value > 0),
        )
        for rule, key, value, limit, unit in _used(desk, ahead)
    ]


def historical_var(daily_equity_micro: list[int]) -> int:
    """Return the 99 % quantile of daily losses, or 0 while there are too few days."""
    if len(daily_equity_micro) <= DAYS_MIN:
        return 0
    losses = -np.diff(np.array(daily_equity_micro, dtype=np.float64))
    return max(0, round(tail(losses, 0.99).var))


def money_limits(desk: Desk) -> list[tuple[Rule, Mapping[str, int], int]]:
    """Return each limit on money in one place of a kind: what each place uses, and the limit."""
    state, limits, capital = desk.state, desk.limits, desk.capital_micro
    topics = {topic: sum(markets.values()) for topic, markets in state.by_topic.items()}
    leaders = {leader: used for leader, used in state.by_leader.items() if leader}
    position = limits.of_capital(
        limits.position_micro_max, limits.position_micro_ratio_max, capital
    )
    market = limits.of_capital(limits.market_micro_max, limits.market_micro_ratio_max, capital)
    return [
        (Rule.POSITION_LIMIT, state.by_token, position),
        (Rule.MARKET_LIMIT, state.by_market, market),
        (Rule.LEADER_LIMIT, leaders, limits.leader_micro_max),
        (Rule.STRATEGY_LIMIT, state.by_strategy, share(limits.strategy_micro_ratio_max, capital)),
        (Rule.CATEGORY_LIMIT, state.by_category, share(limits.category_micro_ratio_max, capital)),
        (Rule.TOPIC_LIMIT, topics, share(limits.topic_micro_ratio_max, capital)),
    ]


def _backtest(said: risk_pb2.RiskMeasured, exceeded: list[bool]) -> None:
    if len(exceeded) <= DAYS_MIN:
        return
    coverage = kupiec(sum(exceeded), len(exceeded), 0.01)
    said.var_coverage_p_micro_ratio = round(coverage.p_value * MICRO)
    said.var_independence_p_micro_ratio = round(christoffersen(exceeded).p_value * MICRO)


def _used(desk: Desk, ahead: DayAhead) -> Iterator[tuple[str, str, int, int, Unit]]:
    state, limits, capital = desk.state, desk.limits, desk.capital_micro
    total = limits.of_capital(limits.total_micro_max, limits.total_micro_ratio_max, capital)
    for rule, used, limit in money_limits(desk):
        key = max(used, key=lambda name: (used[name], name), default="")
        yield rule, key, used.get(key, 0), limit, USD
    count = max((len(markets) for markets in state.by_topic.values()), default=0)
    yield Rule.TOPIC_MARKETS, "", count, limits.topic_markets_max, COUNT
    yield Rule.OPEN_POSITIONS, "", len(state.by_token), limits.open_positions_max, COUNT
    yield Rule.TOTAL_LIMIT, "", state.exposure_micro, total, USD
    yield Rule.CAPITAL_PHASE, "", state.exposure_micro, share(desk.phase_micro_ratio, capital), USD
    worst = share(limits.worst_case_micro_ratio_max, capital)
    yield Rule.WORST_CASE, "", desk.marks.worst_micro, worst, USD
    yield Rule.CVAR, "", ahead.cvar_975_micro, share(limits.cvar_micro_ratio_max, capital), USD
    modified = share(limits.mvar_micro_ratio_max, capital)
    yield Rule.MODIFIED_VAR, "", ahead.modified_var_99_micro, modified, USD
    yield Rule.DAY_LOSS, "", desk.day_loss_micro, desk.day_loss_limit_micro, USD
    yield Rule.WEEK_LOSS, "", desk.week_loss_micro, desk.week_loss_limit_micro, USD
    row = state.history.losses_in_row
    yield "losses-in-row", "", row, limits.losses_in_row_max, COUNT
    yield "drawdown", "", desk.drawdown_micro_ratio, limits.halt_drawdown_micro_ratio, RATIO


def _together(desk: Desk) -> tuple[int, int]:
    """Return the weighted mean of correlations, and the share of the risk that spreading takes.

    The score is 1 - sqrt(w' C w) / sum(w) with money as weights: 0 for one bet, near 1 for many
    that have nothing to do with each other (Choueifaty and Coignard 2008, as a score).
    """
    names = sorted(desk.state.by_market)
    if len(names) < 2:
        return (MICRO if names else 0), 0
    weights = np.array([max(0, desk.state.by_market[name]) for name in names], dtype=np.float64)
    if weights.sum() <= 0:
        return 0, 0
    weights /= weights.sum()
    matrix = np.eye(len(names))
    views, with_each = desk.views, desk.marks.correlations.with_each
    topics = [market.topic if (market := views.markets.get(name)) else name for name in names]
    for i, one in enumerate(names):
        known = with_each(one, names[:i], views.bars)
        for j in range(i):
            is_one_bet = topics[i] == topics[j]
            value = 1.0 if is_one_bet else known.get(names[j], 0) / MICRO
            matrix[i, j] = matrix[j, i] = value
    pairs = float(weights @ matrix @ weights) - float((weights**2).sum())
    mean = pairs / (1 - float((weights**2).sum()))
    spread = max(0.0, float(weights @ matrix @ weights)) ** 0.5
    return round(mean * MICRO), round(max(0.0, 1 - spread) * MICRO)
