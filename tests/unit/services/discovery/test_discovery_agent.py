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
    acted,
    listed,
    resolved,
    state_bytes,
    traded,
)
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Inline
from whaletrader.schemas import agent_pb2, common_pb2, market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery.config import DiscoverySettings


def play_skilled(world: World, rounds: int, win_rate: float = 0.95, seed: int = 1) -> None:
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


def test_a_wallet_with_an_edge_is_found_with_its_reasons_and_no_lucky_one_is() -> None:
    world = World()
    play_skilled(world, 60)
    [first] = world.of(whale_pb2.WhaleDiscovered)
    assert first.wallet == "skilled"
    assert first.score.markets >= 15
    assert first.score.edge_lower_micro > 0
    assert first.score.evidence_micro >= first.score.evidence_bar_micro
    assert [reason.rule for reason in first.reasons] == [
        "discovery.wallets_min",
        "discovery.markets_min",
        "discovery.trades_min",
        "discovery.luck_max",
        "discovery.edge_lower_min",
        "discovery.churn",
        "discovery.stage_proven",
    ]
    assert all(reason.passed for reason in first.reasons)
    last = [e for e in world.of(whale_pb2.WhaleScored) if e.wallet == "skilled"][-1]
    assert last.is_whale
    assert last.score.stage == whale_pb2.STAGE_PROVEN
    assert last.score.quality_rank == 1
    assert {part.name for part in last.score.components} == {
        "size", "profitability", "impact", "liquidity", "risk_control",
    }  # fmt: skip
    assert 0 < last.score.capital_share_micro <= 1_000_000


def test_the_bar_rises_with_the_wallets_that_were_tried() -> None:
    few, many = World(), World()
    play_skilled(few, 25)
    for number in range(200):
        many.tell(traded(f"other{number}", "crowd", BUY), START_NS)
    many.tell(resolved("crowd"), START_NS)
    play_skilled(many, 25)
    bars = [world.score("skilled").evidence_bar_micro for world in (few, many)]
    # 212 wallets instead of 12: e ** 2.87 times the evidence.
    assert bars[1] - bars[0] == pytest.approx(2_871_679, abs=10)


def test_a_whale_whose_edge_dies_is_quarantined_and_later_released() -> None:
    world = World(DiscoverySettings(quarantine_days_max=60))
    play_skilled(world, 60)
    assert world.state.wallets["skilled"].is_whale
    at_ns = START_NS + 61 * HOUR_NS
    for number in range(12):
        world.tell(traded("skilled", f"late{number}", BUY), at_ns + number * HOUR_NS)
        world.tell(resolved(f"late{number}", yes=False), at_ns + number * HOUR_NS)
    pruned = [event for event in world.of(whale_pb2.WhalePruned) if event.wallet == "skilled"][-1]
    assert pruned.score.stage == whale_pb2.STAGE_DECAYING
    assert pruned.score.decay_micro >= pruned.score.decay_limit_micro > 0
    assert "discovery.stage_proven" in [r.rule for r in pruned.reasons if not r.passed]
    for number in range(60):
        world.tell(traded("skilled", f"back{number}", BUY), at_ns + (20 + number) * HOUR_NS)
        world.tell(resolved(f"back{number}"), at_ns + (20 + number) * HOUR_NS)
    assert world.state.wallets["skilled"].is_whale
    assert world.score("skilled").stage_cause == "lower bound of the recent edge above zero"


def test_lucky_wallets_are_not_found() -> None:
    found = 0
    for seed in range(4):
        world = World()
        play_skilled(world, 40, win_rate=0.5, seed=seed)
        found += len({event.wallet for event in world.of(whale_pb2.WhaleDiscovered)})
    # 48 wallets without skill, each looked at after each of 40 markets.
    assert found == 0


def test_a_wallet_that_trades_no_more_is_let_go() -> None:
    world = World()
    play_skilled(world, 60)
    assert world.state.wallets["skilled"].is_whale
    heard = world.fire_until(world.now_ns + 31 * 24 * HOUR_NS)
    [pruned] = [event for event in heard if isinstance(event, whale_pb2.WhalePruned)]
    assert pruned.score.stage_cause == "no settled trade for too long"


def test_a_result_read_off_a_redemption_is_booked_and_proves_nothing() -> None:
    world = World()
    for number in range(40):
        world.tell(listed(f"m{number}"))
        world.tell(traded("w", f"m{number}"))
        world.tell(resolved(f"m{number}", basis=market_pb2.RESULT_BASIS_INFERRED))
    score = world.score("w")
    assert score.realized_profit_micro == 40 * 5 * SHARE
    assert (score.markets, score.markets_inferred, score.events) == (0, 40, 0)
    assert (score.evidence_micro, score.edge_micro) == (0, 0)
    assert world.state.base.wallets == 0


def test_doubling_down_does_not_look_like_skill() -> None:
    """Who buys more as the price falls pays less on average: only the first stake counts."""
    world = World()
    for number in range(8):
        market = f"m{number}"
        world.tell(listed(market))
        world.tell(traded("w", market, BUY, 500_000, 10 * SHARE))
        world.tell(traded("w", market, BUY, 100_000, 100 * SHARE))
        world.tell(resolved(market, yes=number % 2 == 0))
    score = world.score("w")
    assert score.realized_profit_micro > 0
    # Half of them won at a half, half a cent of slippage on each.
    assert score.edge_micro == -5_000


def test_markets_of_one_event_are_one_observation() -> None:
    world = World()
    for number in range(6):
        world.tell(listed(f"m{number}", event="cup"))
        world.tell(traded("w", f"m{number}"))
        world.tell(resolved(f"m{number}"))
    score = world.score("w")
    assert (score.events, score.markets) == (1, 2)


def test_an_open_loss_weighs_on_the_evidence_and_an_open_gain_does_not() -> None:
    scores = {}
    for name, mark in (("loss", 100_000), ("gain", 900_000)):
        world = World(DiscoverySettings(score_change_min_micro=0))
        play_skilled(world, 30)
        settled = world.score("skilled")
        world.tell(traded("skilled", "open", BUY, 500_000))
        world.tell(traded("other", "open", BUY, mark, SHARE))
        world.tell(traded("skilled", "next"))
        world.fire_until(world.now_ns + 6 * HOUR_NS)
        world.tell(resolved("next"))
        scores[name] = world.score("skilled")
        assert scores[name].open_cost_micro > 0
        assert scores[name].evidence_micro != settled.evidence_micro
    assert scores["loss"].evidence_micro < scores["gain"].evidence_micro - 50_000
    assert scores["gain"].open_value_micro - scores["loss"].open_value_micro == 8 * SHARE


def test_splits_merges_and_redemptions_are_in_the_books() -> None:
    world = World()
    world.tell(listed("m"))
    world.tell(acted("w", wallet_pb2.WALLET_DEED_SPLIT, "m", size_micro=SHARE, cash_micro=SHARE))
    world.tell(traded("w", "m", SELL, 300_000, SHARE))
    world.tell(acted("w", wallet_pb2.WALLET_DEED_REWARD, size_micro=0, cash_micro=7))
    world.tell(resolved("m", yes=False))
    score = world.score("w")
    # A dollar for both, thirty cents for YES, a dollar for NO: thirty cents of profit.
    assert score.realized_profit_micro == 300_000
    assert score.income_micro == 7
    # The sale was a bet on NO at seventy cents; half a cent is a copier's.
    assert score.edge_micro == 295_000


def test_a_conversion_hands_out_the_other_outcomes_of_its_event() -> None:
    world = World()
    for name in "abc":
        world.tell(listed(name, event="race"))
    world.tell(traded("w", "a", BUY, 600_000, 10 * SHARE, token_id="a-no"))
    deed = wallet_pb2.WALLET_DEED_CONVERSION
    world.tell(acted("w", deed, event_slug="race", size_micro=10 * SHARE))
    world.tell(resolved("b"))
    assert world.of(whale_pb2.WhaleScored)[-1].settled.profit_micro == 7 * SHARE
    world.tell(resolved("a", yes=False))
    world.tell(resolved("c", yes=False))
    assert world.score("w").realized_profit_micro == 4 * SHARE


def test_a_deed_that_comes_again_counts_once_and_one_too_late_not_at_all() -> None:
    world = World()
    world.tell(listed("m"))
    split = acted("w", wallet_pb2.WALLET_DEED_SPLIT, "m", size_micro=SHARE, cash_micro=SHARE)
    deed_id = derived_id("deed")
    world.tell(split, event_id=deed_id)
    world.core._recent.clear()
    world.tell(split, event_id=deed_id)
    assert world.state.wallets["w"].book.cash_micro == -SHARE
    world.tell(resolved("m"))
    world.tell(acted("w", wallet_pb2.WALLET_DEED_REDEEM, "m", size_micro=SHARE, cash_micro=SHARE))
    assert world.score("w").realized_profit_micro == 0
    assert world.state.wallets["w"].book.cash_micro == 0


def ruled(wallet: str, ruling: int, operator: str = "ann") -> whale_pb2.WhaleRuled:
    return whale_pb2.WhaleRuled(wallet=wallet, ruling=ruling, operator=operator)


def test_a_pinned_wallet_is_a_whale_and_a_banned_one_never_is() -> None:
    world = World()
    [scored, discovered] = world.tell(ruled("nobody", whale_pb2.RULING_PIN))
    assert isinstance(discovered, whale_pb2.WhaleDiscovered)
    assert scored.is_whale
    [held] = [r for r in discovered.reasons if r.rule == "discovery.ruling"]
    assert (held.passed, held.detail) == (True, "ann")
    [_, pruned] = world.tell(ruled("nobody", whale_pb2.RULING_CLEAR))
    assert isinstance(pruned, whale_pb2.WhalePruned)
    world.tell(ruled("skilled", whale_pb2.RULING_BAN))
    play_skilled(world, 60)
    assert not world.state.wallets["skilled"].is_whale
    assert world.state.wallets["skilled"].stage == whale_pb2.STAGE_PROVEN
    heard = world.tell(ruled("skilled", whale_pb2.RULING_CLEAR))
    assert isinstance(heard[-1], whale_pb2.WhaleDiscovered)


@pytest.mark.parametrize(
    "message",
    [
        ruled("", whale_pb2.RULING_PIN),
        ruled("w", whale_pb2.RULING_UNSPECIFIED),
        ruled("w", whale_pb2.RULING_BAN, operator=""),
        acted("w", wallet_pb2.WALLET_DEED_UNSPECIFIED, "m"),
        acted("", wallet_pb2.WALLET_DEED_SPLIT, "m"),
        acted("w", wallet_pb2.WALLET_DEED_SPLIT),
        acted("w", wallet_pb2.WALLET_DEED_MERGE, "m", cash_micro=-1),
        acted("w", wallet_pb2.WALLET_DEED_CONVERSION),
    ],
)
def test_what_nobody_can_have_said_or_done_becomes_a_dead_letter(message: Message) -> None:
    world, untouched = World(), World()
    [letter] = world.tell(message)
    assert isinstance(letter, agent_pb2.DeadLettered)
    assert state_bytes(world.core) == state_bytes(untouched.core)


def test_a_round_takes_some_wallets_at_a_time_and_comes_to_the_same() -> None:
    """Steps of 5 wallets or all 12 at once: the same bar, ranks and whales at the end."""
    worlds = [World(DiscoverySettings(round_wallets_max=most)) for most in (5, 500)]
    for world in worlds:
        play_skilled(world, 40)
        world.fire_until(world.now_ns + 7 * HOUR_NS)
    small, large = (world.state for world in worlds)
    assert small.bar_micro == large.bar_micro
    assert small.cursor == large.cursor == 0
    for wallet in large.wallets:
        one, other = small.wallets[wallet], large.wallets[wallet]
        assert one.standing.quality_rank == other.standing.quality_rank
        assert one.is_whale == other.is_whale


def test_capital_is_shared_by_a_seed_from_the_message() -> None:
    shares = []
    for _ in range(2):
        world = World()
        play_skilled(world, 60)
        shares.append(world.score("skilled").capital_share_micro)
    assert shares[0] == shares[1] > 500_000


def test_other_settings_after_a_restart_fold_the_past_as_it_was() -> None:
    world = World(DiscoverySettings(copier_slippage_micro=5_000))
    play_skilled(world, 5)
    world.tell(traded("skilled", "open"))
    changed = World(DiscoverySettings(copier_slippage_micro=40_000))
    for entry, item in world.entries:
        changed.core.follow(entry, {0: item} if not isinstance(item, Inline) else {})
    assert state_bytes(changed.core) == state_bytes(world.core)
    changed.entries, changed.now_ns = list(world.entries), world.now_ns
    changed.tell(traded("skilled", "open2"))
    assert changed.state.rules is not None
    assert changed.state.rules.slippage_micro == 40_000
    costs = [changed.state.markets[name].stakes["skilled"].costs[0] for name in ("open", "open2")]
    assert costs[1] - costs[0] == 35_000


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
