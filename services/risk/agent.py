"""Risk: the last word on every trade.

Proposals come as requests and are answered after the commit; order events move the book; the
control topic halts; prices move what is watched. Called by the shell only; knows no other agent.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from google.protobuf.message import Message

from whaletrader.runtime.agent import Agent, Decision
from whaletrader.runtime.codec import decode
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
    whale_pb2,
)
from whaletrader.services.risk import batch as batches
from whaletrader.services.risk import charter, exposure, folding, mandate, showing, states, views
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.approving import (
    EXPIRY,
    Notary,
    Sign,
    approval_for,
    refused_twin,
    rejection,
    was_approved,
)
from whaletrader.services.risk.booking import Booking
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.duties import Duties
from whaletrader.services.risk.gates import digest_of
from whaletrader.services.risk.limits import Limits
from whaletrader.services.risk.marks import Marks
from whaletrader.services.risk.policy_terms import RiskPolicy
from whaletrader.services.risk.rules import Rule, holds
from whaletrader.services.risk.state import RiskState, without_answers
from whaletrader.services.risk.verdict import judge
from whaletrader.services.risk.views import RiskViews

OrderEvent = TypeVar(
    "OrderEvent",
    order_pb2.OrderAnnounced,
    order_pb2.OrderMatched,
    order_pb2.OrderConfirmed,
    order_pb2.OrderReversed,
    order_pb2.OrderClosed,
)
WorkEvent = TypeVar("WorkEvent", order_pb2.WorkStarted, order_pb2.WorkFinished)

_ORDERS: Final = {
    control_pb2.CONTROL_ACTION_HALT: Alert.HALT,
    control_pb2.CONTROL_ACTION_RESUME: Alert.RESUME,
    control_pb2.CONTROL_ACTION_FLATTEN: Alert.FLATTEN,
}
# Execution's rules that say nothing about the approval of that id which risk gave.
_FORGERIES: Final = ("approval.signature", "approval.identified", "approval.unused")


class ProposalWithoutId(ValueError):
    """A proposal that cannot be told from another gets no answer, which means no."""


class RiskAgent(Agent[RiskState, RiskViews]):
    """One portfolio's risk. `sign` is pure: the same bytes give the same signature."""

    name = "risk"
    reads = (
        "control",
        "market.catalog",
        "market.data",
        "whale.discovered",
        "whale.pruned",
        "order.events",
    )

    def __init__(self, settings: RiskSettings, sign: Sign, key_id: str) -> None:
        super().__init__(RiskState(), RiskViews())
        self._portfolio = settings.portfolio
        # What is looked up before a policy is in force; nothing is approved by it.
        self._shipped = RiskPolicy().limits()
        self._marks = Marks()
        self._notary = Notary(sign, key_id)
        self._duties = Duties(self._notary)
        self.decides = {
            risk_pb2.TradeProposal: self.on_proposal,
            risk_pb2.BatchProposal: self.on_batch,
            risk_pb2.QuoteMandateProposal: self.on_mandate,
            risk_pb2.CheckProposal: self.on_check,
            risk_pb2.RiskQuery: lambda asked: showing.answer(self._desk, asked),
            risk_pb2.PolicyCommand: self.on_policy,
            control_pb2.ControlOrdered: self.on_control,
            order_pb2.OrderAnnounced: self._booked_by(exposure.on_announced),
            order_pb2.OrderMatched: self._booked_by(exposure.on_matched),
            order_pb2.OrderConfirmed: self._booked_by(exposure.on_confirmed),
            order_pb2.OrderReversed: self._booked_by(exposure.on_reversed),
            order_pb2.OrderClosed: self._booked_by(exposure.on_closed),
            order_pb2.WorkStarted: self._worked_by(exposure.on_work_started),
            order_pb2.WorkFinished: self._worked_by(exposure.on_work_finished),
            order_pb2.ApprovalRefused: self.on_refused,
            agent_pb2.TimerFired: self.on_timer,
            market_pb2.MarketResolved: self.on_resolved,
            market_pb2.TradePrinted: self.on_printed,
            whale_pb2.WhalePruned: self.on_pruned,
            whale_pb2.WhaleDiscovered: self.on_discovered,
        }
        self.evolves = dict.fromkeys(folding.FOLDS, self._fold)
        self.observes = {
            market_pb2.MarketListed: self.see_listed,
            market_pb2.TradePrinted: self.see_printed,
            market_pb2.BookSnapshotted: self.see_book,
            market_pb2.MarketResolved: self.see_resolved,
        }

    # -- requests ----------------------------------------------------------------------------

    def on_proposal(self, proposal: risk_pb2.TradeProposal) -> Decision:
        """Answer with a verdict that is journaled; asked again, with the same one."""
        known = self._answered(proposal.meta, digest_of(proposal))
        if known is not None:
            return known
        decision = Decision()
        desk, halt = self._desk, self._halt_now(decision)
        verdict = judge(desk, proposal, halt)
        if verdict.failed is None:
            approval = approval_for(proposal, verdict)
            self._notary.approve(decision, desk, approval, verdict.reserve_micro)
            decision.reply = approval
        else:
            refusal = rejection(proposal, verdict.reasons)
            decision.emit("trade.rejected", refusal)
            decision.reply = refusal
        return decision

    def on_batch(self, batch: risk_pb2.BatchProposal) -> Decision:
        """Approve every leg in one proportion, or none."""
        content = batches.digest_of_batch(batch)
        known = self._answered(batch.meta, content)
        if known is not None:
            return known
        decision = Decision()
        desk, halt = self._desk, self._halt_now(decision)
        verdict = batches.judge_batch(desk, batch, halt)
        said = batches.verdict_of(batch, verdict, content)
        for leg, judgement in verdict.legs:
            approval = approval_for(leg, judgement)
            self._notary.approve(decision, desk, approval, judgement.reserve_micro)
            said.approvals.append(approval)
        decision.reply = said
        return decision.keep(said)

    def on_mandate(self, asked: risk_pb2.QuoteMandateProposal) -> Decision:
        """Allow quoting within bounds, or refuse."""
        known = self._answered(asked.meta, mandate.digest_of_mandate(asked))
        if known is not None:
            return known
        decision = Decision()
        desk, halt = self._desk, self._halt_now(decision)
        verdict = mandate.judge_mandate(desk, asked, halt)
        if verdict.failed is None:
            ratio = desk.state.stance.size_micro_ratio
            given = mandate.mandate_for(asked, verdict, self.now_ns, ratio)
            self._notary.mandate(decision, desk, given, verdict.reserve_micro)
            decision.reply = given
            return decision
        refusal = rejection(mandate.as_buy(asked), verdict.reasons)
        refusal.proposal_digest = mandate.digest_of_mandate(asked)
        decision.reply = refusal
        return decision.emit("trade.rejected", refusal)

    def on_check(self, asked: risk_pb2.CheckProposal) -> Decision:
        """Answer what would be answered now. Nothing is set aside or remembered."""
        desk = self._desk
        due = states.by_time(desk)
        verdict = judge(desk, asked.proposal, "" if due is not None else self.state.halt)
        return Decision(reply=showing.checked(asked, verdict, self.state.stance.state))

    def on_policy(self, command: risk_pb2.PolicyCommand) -> Decision:
        """Show, propose, confirm or withdraw a policy."""
        decision = Decision()
        if command.portfolio != self._portfolio:
            detail = f"this agent guards {self._portfolio}, not {command.portfolio!r}"
            decision.reply = risk_pb2.PolicyAnswered(portfolio=self._portfolio, detail=detail)
            return decision
        outcome = charter.obey(self.state.charter, command, self.now_ns)
        outcome.answer.portfolio = self._portfolio
        if not command.from_file:
            decision.reply = outcome.answer
        if outcome.event is not None:
            outcome.event.portfolio = self._portfolio
            decision.emit("risk.alert", outcome.event)
        for alert, reasons in outcome.alerts:
            self._duties.tell(decision, self._portfolio, alert, reasons)
        for emit in decision.events:
            # A file tells no time; what follows from it happened now.
            emit.event.meta.event_time_ns = self.now_ns  # type: ignore[attr-defined]
        return decision

    # -- what people and others say ------------------------------------------------------------

    def on_control(self, order: control_pb2.ControlOrdered) -> Decision:
        """Halt, resume or sell everything. The same order given twice changes nothing twice."""
        decision = Decision()
        cause = _ORDERS.get(order.action)
        if order.portfolio != self._portfolio or cause is None:
            return decision
        detail = f"{order.operator}: {order.note}" if order.note else order.operator
        change = states.by_order(self._desk, cause)
        if change is None:
            return decision
        self._duties.switch(decision, self._desk, change, detail)
        if cause == Alert.FLATTEN:
            # Sales count their attempts from here, also when it is ordered again.
            self._duties.put_up_all(decision, self._desk_after(decision), order.meta)
        return decision

    def on_pruned(self, pruned: whale_pb2.WhalePruned) -> Decision:
        """Copy the wallet no more, and sell what copies of it hold where the policy says so."""
        if pruned.wallet in self.state.barred:
            return Decision()
        decision = Decision().keep(self._barred(pruned.wallet, barred=True))
        self._duties.watch(decision, self._desk_after(decision), pruned.meta)
        return decision

    def on_discovered(self, found: whale_pb2.WhaleDiscovered) -> Decision:
        """Allow copies of the wallet again."""
        if found.wallet not in self.state.barred:
            return Decision()
        return Decision().keep(self._barred(found.wallet, barred=False))

    def on_refused(self, refused: order_pb2.ApprovalRefused) -> Decision:
        """Set free what the approval held, unless an order came of it, or it was not ours."""
        failed = {reason.rule for reason in refused.reasons if not reason.passed}
        if failed.intersection(_FORGERIES):
            # Whoever forges or repeats an approval must not set the genuine one free.
            decision = Decision()
            told = [reason for reason in refused.reasons if not reason.passed]
            self._duties.tell(decision, self._portfolio, Alert.FORGED_APPROVAL, told)
            return decision
        return self._book(exposure.on_unused(self._desk, refused.approval_id), refused.meta)

    def on_timer(self, timer: agent_pb2.TimerFired) -> Decision:
        """Set free what an approval held that expired without an order."""
        approval_id = timer.timer_id.removeprefix(EXPIRY)
        return self._book(exposure.on_unused(self._desk, approval_id), timer.meta)

    def on_resolved(self, resolved: market_pb2.MarketResolved) -> Decision:
        """Pay out what is held in the market."""
        winner = self.views.winners.get(resolved.condition_id, "")
        if not winner or winner != resolved.winning_token_id:
            decision, detail = Decision(), f"{resolved.condition_id}: {resolved.winning_token_id}"
            reasons = [holds(Alert.RESULT_CONTRADICTED, False, detail)]
            self._duties.tell(decision, self._portfolio, Alert.RESULT_CONTRADICTED, reasons)
            return decision
        booking = exposure.on_resolved(self._desk, resolved.condition_id, winner)
        return self._book(booking, resolved.meta)

    def on_printed(self, printed: market_pb2.TradePrinted) -> Decision:
        """Watch what is held of the token; measure the desk when it is time."""
        decision = Decision()
        market = self.views.markets.get(printed.condition_id)
        tokens = market.tokens if market is not None else (printed.token_id,)
        for token in tokens:
            if token in self.state.lots:
                self._duties.watch(decision, self._desk, printed.meta, token)
                if self.state.halt == Alert.FLATTEN:
                    # What could not be sold for want of a price can be now.
                    self._duties.put_up_possible(decision, self._desk, printed.meta, token)
        return self._measured(decision, printed.meta)

    # -- the book --------------------------------------------------------------------------------

    def see_listed(self, listed: market_pb2.MarketListed) -> None:
        views.see_market(self.views, listed)
        self._marks.touch(listed.condition_id)

    def see_printed(self, printed: market_pb2.TradePrinted) -> None:
        if self._is_to_come(printed.meta):
            return
        dropped = views.see_print(self.views, printed, self._limits.bar_ns)
        for condition_id in filter(None, (printed.condition_id, dropped)):
            self._marks.see(condition_id)

    def see_book(self, book: market_pb2.BookSnapshotted) -> None:
        if not self._is_to_come(book.meta):
            views.see_book(self.views, book)

    def see_resolved(self, resolved: market_pb2.MarketResolved) -> None:
        views.see_resolution(self.views, resolved)
        # Its prices are gone: what is still set aside there is marked another way.
        self._marks.touch(resolved.condition_id)

    def _is_to_come(self, meta: common_pb2.Meta) -> bool:
        # A price from the future would be fresh for ever, and hide every real one until then.
        return meta.event_time_ns > self.now_ns + self._limits.clock_skew_ns_max

    def _booked_by(
        self, rule: Callable[[Desk, OrderEvent], Booking]
    ) -> Callable[[OrderEvent], Decision]:
        def handler(event: OrderEvent) -> Decision:
            if event.order.portfolio != self._portfolio:
                return Decision()
            return self._book(rule(self._desk, event), event.meta)

        return handler

    def _worked_by(
        self, rule: Callable[[Desk, WorkEvent], Booking]
    ) -> Callable[[WorkEvent], Decision]:
        def handler(event: WorkEvent) -> Decision:
            if event.portfolio != self._portfolio:
                return Decision()
            return self._book(rule(self._desk, event), event.meta)

        return handler

    def _book(self, booking: Booking, origin: common_pb2.Meta) -> Decision:
        decision = Decision()
        for event in booking.events:
            decision.keep(event)
        for alert, detail in booking.alerts:
            reasons = [holds(alert, False, detail)]
            self._duties.tell(decision, self._portfolio, alert, reasons)
        if booking.realized_micro:
            change = states.after_booking(self._desk, booking.changes)
            if change is not None:
                self._duties.switch(decision, self._desk, change)
        if self.state.stance.state in (states.FLATTEN, states.DELEVERAGE) and booking.changes:
            desk = self._desk_after(decision)
            self._duties.sell_on(decision, (self._desk, desk), booking.changes, origin)
        return self._measured(decision, origin)

    def _measured(self, decision: Decision, origin: common_pb2.Meta) -> Decision:
        """Measure the desk when it is time, and follow what comes of it."""
        is_due = self.now_ns >= self.state.history.measured_ns + self._limits.measure_every_ns
        # Another message will do as well: measures are of what is booked.
        if is_due and self.state.charter.is_open and not decision.events:
            self._duties.measure(decision, self._desk, origin)
        return decision

    # -- pieces ----------------------------------------------------------------------------------

    def _answered(self, meta: common_pb2.Meta, content: str) -> Decision | None:
        """Return the answer that was given to this id before, if one was."""
        if not meta.id:
            raise ProposalWithoutId("a proposal needs an id")
        known = self.state.verdicts.get(meta.id)
        if known is None and not was_approved(self.state, meta.id):
            return None
        if known is not None and known.asked == content:
            return Decision(reply=decode(known.type, known.payload))
        reason = holds(Rule.SAME_PROPOSAL, False, meta.id)
        decision = Decision(reply=refused_twin(meta, self._portfolio, reason))
        self._duties.tell(decision, self._portfolio, Alert.DUPLICATE_PROPOSAL, [reason])
        return decision

    def _halt_now(self, decision: Decision) -> str:
        """Return why nothing is bought; a state whose time is over ends here."""
        change = states.by_time(self._desk)
        if change is None:
            return self.state.halt
        self._duties.switch(decision, self._desk, change)
        return ""

    def _barred(self, wallet: str, *, barred: bool) -> risk_pb2.LeaderBarred:
        return risk_pb2.LeaderBarred(portfolio=self._portfolio, wallet=wallet, barred=barred)

    @property
    def _limits(self) -> Limits:
        return self.state.charter.limits or self._shipped

    @property
    def _desk(self) -> Desk:
        limits = self._limits
        self._marks.refresh(self.state, self.views, self.now_ns, limits.bar_ns)
        return Desk(self._portfolio, limits, self.state, self.views, self._marks, self.now_ns)

    def _desk_after(self, decision: Decision) -> Desk:
        """Return the desk as it will be after the decision, leaving the agent as it is."""
        book = without_answers(self.state)
        for emit in decision.events:
            folding.fold(book, emit.event, self.now_ns)
        return replace(self._desk, state=book)

    def _fold(self, event: Message) -> None:
        folding.fold(self.state, event, self.now_ns)
        if isinstance(event, risk_pb2.PolicyChanged):
            # Bars may be cut another way from here.
            self._marks = Marks()
        condition_id = getattr(event, "condition_id", "")
        if condition_id:
            self._marks.touch(condition_id)
