"""Sums that change one wallet at a time, and the rules for being worth copying."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.shrinkage import interval, prior_from_sums, shrink
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.discovery.ledger import MarketResult
from whaletrader.services.discovery.scoring import base_rate, reasons_for, score_of
from whaletrader.services.discovery.statistics import BaseSums, WalletStats


def result(edge: int, chance: int = 0, trades: int = 3) -> MarketResult:
    return MarketResult(edge, 0, 1, edge, chance, trades)


def wallet(*edges: int, chance: int = 0) -> WalletStats:
    stats = WalletStats()
    for edge in edges:
        stats = stats.plus(result(edge, chance))
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
        after = wallets[number].plus(result(edge, chance))
        base = base.moved(wallets[number], after)
        wallets[number] = after
    assert base == base_of([stats for stats in wallets if stats.markets])


def test_the_score_is_the_shrunk_mean_with_its_interval() -> None:
    rng = np.random.default_rng(5)
    samples = [rng.integers(-400_000, 300_000, count) for count in (12, 15, 20, 30, 40, 11, 14)]
    samples += [rng.integers(-200_000, 500_000, 25)]
    stats = [wallet(*map(int, sample)) for sample in samples]
    settings = DiscoverySettings(wallets_min=4, base_edge_max_micro=1_000_000)
    prior = base_rate(base_of(stats), settings)
    pooled = np.concatenate(samples) / 1e6
    assert prior is not None
    assert prior.mean == pytest.approx(pooled.mean(), abs=1e-6)
    score = score_of(stats[-1], prior, settings)
    own = samples[-1] / 1e6
    posterior = shrink(own.mean(), own.var(ddof=1) / 25, prior)
    lower, upper = interval(posterior.mean, posterior.variance, 0.9, 24)
    assert score.edge_micro / 1e6 == pytest.approx(posterior.mean, abs=2e-6)
    assert score.edge_lower_micro / 1e6 == pytest.approx(lower, abs=2e-6)
    assert score.edge_upper_micro / 1e6 == pytest.approx(upper, abs=2e-6)
    assert score.shrinkage_micro / 1e6 == pytest.approx(posterior.prior_weight, abs=2e-6)
    assert 0 < score.shrinkage_micro < 1_000_000


def test_a_universe_of_winners_does_not_raise_the_base_rate_above_the_limit() -> None:
    winners = [wallet(*range(100_000 + 1_000 * n, 400_000, 30_000)) for n in range(12)]
    settings = DiscoverySettings()
    raw = prior_from_sums(base_of(winners).in_dollars())
    prior = base_rate(base_of(winners), settings)
    assert raw is not None
    assert prior is not None
    assert (raw.mean > 0.2, prior.mean) == (True, 0.0)
    assert prior.between_variance == raw.between_variance


def test_a_universe_of_losers_lowers_the_base_rate() -> None:
    losers = [wallet(*range(-400_000 - 1_000 * n, 100_000, 30_000)) for n in range(12)]
    prior = base_rate(base_of(losers), DiscoverySettings())
    assert prior is not None
    assert prior.mean < -0.1


def test_a_streak_of_favourites_has_the_variance_of_its_prices() -> None:
    streak = wallet(*[30_000] * 20, chance=970_000 * 30_000)
    assert streak.variance == 970_000 * 30_000
    score = score_of(streak, None, DiscoverySettings())
    assert score.edge_micro == 30_000
    assert score.edge_lower_micro < 0


def test_a_measured_variance_above_that_of_the_prices_counts() -> None:
    assert wallet(-300_000, 300_000, chance=1).variance == 2 * 300_000**2


def test_a_single_market_proves_nothing() -> None:
    score = score_of(wallet(500_000, chance=250_000_000_000), None, DiscoverySettings())
    assert score.edge_lower_micro < -1_000_000


def test_nothing_settled_gives_an_empty_score() -> None:
    score = score_of(WalletStats(), None, DiscoverySettings())
    assert (score.markets, score.edge_micro, score.edge_lower_micro) == (0, 0, 0)


def passed(settings: DiscoverySettings, wallets: int, is_whale: bool, **score) -> dict[str, bool]:
    full = score_of(WalletStats(), None, settings)
    for name, value in score.items():
        setattr(full, name, value)
    reasons = reasons_for(full, wallets, is_whale, settings)
    return {reason.rule.removeprefix("discovery."): reason.passed for reason in reasons}


def test_each_rule_is_told_and_holds_at_its_limit() -> None:
    settings = DiscoverySettings(markets_min=10, trades_min=20, wallets_min=10)
    enough = {"markets": 10, "trades": 20, "edge_lower_micro": 1}
    assert all(passed(settings, 10, False, **enough).values())
    assert not passed(settings, 9, False, **enough)["wallets_min"]
    assert not passed(settings, 10, False, **{**enough, "markets": 9})["markets_min"]
    assert not passed(settings, 10, False, **{**enough, "trades": 19})["trades_min"]
    assert not passed(settings, 10, False, **{**enough, "edge_lower_micro": 0})["edge_lower_min"]


def test_a_whale_stays_one_within_the_margin() -> None:
    settings = DiscoverySettings(prune_margin_micro=10_000)
    assert passed(settings, 10, True, edge_lower_micro=-9_999)["edge_lower_min"]
    assert not passed(settings, 10, True, edge_lower_micro=-10_000)["edge_lower_min"]
    assert not passed(settings, 10, False, edge_lower_micro=-9_999)["edge_lower_min"]


@pytest.mark.parametrize(
    "setting",
    [
        {"confidence": 1.0},
        {"confidence": 0.0},
        {"markets_min": 1},
        {"wallets_min": 3},
        {"rescore_interval_s": 0},
        {"unlisted_fee_rate_micro": -1},
        {"unknown": 1},
    ],
)
def test_settings_out_of_bounds_or_unknown_are_refused(setting: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        DiscoverySettings(**setting)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHALETRADER_DISCOVERY_MARKETS_MIN", "33")
    assert DiscoverySettings().markets_min == 33
