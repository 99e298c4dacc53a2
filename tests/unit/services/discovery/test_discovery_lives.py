"""Whole lives of wallets: who is found, when, why, who is let go; and a person's word on them."""

import pytest
from google.protobuf.message import Message

from tests.unit.services.discovery.discovery_world import (
    BUY,
    HOUR_NS,
    START_NS,
    World,
    acted,
    play_skilled,
    resolved,
    ruled,
    state_bytes,
    traded,
)
from whaletrader.runtime.core import Inline
from whaletrader.schemas import agent_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery.config import DiscoverySettings


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
