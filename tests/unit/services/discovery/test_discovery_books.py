"""What a wallet's markets come to: books, bets, and what proves nothing."""

from tests.unit.services.discovery.discovery_world import (
    BUY,
    HOUR_NS,
    SELL,
    SHARE,
    World,
    acted,
    listed,
    play_skilled,
    resolved,
    traded,
)
from whaletrader.domain.ids import derived_id
from whaletrader.schemas import market_pb2, wallet_pb2, whale_pb2
from whaletrader.services.discovery.config import DiscoverySettings


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
