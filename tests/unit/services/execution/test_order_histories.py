"""Any order and repetition of news gives one end; a restored agent knows what a running one did."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.execution.execution_bench import (
    Bench,
    approval,
    control,
    placement,
    resolved,
    trade,
    venue_closed,
)
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Core
from whaletrader.schemas import agent_pb2, control_pb2, order_pb2, risk_pb2

LIVE = order_pb2.PLACEMENT_STATUS_LIVE
REFUSED = order_pb2.PLACEMENT_STATUS_REFUSED
MATCHED = order_pb2.TRADE_STATUS_MATCHED
MINED = order_pb2.TRADE_STATUS_MINED
CONFIRMED = order_pb2.TRADE_STATUS_CONFIRMED
FAILED = order_pb2.TRADE_STATUS_FAILED
PRIVATE = (
    order_pb2.VenueOrderClosed,
    order_pb2.OrderResolved,
    order_pb2.WorkAdvanced,
    risk_pb2.TradingStateChanged,
)

SIZE = 10_000_000
# No venue matches more than the order's size.
PARTS = (
    st.lists(st.integers(1, 400), min_size=0, max_size=4)
    .map(lambda parts: [part * 10_000 for part in parts])
    .filter(lambda parts: sum(parts) < SIZE)
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[str, int, bool]], bool, list[int]]:
    """Draw what truly happens at the venue (fills with their fate, whether the rest is cancelled)
    and an order in which the news of it arrives, with repetitions."""
    sizes = draw(PARTS)
    fates = [draw(st.booleans()) for _ in sizes]
    fills = [(f"t{n}", size, fate) for n, (size, fate) in enumerate(zip(sizes, fates, strict=True))]
    fully = draw(st.booleans())
    if fully:
        fills.append(("rest", SIZE - sum(sizes), draw(st.booleans())))
    news_count = 3 * len(fills) + 3
    order = draw(st.permutations(range(news_count)))
    repeats = draw(st.lists(st.integers(0, news_count - 1), max_size=8))
    return fills, fully, [*order, *repeats]


@settings(max_examples=300, deadline=None)
@given(histories())
def test_any_order_and_repetition_of_news_gives_one_end_and_the_standing_fills(
    history: tuple[list[tuple[str, int, bool]], bool, list[int]],
) -> None:
    fills, fully, arrival = history
    bench = Bench()
    order_id = bench.announce()
    news = [placement(order_id, LIVE, "live")]
    matched = sum(size for _, size, _ in fills)
    for trade_id, size, stands in fills:
        final = CONFIRMED if stands else FAILED
        news += [trade(order_id, trade_id, status, size) for status in (MATCHED, MINED, final)]  # type: ignore[misc]
    closing = placement(order_id, LIVE, "again") if fully else venue_closed(order_id, matched)
    news += [closing, order_pb2.OrderCancellation(order_id=order_id, gone=not fully)]  # type: ignore[list-item]
    for n, index in enumerate(arrival):
        message = type(news[index])()
        message.CopyFrom(news[index])
        message.meta.id = derived_id("news", n)
        bench.tell(message)

    # A failed trade leaves open what only the venue can say: it is asked, and answers.
    state = order_pb2.VENUE_ORDER_STATE_FILLED if fully else order_pb2.VENUE_ORDER_STATE_CANCELLED
    if not bench.record(order_id).phase.is_end:
        bench.tell(resolved(order_id, state, fills=len(fills)))
    standing = sum(size for _, size, stands in fills if stands)
    assert [e.filled_size_micro for e in bench.said(order_pb2.OrderClosed)] == [standing]
    assert position(bench) == standing
    assert all(letter.topic for letter in bench.said(agent_pb2.DeadLettered))
    assert len(bench.said(order_pb2.WorkFinished)) == 1
    assert len(bench.said(order_pb2.OrderAccepted)) == 1
    assert len(bench.said(order_pb2.OrderMatched)) == len(fills)
    assert replayed(bench).agent.state == bench.state


def position(bench: Bench) -> int:
    """Return what a reader of order.events holds who books each event in its order."""
    held = 0
    for step in bench.steps:
        for _, topic, event in step.events:
            if isinstance(event, order_pb2.OrderMatched):
                held += event.fill.size_micro
            elif isinstance(event, order_pb2.OrderReversed):
                held -= event.fill.size_micro
            assert topic or isinstance(event, PRIVATE)
    return held


def replayed(bench: Bench) -> Core:
    """Return a core that followed the journal only."""
    core = bench.fresh()
    for step in bench.steps:
        core.follow(step.entry, {})
    return core


def test_a_restored_agent_knows_what_the_running_one_knew_also_from_a_snapshot() -> None:
    bench = Bench()
    first = bench.live()
    bench.tell(control(control_pb2.CONTROL_ACTION_FLATTEN))
    bench.tell(trade(first, "t1", MATCHED, 4_000_000))
    second = bench.announce(approval_id="a2", side=2)
    again = replayed(bench)
    assert again.agent.state == bench.state
    assert list(again.pending) == list(bench.core.pending)
    saved = bench.fresh()
    snapshot = agent_pb2.AgentSnapshot.FromString(bench.core.snapshot(0).value)
    assert saved.load(snapshot)
    assert saved.agent.state == bench.state
    assert saved.agent.views == bench.core.agent.views
    assert set(bench.state.orders) == {first, second}
    # The halt survived: what buys is refused by the restored agent, too.
    bench.core = saved
    bench.tell(approval(approval_id="a3"))
    assert len(bench.said(order_pb2.ApprovalRefused)) == 1


def test_closed_orders_are_forgotten_in_their_order_above_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("whaletrader.services.execution.state.CLOSED_ORDERS_MAX", 2)
    bench = Bench()
    ids = [bench.announce(approval_id=f"a{n}") for n in range(4)]
    for order_id in ids[1:]:
        bench.tell(placement(order_id, REFUSED, "no"))
    # The first is the oldest, but it is open.
    assert list(bench.state.orders) == [ids[0], ids[2], ids[3]]
    # Its approval stays used: it must not be worked again, however old its orders are.
    assert "a2" in bench.state.used_approvals
