"""A stand-in for the orchestrator that copies every trade, so that chains are many.

It says what it decides as the real one does: a decision, a question to risk, the answer.
"""

import msgspec

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO
from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import agent_pb2, common_pb2, decision_pb2, risk_pb2, wallet_pb2

PORTFOLIO = "main"
DEADLINE_NS = 30_000_000_000


class Asked(msgspec.Struct):
    """Wallet trades that were proposed, and how many answers there were of each kind."""

    proposals: dict[str, int] = {}
    answers: dict[str, int] = {}


class Nothing(msgspec.Struct):
    """It looks at nothing else."""


class Copier(Agent[Asked, Nothing]):
    """Proposes to do what every wallet does, a little worse in price."""

    name = "orchestrator"
    reads = ("control", "wallet.trades")

    def __init__(self, slippage_micro: int = 20_000, edge_micro: int = 150_000) -> None:
        super().__init__(Asked(), Nothing())
        self._slippage_micro = slippage_micro
        self._edge_micro = edge_micro
        self.decides = {
            wallet_pb2.WalletTraded: self.on_trade,
            risk_pb2.ApprovedTrade: self.on_approved,
            risk_pb2.RejectedTrade: self.on_rejected,
            agent_pb2.EffectFailed: self.on_unanswered,
        }
        self.evolves = {decision_pb2.DecisionMade: self.note}

    def on_trade(self, trade: wallet_pb2.WalletTraded) -> Decision:
        if trade.trade_id in self.state.proposals:
            return Decision()
        buys = trade.side == common_pb2.SIDE_BUY
        slippage = self._slippage_micro if buys else -self._slippage_micro
        limit = min(MICRO - 10_000, max(10_000, trade.price_micro + slippage))
        proposal = risk_pb2.TradeProposal(
            portfolio=PORTFOLIO,
            leader=trade.wallet,
            condition_id=trade.condition_id,
            token_id=trade.token_id,
            outcome_index=trade.outcome_index,
            side=trade.side,
            limit_price_micro=limit,
            max_size_micro=trade.size_micro,
            fair_value_micro=min(MICRO - 1, trade.price_micro + self._edge_micro),
            deadline_ns=self.now_ns + DEADLINE_NS,
            asked_ns=self.now_ns,
        )
        proposal.meta.id = derived_id("orchestrator", "proposal", trade.meta.id)
        proposal.meta.cause = trade.meta.id
        proposal.meta.correlation = trade.meta.correlation
        proposal.meta.event_time_ns = trade.meta.event_time_ns
        proposal.meta.source = self.name
        proposed = decision_pb2.DECISION_OUTCOME_PROPOSED
        return self._said(proposed, proposal, trade.trade_id).ask(proposal, "risk")

    def on_approved(self, approval: risk_pb2.ApprovedTrade) -> Decision:
        named = risk_pb2.TradeProposal(condition_id=approval.condition_id)
        said = decision_pb2.DECISION_OUTCOME_APPROVED
        return self._said(said, named, approval.approval_id)

    def on_rejected(self, rejection: risk_pb2.RejectedTrade) -> Decision:
        named = risk_pb2.TradeProposal(condition_id=rejection.condition_id)
        return self._said(decision_pb2.DECISION_OUTCOME_REJECTED, named, rejection.rule)

    def on_unanswered(self, failed: agent_pb2.EffectFailed) -> Decision:
        named = risk_pb2.TradeProposal(condition_id=failed.effect_id)
        return self._said(decision_pb2.DECISION_OUTCOME_UNANSWERED, named, failed.type)

    def note(self, event: decision_pb2.DecisionMade) -> None:
        if event.outcome == decision_pb2.DECISION_OUTCOME_PROPOSED:
            self.state.proposals[event.approval_id] = len(self.state.proposals)
            return
        name = decision_pb2.DecisionOutcome.Name(event.outcome)
        self.state.answers[name] = self.state.answers.get(name, 0) + 1

    def _said(
        self,
        outcome: decision_pb2.DecisionOutcome.ValueType,
        proposal: risk_pb2.TradeProposal,
        reference: str,
    ) -> Decision:
        return Decision().emit(
            "decision.made",
            decision_pb2.DecisionMade(
                outcome=outcome,
                leader=proposal.leader,
                condition_id=proposal.condition_id,
                token_id=proposal.token_id,
                approval_id=reference,
            ),
        )
