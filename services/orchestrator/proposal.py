"""Writes the proposal that copies a whale's trade. Pure.

A buy may cost a little more than the whale paid, and is believed to be worth what the whale paid
plus its edge a share. A sale gives back what copies of this whale hold. Risk sizes both down.
"""

from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, risk_pb2, wallet_pb2
from whaletrader.services.orchestrator.config import Thresholds
from whaletrader.services.orchestrator.state import Market, OrchestratorViews, holding_key

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
    )
    proposal.meta.id = derived_id(decision_id, "proposal")
    proposal.meta.cause = decision_id
    proposal.meta.correlation = trade.meta.correlation or trade.meta.id
    if trade.side == common_pb2.SIDE_BUY:
        proposal.limit_price_micro = _highest(trade.price_micro, market, thresholds)
        proposal.max_size_micro = trade.size_micro
        worth = trade.price_micro + views.whales.get(trade.wallet, 0)
        proposal.fair_value_micro = max(1, min(worth, MICRO - 1))
    else:
        proposal.limit_price_micro = _lowest(trade.price_micro, market, thresholds)
        proposal.max_size_micro = views.held[holding_key(trade.wallet, trade.token_id)]
        proposal.fair_value_micro = trade.price_micro
    return proposal


def _highest(price_micro: int, market: Market, thresholds: Thresholds) -> int:
    ceiling = MICRO - market.tick_micro
    limit = floor_to(price_micro + thresholds.slippage_micro, market.tick_micro)
    return max(market.tick_micro, min(limit, ceiling))


def _lowest(price_micro: int, market: Market, thresholds: Thresholds) -> int:
    limit = floor_to(price_micro - thresholds.slippage_micro, market.tick_micro)
    return max(market.tick_micro, limit)
