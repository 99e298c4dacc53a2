"""What every decision of the agent looks at: its policy, state, views and the time. Pure.

A scene lives for one decision. It also holds the orders as they will be after the events that the
decision has made so far, so that the next step is taken from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Decision, Effect
from whaletrader.schemas import agent_pb2, common_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.state import (
    ExecutionState,
    ExecutionViews,
    OrderRecord,
    Stop,
    stop_of,
)
from whaletrader.services.execution.working.plan import Leg, plan_of
from whaletrader.services.execution.working.terms import (
    REBATES_MICRO_RATIO,
    FeeTerms,
    TacticSettings,
)
from whaletrader.services.execution.working.terms import SINGLE as SINGLE_ONLY
from whaletrader.services.execution.working.work import Work

TOPIC = "order.events"
# The id that the venue will give to announced terms; pure.
OrderId = Callable[[order_pb2.OrderAnnounced], str]
# After so many doublings a look, a cancel or a retry is repeated at an even pace.
_DOUBLINGS_MAX = 5


@dataclass(frozen=True, slots=True)
class Working:
    """How long a single order is worked.

    `gtd_margin_s` makes orders GTD: the venue itself drops them about that long after their time,
    should we be gone by then; 0 makes them GTC.
    """

    working_time_ns: int
    gtd_margin_s: int = 0


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
    tactics: TacticSettings = SINGLE_ONLY
    # How far cash may be from our books, in micro-dollars, before it is a difference.
    cash_tolerance_micro: int = 0


@dataclass(slots=True)
class Scene:
    """One decision's surroundings."""

    policy: ExecutionPolicy
    state: ExecutionState
    views: ExecutionViews
    now_ns: int
    order_id: OrderId
    decision: Decision = field(default_factory=Decision)
    # Orders and works as they are after this decision's events so far.
    changed: dict[str, OrderRecord] = field(default_factory=dict)
    works: dict[str, Work] = field(default_factory=dict)
    finished: dict[str, bool] = field(default_factory=dict)
    # Stops that this decision orders or lifts.
    ordered: dict[str, Stop | None] = field(default_factory=dict)

    def record(self, order_id: str) -> OrderRecord:
        """Return an order as it is by now."""
        return self.changed.get(order_id) or self.state.orders[order_id]

    def work(self, approval_id: str) -> Work | None:
        """Return an approved trade as it is by now: a copy, for a decision changes no state."""
        if approval_id in self.finished:
            return None
        if approval_id not in self.works and approval_id in self.state.works:
            kept = self.state.works[approval_id]
            self.works[approval_id] = msgspec.structs.replace(kept, orders=list(kept.orders))
        return self.works.get(approval_id)

    def stop_of(self, portfolio: str) -> Stop | None:
        """Return why a portfolio may not trade, with what was ordered just now."""
        return self.ordered.get(portfolio) or stop_of(self.state, portfolio)

    def orders_of(self, work: Work) -> list[OrderRecord]:
        """Return the orders of an approved trade, oldest first."""
        return [self.record(order_id) for order_id in work.orders]

    def plan(self, work: Work) -> tuple[Leg, ...]:
        """Return the legs of a work's tactic."""
        policy = self.policy
        return plan_of(work.tactic, policy.tactics, policy.working.working_time_ns)

    def fees(self, token_id: str) -> FeeTerms:
        """Return a token's fees and rebates; none for one that is not in the catalogue."""
        terms = self.views.tokens.get(token_id)
        if terms is None:
            return FeeTerms(0, 1, 0)
        rebate = REBATES_MICRO_RATIO.get(terms.category, 0)
        return FeeTerms(terms.fee_rate_micro, terms.fee_exponent, rebate)

    def running(self, portfolio: str, side: int) -> common_pb2.Reason:
        """Hold every stop against a new order."""
        return running(self.stop_of(portfolio), side)

    def must_go(self, portfolio: str, side: int) -> bool:
        """Whether a resting order is to be taken off because of a stop."""
        stop = self.stop_of(portfolio)
        if stop in (Stop.HALT, Stop.DIFFERENCE):
            return self.policy.cancel_on_halt
        return stop in (Stop.FLATTEN, Stop.REDUCE) and side == common_pb2.SIDE_BUY

    def cancel(self, record: OrderRecord, count: int = 0) -> None:
        """Ask for an order to be taken off, and again until it is gone."""
        ref = order_pb2.OrderAnnounced.FromString(record.announced).order
        self.decision.ask(order_pb2.CancelOrder(order=ref), self.policy.lane)
        self.timer(f"cancel:{count + 1}:{ref.order_id}", self.wait_ns(count))

    def look(self, order_id: str, count: int = 0) -> None:
        """Ask later what became of an order."""
        self.timer(f"look:{count}:{order_id}", self.wait_ns(count))

    def resolve(self, record: OrderRecord) -> None:
        """Ask now what became of an order."""
        order = order_pb2.OrderAnnounced.FromString(record.announced)
        self.decision.ask(order_pb2.ResolveOrder(order=order), self.policy.lane)

    def submit(
        self,
        order: order_pb2.OrderAnnounced,
        approval: risk_pb2.ApprovedTrade,
        *,
        look_first: bool = False,
    ) -> None:
        """Send an announced order; `look_first`: it may have been sent before."""
        message = order_pb2.SubmitOrder(order=order, approval=approval, look_first=look_first)
        effect_id = submit_id(order.order.order_id)
        self.decision.effects.append(Effect(message, self.policy.lane, effect_id))

    def timer(self, timer_id: str, after_ns: int) -> None:
        """Be woken after a while."""
        due_ns = self.now_ns + after_ns
        self.decision.ask(agent_pb2.SetTimer(timer_id=timer_id, due_ns=due_ns))

    def wait_ns(self, count: int) -> int:
        """Return the pause before the next of repeated attempts."""
        return self.policy.look_after_ns << min(count, _DOUBLINGS_MAX)


def running(stop: Stop | None, side: int) -> common_pb2.Reason:
    """Hold a stop against a new order: none leaves while stopped, but sales that reduce."""
    is_allowed = stop is None or (stop.allows_sales and side == common_pb2.SIDE_SELL)
    return flag("trading.running", is_allowed, stop.value if stop else "")


def submit_id(order_id: str) -> str:
    """Return the id of the effect that sends an order: known without being remembered."""
    return derived_id("execution", "submit", order_id)


def book_id(approval_id: str) -> str:
    """Return the id of the effect that reads a book for an approved trade."""
    return derived_id("execution", "book", approval_id)


def flag(rule: str, passed: bool, detail: str) -> common_pb2.Reason:
    """Return a reason that is a plain yes or no."""
    return common_pb2.Reason(
        rule=rule,
        value=int(passed),
        limit=1,
        unit=common_pb2.UNIT_COUNT,
        passed=passed,
        detail=detail,
    )
