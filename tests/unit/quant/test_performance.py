"""Ratios of whole track records, worked by hand and by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.performance import (
    autocorrelations,
    calmar_ratio,
    information_ratio,
    profit_factor,
    sharpe_ratio,
    sharpe_ratio_lo,
    sortino_ratio,
)
from whaletrader.quant.ragged import Ragged

groups = st.lists(
    st.lists(st.floats(-0.5, 0.5).map(lambda x: round(x, 4)), max_size=12), min_size=1, max_size=6
)


def random_returns(periods: int = 400, seed: int = 1) -> Ragged:
    return Ragged.of([np.random.default_rng(seed).normal(0.01, 0.05, periods)])


@given(groups)
def test_many_wallets_at_once_are_the_wallets_one_by_one(parts: list[list[float]]) -> None:
    together = sharpe_ratio(Ragged.of(parts), 365, 0.03)
    alone = [sharpe_ratio(Ragged.of([part]), 365, 0.03)[0] for part in parts]
    assert together == pytest.approx(alone, nan_ok=True)


def test_the_sharpe_ratio_is_excess_over_deviation_times_the_root_of_time() -> None:
    returns = [0.02, -0.01, 0.03, 0.00]
    expected = (np.mean(returns) - 0.12 / 12) / np.std(returns, ddof=1) * np.sqrt(12)
    assert sharpe_ratio(Ragged.of([returns]), 12, 0.12)[0] == pytest.approx(expected)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.1, 0.1]])
def test_without_risk_or_values_there_is_no_ratio(returns: list[float]) -> None:
    ragged = Ragged.of([returns])
    assert np.isnan(sharpe_ratio(ragged, 365)[0])
    assert np.isnan(sharpe_ratio_lo(ragged, 365, 3)[0])


def test_autocorrelations_stay_within_their_wallet() -> None:
    first, second = np.random.default_rng(3).normal(size=(2, 30))
    together = autocorrelations(Ragged.of([first, second, [1.0]]), 4)
    alone = autocorrelations(Ragged.of([first]), 4)
    assert together[:, 0] == pytest.approx(alone[:, 0])
    centred = first - first.mean()
    assert alone[1, 0] == pytest.approx((centred[2:] @ centred[:-2]) / (centred @ centred))
    assert np.isnan(together[:, 2]).all()


def test_stale_prices_flatter_the_plain_ratio_and_not_the_corrected_one() -> None:
    fresh = random_returns()
    smoothed = np.convolve(fresh.values, [0.5, 0.3, 0.2], mode="valid")
    stale = Ragged.of([smoothed])
    assert sharpe_ratio(stale, 365)[0] > 1.4 * sharpe_ratio(fresh, 365)[0]
    assert sharpe_ratio_lo(stale, 365, 5)[0] == pytest.approx(
        sharpe_ratio_lo(fresh, 365, 5)[0], rel=0.25
    )


def test_the_sortino_ratio_counts_only_what_falls_short() -> None:
    returns, target = np.array([0.05, -0.02, 0.01, -0.04]), 0.01
    downside = np.sqrt((0.0 + 0.03**2 + 0.0 + 0.05**2) / 4)
    expected = (returns.mean() - target) / downside * np.sqrt(365)
    assert sortino_ratio(Ragged.of([returns]), 365, target)[0] == pytest.approx(expected)
    assert np.isnan(sortino_ratio(Ragged.of([[0.1, 0.2]]), 365)[0])


def test_the_calmar_ratio_is_growth_over_the_deepest_drawdown() -> None:
    # 1 -> 1.5 -> 0.75 -> 1.2 over three halves of a year: the drawdown is one half.
    ratio = calmar_ratio(Ragged.of([[0.5, -0.5, 0.6]]), 2)[0]
    assert ratio == pytest.approx((1.2 ** (1 / 1.5) - 1) / 0.5)
    assert np.isnan(calmar_ratio(Ragged.of([[0.1, 0.2], []]), 2)).all()


def test_the_information_ratio_is_the_sharpe_ratio_of_what_was_added() -> None:
    ours, theirs = random_returns(60, 4), random_returns(60, 5)
    added = Ragged.of([ours.values - theirs.values])
    assert information_ratio(ours, theirs, 365) == pytest.approx(sharpe_ratio(added, 365))
    with pytest.raises(ValueError, match="same periods"):
        information_ratio(ours, random_returns(59), 365)


def test_the_profit_factor_is_gains_over_losses() -> None:
    factors = profit_factor(Ragged.of([[3.0, -1.0, 1.0], [2.0], [], [-2.0], [0.0]]))
    assert factors[0] == 4.0
    assert factors[1] == np.inf
    assert np.isnan(factors[2])
    assert factors[3] == 0.0
    assert np.isnan(factors[4])


@pytest.mark.parametrize("periods", [0, -1])
def test_a_year_without_periods_is_refused(periods: int) -> None:
    for ratio in (sharpe_ratio, sortino_ratio, calmar_ratio):
        with pytest.raises(ValueError, match="periods a year"):
            ratio(Ragged.of([[0.1, 0.2]]), periods)
    with pytest.raises(ValueError, match="lags"):
        autocorrelations(Ragged.of([[0.1, 0.2]]), 0)
