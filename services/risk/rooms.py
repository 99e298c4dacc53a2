"""What room the limits leave for a buy: each limit in micro-dollars, and what is used of it.

Pure. Used counts what is held, provisional or final, and what is set aside. The smallest room is
what a buy may cost; verdict.py sizes by it and holds the result against every one again.
"""

from dataclasses import dataclass

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.limits import share
from whaletrader.services.risk.rules import COUNT, Rule, at_most
from whaletrader.services.risk.views import Market


@dataclass(frozen=True, slots=True)
class Room:
    """A limit in micro-dollars and what is used of it already."""

    rule: Rule
    used_micro: int
    limit_micro: int
    key: str = ""


def rooms(desk: Desk, proposal: risk_pb2.TradeProposal, market: Market) -> list[Room]:
    """Return every money limit that a buy is held against."""
    state, limits, capital = desk.state, desk.limits, desk.capital_micro
    token, condition = proposal.token_id, proposal.condition_id
    total = limits.of_capital(limits.total_micro_max, limits.total_micro_ratio_max, capital)
    found = [
        Room(Rule.CASH, 0, state.available_micro),
        Room(
            Rule.TRADE_LIMIT,
            0,
            limits.of_capital(limits.trade_micro_max, limits.trade_micro_ratio_max, capital),
        ),
        Room(
            Rule.POSITION_LIMIT,
            state.by_token.get(token, 0),
            limits.of_capital(limits.position_micro_max, limits.position_micro_ratio_max, capital),
        ),
        Room(
            Rule.MARKET_LIMIT,
            state.by_market.get(condition, 0),
            limits.of_capital(limits.market_micro_max, limits.market_micro_ratio_max, capital),
        ),
        Room(
            Rule.STRATEGY_LIMIT,
            state.by_strategy.get(proposal.strategy, 0),
            share(limits.strategy_micro_ratio_max, capital),
            proposal.strategy,
        ),
        Room(
            Rule.CATEGORY_LIMIT,
            state.by_category.get(market.category, 0),
            share(limits.category_micro_ratio_max, capital),
            market.category,
        ),
        Room(
            Rule.TOPIC_LIMIT,
            sum(state.by_topic.get(market.topic, {}).values()),
            share(limits.topic_micro_ratio_max, capital),
            market.topic,
        ),
        Room(Rule.GROUP_LIMIT, _group(desk, condition, market), group_limit(desk)),
        Room(Rule.TOTAL_LIMIT, state.exposure_micro, total),
        Room(Rule.CAPITAL_PHASE, state.exposure_micro, share(desk.phase_micro_ratio, capital)),
    ]
    if proposal.leader:
        used = state.by_leader.get(proposal.leader, 0)
        found.insert(4, Room(Rule.LEADER_LIMIT, used, limits.leader_micro_max, proposal.leader))
    return found


def counts(desk: Desk, proposal: risk_pb2.TradeProposal, market: Market) -> list[common_pb2.Reason]:
    """Hold the numbers of positions against their limits, with this one among them."""
    state, limits = desk.state, desk.limits
    tokens = len(state.by_token) + (proposal.token_id not in state.by_token)
    siblings = state.by_topic.get(market.topic, {})
    markets = len(siblings) + (proposal.condition_id not in siblings)
    return [
        at_most(Rule.OPEN_POSITIONS, tokens, limits.open_positions_max, COUNT),
        at_most(Rule.TOPIC_MARKETS, markets, limits.topic_markets_max, COUNT, market.topic),
    ]


def group_limit(desk: Desk) -> int:
    """Return how much may be in markets that move together."""
    return share(desk.limits.group_micro_ratio_max, desk.capital_micro)


def correlation_with(desk: Desk, condition_id: str, market: Market) -> dict[str, int]:
    """Return the correlation, in millionths and without sign, with each market that is held."""
    state = desk.state
    found = desk.marks.correlations.with_each(condition_id, state.by_market, desk.views.bars)
    found = {other: abs(correlation) for other, correlation in found.items()}
    found.update(dict.fromkeys(state.by_topic.get(market.topic, {}), MICRO))
    if condition_id in state.by_market:
        found[condition_id] = MICRO
    return found


def _group(desk: Desk, condition_id: str, market: Market) -> int:
    by_market, least = desk.state.by_market, desk.limits.correlation_micro_ratio_max
    return sum(
        by_market[other]
        for other, correlation in correlation_with(desk, condition_id, market).items()
        if correlation >= least
    )
