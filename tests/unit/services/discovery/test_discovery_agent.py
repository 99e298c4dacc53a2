"""Discovery record by record: what it reads, refuses, says again, and never knows beforehand."""

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
    acted,
    listed,
    play_skilled,
    resolved,
    ruled,
    state_bytes,
    traded,
)
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Inline
from whaletrader.schemas import agent_pb2, common_pb2
from whaletrader.services.discovery.config import DiscoverySettings


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
    [scored] = world.tell(resolved("m"))
    score = scored.score
    assert (score.markets, score.markets_won, score.trades) == (1, 1, 1)
    assert score.fees_micro == 1_750_000
    assert score.realized_profit_micro == 50 * SHARE - 1_750_000
    assert score.volume_micro == 50 * SHARE + 1_750_000
    settled = scored.settled
    # Half a dollar, 1.75 cents of fee, half a cent of slippage.
    assert (settled.weight_micro, settled.cost_micro) == (1_000_000, 522_500)
    assert settled.payoff_micro == 1_000_000
    assert settled.is_whole


def test_a_market_without_a_listing_is_charged_the_dearest_fee() -> None:
    world = World()
    world.tell(traded("w", "m", BUY, 500_000, 100 * SHARE))
    world.tell(resolved("m"))
    assert world.score("w").fees_micro == 1_750_000


def test_a_sale_of_what_was_never_bought_is_a_bet_on_the_other_side() -> None:
    world = World()
    world.tell(listed("m"))
    world.tell(traded("w", "m", SELL, 400_000))
    [scored] = world.tell(resolved("m", yes=False))
    assert scored.score.edge_micro == 395_000
    assert not scored.settled.is_whole


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
    assert world.state.markets == {}


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
    assert "m" in world.state.markets


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
        st.tuples(
            st.just("deed"),
            st.sampled_from("abc"),
            st.sampled_from(("m1", "m2", "m3")),
            st.sampled_from((1, 2, 4)),
            st.integers(0, 10**9),
        ),
        st.tuples(st.just("rule"), st.sampled_from("abc"), st.sampled_from((1, 2, 3))),
    ),
    max_size=40,
)


@given(lives)
@settings(max_examples=50, deadline=None)
def test_following_the_journal_gives_the_same_state(life: list) -> None:
    world = World(DiscoverySettings(markets_min=2, trades_min=1, wallets_min=4, is_corrected=False))
    for what, *detail in life:
        if what == "trade":
            world.tell(traded(*detail))
        elif what == "resolve":
            world.tell(resolved(detail[0], yes=detail[1]))
        elif what == "list":
            world.tell(listed(*detail))
        elif what == "deed":
            wallet, market, deed, size = detail
            world.tell(acted(wallet, deed, market, size_micro=size, cash_micro=size))
        elif what == "rule":
            world.tell(ruled(*detail))
        else:
            world.fire_until(world.now_ns + detail[0] * HOUR_NS)
    assert not world.of(agent_pb2.DeadLettered)
    assert state_bytes(world.restored()) == state_bytes(world.core)
    for record in world.state.wallets.values():
        record.book.check_cash()
    snapshot = agent_pb2.AgentSnapshot.FromString(world.core.snapshot(0).value)
    restarted = World(world.settings)
    assert restarted.core.load(snapshot)
    assert state_bytes(restarted.core) == state_bytes(world.core)
