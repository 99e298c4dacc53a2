"""Discovery over whole lives of wallets: who is found, when, why, and never with hindsight."""

import random

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.discovery.discovery_world import (
    BUY,
    HOUR_NS,
    SELL,
    SHARE,
    START_NS,
    World,
    listed,
    resolved,
    state_bytes,
    traded,
)
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Inline
from whaletrader.schemas import agent_pb2, common_pb2, whale_pb2
from whaletrader.services.discovery.config import DiscoverySettings


def play_skilled(world: World, rounds: int, win_rate: float = 0.85, seed: int = 1) -> None:
    """Twelve wallets trade at 0.5 a market a round; `skilled` wins by its rate, others by half."""
    chance = random.Random(seed)
    for number in range(rounds):
        at_ns = START_NS + number * HOUR_NS
        for wallet in ["skilled", *(f"lucky{n}" for n in range(11))]:
            market = f"{wallet}-{number}"
            world.tell(listed(market), at_ns)
            world.tell(traded(wallet, market, BUY), at_ns)
            world.tell(traded(wallet, market, BUY), at_ns)
            rate = win_rate if wallet == "skilled" else 0.5
            world.tell(resolved(market, yes=chance.random() < rate), at_ns)


def test_a_wallet_with_an_edge_is_found_with_its_reasons() -> None:
    world = World()
    play_skilled(world, 60)
    found = world.of(whale_pb2.WhaleDiscovered)
    # One of the eleven that only toss coins may pass for a while: the rule is a 5 % one.
    assert len({event.wallet for event in found} - {"skilled"}) <= 1
    first = next(event for event in found if event.wallet == "skilled")
    assert first.score.markets >= 10
    assert first.score.edge_lower_micro > 0
    assert {reason.rule for reason in first.reasons} == {
        "discovery.wallets_min",
        "discovery.markets_min",
        "discovery.trades_min",
        "discovery.edge_lower_min",
    }
    assert all(reason.passed for reason in first.reasons)
    last = [e for e in world.of(whale_pb2.WhaleScored) if e.wallet == "skilled"][-1]
    assert last.is_whale


def test_a_whale_whose_edge_dies_is_pruned_with_the_rule_that_failed() -> None:
    world = World()
    play_skilled(world, 40)
    assert world.state.wallets["skilled"].is_whale
    for number in range(40):
        world.tell(traded("skilled", f"late{number}", BUY))
        world.tell(resolved(f"late{number}", yes=False))
    [pruned] = [event for event in world.of(whale_pb2.WhalePruned) if event.wallet == "skilled"]
    assert [r.rule for r in pruned.reasons if not r.passed] == ["discovery.edge_lower_min"]
    assert not world.state.wallets["skilled"].is_whale


def test_lucky_wallets_are_seldom_found() -> None:
    found = 0
    for seed in range(5):
        world = World()
        play_skilled(world, 40, win_rate=0.5, seed=seed)
        found += len({event.wallet for event in world.of(whale_pb2.WhaleDiscovered)})
    # 60 wallets without skill, each looked at after each of 40 markets.
    assert found <= 3


def test_the_past_is_not_changed_by_the_future() -> None:
    """Two worlds that differ only in what comes later say the same until then."""
    short, other = World(), World()
    play_skilled(short, 30)
    play_skilled(other, 30)
    said = [event.SerializeToString(deterministic=True) for event in short.said]
    assert [event.SerializeToString(deterministic=True) for event in other.said] == said
    for number in range(30, 60):
        other.tell(traded("skilled", f"later{number}", BUY), START_NS + number * HOUR_NS)
        other.tell(resolved(f"later{number}", yes=False), START_NS + number * HOUR_NS)
    assert [e.SerializeToString(deterministic=True) for e in other.said[: len(said)]] == said


def test_an_open_market_counts_for_nothing_until_it_settles() -> None:
    world = World()
    world.tell(listed("m"))
    world.tell(traded("w", "m", BUY, 100_000))
    world.tell(traded("w", "m", SELL, 900_000))
    assert world.said == []
    world.tell(resolved("m"))
    assert world.score("w").realized_profit_micro == 8 * SHARE


def test_the_score_tells_profit_fees_and_counts() -> None:
    world = World()
    world.tell(listed("m", rate=70_000))
    world.tell(traded("w", "m", BUY, 500_000, 100 * SHARE))
    world.tell(resolved("m"))
    score = world.score("w")
    assert (score.markets, score.markets_won, score.trades) == (1, 1, 1)
    assert score.fees_micro == 1_750_000
    assert score.realized_profit_micro == 50 * SHARE - 1_750_000
    assert score.volume_micro == 50 * SHARE


def test_a_market_without_a_listing_is_charged_the_dearest_fee() -> None:
    world = World()
    world.tell(traded("w", "m", BUY, 500_000, 100 * SHARE))
    world.tell(resolved("m"))
    assert world.score("w").fees_micro == 1_750_000


def test_a_sale_of_what_was_never_bought_is_counted_and_scores_nothing() -> None:
    world = World()
    world.tell(traded("w", "m", SELL))
    assert world.tell(resolved("m")) == []
    assert world.state.wallets["w"].unmatched_sells == 1
    assert world.state.base.wallets == 0


def test_a_trade_that_comes_again_counts_once() -> None:
    world = World()
    trade_id = derived_id("trade")
    world.tell(traded("w", "m"), event_id=trade_id)
    world.core._recent.clear()  # as if 65,536 others had come in between
    world.tell(traded("w", "m"), event_id=trade_id)
    world.tell(resolved("m"))
    assert world.score("w").trades == 1


def test_a_resolution_that_comes_again_settles_nothing_anew() -> None:
    world = World()
    world.tell(traded("w", "m"))
    world.tell(resolved("m"))
    assert world.tell(resolved("m")) == []
    assert world.tell(resolved("m", yes=False)) == []
    assert world.score("w").markets == 1


def test_a_trade_after_its_markets_resolution_is_left_out() -> None:
    world = World()
    world.tell(resolved("m"))
    world.tell(traded("w", "m", BUY, 10_000))
    assert world.state.wallets == {}
    assert world.state.holdings == {}


@pytest.mark.parametrize(
    "change",
    [
        {"wallet": ""},
        {"condition_id": ""},
        {"token_id": ""},
        {"side": common_pb2.SIDE_UNSPECIFIED},
        {"price_micro": 0},
        {"price_micro": 1_000_000},
        {"price_micro": -1},
        {"size_micro": 0},
        {"size_micro": -SHARE},
    ],
)
def test_a_trade_out_of_range_becomes_a_dead_letter(change: dict) -> None:
    world, untouched = World(), World()
    message = traded("w", "m")
    for name, value in change.items():
        setattr(message, name, value)
    [letter] = world.tell(message)
    assert isinstance(letter, agent_pb2.DeadLettered)
    assert "InvalidTrade" in letter.error
    assert state_bytes(world.core) == state_bytes(untouched.core)


def test_a_resolution_without_a_winner_becomes_a_dead_letter() -> None:
    world = World()
    world.tell(traded("w", "m"))
    message = resolved("m")
    message.winning_token_id = ""
    [letter] = world.tell(message)
    assert "InvalidResolution" in letter.error
    assert "m" in world.state.holdings


def test_every_six_hours_scores_that_moved_with_the_base_rate_are_said_again() -> None:
    world = World()
    play_skilled(world, 5)
    world.tell(traded("quiet", "q", BUY))
    world.tell(resolved("q"))
    before = world.score("quiet").edge_micro
    at_ns = world.now_ns
    for number in range(20):
        world.tell(traded("lucky0", f"x{number}", BUY), at_ns + number)
        world.tell(resolved(f"x{number}", yes=False), at_ns + number)
    assert world.score("quiet").edge_micro == before
    heard = world.fire_until(at_ns + 12 * HOUR_NS)
    assert "quiet" in {event.wallet for event in heard}
    assert world.score("quiet").edge_micro != before
    # Nothing has moved since: the next ones are silent, and the timer goes on.
    assert world.fire_until(at_ns + 48 * HOUR_NS) == []
    assert world.timer is not None


def test_a_late_timer_keeps_to_its_grid() -> None:
    world = World()
    world.tell(traded("w", "m"), START_NS)
    due = world.timer.message.due_ns
    assert due == START_NS + 6 * HOUR_NS
    late = agent_pb2.TimerFired(timer_id="discovery.rescore", due_ns=due)
    late.meta.id = derived_id("late")
    world.core.step([], due)
    step = world.core.step([_inline(late, world)], due + 20 * HOUR_NS)
    assert step.effects[0].message.due_ns == due + 24 * HOUR_NS


def test_a_timer_that_was_lost_is_set_again() -> None:
    world = World()
    world.tell(traded("w", "m"), START_NS)
    failed = agent_pb2.EffectFailed(
        effect_id=world.timer.id, type="whaletrader.agent.v1.SetTimer", error="gone"
    )
    failed.meta.id = derived_id("failed")
    step = world.core.step([_inline(failed, world)], START_NS)
    assert step.effects[0].message.due_ns > START_NS


def _inline(message: Message, world: World) -> Inline:
    return Inline(message, world.timer.id)


lives = st.lists(
    st.one_of(
        st.tuples(
            st.just("trade"),
            st.sampled_from("abc"),
            st.sampled_from(("m1", "m2", "m3")),
            st.sampled_from((BUY, SELL)),
            st.integers(1, 999_999),
            st.integers(1, 10**9),
        ),
        st.tuples(st.just("resolve"), st.sampled_from(("m1", "m2", "m3")), st.booleans()),
        st.tuples(st.just("list"), st.sampled_from(("m1", "m2", "m3")), st.integers(0, 70_000)),
        st.tuples(st.just("wait"), st.integers(1, 20)),
    ),
    max_size=40,
)


@given(lives)
@settings(max_examples=100, deadline=None)
def test_following_the_journal_gives_the_same_state(life: list) -> None:
    world = World(DiscoverySettings(markets_min=2, trades_min=1, wallets_min=4))
    for what, *detail in life:
        if what == "trade":
            world.tell(traded(*detail))
        elif what == "resolve":
            world.tell(resolved(detail[0], yes=detail[1]))
        elif what == "list":
            world.tell(listed(*detail))
        else:
            world.fire_until(world.now_ns + detail[0] * HOUR_NS)
    assert not world.of(agent_pb2.DeadLettered)
    assert state_bytes(world.restored()) == state_bytes(world.core)
    snapshot = agent_pb2.AgentSnapshot.FromString(world.core.snapshot(0).value)
    restarted = World(world.settings)
    assert restarted.core.load(snapshot)
    assert state_bytes(restarted.core) == state_bytes(world.core)
