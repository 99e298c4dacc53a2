"""Latency by hop, whichever end of a pair is recorded first."""

import itertools

from whaletrader.schemas import agent_pb2, decision_pb2, order_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.latency import HopTracker


def _event(event_id: str, cause: str, kind: str, time_us: int) -> Recorded:
    return Recorded("t", 0, 0, time_us * 1_000, event_id, kind, "", "", cause, "", 0, "{}", b"")


def _samples(tracker: HopTracker, *events: Recorded) -> list[tuple[object, ...]]:
    return [
        (change.key[0], change.key[1], change.adds["sum_us"])
        for event in events
        for change in tracker.observe(event, None)
    ]


def test_a_chain_gives_one_sample_a_hop_in_any_order_of_recording() -> None:
    chain = [
        _event("a", "", "A", 100),
        _event("b", "a", "B", 350),
        _event("c", "b", "C", 1_350),
    ]
    for order in itertools.permutations(chain):
        found = _samples(HopTracker(), *order)
        assert sorted(map(str, found)) == ["('A', 'B', 250)", "('B', 'C', 1000)"]


def test_an_event_that_is_met_twice_counts_once() -> None:
    tracker = HopTracker()
    cause, effect = _event("a", "", "A", 0), _event("b", "a", "B", 5)
    assert len(_samples(tracker, cause, effect, effect, cause)) == 1


def test_a_cause_that_was_forgotten_gives_no_sample_and_no_growth() -> None:
    tracker = HopTracker(recent_max=10)
    _samples(tracker, *(_event(f"e{number}", "", "A", number) for number in range(100)))
    assert _samples(tracker, _event("x", "e0", "B", 200)) == []
    assert _samples(tracker, _event("y", "e99", "B", 200)) == [("A", "B", 101)]
    _samples(tracker, *(_event(f"f{number}", f"lost{number}", "A", 1) for number in range(100)))
    assert len(tracker._known) < 20
    assert len(tracker._waiting) < 20


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    assert _samples(HopTracker(), _event("a", "", "A", 50), _event("b", "a", "B", 40)) == [
        ("A", "B", 0)
    ]


def test_what_the_venue_answered_and_what_was_asked_of_risk_are_hops_too() -> None:
    tracker = HopTracker()
    decided = decision_pb2.DecisionMade()
    decided.proposal.meta.id = "asked"
    tracker.observe(_event("d", "", "DecisionMade", 10), decided)
    approved = _event("ok", "asked", "ApprovedTrade", 40)
    (hop,) = tracker.observe(approved, None)
    assert hop.key[:2] == ("whaletrader.risk.v1.TradeProposal", "ApprovedTrade")
    placement = order_pb2.OrderPlacement()
    placement.meta.id, placement.meta.cause = "placed", "ok"
    entry = agent_pb2.JournalEntry()
    entry.inputs.add(
        inline=agent_pb2.InlineInput(
            type="whaletrader.order.v1.OrderPlacement", payload=placement.SerializeToString()
        )
    )
    (hop,) = tracker.observe(_event("j", "", "JournalEntry", 90), entry)
    assert hop.key[:2] == ("ApprovedTrade", "whaletrader.order.v1.OrderPlacement")
    assert hop.adds["sum_us"] == 50
