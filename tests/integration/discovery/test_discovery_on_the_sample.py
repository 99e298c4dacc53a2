"""Discovery over the shipped tape: whole, in memory, in time order."""

from itertools import pairwise

import pytest

from tests.unit.services.discovery.discovery_world import HOUR_NS, World, messages, state_bytes
from whaletrader.schemas import agent_pb2, whale_pb2
from whaletrader.services.discovery.config import DemoDiscoverySettings
from whaletrader.services.feeds.tape import Tape, load_tape


@pytest.fixture(scope="module")
def tape() -> Tape:
    return load_tape()


@pytest.fixture(scope="module")
def world(tape: Tape) -> World:
    world = World(DemoDiscoverySettings())
    for at_ns, message in messages(tape):
        world.tell(message, at_ns)
    return world


def test_some_whales_are_found_and_most_wallets_are_not(tape: Tape, world: World) -> None:
    found = {event.wallet for event in world.of(whale_pb2.WhaleDiscovered)}
    assert 0 < len(found) < len(tape.wallets) / 2
    assert not world.of(agent_pb2.DeadLettered)


def test_every_whale_passed_every_rule_on_markets_settled_by_then(tape: Tape, world: World) -> None:
    ends = {end.condition_id: end.at_ns for end in tape.resolutions}
    for event in world.of(whale_pb2.WhaleDiscovered):
        assert all(reason.passed for reason in event.reasons)
        settled = {
            trade.condition_id
            for trade in tape.trades
            if trade.wallet == event.wallet and ends[trade.condition_id] <= event.meta.event_time_ns
        }
        assert event.score.markets <= len(settled)


def test_discovered_and_pruned_take_turns(world: World) -> None:
    turns: dict[str, list[type]] = {}
    for event in world.said:
        if isinstance(event, whale_pb2.WhaleDiscovered | whale_pb2.WhalePruned):
            turns.setdefault(event.wallet, []).append(type(event))
    for kinds in turns.values():
        assert kinds[0] is whale_pb2.WhaleDiscovered
        assert all(one is not other for one, other in pairwise(kinds))


def test_no_result_that_was_read_off_a_redemption_is_scored(tape: Tape, world: World) -> None:
    inferred = {e.condition_id for e in tape.resolutions if e.winner_basis == "inferred_redeem"}
    settled = [event.settled for event in world.of(whale_pb2.WhaleScored) if event.settled.event]
    assert {one.condition_id for one in settled if one.is_inferred} == {
        one.condition_id for one in settled if one.condition_id in inferred
    }
    assert all(one.weight_micro == 0 for one in settled if one.is_inferred)


def test_everything_settles_and_the_sums_of_all_wallets_agree(world: World) -> None:
    assert world.state.markets == {}
    assert world.state.events == {}
    tracks = [record.track for record in world.state.wallets.values()]
    base = world.state.base
    assert base.events == sum(one.stats.events for one in tracks)
    assert base.edge_sum == sum(one.stats.edge_sum for one in tracks)
    assert base.wallets == sum(1 for one in tracks if one.stats.events)
    for record in world.state.wallets.values():
        assert record.book.markets == {}
        record.book.check_cash()


def test_a_tape_cut_short_says_the_same_up_to_the_cut(tape: Tape, world: World) -> None:
    """No look-ahead: what was said before a moment does not know what comes after it."""
    cut_ns = tape.start_ns + 2 * (tape.end_ns - tape.start_ns) // 3
    short = World(DemoDiscoverySettings())
    for at_ns, message in messages(tape):
        if at_ns < cut_ns:
            short.tell(message, at_ns)
    early = [event for event in world.said if event.meta.event_time_ns < cut_ns]
    known = [event for event in short.said if event.meta.event_time_ns < cut_ns - 6 * HOUR_NS]
    assert known
    assert [event.SerializeToString(deterministic=True) for event in early[: len(known)]] == [
        event.SerializeToString(deterministic=True) for event in known
    ]


def test_following_the_whole_journal_gives_the_same_state(world: World) -> None:
    assert state_bytes(world.restored()) == state_bytes(world.core)
