"""Modified VaR: the sign of the quantile, published coefficients, and where it holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from whaletrader.quant.risk.cornish_fisher import (
    Moments,
    gaussian_var,
    is_monotone,
    modified_var,
    moments,
)


def test_without_skew_and_tails_it_is_the_normal_var() -> None:
    of = Moments(0.01, 0.2, 0.0, 0.0)
    found = modified_var(of, 0.99)
    assert found.var == pytest.approx(-(0.01 - 2.3263479 * 0.2))
    assert found.var == pytest.approx(gaussian_var(of, 0.99))
    assert found.is_valid


def test_it_is_a_loss_and_a_left_skew_makes_it_larger() -> None:
    left = modified_var(Moments(0.0, 1.0, -0.5, 1.0), 0.99)
    right = modified_var(Moments(0.0, 1.0, 0.5, 1.0), 0.99)
    assert left.z < 0 < right.var < left.var


def test_the_coefficients_of_the_eu_regulation_on_retail_products() -> None:
    # Delegated Regulation (EU) 2017/653, annex II, point 12: -1.96 + 0.474 S - 0.0687 K + 0.146 S^2
    def z(skew: float, excess: float) -> float:
        return modified_var(Moments(0.0, 1.0, skew, excess), 0.975).z_modified

    assert z(0, 0) == pytest.approx(-1.96, abs=5e-3)
    assert (z(1, 0) - z(-1, 0)) / 2 == pytest.approx(0.474, abs=5e-4)
    assert z(0, 1) - z(0, 0) == pytest.approx(-0.0687, abs=5e-4)
    assert (z(1, 0) + z(-1, 0)) / 2 - z(0, 0) == pytest.approx(0.146, abs=5e-4)


@pytest.mark.parametrize(
    ("excess", "published"), [(0.0, -2.249053), (1.0, -2.482841), (-1.0, -2.015265)]
)
def test_the_quantiles_that_mir_stat_publishes(excess: float, published: float) -> None:
    found = modified_var(Moments(0.0, 1.0, 0.1, excess), 0.99)
    assert found.z_modified == pytest.approx(published, abs=5e-7)


def test_the_upper_quantile_is_the_loss_of_the_mirrored_returns() -> None:
    # mir.stat: 0.99 quantile with mean 0.1, deviation 0.2, skew 0.1, excess kurtosis 1.
    assert modified_var(Moments(-0.1, 0.2, -0.1, 1.0), 0.99).var == pytest.approx(
        0.6259808, abs=5e-8
    )


def test_it_is_nearer_to_the_truth_than_the_normal_where_skew_is_mild() -> None:
    # A mirrored gamma of shape 40: skew -0.316, excess kurtosis 0.15.
    truth = -float(-stats.gamma(40).ppf(0.99))
    of = Moments(-40.0, 40**0.5, -2 / 40**0.5, 6 / 40)
    found, normal = modified_var(of, 0.99), gaussian_var(of, 0.99)
    assert abs(found.var - truth) < 0.1 * abs(normal - truth)


@given(st.floats(-3, 3), st.floats(-3, 25))
def test_valid_means_that_more_confidence_is_more_loss(skew: float, excess: float) -> None:
    levels = np.linspace(0.5, 0.9999, 400)
    losses = [modified_var(Moments(0, 1, skew, excess), float(q)).z_modified for q in levels]
    if is_monotone(skew, excess):
        assert (np.diff(losses) <= 1e-12).all()


@pytest.mark.parametrize(
    ("skew", "excess", "valid"),
    [
        (0.0, 0.0, True),
        (0.0, 8.0, True),  # without skew the domain is 0 <= K <= 8
        (0.0, 8.01, False),
        (0.0, -0.01, False),
        # |S| <= 6 (sqrt(2) - 1) = 2.485, whatever K (Maillard 2012)
        (2.48, 8.2, False),
        (2.5, 9.0, False),
        (1.0, 4.0, True),
        (1.0, 1.0, False),
    ],
)
def test_the_edge_of_maillards_domain(skew: float, excess: float, valid: bool) -> None:
    assert is_monotone(skew, excess) is valid
    assert is_monotone(-skew, excess) is valid


def test_moments_are_those_of_scipy() -> None:
    values = np.random.default_rng(7).gamma(3.0, 0.01, 500)
    found = moments(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std())
    assert found.skew == pytest.approx(stats.skew(values))
    assert found.excess_kurtosis == pytest.approx(stats.kurtosis(values))


def test_returns_that_never_move_lose_nothing_but_their_mean() -> None:
    assert moments([0.1] * 5) == Moments(pytest.approx(0.1), 0.0, 0.0, 0.0)
    assert modified_var(moments([0.1] * 5), 0.99).var == pytest.approx(-0.1)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, float("nan")], [[0.1, 0.2]]])
def test_too_few_or_broken_returns_are_refused(returns: list[float]) -> None:
    with pytest.raises(ValueError, match="at least two finite returns"):
        moments(returns)


def test_a_confidence_in_per_cent_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        modified_var(Moments(0, 1, 0, 0), 99)
    with pytest.raises(ValueError, match="between 0 and 1"):
        gaussian_var(Moments(0, 1, 0, 0), 99)
