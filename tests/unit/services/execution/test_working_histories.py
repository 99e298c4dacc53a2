"""A venue that does what it likes: no approved trade ever exceeds its approval, and each ends once.

Hypothesis plays the venue and the clock against the real agent: books, answers, fills of any part,
settlements that fail, cancels that come late, silence. Money invariants are checked after every
step, and a core restored from the journal must be the running one.
"""

from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.services.execution.execution_bench import (
    POLICY,
    T0,
    Bench,
    S,
    approval,
    control,
    listing,
    placement,
    resolved,
    trade,
)
from whaletrader.domain.money import MICRO
from whaletrader.runtime.core import Inline
from whaletrader.schemas import agent_pb2, control_pb2, order_pb2
from whaletrader.services.execution.transitions import FillStage
from whaletrader.services.execution.working.terms import TacticSettings

SIZE = 100 * MICRO
LOT = 10_000
TACTICS = [
    order_pb2.TACTIC_UNSPECIFIED,
    order_pb2.TACTIC_SINGLE,
    order_pb2.TACTIC_ADAPTIVE,
    order_pb2.TACTIC_ICEBERG,
    order_pb2.TACTIC_TWAP,
    order_pb2.TACTIC_PASSIVE,
    order_pb2.TACTIC_AGGRESSIVE,
]


class Playground:
    """A venue with one wallet: what it has of each order, and what it has not told yet."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.open: dict[str, int] = {}
        self.fills: dict[str, list[list[Any]]] = {}

    def effects(self, kind: type) -> list[Any]:
        return [e for e in self.bench.core.pending.values() if isinstance(e.message, kind)]

    def place(self, arrives: bool, answers: int) -> None:
        for effect in self.effects(order_pb2.SubmitOrder)[:1]:
            ref = effect.message.order.order
            if arrives and ref.order_id not in self.open:
                self.open[ref.order_id] = ref.size_micro
                self.fills.setdefault(ref.order_id, [])
            if answers == 0:
                failed = agent_pb2.EffectFailed(
                    effect_id=effect.id, type="whaletrader.order.v1.SubmitOrder", error="lost"
                )
                self.bench.tell(failed, effect.id)
            elif ref.order_id in self.open:
                status = order_pb2.PLACEMENT_STATUS_LIVE
                self.bench.tell(placement(ref.order_id, status, "live"), effect.id)
            else:
                status = order_pb2.PLACEMENT_STATUS_REFUSED
                self.bench.tell(placement(ref.order_id, status, "no"), effect.id)

    def fill(self, lots: int) -> None:
        for order_id, rest in list(self.open.items()):
            size = min(rest, lots * LOT)
            if size <= 0:
                continue
            self.open[order_id] = rest - size
            trade_id = f"t{len(self.fills[order_id])}"
            self.fills[order_id].append([trade_id, size, order_pb2.TRADE_STATUS_MATCHED])
            self.bench.tell(trade(order_id, trade_id, order_pb2.TRADE_STATUS_MATCHED, size))
            return

    def settle(self, stands: bool) -> None:
        for order_id, fills in self.fills.items():
            for fill in fills:
                if fill[2] == order_pb2.TRADE_STATUS_MATCHED:
                    fill[2] = (
                        order_pb2.TRADE_STATUS_CONFIRMED
                        if stands
                        else order_pb2.TRADE_STATUS_FAILED
                    )
                    self.bench.tell(trade(order_id, fill[0], fill[2], fill[1]))
                    return

    def cancel(self) -> None:
        for effect in self.effects(order_pb2.CancelOrder)[:1]:
            order_id = effect.message.order.order_id
            rest = self.open.get(order_id, 0)
            if rest > 0:
                self.open[order_id] = 0
                matched = sum(it[1] for it in self.fills[order_id] if self._stands(it))
                self.bench.tell(
                    order_pb2.VenueOrderClosed(
                        order_id=order_id,
                        status=order_pb2.CLOSE_STATUS_CANCELLED,
                        matched_size_micro=matched,
                        detail="CANCELED",
                    )
                )
            self.bench.tell(order_pb2.OrderCancellation(order_id=order_id, gone=True), effect.id)

    def resolve(self) -> None:
        for effect in self.effects(order_pb2.ResolveOrder)[:1]:
            order_id = effect.message.order.order.order_id
            if order_id not in self.open:
                state = order_pb2.VENUE_ORDER_STATE_ABSENT
            elif self.open[order_id] > 0:
                state = order_pb2.VENUE_ORDER_STATE_OPEN
            else:
                state = order_pb2.VENUE_ORDER_STATE_FILLED
            fills = self.fills.get(order_id, [])
            for fill in fills:
                self.bench.tell(trade(order_id, fill[0], fill[2], fill[1]))
            self.bench.tell(resolved(order_id, state, fills=len(fills)), effect.id)

    def read(self, spread: int) -> None:
        if self.effects(order_pb2.ReadBook):
            self.bench.read([(50 - spread, 300)], [(50, 300 * spread)])

    def pass_time(self, seconds: int) -> None:
        self.bench.now_ns += seconds * S
        due = [e for e in self.effects(agent_pb2.SetTimer) if e.message.due_ns <= self.bench.now_ns]
        for effect in sorted(due, key=lambda e: (e.message.due_ns, e.id)):
            fired = agent_pb2.TimerFired(
                timer_id=effect.message.timer_id, due_ns=effect.message.due_ns
            )
            self.bench.tell(fired, effect.id)

    @staticmethod
    def _stands(fill: list[Any]) -> bool:
        return bool(fill[2] != order_pb2.TRADE_STATUS_FAILED)


def check(bench: Bench) -> None:
    """Hold the money invariants against everything said so far."""
    ends: dict[str, int] = {}
    for event in bench.said(order_pb2.OrderClosed):
        ends[event.order.order_id] = ends.get(event.order.order_id, 0) + 1
    assert set(ends.values()) <= {1}
    assert len(bench.said(order_pb2.WorkFinished)) <= 1
    records = bench.state.orders.values()
    assert sum(record.committed_micro for record in records) <= SIZE
    assert sum(record.standing_micro for record in records) <= SIZE
    for announced in bench.said(order_pb2.OrderAnnounced):
        assert announced.order.price_micro <= 600_000
        assert announced.order.size_micro % LOT == 0
    expires_ns = T0 + 200 * S
    for step in bench.steps:
        if step.entry.now_ns >= expires_ns:
            assert not [e for _, _, e in step.events if isinstance(e, order_pb2.OrderAnnounced)]


MOVES = st.one_of(
    st.tuples(st.just("place"), st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("fill"), st.integers(1, 8_000)),
    st.tuples(st.just("settle"), st.sampled_from([True, True, False])),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("resolve")),
    st.tuples(st.just("read"), st.sampled_from([1, 1, 3])),
    st.tuples(st.just("pass_time"), st.integers(1, 40)),
)

# The venue has matched the order to the end; what failed of it comes back neither here nor there.
FILLED_BUT_FOR_A_FAILED_LOT = [
    ("place", True, 0),
    ("fill", 1),
    ("fill", 6_785),
    ("settle", False),
    ("resolve",),
    ("fill", 3_214),
]
# The next phase's order is out already when a fill of the first one's fails.
FAILED_AFTER_ITS_ORDER_WAS_TAKEN_OFF = [
    ("read", 1),
    ("pass_time", 8),
    ("place", True, 0),
    ("fill", 1),
    ("pass_time", 22),
    ("cancel",),
    ("read", 1),
    ("settle", False),
]

# One fill fails before the order is off the book, another one after the next order is out.
FAILED_BEFORE_AND_AFTER_THE_NEXT_ORDER = [
    ("read", 1),
    ("place", True, 0),
    ("fill", 1),
    ("fill", 1),
    ("settle", False),
    ("pass_time", 2),
    ("cancel",),
    ("resolve",),
    ("read", 1),
    ("settle", False),
]


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(TACTICS),
    st.lists(MOVES, min_size=10, max_size=60),
    st.sampled_from([None, None, control_pb2.CONTROL_ACTION_HALT]),
)
@example(order_pb2.TACTIC_SINGLE, FILLED_BUT_FOR_A_FAILED_LOT, None)
@example(order_pb2.TACTIC_ADAPTIVE, FAILED_AFTER_ITS_ORDER_WAS_TAKEN_OFF, None)
@example(order_pb2.TACTIC_AGGRESSIVE, FAILED_BEFORE_AND_AFTER_THE_NEXT_ORDER, None)
def test_whatever_the_venue_does_the_approval_holds_and_everything_ends_once(
    tactic: Any, moves: list[Any], stop: Any
) -> None:
    tactics = TacticSettings(fixed=tactic)
    bench = Bench(replace(POLICY, tactics=tactics), listed=False)
    bench.tell(listing(fee_rate_micro=0))
    bench.tell(approval(size_micro=SIZE, limit_price_micro=600_000, expires_ns=T0 + 200 * S))
    ground = Playground(bench)
    for number, (name, *arguments) in enumerate(moves):
        getattr(ground, name)(*arguments)
        if stop is not None and number == len(moves) // 2:
            bench.tell(control(stop))
        check(bench)
    _finish(ground)
    check(bench)
    assert len(bench.said(order_pb2.WorkFinished)) == 1
    assert not bench.state.works
    assert all(record.phase.is_end for record in bench.state.orders.values())
    assert not any(rest > 0 for rest in ground.open.values()), "nothing is left at the venue"
    [event] = bench.said(order_pb2.WorkFinished)
    held = sum(record.size_in(FillStage.CONFIRMED) for record in bench.state.orders.values())
    at_venue = sum(
        fill[1]
        for fills in ground.fills.values()
        for fill in fills
        if fill[2] == order_pb2.TRADE_STATUS_CONFIRMED
    )
    assert event.filled_size_micro == held == at_venue
    assert bench.state.balance.positions.get(approval().token_id) is None or (
        bench.state.balance.positions[approval().token_id].size_micro == held
    )
    core = bench.fresh()
    for step in bench.steps:
        core.follow(step.entry, {})
    assert core.agent.state == bench.state
    assert list(core.pending) == list(bench.core.pending)


def _finish(ground: Playground) -> None:
    """Let the venue behave from now on, until nothing is left to do."""
    for _ in range(60):
        if ground.bench.said(order_pb2.WorkFinished) and not ground.effects(order_pb2.CancelOrder):
            return
        ground.read(1)
        ground.place(True, 1)
        ground.cancel()
        ground.resolve()
        for _ in range(10):
            ground.settle(True)
        ground.pass_time(40)
    raise AssertionError(f"it did not end: {ground.bench.state.works}")


def test_deciding_changes_nothing() -> None:
    bench = Bench(replace(POLICY, tactics=TacticSettings()), listed=False)
    bench.tell(listing(fee_rate_micro=0))
    bench.tell(approval(size_micro=SIZE, limit_price_micro=600_000, expires_ns=T0 + 200 * S))
    before = bench.core.snapshot(0).value
    fired = agent_pb2.TimerFired(timer_id="retry:1:a1")
    read = order_pb2.BookRead(approval_id="a1", token_id=approval().token_id)
    for message in (fired, read, control(control_pb2.CONTROL_ACTION_HALT)):
        message.meta.id = "0" * 32
        bench.core.agent.decide(Inline(message).message)
        assert bench.core.snapshot(0).value == before
