"""The execution agent: approvals in, orders to the venue, the venue's word out as events.

An approval is verified, used once and worked as one or more orders, each announced before
anything is sent. What is not known is asked for by the order's known id and never sent blindly.
While a portfolio is stopped no order is announced, the performer holds back what was announced
but not sent (it asks this agent's state right before every send), and what rests is cancelled.
"""

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import Message

from whaletrader.runtime.agent import Agent, Decision
from whaletrader.schemas import (
    agent_pb2,
    control_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
)
from whaletrader.services.execution import holdings, orders, stops, works
from whaletrader.services.execution import state as book
from whaletrader.services.execution.admission import Moment, admissibility
from whaletrader.services.execution.lifecycle import fold
from whaletrader.services.execution.scene import (
    TOPIC,
    ExecutionPolicy,
    OrderId,
    Scene,
    Working,
    book_id,
)
from whaletrader.services.execution.state import ExecutionState, ExecutionViews
from whaletrader.venues.approval import VerifySignature

__all__ = ["ExecutionAgent", "ExecutionPolicy", "Working"]

_SUBMIT_TYPE: Final = order_pb2.SubmitOrder.DESCRIPTOR.full_name
_READ_TYPE: Final = order_pb2.ReadBook.DESCRIPTOR.full_name


class ExecutionAgent(Agent[ExecutionState, ExecutionViews]):
    """One wallet's orders."""

    name = "execution"
    reads = ("control", "risk.alert", "market.catalog", "market.data", "trade.approved")

    def __init__(self, policy: ExecutionPolicy, verify: VerifySignature, order_id: OrderId) -> None:
        super().__init__(ExecutionState(), ExecutionViews())
        self._policy = policy
        self._verify = verify
        self._order_id = order_id
        self.decides = {
            risk_pb2.ApprovedTrade: self._on_approved,
            control_pb2.ControlOrdered: self._by(stops.on_control),
            risk_pb2.TradingStateChanged: self._by(stops.on_risk_state),
            order_pb2.BookRead: self._on_book,
            order_pb2.OrderPlacement: self._by(orders.on_placement),
            order_pb2.OrderResolved: self._by(orders.on_resolved),
            order_pb2.OrderCancellation: self._by(orders.on_cancellation),
            order_pb2.VenueTradeSeen: self._by(orders.on_trade),
            order_pb2.VenueOrderClosed: self._by(orders.on_venue_closed),
            order_pb2.HoldingsSeen: self._by(holdings.on_holdings),
            agent_pb2.TimerFired: self._on_timer,
            agent_pb2.EffectFailed: self._on_effect_failed,
        }
        self.evolves = {
            order_pb2.OrderAnnounced: lambda e: book.announce(self.state, e, self.now_ns),
            order_pb2.OrderSubmitted: self._fold,
            order_pb2.OrderAccepted: self._fold_accepted,
            order_pb2.OrderUnknown: self._fold,
            order_pb2.OrderMatched: self._fold_fill,
            order_pb2.OrderMined: self._fold,
            order_pb2.OrderConfirmed: self._fold_fill,
            order_pb2.OrderReversed: self._fold_fill,
            order_pb2.VenueOrderClosed: self._fold,
            order_pb2.OrderResolved: self._fold,
            order_pb2.OrderClosed: self._fold_closed,
            order_pb2.WorkStarted: lambda e: book.begin(self.state, e),
            order_pb2.WorkAdvanced: lambda e: self.state.works[e.approval_id].note(e),
            order_pb2.ChildSkipped: lambda e: book.note_skip(self.state, e),
            order_pb2.WorkFinished: lambda e: book.finish(self.state, e),
            risk_pb2.TradingStateChanged: lambda e: book.note_trading_state(self.state, e),
            order_pb2.PositionsReconciled: lambda e: holdings.note_agreed(self.state, e),
            order_pb2.ReconciliationFailed: lambda e: holdings.note_differing(self.state, e),
        }
        self.observes = {
            market_pb2.MarketListed: lambda m: book.note_listing(self.views, m),
            market_pb2.MarketResolved: lambda m: self.views.resolved.update({m.condition_id: True}),
            market_pb2.BookSnapshotted: lambda m: book.note_book(self.views, m),
        }

    def _on_approved(self, approval: risk_pb2.ApprovedTrade) -> Decision:
        scene = self._scene()
        moment = Moment(self.state, self.views, self.now_ns)
        reasons = admissibility(approval, moment, self._verify)
        if all(reason.passed for reason in reasons):
            works.begin(scene, approval)
            return scene.decision
        return scene.decision.emit(
            TOPIC,
            order_pb2.ApprovalRefused(
                approval_id=approval.approval_id,
                portfolio=approval.portfolio,
                condition_id=approval.condition_id,
                reasons=reasons,
            ),
        )

    def _on_book(self, read: order_pb2.BookRead) -> Decision:
        scene = self._scene()
        work = scene.work(read.approval_id)
        if work is not None:
            works.on_book(scene, work, read)
        return scene.decision

    def _on_timer(self, fired: agent_pb2.TimerFired) -> Decision:
        scene = self._scene()
        kind, count, name = fired.timer_id.split(":", 2)
        work = scene.work(name)
        if kind == "cancel":
            orders.on_cancel_due(scene, name, int(count))
        elif kind == "look":
            orders.on_look_due(scene, name, int(count))
        elif kind == "leg" and work is not None:
            works.on_leg_over(scene, work, int(count))
        elif kind == "retry" and work is not None:
            works.proceed(scene, work)
        return scene.decision

    def _on_effect_failed(self, failed: agent_pb2.EffectFailed) -> Decision:
        scene = self._scene()
        if failed.type == _SUBMIT_TYPE:
            orders.on_submit_failed(scene, failed)
        elif failed.type == _READ_TYPE:
            for approval_id in list(self.state.works):
                work = scene.work(approval_id)
                if work is not None and book_id(approval_id) == failed.effect_id:
                    works.failed(scene, work, failed.error)
        # Looks and cancels are repeated by their timers.
        return scene.decision

    def _by(self, handler: Callable[[Scene, Any], None]) -> Callable[[Any], Decision]:
        def decide(message: Message) -> Decision:
            scene = self._scene()
            handler(scene, message)
            return scene.decision

        return decide

    def _scene(self) -> Scene:
        return Scene(self._policy, self.state, self.views, self.now_ns, self._order_id)

    # -- folds -------------------------------------------------------------------------------

    def _fold(self, event: Any) -> None:
        private = isinstance(event, order_pb2.VenueOrderClosed | order_pb2.OrderResolved)
        order_id = event.order_id if private else event.order.order_id
        fold(self.state.orders[order_id], event, self.now_ns)

    def _fold_accepted(self, event: order_pb2.OrderAccepted) -> None:
        self._fold(event)
        work = self.state.works.get(event.order.approval_id)
        if work is not None:
            work.failures = 0

    def _fold_fill(self, event: Any) -> None:
        self._fold(event)
        holdings.note_fill(self.state.balance, event, self.now_ns)

    def _fold_closed(self, event: order_pb2.OrderClosed) -> None:
        self._fold(event)
        book.count_closed(self.state)
