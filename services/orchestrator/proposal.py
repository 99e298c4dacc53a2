"""Writes the proposal that copies a whale's trade. Pure.

A buy may cost a little more than the whale paid, and is believed to be worth what the whale paid
plus its edge a share. A sale gives back what copies of this whale hold. Risk sizes both down.
"""

from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, floor_to, notional
from whaletrader.schemas import common_pb2, risk_pb2, wallet_pb2
from whaletrader.services.orchestrator.config import Thresholds
from whaletrader.services.orchestrator.state import Market, OrchestratorViews

STRATEGY: Final = "copy"


def copy_of(
    trade: wallet_pb2.WalletTraded,
    decision_id: str,
    views: OrchestratorViews,
    thresholds: Thresholds,
) -> risk_pb2.TradeProposal:
    """Return the proposal, without its times. The market must be known."""
    market = views.markets[trade.condition_id]
    proposal = risk_pb2.TradeProposal(
        portfolio=thresholds.portfolio,
        leader=trade.wallet,
        strategy=STRATEGY,
        condition_id=trade.condition_id,
        token_id=trade.token_id,
        outcome_index=trade.outcome_index,
        side=trade.side,
        leader_notional_micro=notional(trade.price_micro, trade.size_micro),
    )
    proposal.meta.id = proposal_id_of(trade)
    proposal.meta.cause = decision_id
    proposal.meta.correlation = trade.meta.correlation or trade.meta.id
    if trade.side == common_pb2.SIDE_BUY:
        proposal.limit_price_micro = highest_price(trade.price_micro, market, thresholds)
        target = target_size(views, trade, thresholds)
        proposal.max_size_micro = target - views.holding(trade.wallet, trade.token_id)
        worth = trade.price_micro + views.whales.get(trade.wallet, 0)
        proposal.fair_value_micro = max(1, min(worth, MICRO - 1))
    else:
        proposal.limit_price_micro = _lowest(trade.price_micro, market, thresholds)
        proposal.max_size_micro = views.holding(trade.wallet, trade.token_id)
        proposal.fair_value_micro = trade.price_micro
    return proposal


def proposal_id_of(trade: wallet_pb2.WalletTraded) -> str:
    """Return the id of the one proposal that a trade can lead to."""
    return derived_id("orchestrator", "proposal", trade.meta.id)


def target_size(
    views: OrchestratorViews, trade: wallet_pb2.WalletTraded, thresholds: Thresholds
) -> int:
    """Return how many micro-shares copies may hold: a share of what the whale has built up."""
    stance = views.stance(trade.wallet, trade.token_id)
    return stance.net_micro * thresholds.copy_micro_ratio // MICRO


def highest_price(price_micro: int, market: Market, thresholds: Thresholds) -> int:
    """Return the most that a copy of a buy at that price may cost a share, on the tick."""
    ceiling = MICRO - market.tick_micro
    limit = floor_to(price_micro + thresholds.slippage_micro, market.tick_micro)
    return max(market.tick_micro, min(limit, ceiling))


def _lowest(price_micro: int, market: Market, thresholds: Thresholds) -> int:
    limit = floor_to(price_micro - thresholds.slippage_micro, market.tick_micro)
    return max(market.tick_micro, limit)
