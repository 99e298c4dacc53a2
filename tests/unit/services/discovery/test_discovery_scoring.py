"""Sums that change one wallet at a time, the evidence against luck, and what a trade counts."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.shrinkage import interval, prior_from_sums, shrink
from whaletrader.services.discovery.config import Rules, rules_event, rules_of
from whaletrader.services.discovery.evidence import (
    FRACTIONS,
    NOTHING,
    bar_for_more,
    bar_micro,
    evidence_micro,
    growth,
    luck_micro,
    moved,
)
from whaletrader.services.discovery.ranking import is_churning, shares_of
from whaletrader.services.discovery.scoring import Field, base_rate, score_of, subject_of
from whaletrader.services.discovery.stake import (
    EVENT_WEIGHT_MAX,
    Stake,
    bet_on,
    counted_weight,
    open_loss,
    settled,
    usual_stake,
)
from whaletrader.services.discovery.state import KeptTrade, WalletRecord
from whaletrader.services.discovery.statistics import BaseSums, EventSums, WalletStats
from whaletrader.services.discovery.track import Track

MICRO = 1_000_000


def wallet(*edges: int, chance: int = 0) -> WalletStats:
    stats = WalletStats()
    for edge in edges:
        stats = stats.replaced(None, EventSums(MICRO, MICRO, edge, chance))
    return stats


def base_of(wallets: list[WalletStats]) -> BaseSums:
    base = BaseSums()
    for stats in wallets:
        base = base.moved(WalletStats(), stats)
    return base


edges = st.integers(-1_000_000, 1_000_000)


@given(st.lists(st.tuples(st.integers(0, 4), edges, st.integers(0, 250_000_000_000)), max_size=60))
def test_one_wallet_at_a_time_gives_the_same_base_as_all_at_once(rows: list) -> None:
    base, wallets = BaseSums(), [WalletStats()] * 5
    for number, edge, chance in rows:
        after = wallets[number].replaced(None, EventSums(MICRO, MICRO, edge, chance))
        base = base.moved(wallets[number], after)
        wallets[number] = after
    assert base == base_of([stats for stats in wallets if stats.events])


@given(edges, edges, st.integers(1, MICRO), st.integers(1, MICRO))
def test_an_event_that_grows_leaves_no_trace_of_what_it_was(
    first: int, second: int, one: int, other: int
) -> None:
    small = EventSums(one, one, first, 10)
    grown = EventSums(one + other, one + other, first + second, 30)
    start = wallet(5, 6)
    assert start.replaced(None, small).replaced(small, grown) == start.replaced(None, grown)
    wealth = moved(NOTHING, 0, first)
    assert moved(wealth, first, first + second) == moved(NOTHING, 0, first + second)


def test_the_score_is_the_shrunk_mean_with_its_interval() -> None:
    rng = np.random.default_rng(5)
    samples = [rng.integers(-400_000, 300_000, count) for count in (12, 15, 20, 30, 40, 11, 14)]
    samples += [rng.integers(-200_000, 500_000, 25)]
    stats = [wallet(*map(int, sample)) for sample in samples]
    rules = Rules(wallets_min=4, base_edge_max_micro=1_000_000)
    prior = base_rate(base_of(stats), rules)
    pooled = np.concatenate(samples) / 1e6
    assert prior is not None
    assert prior.mean == pytest.approx(pooled.mean(), abs=1e-6)
    subject = subject_of(WalletRecord(), Track(stats=stats[-1]))
    score = score_of(subject, Field(prior, 8, 0, 8), rules)
    own = samples[-1] / 1e6
    posterior = shrink(own.mean(), own.var(ddof=1) / 25, prior)
    lower, upper = interval(posterior.mean, posterior.variance, 0.9, 24)
    assert score.edge_micro / 1e6 == pytest.approx(posterior.mean, abs=2e-6)
    assert score.edge_lower_micro / 1e6 == pytest.approx(lower, abs=2e-6)
    assert score.edge_upper_micro / 1e6 == pytest.approx(upper, abs=2e-6)
    assert 950_000 < score.confidence_micro <= 1_000_000 or score.edge_lower_micro <= 0


def test_a_positive_base_rate_is_cut_and_too_few_wallets_have_none() -> None:
    stats = [wallet(100_000, 200_000, 150_000 + n) for n in range(12)]
    base = base_of(stats)
    cut = base_rate(base, Rules())
    assert cut is not None
    assert cut.mean == 0.0
    assert prior_from_sums(base.in_dollars()).mean > 0.1  # type: ignore[union-attr]
    assert base_rate(base, Rules(wallets_min=13)) is None


def test_ten_favourites_that_all_won_are_no_certainty() -> None:
    # 0.97 each: the edges are all the same, but what was risked is not nothing.
    chance = 30_000 * 970_000
    assert wallet(*[30_000] * 10, chance=chance).variance == 29_100_000_000


def test_evidence_is_the_mean_wealth_of_who_bets_on_the_wallet() -> None:
    gains = [400_000, -600_000, 500_000, 450_000]
    wealth = NOTHING
    for gain in gains:
        wealth = moved(wealth, 0, gain)
    mean = np.mean([np.prod([1 + f * g / 1e6 for g in gains]) for f in FRACTIONS])
    assert evidence_micro(wealth) == pytest.approx(log(mean) * 1e6, abs=2)
    assert evidence_micro(NOTHING) == 0
    assert luck_micro(0) == MICRO
    assert luck_micro(round(log(100) * 1e6)) == pytest.approx(10_000, abs=2)


def test_evidence_is_seldom_high_for_who_has_no_edge_however_often_one_looks() -> None:
    """Ville: wealth reaches 20 in at most one of 20 lives, at any time, at any prices."""
    rng = np.random.default_rng(3)
    lives, reached = 400, 0
    for _ in range(lives):
        prices = rng.uniform(0.05, 0.95, 200)
        gains = (rng.random(200) < prices) - prices
        paths = np.exp(np.cumsum(np.log1p(np.outer(gains, FRACTIONS)), axis=0)).mean(axis=1)
        reached += bool((paths >= 20).any())
    assert reached <= lives * 0.05 + 3 * (lives * 0.05 * 0.95) ** 0.5


def test_the_worst_event_leaves_the_bettor_something() -> None:
    worst = -EVENT_WEIGHT_MAX * (MICRO + 50_000) // MICRO
    assert all(np.isfinite(one) for one in growth(worst))


def test_the_bar_is_that_of_benjamini_and_hochberg_with_e_values() -> None:
    # Four tried at 10 %: alone one needs 40, two together 20 each.
    e_values = [25.0, 22.0, 1.0, 0.5]
    logs = [round(log(one) * 1e6) for one in e_values]
    assert exp(bar_micro(logs, 100_000) / 1e6) == pytest.approx(20, rel=1e-5)
    assert exp(bar_micro(logs[1:], 100_000) / 1e6) == pytest.approx(30, rel=1e-5)
    assert bar_for_more(MICRO, 10, 20, Rules()) == (MICRO + round(log(2) * 1e6), 20)
    assert bar_for_more(0, 0, 5, Rules())[0] == round(log(50) * 1e6)


def test_a_trade_counts_up_to_the_usual_first_stake() -> None:
    stake = Stake("e", cap_micro=10 * MICRO)
    assert counted_weight(stake, stake.cap_micro, 4 * MICRO, 0) == 400_000
    stake.staked_micro = 8 * MICRO
    assert counted_weight(stake, stake.cap_micro, 40 * MICRO, 0) == 200_000
    stake.staked_micro = 10 * MICRO
    assert counted_weight(stake, stake.cap_micro, MICRO, 0) == 0
    assert counted_weight(Stake("e"), MICRO, MICRO, EVENT_WEIGHT_MAX - 5) == 5
    assert usual_stake([5, 1, 9], 7) == 5
    assert usual_stake([], 7) == 7


def test_a_sale_is_a_bet_on_the_other_outcome() -> None:
    assert bet_on(0, True, 300_000) == (0, 300_000)
    assert bet_on(0, False, 300_000) == (1, 700_000)
    assert bet_on(1, False, 300_000) == (0, 700_000)


def test_both_sides_of_a_market_settle_together() -> None:
    stake = Stake("e", weights=[600_000, 400_000], costs=[240_000, 100_000])
    bets = settled(stake, (MICRO, 0))
    assert (bets.weight_micro, bets.gain_micro, bets.cost_micro) == (MICRO, 260_000, 340_000)
    assert bets.chance == 240_000 * 360_000 + 100_000 * 300_000
    assert [(side.cost_micro, side.is_won) for side in bets.sides] == [
        (400_000, True),
        (250_000, False),
    ]
    assert open_loss(stake, 100_000) == 60_000 + 360_000 - 340_000 - 80_000
    assert open_loss(stake, 0) == 0
    assert open_loss(Stake("e", weights=[MICRO, 0], costs=[500_000, 0]), 200_000) == -300_000
    assert open_loss(Stake("e", weights=[MICRO, 0], costs=[500_000, 0]), -1) == 0


def test_shares_are_the_same_for_the_same_seed_and_favour_the_better() -> None:
    whales = {"good": wallet(*[400_000, 300_000] * 20), "fair": wallet(*[50_000, -20_000] * 20)}
    shares = shares_of(whales, None, 7, Rules())
    assert shares == shares_of(whales, None, 7, Rules())
    assert shares["good"] > 900_000
    assert sum(shares.values()) <= 1_000_000
    assert shares_of({}, None, 7, Rules()) == {}
    assert list(shares_of(whales, None, 7, Rules(whales_max=1))) == ["good"]


def test_round_trips_that_only_pay_fees_are_churn() -> None:
    def trips(gain: int) -> list[KeptTrade]:
        found = []
        for n in range(40):
            found.append(KeptTrade(n % 5, 100 * MICRO, 500_000, 1_750_000, n * 600))
            price = 500_000 + gain + (1_000 if n % 2 else -1_000)
            found.append(KeptTrade(n % 5, -100 * MICRO, price, 1_750_000, n * 600 + 60))
        return found

    assert is_churning(trips(0))
    assert not is_churning(trips(200_000))
    assert not is_churning(trips(0)[:20])


def test_rules_come_back_from_the_journal_as_they_went_in() -> None:
    rules = Rules(markets_min=3, slippage_micro=1, is_corrected=0)
    assert rules_of(rules_event(rules)) == rules
    older = rules_event(rules)
    del older.values[5:]
    assert rules_of(older).markets_min == 3
