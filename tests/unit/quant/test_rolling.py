"""Moving windows and results that count less as they age."""

import numpy as np
import pytest

from whaletrader.quant.performance import profit_factor, sortino_ratio
from whaletrader.quant.ragged import Ragged
from whaletrader.quant.rolling import (
    decay_weights,
    decayed_mean,
    decayed_profit_factor,
    decayed_sharpe,
    decayed_sortino,
    rolling_sharpe,
    sharpe_consistency,
    windows_of,
)


def test_a_window_is_the_ratio_of_its_returns() -> None:
    returns = np.random.default_rng(1).normal(0.1, 1, 20)
    rolled = rolling_sharpe(Ragged.of([returns, [1.0]]), 5)
    assert rolled.counts.tolist() == [16, 0]
    expected = returns[3:8].mean() / returns[3:8].std(ddof=1)
    assert rolled.values[3] == pytest.approx(expected)


def test_windows_without_variance_say_nothing() -> None:
    assert rolling_sharpe(Ragged.of([[0.0, 0.0, 0.0, 1.0]]), 3).counts.tolist() == [1]
    with pytest.raises(ValueError, match="two returns"):
        rolling_sharpe(Ragged.of([[1.0]]), 1)


def test_a_steady_wallet_is_more_consistent_than_one_that_was_good_once() -> None:
    random = np.random.default_rng(2)
    steady = random.normal(0.3, 1, 200)
    once = np.concatenate([random.normal(2, 1, 30), random.normal(-0.1, 1, 170)])
    found = sharpe_consistency(Ragged.of([steady, once, []]), 30)
    assert found.positive_share[0] > 0.9
    assert found.positive_share[1] < 0.6
    assert found.deviation[0] < found.deviation[1]
    assert np.isnan(found.mean[2])
    assert found.windows.tolist() == [171, 171, 0]


def test_any_ratio_has_its_rolling_form() -> None:
    random = np.random.default_rng(4)
    values = Ragged.of([random.normal(size=9), random.normal(size=2), random.normal(size=4)])
    windows, owner = windows_of(values, 4)
    assert owner.tolist() == [0] * 6 + [2]
    assert windows.group(2).tolist() == values.group(0)[2:6].tolist()
    assert windows.group(6).tolist() == values.group(2).tolist()
    assert profit_factor(windows)[2] == profit_factor(Ragged.of([values.group(0)[2:6]]))[0]
    assert windows_of(values, 10)[0].groups == 0
    with pytest.raises(ValueError, match="at least one"):
        windows_of(values, 0)


def test_what_is_sixty_days_old_counts_half() -> None:
    assert decay_weights([0, 60, 120]).tolist() == [1.0, 0.5, 0.25]
    assert decay_weights([10], 10).tolist() == [0.5]


def test_equal_ages_change_nothing() -> None:
    values = np.random.default_rng(3).normal(size=40)
    ragged, ages = Ragged.of([values]), np.full(40, 33.0)
    assert decayed_mean(ragged, ages)[0] == pytest.approx(values.mean())
    assert decayed_sharpe(ragged, ages)[0] == pytest.approx(values.mean() / values.std(ddof=1))
    assert decayed_profit_factor(ragged, ages) == pytest.approx(profit_factor(ragged))
    assert decayed_sortino(ragged, ages, 0.1) == pytest.approx(sortino_ratio(ragged, 1, 0.1))


def test_an_old_success_fades() -> None:
    values = Ragged.of([[1.0] * 10 + [-0.5, -0.4] * 5])
    ages = np.concatenate([np.full(10, 600.0), np.full(10, 1.0)])
    assert values.means()[0] > 0 > decayed_mean(values, ages)[0]
    assert decayed_sharpe(values, ages)[0] < 0
    assert decayed_profit_factor(values, ages)[0] < 0.01


@pytest.mark.parametrize("ages", [[-1.0], [np.nan], [np.inf]])
def test_the_future_is_refused(ages: list[float]) -> None:
    with pytest.raises(ValueError, match="not happened yet"):
        decay_weights(ages)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="half-life"):
        decay_weights([1.0], 0)
    with pytest.raises(ValueError, match="its age"):
        decayed_mean(Ragged.of([[1.0, 2.0]]), [1.0])


def test_equal_returns_have_no_ratio_whatever_rounding_leaves() -> None:
    equal = Ragged.of([[0.1] * 7])
    assert rolling_sharpe(equal, 3).counts.tolist() == [0]
    assert np.isnan(decayed_sharpe(equal, np.arange(7.0))[0])
