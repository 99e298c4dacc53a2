"""EWMA against weights written out, and against RiskMetrics' own recursion."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.ewma import Ewma, updated, updated_by_zeros, z_score

decays = st.floats(0.5, 0.99)
values = st.lists(st.floats(0, 1e6), min_size=1, max_size=30)


def folded(series: list[float], decay: float) -> Ewma:
    moments = Ewma()
    for value in series:
        moments = updated(moments, value, decay)
    return moments


def test_the_moments_of_a_short_series_worked_by_hand() -> None:
    # lambda 0.9: mean 10 -> 11 -> 9.9; variance 0 -> 0.9 * (0 + 10 * 1) = 9
    # -> 0.9 * (9 + (-11) * (-1.1)) = 18.99
    moments = folded([10.0, 20.0, 0.0], 0.9)
    assert moments.mean == pytest.approx(9.9)
    assert moments.variance == pytest.approx(18.99)
    assert moments.count == 3


@given(values, decays)
def test_the_recursion_equals_the_weighted_sums(series: list[float], decay: float) -> None:
    ages = np.arange(len(series))[::-1]
    weights = (1 - decay) * decay**ages
    weights[0] = decay ** (len(series) - 1)
    mean = float(np.average(series, weights=weights))
    variance = float(np.average((np.array(series) - mean) ** 2, weights=weights))
    moments = folded(series, decay)
    assert moments.mean == pytest.approx(mean, rel=1e-6, abs=1e-6)
    assert moments.variance == pytest.approx(variance, rel=1e-5, abs=1e-3)


def test_with_the_mean_at_zero_it_is_the_recursion_of_riskmetrics() -> None:
    # sigma^2(t+1) = 0.94 sigma^2(t) + 0.06 r^2, to first order where the mean stays near zero.
    before = Ewma(0.0, 4.0, 500)
    assert updated(before, 1.0, 0.94).variance == pytest.approx(0.94 * (4.0 + 0.06))


@given(values, st.integers(0, 40), decays)
def test_zeros_at_once_equal_zeros_one_by_one(
    series: list[float], zeros: int, decay: float
) -> None:
    at_once = updated_by_zeros(folded(series, decay), zeros, decay)
    one_by_one = folded([*series, *[0.0] * zeros], decay)
    assert at_once.count == one_by_one.count
    assert at_once.mean == pytest.approx(one_by_one.mean, rel=1e-6, abs=1e-9)
    assert at_once.variance == pytest.approx(one_by_one.variance, rel=1e-6, abs=1e-6)


def test_a_long_silence_forgets_everything_but_that_it_was_silent() -> None:
    moments = updated_by_zeros(folded([1e6, 2e6], 0.97), 10**9, 0.97)
    assert moments == Ewma(0.0, 0.0, 10**9 + 2)


def test_the_z_score_counts_deviations_and_believes_no_tiny_one() -> None:
    assert z_score(Ewma(10.0, 25.0, 9), 30.0, 1.0) == 4.0
    assert z_score(Ewma(10.0, 0.0, 9), 30.0, 10.0) == 2.0
    assert z_score(Ewma(10.0, 4.0, 9), 0.0, 1.0) == -10.0 / sqrt(4.0)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, 2.0])
def test_a_decay_outside_its_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="decay"):
        updated(Ewma(), 1.0, decay)
    with pytest.raises(ValueError, match="decay"):
        updated_by_zeros(Ewma(), 1, decay)


def test_negative_counts_and_deviations_are_refused() -> None:
    with pytest.raises(ValueError, match="-1 observations"):
        updated_by_zeros(Ewma(), -1, 0.9)
    with pytest.raises(ValueError, match="deviation"):
        z_score(Ewma(), 1.0, 0.0)
