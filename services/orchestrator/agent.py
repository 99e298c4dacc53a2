"""From a whale's trade to a proposal, and from risk's verdict to a decision.

Every trade of a followed wallet gets a `DecisionMade` with the reasons, also when the answer is
no. The first word on a proposal counts: an answer to the request, or the same verdict on the log.
No answer means no; an approval that shows up on the log later is the truth, and is said again.
"""

from typing import Final

from whaletrader.domain.money import MoneyError, checked_price
from whaletrader.runtime.agent import Agent, Decision, Effect, event_id
from whaletrader.runtime.codec import type_name
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
    wallet_pb2,
    whale_pb2,
)
from whaletrader.services.orchestrator.config import Thresholds
from whaletrader.services.orchestrator.proposal import STRATEGY, copy_of, proposal_id_of
from whaletrader.services.orchestrator.rules import Desk, first_failed, reasons_for
from whaletrader.services.orchestrator.state import (
    LastPrice,
    Market,
    OrchestratorState,
    OrchestratorViews,
    Proposed,
    WhaleTrade,
    fold,
    signed_notional,
)

DECISIONS: Final = "decision.made"
LANE: Final = "approvals"

Verdict = risk_pb2.ApprovedTrade | risk_pb2.RejectedTrade


class OrchestratorAgent(Agent[OrchestratorState, OrchestratorViews]):
    """Follows whales, asks risk, says what was decided."""

    name = "orchestrator"
    reads = (
        "control",
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
        self.evolves = {decision_pb2.DecisionMade: self.follow}
        self.observes = {
            control_pb2.ControlOrdered: self.see_control,
            market_pb2.MarketListed: self.see_listed,
            market_pb2.TradePrinted: self.see_printed,
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
        if not self._is_candidate(trade) or proposal_id_of(trade) in self.state.proposals:
            return Decision()
        desk = Desk(self.state, self.views, self._thresholds, self.now_ns)
        reasons = reasons_for(desk, trade)
        decision = decision_pb2.DecisionMade(
            outcome=decision_pb2.DECISION_OUTCOME_DECLINED,
            leader=trade.wallet,
            strategy=STRATEGY,
            condition_id=trade.condition_id,
            token_id=trade.token_id,
            # What the whale did, for whoever reads why it was not copied.
            proposal=risk_pb2.TradeProposal(
                side=trade.side,
                limit_price_micro=trade.price_micro,
                max_size_micro=trade.size_micro,
            ),
            reasons=reasons,
        )
        if first_failed(reasons) is not None:
            return Decision().emit(DECISIONS, decision)
        decision_id = event_id(trade.meta, self.name, type_name(decision))
        proposal = copy_of(trade, decision_id, self.views, self._thresholds)
        proposal.meta.source = self.name
        proposal.meta.event_time_ns = trade.meta.event_time_ns
        proposal.asked_ns = self.now_ns
        proposal.deadline_ns = self.now_ns + self._thresholds.deadline_ns
        decision.outcome = decision_pb2.DECISION_OUTCOME_PROPOSED
        decision.proposal.CopyFrom(proposal)
        said = Decision().emit(DECISIONS, decision)
        # The effect bears the proposal's id, so that a failure to get an answer names it.
        said.effects.append(Effect(proposal, LANE, proposal.meta.id))
        return said

    def on_approved(self, verdict: risk_pb2.ApprovedTrade) -> Decision:
        """Say that risk agreed; also after no answer, or another one, had come first.

        An approval is on the log before anybody hears of it, so it always stands.
        """
        asked = self.state.proposals.get(verdict.proposal_id)
        if asked is None or asked.verdict == "approved":
            return Decision()
        said = _said(asked, verdict, decision_pb2.DECISION_OUTCOME_APPROVED)
        said.approval_id = verdict.approval_id
        said.proposal.limit_price_micro = verdict.limit_price_micro
        said.proposal.max_size_micro = verdict.size_micro
        return Decision().emit(DECISIONS, said)

    def on_rejected(self, verdict: risk_pb2.RejectedTrade) -> Decision:
        """Say that risk refused."""
        asked = self.state.proposals.get(verdict.proposal_id)
        if asked is None or asked.verdict:
            return Decision()
        said = _said(asked, verdict, decision_pb2.DECISION_OUTCOME_REJECTED)
        return Decision().emit(DECISIONS, said)

    def on_unanswered(self, failed: agent_pb2.EffectFailed) -> Decision:
        """No answer means no."""
        asked = self.state.proposals.get(failed.effect_id)
        if asked is None or asked.verdict:
            return Decision()
        said = _about(asked, failed.effect_id, decision_pb2.DECISION_OUTCOME_UNANSWERED)
        said.reasons.add(
            rule="answered",
            limit=self._thresholds.deadline_ns,
            unit=common_pb2.UNIT_NANOSECONDS,
            detail=failed.error,
        )
        return Decision().emit(DECISIONS, said)

    def follow(self, decision: decision_pb2.DecisionMade) -> None:
        """Fold one of our own decisions."""
        fold(self.state, decision)

    def see_control(self, order: control_pb2.ControlOrdered) -> None:
        if order.portfolio != self._thresholds.portfolio:
            return
        if order.action == control_pb2.CONTROL_ACTION_RESUME:
            self.views.halted_by = ""
        elif order.action != control_pb2.CONTROL_ACTION_UNSPECIFIED:
            self.views.halted_by = order.operator or "operator"

    def see_listed(self, listed: market_pb2.MarketListed) -> None:
        if listed.tick_size_micro <= 0:
            return  # Without a tick no price can be named: it stays unknown.
        self.views.markets[listed.condition_id] = Market(
            tokens=tuple(token.token_id for token in listed.tokens),
            tick_micro=listed.tick_size_micro,
            min_size_micro=listed.min_size_micro,
            opens_ns=listed.opens_ns,
            ends_ns=listed.ends_ns,
        )

    def see_resolved(self, resolved: market_pb2.MarketResolved) -> None:
        self.views.decided[resolved.condition_id] = resolved.winning_token_id
        self.views.forget_market(resolved.condition_id)

    def see_printed(self, printed: market_pb2.TradePrinted) -> None:
        at_ns = printed.meta.event_time_ns
        last = self.views.prices.get(printed.token_id)
        if (last is None or last.at_ns <= at_ns) and not self._is_decided(printed.condition_id):
            self.views.prices[printed.token_id] = LastPrice(printed.price_micro, at_ns)

    def see_whale(self, whale: whale_pb2.WhaleDiscovered) -> None:
        self.views.whales[whale.wallet] = whale.score.edge_micro

    def see_score(self, scored: whale_pb2.WhaleScored) -> None:
        if scored.wallet in self.views.whales:
            self.views.whales[scored.wallet] = scored.score.edge_micro

    def see_pruned(self, pruned: whale_pb2.WhalePruned) -> None:
        self.views.whales.pop(pruned.wallet, None)

    def see_wallet_traded(self, trade: wallet_pb2.WalletTraded) -> None:
        if not self._is_candidate(trade) or self._is_decided(trade.condition_id):
            return
        _check(trade)
        change = trade.size_micro if trade.side == common_pb2.SIDE_BUY else -trade.size_micro
        self.views.note_stance(trade.wallet, trade.token_id, change)
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
        if order.portfolio != self._thresholds.portfolio or self._is_decided(order.condition_id):
            return
        sign = 1 if order.side == common_pb2.SIDE_BUY else -1
        self.views.hold(order.leader, order.token_id, sign * size_micro)

    def _is_decided(self, condition_id: str) -> bool:
        return condition_id in self.views.decided

    def _is_candidate(self, trade: wallet_pb2.WalletTraded) -> bool:
        # Whom we stopped following we still follow out of what we hold.
        holds = self.views.holding(trade.wallet, trade.token_id) > 0
        return trade.wallet in self.views.whales or (holds and trade.side == common_pb2.SIDE_SELL)


def _check(trade: wallet_pb2.WalletTraded) -> None:
    checked_price(trade.price_micro)
    if trade.size_micro <= 0:
        raise MoneyError(f"a trade of {trade.size_micro} micro-shares")
    if trade.side not in (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL):
        raise MoneyError("a trade that is neither a buy nor a sale")


def _said(
    asked: Proposed, verdict: Verdict, outcome: decision_pb2.DecisionOutcome.ValueType
) -> decision_pb2.DecisionMade:
    said = _about(asked, verdict.proposal_id, outcome)
    said.reasons.extend(verdict.reasons)
    return said


def _about(
    asked: Proposed, proposal_id: str, outcome: decision_pb2.DecisionOutcome.ValueType
) -> decision_pb2.DecisionMade:
    """Return a decision about a proposal, with the terms that it was proposed on."""
    said = decision_pb2.DecisionMade(
        outcome=outcome,
        leader=asked.leader,
        strategy=asked.strategy,
        condition_id=asked.condition_id,
        token_id=asked.token_id,
    )
    said.proposal.meta.id = proposal_id
    said.proposal.side = common_pb2.Side.ValueType(asked.side)
    said.proposal.limit_price_micro = asked.limit_price_micro
    said.proposal.max_size_micro = asked.size_micro
    return said
