"""The execution agent: approvals in, orders to the venue, the venue's word out as events.

An approval is verified, used once and announced before anything is sent. What is not known is
asked for by the order's known id and never sent blindly. While a portfolio is stopped no order is
announced, the performer holds back what was announced but not sent (it asks this agent's state
right before every send), and what rests is cancelled.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import taker_fee
from whaletrader.runtime.agent import Agent, Decision, Effect
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
)
from whaletrader.services.execution import state as book
from whaletrader.services.execution.admission import (
    Moment,
    OrderId,
    Working,
    admissibility,
    announced_order,
    running,
)
from whaletrader.services.execution.lifecycle import (
    WITHHELD,
    Ending,
    UnknownOrder,
    accepted,
    closed,
    ending,
    fill_events,
    fold,
    folded,
    order_of,
    refusal_status,
    said,
    unknown,
)
from whaletrader.services.execution.state import (
    ExecutionState,
    ExecutionViews,
    OrderRecord,
    Phase,
    Stop,
)
from whaletrader.venues.approval import VerifySignature

TOPIC: Final = "order.events"
# After so many doublings a look or a cancel is repeated at an even pace.
_DOUBLINGS_MAX: Final = 5
_SUBMIT_TYPE: Final = order_pb2.SubmitOrder.DESCRIPTOR.full_name


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """How the agent works. `lane` names the wallet: its orders leave one after another."""

    lane: str
    working: Working
    cancel_on_halt: bool = True
    # The first look after an order that nothing is known of, and the first repeated cancel;
    # doubled each time.
    look_after_ns: int = 2_000_000_000
    # How long the venue must have had no such order before we believe that it never will.
    unknown_grace_ns: int = 15_000_000_000


class ExecutionAgent(Agent[ExecutionState, ExecutionViews]):
    """One wallet's orders."""

    name = "execution"
    reads = ("control", "market.catalog", "market.data", "trade.approved")

    def __init__(self, policy: ExecutionPolicy, verify: VerifySignature, order_id: OrderId) -> None:
        super().__init__(ExecutionState(), ExecutionViews())
        self._policy = policy
        self._verify = verify
        self._order_id = order_id
        self.decides = {
            risk_pb2.ApprovedTrade: self._on_approved,
            control_pb2.ControlOrdered: self._on_control,
            order_pb2.OrderPlacement: self._on_placement,
            order_pb2.OrderCancellation: self._on_cancellation,
            order_pb2.VenueTradeSeen: self._on_trade,
            order_pb2.VenueOrderClosed: self._on_venue_closed,
            agent_pb2.TimerFired: self._on_timer,
            agent_pb2.EffectFailed: self._on_effect_failed,
        }
        self.evolves = {
            order_pb2.OrderAnnounced: lambda e: book.announce(self.state, e, self.now_ns),
            order_pb2.OrderAccepted: self._fold,
            order_pb2.OrderUnknown: self._fold,
            order_pb2.OrderMatched: self._fold,
            order_pb2.OrderConfirmed: self._fold,
            order_pb2.OrderReversed: self._fold,
            order_pb2.VenueOrderClosed: self._fold,
            order_pb2.OrderClosed: lambda e: book.close(self.state, e),
            risk_pb2.TradingStateChanged: lambda e: book.note_trading_state(self.state, e),
        }
        self.observes = {
            market_pb2.MarketListed: lambda m: book.note_listing(self.views, m),
            market_pb2.MarketResolved: lambda m: self.views.resolved.update({m.condition_id: True}),
        }

    # -- approvals and control ---------------------------------------------------------------

    def _on_approved(self, approval: risk_pb2.ApprovedTrade) -> Decision:
        decision = Decision()
        moment = Moment(self.state, self.views, self.now_ns)
        reasons = admissibility(approval, moment, self._verify)
        if not all(reason.passed for reason in reasons):
            return decision.emit(
                TOPIC,
                order_pb2.ApprovalRefused(
                    approval_id=approval.approval_id,
                    portfolio=approval.portfolio,
                    condition_id=approval.condition_id,
                    reasons=reasons,
                ),
            )
        terms = self.views.tokens[approval.token_id]
        announced = announced_order(approval, terms, self._policy.working, self._order_id)
        order_id = announced.order.order_id
        decision.emit(TOPIC, announced)
        submit = order_pb2.SubmitOrder(order=announced, approval=approval)
        decision.effects.append(Effect(submit, self._policy.lane, _submit_id(order_id)))
        due_ns = approval.meta.event_time_ns + self._policy.working.working_time_ns
        return decision.ask(agent_pb2.SetTimer(timer_id=f"work:0:{order_id}", due_ns=due_ns))

    def _on_control(self, order: control_pb2.ControlOrdered) -> Decision:
        decision = Decision()
        stop = {
            control_pb2.CONTROL_ACTION_HALT: Stop.HALT,
            control_pb2.CONTROL_ACTION_FLATTEN: Stop.FLATTEN,
        }.get(order.action)
        if stop is None and order.action != control_pb2.CONTROL_ACTION_RESUME:
            raise ValueError(f"control action {order.action} is not known")
        if stop is self.state.stops.get(order.portfolio):
            return decision
        decision.keep(
            risk_pb2.TradingStateChanged(
                portfolio=order.portfolio,
                halted=stop is not None,
                rule=stop.value if stop else "resume",
                detail=f"{order.operator}: {order.note}",
            )
        )
        if stop is Stop.FLATTEN or (stop is Stop.HALT and self._policy.cancel_on_halt):
            for record in self._open_orders():
                if record.portfolio == order.portfolio and record.phase is Phase.LIVE:
                    self._cancel(decision, record, 0)
        return decision

    # -- outcomes ----------------------------------------------------------------------------

    def _on_placement(self, placed: order_pb2.OrderPlacement) -> Decision:
        record = self._record(placed.order_id)
        decision = Decision()
        if placed.status == order_pb2.PLACEMENT_STATUS_LIVE:
            return self._found(decision, record, placed.detail)
        if record.phase is Phase.ANNOUNCED:
            if placed.status == order_pb2.PLACEMENT_STATUS_REFUSED:
                reason = said("venue.placement", 0, placed.detail)
                end = Ending(refusal_status(placed.detail), (reason,))
                return decision.emit(TOPIC, closed(record, end))
            return self._lost(decision, record, placed.detail)
        if record.phase is Phase.UNKNOWN and (
            placed.status == order_pb2.PLACEMENT_STATUS_REFUSED
            and self.now_ns >= record.unknown_since_ns + self._policy.unknown_grace_ns
        ):
            return decision.emit(TOPIC, closed(record, self._never_there(record, placed.detail)))
        # Still unknown: the next look is set already. Live or closed: nothing new.
        return decision

    def _on_cancellation(self, cancelled: order_pb2.OrderCancellation) -> Decision:
        # The close itself comes as VenueOrderClosed with what was matched, or as the fills that
        # complete it; until then the cancel timer keeps asking.
        self._record(cancelled.order_id)
        return Decision()

    def _on_effect_failed(self, failed: agent_pb2.EffectFailed) -> Decision:
        decision = Decision()
        if failed.type != _SUBMIT_TYPE:
            # Looks and cancels are repeated by their timers.
            return decision
        for record in self._open_orders():
            if record.phase is Phase.ANNOUNCED:
                order_id = order_of(record).order.order_id
                if _submit_id(order_id) == failed.effect_id:
                    return self._lost(decision, record, failed.error)
        return decision

    # -- the venue's stream ------------------------------------------------------------------

    def _on_trade(self, seen: order_pb2.VenueTradeSeen) -> Decision:
        record = self._record(seen.order_id)
        # A fill proves that the venue has the order, whatever came of the request to place it.
        events = accepted(record, "matched")
        events += fill_events(record, seen, self._fee_micro(record, seen.fill))
        return self._follow_up(Decision(), record, events)

    def _on_venue_closed(self, event: order_pb2.VenueOrderClosed) -> Decision:
        record = self._record(event.order_id)
        if record.venue_status:
            return Decision()
        events = accepted(record, "closed")
        told = order_pb2.VenueOrderClosed(
            order_id=event.order_id,
            status=event.status,
            matched_size_micro=event.matched_size_micro,
            detail=event.detail,
        )
        decision = self._follow_up(Decision(), record, [*events, told])
        if record.phase is not Phase.CLOSED and not _closes(decision):
            # Fills that it speaks of have not come yet, or are not settled.
            self._look(decision, event.order_id, 0)
        return decision

    # -- time --------------------------------------------------------------------------------

    def _on_timer(self, fired: agent_pb2.TimerFired) -> Decision:
        decision = Decision()
        kind, count, order_id = fired.timer_id.split(":", 2)
        record = self.state.orders.get(order_id)
        if record is None or record.phase is Phase.CLOSED:
            return decision
        if kind in ("work", "cancel"):
            if record.phase is Phase.LIVE and not record.venue_status:
                self._cancel(decision, record, int(count))
        elif record.phase is Phase.UNKNOWN or record.venue_status:
            # An order without its approval can be looked for, but not sent.
            decision.ask(order_pb2.SubmitOrder(order=order_of(record)), self._policy.lane)
            self._look(decision, order_id, int(count) + 1)
        return decision

    # -- steps -------------------------------------------------------------------------------

    def _found(self, decision: Decision, record: OrderRecord, venue_status: str) -> Decision:
        """The venue has the order, or had it."""
        if record.phase is Phase.CLOSED:
            is_ghost = not record.venue_status and record.close_status not in (
                order_pb2.CLOSE_STATUS_FILLED,
                order_pb2.CLOSE_STATUS_UNSPECIFIED,
            )
            if is_ghost:
                # We took it for dead, and it appeared after all: it must not rest there.
                decision.ask(order_pb2.CancelOrder(order=order_of(record).order), self._policy.lane)
            return decision
        events = accepted(record, venue_status)
        if not events:
            return decision
        self._follow_up(decision, record, events)
        if self._is_unwanted(record):
            self._cancel(decision, record, 0)
        return decision

    def _lost(self, decision: Decision, record: OrderRecord, detail: str) -> Decision:
        """Nothing is known: look for it until the venue says what became of it."""
        for event in unknown(record, detail):
            decision.emit(TOPIC, event)
            self._look(decision, order_of(record).order.order_id, 0)
        return decision

    def _follow_up(
        self, decision: Decision, record: OrderRecord, events: list[Message]
    ) -> Decision:
        """Say the events, and close the order if they end it."""
        for event in events:
            is_private = isinstance(event, order_pb2.VenueOrderClosed)
            decision.emit("" if is_private else TOPIC, event)
        after = folded(record, events, self.now_ns)
        end = ending(after)
        if end is not None:
            decision.emit(TOPIC, closed(after, end))
            if end.status == order_pb2.CLOSE_STATUS_FAILED:
                # Should the venue have put the failed part back on the book, it must go.
                order = order_pb2.CancelOrder(order=order_of(record).order)
                decision.ask(order, self._policy.lane)
        return decision

    def _never_there(self, record: OrderRecord, detail: str) -> Ending:
        announced = order_of(record)
        held = running(self.state, record.portfolio, announced.order.side)
        reasons = (said("venue.has_order", 0, detail), held)
        if not held.passed or detail == WITHHELD:
            return Ending(order_pb2.CLOSE_STATUS_CANCELLED, reasons)
        return Ending(order_pb2.CLOSE_STATUS_FAILED, reasons)

    def _cancel(self, decision: Decision, record: OrderRecord, count: int) -> None:
        ref = order_of(record).order
        decision.ask(order_pb2.CancelOrder(order=ref), self._policy.lane)
        self._set_timer(decision, "cancel", ref.order_id, count)

    def _look(self, decision: Decision, order_id: str, count: int) -> None:
        self._set_timer(decision, "look", order_id, count)

    def _set_timer(self, decision: Decision, kind: str, order_id: str, count: int) -> None:
        wait_ns = self._policy.look_after_ns << min(count, _DOUBLINGS_MAX)
        following = count + 1 if kind == "cancel" else count
        decision.ask(
            agent_pb2.SetTimer(
                timer_id=f"{kind}:{following}:{order_id}", due_ns=self.now_ns + wait_ns
            )
        )

    def _is_unwanted(self, record: OrderRecord) -> bool:
        """Whether an order that turned out to be live should not rest (any more)."""
        announced = order_of(record)
        stop = self.state.stops.get(record.portfolio)
        if stop is Stop.HALT and self._policy.cancel_on_halt:
            return True
        if stop is Stop.FLATTEN and announced.order.side == common_pb2.SIDE_BUY:
            return True
        working_ns = self._policy.working.working_time_ns
        return self.now_ns >= announced.meta.event_time_ns + working_ns

    def _fee_micro(self, record: OrderRecord, fill: order_pb2.Fill) -> int:
        """Makers pay nothing; takers pay by the market's schedule, which the trade leaves out."""
        if fill.fee_micro or fill.liquidity != order_pb2.LIQUIDITY_TAKER:
            return fill.fee_micro
        terms = self.views.tokens[record.token_id]
        return taker_fee(
            fill.price_micro, fill.size_micro, terms.fee_rate_micro, terms.fee_exponent
        )

    def _record(self, order_id: str) -> OrderRecord:
        record = self.state.orders.get(order_id)
        if record is None:
            raise UnknownOrder(f"order {order_id} was never announced here")
        return record

    def _open_orders(self) -> Iterable[OrderRecord]:
        return (r for r in self.state.orders.values() if r.phase is not Phase.CLOSED)

    def _fold(self, event: Message) -> None:
        private = isinstance(event, order_pb2.VenueOrderClosed)
        order_id = event.order_id if private else event.order.order_id  # type: ignore[attr-defined]
        fold(self._record(order_id), event, self.now_ns)


def _closes(decision: Decision) -> bool:
    return any(isinstance(emit.event, order_pb2.OrderClosed) for emit in decision.events)


def _submit_id(order_id: str) -> str:
    """Return the id of the effect that sends an order: known without being remembered."""
    return derived_id("execution", "submit", order_id)
