"""How much a method would put into a buy, before the limits: Kelly, a copy's share, an amount.

Pure integers. Adaptive Kelly multiplies the fraction by factors, each in [0, 1] and each told as a
reason: the proposer's confidence; the volatility that is aimed at over the price's own; one minus
the mean correlation with what is held; one minus drawdown over the drawdown that halts.
"""

from math import prod
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.policy_terms import Method
from whaletrader.services.risk.rooms import Room, correlation_with
from whaletrader.services.risk.rules import Rule, factor
from whaletrader.services.risk.views import Market
from whaletrader.services.risk.volatility import day_move

_KELLY: Final = (Method.FULL_KELLY, Method.FRACTIONAL_KELLY, Method.ADAPTIVE_KELLY, Method.CAPPED)


def stake_rooms(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market, cost_micro: int
) -> tuple[list[Room], list[common_pb2.Reason]]:
    """Return the room that the method in force leaves, and the factors that went into it."""
    limits = desk.limits
    in_token = desk.state.by_token.get(proposal.token_id, 0)
    if limits.method == Method.FIXED:
        return [Room(Rule.FIXED_SIZE, 0, limits.fixed_micro)], []
    if limits.method == Method.COPY_RATIO:
        told = proposal.leader_notional_micro * limits.copy_micro_ratio // MICRO
        return [Room(Rule.COPY_SIZE, in_token, told)], []
    fraction = MICRO if limits.method == Method.FULL_KELLY else limits.kelly_micro_ratio
    factors = _factors(desk, proposal, market) if limits.method == Method.ADAPTIVE_KELLY else []
    scaled = prod((reason.value for reason in factors), start=fraction) // MICRO ** len(factors)
    stake = sizing.kelly_stake(proposal.fair_value_micro, cost_micro, desk.capital_micro, scaled)
    found = [Room(Rule.KELLY, in_token, stake)]
    if limits.method == Method.CAPPED:
        found.append(Room(Rule.CAPPED_SIZE, 0, limits.capped_micro))
    return found, factors


def _factors(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market
) -> list[common_pb2.Reason]:
    return [
        factor(Rule.CONFIDENCE_FACTOR, proposal.confidence_micro_ratio or MICRO),
        factor(Rule.VOLATILITY_FACTOR, _volatility_factor(desk, proposal)),
        factor(Rule.CORRELATION_FACTOR, MICRO - _mean_correlation(desk, proposal, market)),
        factor(Rule.DRAWDOWN_FACTOR, _drawdown_factor(desk)),
    ]


def _volatility_factor(desk: Desk, proposal: risk_pb2.TradeProposal) -> int:
    price = proposal.limit_price_micro
    own = day_move(desk.views.bars.get(proposal.condition_id), price) * MICRO // price
    return (
        MICRO if own <= 0 else min(MICRO, desk.limits.volatility_target_micro_ratio * MICRO // own)
    )


def _mean_correlation(desk: Desk, proposal: risk_pb2.TradeProposal, market: Market) -> int:
    with_each = correlation_with(desk, proposal.condition_id, market)
    others = {key: value for key, value in with_each.items() if key != proposal.condition_id}
    whole = sum(max(0, desk.state.by_market[key]) for key in desk.state.by_market)
    if not whole:
        return 0
    return sum(desk.state.by_market[key] * value for key, value in others.items()) // whole


def _drawdown_factor(desk: Desk) -> int:
    most = desk.limits.halt_drawdown_micro_ratio
    return max(0, MICRO - desk.drawdown_micro_ratio * MICRO // most)
