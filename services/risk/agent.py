"""Risk: the last word on every trade.

Proposals come as requests and are answered after the commit; order events move the book; the
control topic halts. Called by the shell only; knows no other agent.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.approval import signing_bytes
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Agent, Decision, event_id
from whaletrader.runtime.codec import decode, type_name
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
)
from whaletrader.services.risk import exposure, facts, flatten, state, views
from whaletrader.services.risk.config import RiskSettings, micro
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.exposure import Booking
from whaletrader.services.risk.rules import USD, Alert, Rule, at_most
from whaletrader.services.risk.state import FLATTEN, RiskState
from whaletrader.services.risk.verdict import Judgement, judge
from whaletrader.services.risk.views import RiskViews

Sign = Callable[[bytes], bytes]
OrderEvent = TypeVar(
    "OrderEvent",
    order_pb2.OrderAnnounced,
    order_pb2.OrderMatched,
    order_pb2.OrderConfirmed,
    order_pb2.OrderReversed,
    order_pb2.OrderClosed,
)

_EXPIRY: Final = "approval-expiry/"
_MICRO_ALL: Final = 1_000_000
_CRITICAL: Final = risk_pb2.SEVERITY_CRITICAL
_SEVERITIES: Final = {
    Alert.RESUME: risk_pb2.SEVERITY_INFO,
    Alert.DAY_OVER: risk_pb2.SEVERITY_INFO,
    Alert.HALT: risk_pb2.SEVERITY_WARNING,
    Alert.FLATTEN: risk_pb2.SEVERITY_WARNING,
}


class ProposalWithoutId(ValueError):
    """A proposal that cannot be told from another gets no answer, which means no."""


class RiskAgent(Agent[RiskState, RiskViews]):
    """One portfolio's risk. `sign` is pure: the same bytes give the same signature."""

    name = "risk"
    reads = ("control", "market.catalog", "market.data", "order.events")

    def __init__(self, settings: RiskSettings, sign: Sign, key_id: str) -> None:
        super().__init__(RiskState(cash_micro=micro(settings.starting_cash_usd)), RiskViews())
        self._portfolio = settings.portfolio
        self._limits = settings.limits()
        self._sign = sign
        self._key_id = key_id
        self.decides = {
            risk_pb2.TradeProposal: self.on_proposal,
            control_pb2.ControlOrdered: self.on_control,
            order_pb2.OrderAnnounced: self._booked_by(exposure.on_announced),
            order_pb2.OrderMatched: self._booked_by(exposure.on_matched),
            order_pb2.OrderConfirmed: self._booked_by(exposure.on_confirmed),
            order_pb2.OrderReversed: self._booked_by(exposure.on_reversed),
            order_pb2.OrderClosed: self._booked_by(exposure.on_closed),
            order_pb2.ApprovalRefused: self.on_refused,
            agent_pb2.TimerFired: self.on_timer,
            market_pb2.MarketResolved: self.on_resolved,
        }
        self.evolves = dict.fromkeys(state.FOLDS, self._fold)
        self.observes = {
            market_pb2.MarketListed: lambda listed: views.see_market(self.views, listed),
            market_pb2.TradePrinted: lambda printed: views.see_print(self.views, printed),
            market_pb2.MarketResolved: lambda resolved: views.see_resolution(self.views, resolved),
        }

    def on_proposal(self, proposal: risk_pb2.TradeProposal) -> Decision:
        """Answer with a verdict that is journaled; asked again, with the same one."""
        if not proposal.meta.id:
            raise ProposalWithoutId("a proposal needs an id")
        known = self.state.verdicts.get(proposal.meta.id)
        if known is not None:
            return Decision(reply=decode(known.type, known.payload))
        decision = Decision()
        halt = self._halt_after_midnight(decision)
        verdict = judge(self._desk, proposal, halt)
        if verdict.failed is None:
            self._approve(decision, self._approval_for(proposal, verdict), verdict.reserve_micro)
        else:
            decision.emit("trade.rejected", _rejection(proposal, verdict, verdict.failed))
        answers = (risk_pb2.ApprovedTrade, risk_pb2.RejectedTrade)
        decision.reply = next(e.event for e in decision.events if isinstance(e.event, answers))
        return decision

    def on_control(self, order: control_pb2.ControlOrdered) -> Decision:
        """Halt, resume or sell everything. The same order given twice changes nothing twice."""
        decision = Decision()
        if order.portfolio != self._portfolio:
            return decision
        detail = f"{order.operator}: {order.note}" if order.note else order.operator
        if order.action == control_pb2.CONTROL_ACTION_HALT:
            self._switch(decision, Alert.HALT, detail)
        elif order.action == control_pb2.CONTROL_ACTION_RESUME and self.state.halt:
            self._switch(decision, Alert.RESUME, detail)
        elif order.action == control_pb2.CONTROL_ACTION_FLATTEN:
            self._switch(decision, Alert.FLATTEN, detail)
            # Sales count their attempts from here, also when it is ordered again.
            desk = self._desk_after(decision)
            self._put_up(decision, flatten.sales(desk), order.meta)
        return decision

    def on_refused(self, refused: order_pb2.ApprovalRefused) -> Decision:
        """Set free what the approval held, unless an order came of it."""
        return self._book(exposure.on_unused(self._desk, refused.approval_id), refused.meta)

    def on_timer(self, timer: agent_pb2.TimerFired) -> Decision:
        """Set free what an approval held that expired without an order."""
        approval_id = timer.timer_id.removeprefix(_EXPIRY)
        return self._book(exposure.on_unused(self._desk, approval_id), timer.meta)

    def on_resolved(self, resolved: market_pb2.MarketResolved) -> Decision:
        """Pay out what is held in the market."""
        winner = self.views.winners[resolved.condition_id]
        booking = exposure.on_resolved(self._desk, resolved.condition_id, winner)
        return self._book(booking, resolved.meta)

    def _booked_by(
        self, rule: Callable[[Desk, OrderEvent], Booking]
    ) -> Callable[[OrderEvent], Decision]:
        def handler(event: OrderEvent) -> Decision:
            if event.order.portfolio != self._portfolio:
                return Decision()
            return self._book(rule(self._desk, event), event.meta)

        return handler

    def _book(self, booking: Booking, origin: common_pb2.Meta) -> Decision:
        decision = Decision()
        for event in booking.events:
            decision.keep(event)
        for alert, detail in booking.alerts:
            self._tell(decision, alert, detail)
        self._halt_on_loss(decision, booking.realized_micro)
        if self.state.halt == Alert.FLATTEN and booking.changes:
            desk = self._desk_after(decision)
            for token in dict.fromkeys(change.token_id for change in booking.changes):
                self._put_up(decision, flatten.sales(desk, token), origin)
        return decision

    def _halt_on_loss(self, decision: Decision, realized_micro: int) -> None:
        desk = self._desk
        loss = max(0, -(self.state.realized_on(desk.today) + realized_micro))
        limit = self._limits.day_loss_micro_max
        if realized_micro < 0 and loss >= limit and not self.state.halt:
            reason = at_most(Rule.DAY_LOSS, loss, limit, USD)
            reason.passed = False
            self._switch(decision, Alert.DAY_LOSS, "", reason)

    def _halt_after_midnight(self, decision: Decision) -> str:
        """Return why trading is halted. A halt by a day's loss may end with the day."""
        if self.state.halt != Alert.DAY_LOSS or self._limits.day_loss_needs_resume:
            return self.state.halt
        if self._desk.today <= self.state.halt_day:
            return self.state.halt
        self._switch(decision, Alert.DAY_OVER, "")
        return ""

    def _switch(
        self, decision: Decision, cause: Alert, detail: str, *reasons: common_pb2.Reason
    ) -> None:
        halted = cause not in (Alert.RESUME, Alert.DAY_OVER)
        if cause != Alert.FLATTEN and self.state.halt == cause:
            return
        decision.keep(
            risk_pb2.TradingStateChanged(
                portfolio=self._portfolio, halted=halted, rule=cause, detail=detail
            )
        )
        self._tell(decision, cause, detail, *reasons)

    def _tell(
        self, decision: Decision, alert: Alert, detail: str, *reasons: common_pb2.Reason
    ) -> None:
        decision.emit(
            "risk.alert",
            risk_pb2.RiskAlerted(
                portfolio=self._portfolio,
                severity=_SEVERITIES.get(alert, _CRITICAL),
                rule=alert,
                reasons=reasons or [common_pb2.Reason(rule=alert, detail=detail)],
            ),
        )

    def _put_up(
        self, decision: Decision, sales: list[flatten.Sale], origin: common_pb2.Meta
    ) -> None:
        for sale in sales:
            decision.emit(
                "risk.derisk",
                risk_pb2.DeriskOrdered(
                    portfolio=self._portfolio,
                    condition_id=sale.lot.condition_id,
                    token_id=sale.token_id,
                    reduce_micro_ratio=_MICRO_ALL,
                    reasons=sale.reasons,
                ),
            )
            if sale.is_possible:
                self._approve(decision, self._approval_of_sale(decision, sale, origin), 0)
            else:
                failed = next(reason for reason in sale.reasons if not reason.passed)
                self._tell(decision, Alert.NOT_FLATTENED, sale.token_id, failed)

    def _approval_for(
        self, proposal: risk_pb2.TradeProposal, verdict: Judgement
    ) -> risk_pb2.ApprovedTrade:
        return risk_pb2.ApprovedTrade(
            meta=_meta_after(proposal.meta, 0),
            approval_id=derived_id("risk", "approval", proposal.meta.id),
            proposal_id=proposal.meta.id,
            portfolio=proposal.portfolio,
            leader=proposal.leader,
            strategy=proposal.strategy,
            condition_id=proposal.condition_id,
            token_id=proposal.token_id,
            outcome_index=proposal.outcome_index,
            side=proposal.side,
            limit_price_micro=verdict.price_micro,
            size_micro=verdict.size_micro,
            reasons=verdict.reasons,
        )

    def _approval_of_sale(
        self, decision: Decision, sale: flatten.Sale, origin: common_pb2.Meta
    ) -> risk_pb2.ApprovedTrade:
        before = sum(isinstance(emit.event, risk_pb2.ApprovedTrade) for emit in decision.events)
        proposal_id = derived_id("risk", FLATTEN, origin.id, sale.token_id, sale.leader)
        market = self.views.markets[sale.lot.condition_id]
        return risk_pb2.ApprovedTrade(
            meta=_meta_after(origin, before),
            approval_id=derived_id("risk", "approval", proposal_id),
            proposal_id=proposal_id,
            portfolio=self._portfolio,
            leader=sale.leader,
            strategy=FLATTEN,
            condition_id=sale.lot.condition_id,
            token_id=sale.token_id,
            outcome_index=market.tokens.index(sale.token_id),
            side=common_pb2.SIDE_SELL,
            limit_price_micro=sale.price_micro,
            size_micro=sale.size_micro,
            reasons=sale.reasons,
        )

    def _approve(
        self, decision: Decision, approval: risk_pb2.ApprovedTrade, reserve_micro: int
    ) -> None:
        """Sign, say, set aside, and look again when it has expired."""
        approval.expires_ns = self.now_ns + self._limits.approval_ttl_ns
        approval.key_id = self._key_id
        approval.signature = self._sign(signing_bytes(approval))
        decision.emit("trade.approved", approval)
        decision.keep(
            risk_pb2.ExposureChanged(
                meta=common_pb2.Meta(id=facts.reserved(approval.approval_id)),
                portfolio=approval.portfolio,
                approval_id=approval.approval_id,
                condition_id=approval.condition_id,
                token_id=approval.token_id,
                leader=approval.leader,
                reserved_delta_micro=reserve_micro,
            )
        )
        decision.ask(
            agent_pb2.SetTimer(
                timer_id=_EXPIRY + approval.approval_id,
                due_ns=approval.expires_ns + self._limits.expiry_grace_ns,
            )
        )

    @property
    def _desk(self) -> Desk:
        return Desk(self._portfolio, self._limits, self.state, self.views, self.now_ns)

    def _desk_after(self, decision: Decision) -> Desk:
        """Return the desk as it will be after the decision, leaving the agent as it is."""
        book = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=RiskState)
        for emit in decision.events:
            state.fold(book, emit.event, self.now_ns)
        return replace(self._desk, state=book)

    def _fold(self, event: Message) -> None:
        state.fold(self.state, event, self.now_ns)


def _rejection(
    proposal: risk_pb2.TradeProposal, verdict: Judgement, failed: common_pb2.Reason
) -> risk_pb2.RejectedTrade:
    return risk_pb2.RejectedTrade(
        proposal_id=proposal.meta.id,
        portfolio=proposal.portfolio,
        leader=proposal.leader,
        condition_id=proposal.condition_id,
        token_id=proposal.token_id,
        rule=failed.rule,
        reasons=verdict.reasons,
    )


def _meta_after(origin: common_pb2.Meta, ordinal: int) -> common_pb2.Meta:
    # Complete before it is signed: what the core would stamp afterwards is covered, too.
    return common_pb2.Meta(
        id=event_id(origin, RiskAgent.name, type_name(risk_pb2.ApprovedTrade), ordinal),
        cause=origin.id,
        correlation=origin.correlation or origin.id,
        event_time_ns=origin.event_time_ns,
        source=RiskAgent.name,
    )
