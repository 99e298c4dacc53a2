"""From a whale's trade to a proposal, and from risk's verdict to a decision.

Every trade of a followed wallet gets a `DecisionMade` with the reasons, also when the answer is
no. The first word on a proposal counts: an answer to the request, or the same verdict on the log.
No answer means no; an approval that shows up on the log later is the truth, and is said again.
"""

from typing import Final

from whaletrader.runtime.agent import Agent, Decision, event_id
from whaletrader.runtime.codec import type_name
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
    wallet_pb2,
    whale_pb2,
)
from whaletrader.services.orchestrator.config import Thresholds
from whaletrader.services.orchestrator.proposal import STRATEGY, copy_of
from whaletrader.services.orchestrator.rules import Desk, first_failed, reasons_for
from whaletrader.services.orchestrator.state import (
    Market,
    OrchestratorState,
    OrchestratorViews,
    WhaleTrade,
    signed_notional,
)

DECISIONS: Final = "decision.made"
LANE: Final = "approvals"

Verdict = risk_pb2.ApprovedTrade | risk_pb2.RejectedTrade


class OrchestratorAgent(Agent[OrchestratorState, OrchestratorViews]):
    """Follows whales, asks risk, says what was decided."""

    name = "orchestrator"
    reads = (
        "market.catalog",
        "market.data",
        "whale.discovered",
        "whale.scored",
        "whale.pruned",
        "order.events",
        "wallet.trades",
        "trade.approved",
        "trade.rejected",
    )

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(OrchestratorState(), OrchestratorViews())
        self._thresholds = thresholds
        self.decides = {
            wallet_pb2.WalletTraded: self.on_wallet_traded,
            risk_pb2.ApprovedTrade: self.on_approved,
            risk_pb2.RejectedTrade: self.on_rejected,
            agent_pb2.EffectFailed: self.on_unanswered,
        }
        self.evolves = {decision_pb2.DecisionMade: self.state.follow}
        self.observes = {
            market_pb2.MarketListed: self.see_listed,
            market_pb2.MarketResolved: self.see_resolved,
            whale_pb2.WhaleDiscovered: self.see_whale,
            whale_pb2.WhaleScored: self.see_score,
            whale_pb2.WhalePruned: self.see_pruned,
            wallet_pb2.WalletTraded: self.see_wallet_traded,
            order_pb2.OrderMatched: self.see_matched,
            order_pb2.OrderReversed: self.see_reversed,
        }

    def on_wallet_traded(self, trade: wallet_pb2.WalletTraded) -> Decision:
        """Propose a copy, or say why not. Wallets that nobody follows are no candidates."""
        if trade.wallet not in self.views.whales:
            return Decision()
        desk = Desk(self.state, self.views, self._thresholds)
        reasons = reasons_for(desk, trade)
        decision = decision_pb2.DecisionMade(
            outcome=decision_pb2.DECISION_OUTCOME_DECLINED,
            leader=trade.wallet,
            strategy=STRATEGY,
            condition_id=trade.condition_id,
            token_id=trade.token_id,
            reasons=reasons,
        )
        if first_failed(reasons) is not None:
            return Decision().emit(DECISIONS, decision)
        decision_id = event_id(trade.meta, self.name, type_name(decision))
        proposal = copy_of(trade, decision_id, self.views, self._thresholds)
        proposal.meta.source = self.name
        proposal.meta.event_time_ns = trade.meta.event_time_ns
        proposal.deadline_ns = self.now_ns + self._thresholds.deadline_ns
        decision.outcome = decision_pb2.DECISION_OUTCOME_PROPOSED
        decision.proposal.CopyFrom(proposal)
        return Decision().emit(DECISIONS, decision).ask(proposal, LANE)

    def on_approved(self, verdict: risk_pb2.ApprovedTrade) -> Decision:
        """Say that risk agreed; also after we had given up waiting."""
        if self.state.verdicts.get(verdict.proposal_id, "unknown") not in {"", "unanswered"}:
            return Decision()
        said = _said(verdict, decision_pb2.DECISION_OUTCOME_APPROVED)
        said.approval_id = verdict.approval_id
        said.strategy = verdict.strategy
        return Decision().emit(DECISIONS, said)

    def on_rejected(self, verdict: risk_pb2.RejectedTrade) -> Decision:
        """Say that risk refused."""
        if self.state.verdicts.get(verdict.proposal_id, "unknown"):
            return Decision()
        said = _said(verdict, decision_pb2.DECISION_OUTCOME_REJECTED)
        said.strategy = STRATEGY
        return Decision().emit(DECISIONS, said)

    def on_unanswered(self, failed: agent_pb2.EffectFailed) -> Decision:
        """No answer means no."""
        asked = self.state.asked.get(failed.meta.cause)
        if asked is None:
            return Decision()
        said = decision_pb2.DecisionMade(
            outcome=decision_pb2.DECISION_OUTCOME_UNANSWERED,
            leader=asked.leader,
            strategy=asked.strategy,
            condition_id=asked.condition_id,
            token_id=asked.token_id,
            reasons=[
                common_pb2.Reason(
                    rule="answered",
                    limit=self._thresholds.deadline_ns,
                    unit=common_pb2.UNIT_NANOSECONDS,
                    detail=failed.error,
                )
            ],
        )
        said.proposal.meta.id = asked.proposal_id
        return Decision().emit(DECISIONS, said)

    def see_listed(self, listed: market_pb2.MarketListed) -> None:
        self.views.markets[listed.condition_id] = Market(
            tokens=tuple(token.token_id for token in listed.tokens),
            tick_micro=listed.tick_size_micro,
            min_size_micro=listed.min_size_micro,
            opens_ns=listed.opens_ns,
            ends_ns=listed.ends_ns,
        )

    def see_resolved(self, resolved: market_pb2.MarketResolved) -> None:
        self.views.decided[resolved.condition_id] = resolved.winning_token_id
        self.views.convictions.pop(resolved.condition_id, None)

    def see_whale(self, whale: whale_pb2.WhaleDiscovered) -> None:
        self.views.whales[whale.wallet] = whale.score.edge_micro

    def see_score(self, scored: whale_pb2.WhaleScored) -> None:
        if scored.wallet in self.views.whales:
            self.views.whales[scored.wallet] = scored.score.edge_micro

    def see_pruned(self, pruned: whale_pb2.WhalePruned) -> None:
        self.views.whales.pop(pruned.wallet, None)

    def see_wallet_traded(self, trade: wallet_pb2.WalletTraded) -> None:
        if trade.wallet not in self.views.whales:
            return
        seen = WhaleTrade(
            at_ns=trade.meta.event_time_ns,
            wallet=trade.wallet,
            token_id=trade.token_id,
            notional_micro=signed_notional(trade.side, trade.price_micro, trade.size_micro),
        )
        window_ns = self._thresholds.conviction_window_ns
        self.views.note_trade(seen, trade.condition_id, window_ns)

    def see_matched(self, matched: order_pb2.OrderMatched) -> None:
        self._hold(matched.order, matched.fill.size_micro)

    def see_reversed(self, reverted: order_pb2.OrderReversed) -> None:
        self._hold(reverted.order, -reverted.fill.size_micro)

    def _hold(self, order: order_pb2.OrderRef, size_micro: int) -> None:
        sign = 1 if order.side == common_pb2.SIDE_BUY else -1
        self.views.hold(order.leader, order.token_id, sign * size_micro)


def _said(
    verdict: Verdict, outcome: decision_pb2.DecisionOutcome.ValueType
) -> decision_pb2.DecisionMade:
    said = decision_pb2.DecisionMade(
        outcome=outcome,
        leader=verdict.leader,
        condition_id=verdict.condition_id,
        token_id=verdict.token_id,
        reasons=verdict.reasons,
    )
    said.proposal.meta.id = verdict.proposal_id
    return said
