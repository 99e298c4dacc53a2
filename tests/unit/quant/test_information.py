"""Information coefficients and how fast they fade."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from whaletrader.quant.information import ic_half_life, information_coefficient, ranks
from whaletrader.quant.ragged import Ragged

numbers = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=20)


@given(numbers)
def test_ties_share_their_rank(values: list[float]) -> None:
    assert ranks(values) == pytest.approx(stats.rankdata(values))


def test_each_group_has_spearmans_correlation() -> None:
    random = np.random.default_rng(1)
    first = [np.round(random.normal(size=size), 1) for size in (30, 2, 12, 0, 5)]
    second = [part + np.round(random.normal(size=len(part)), 1) for part in first]
    second[4] = np.ones(5)
    found = information_coefficient(Ragged.of(first), Ragged.of(second))
    for index in (0, 2):
        expected = stats.spearmanr(first[index], second[index]).statistic
        assert found[index] == pytest.approx(expected)
    assert np.isnan(found[[1, 3, 4]]).all()


def test_a_half_life_is_found_again() -> None:
    horizons = np.array([1.0, 2, 5, 10, 20, 40])
    found = ic_half_life(0.08 * 2 ** (-horizons / 12), horizons)
    assert (found.half_life, found.level, found.used) == pytest.approx((12, 0.08, 6))
    noisy = 0.08 * 2 ** (-horizons / 12) + np.array([0.002, -0.002, 0.001, -0.001, 0.002, -0.02])
    assert ic_half_life(noisy, horizons).half_life == pytest.approx(12, rel=0.25)


def test_what_does_not_fade_has_no_half_life_and_what_never_was_has_nothing() -> None:
    assert ic_half_life([0.05, 0.06], [1, 2]).half_life == np.inf
    nothing = ic_half_life([-0.1, 0.0, np.nan, 0.1], [1, 2, 3, 4])
    assert np.isnan(nothing.half_life)
    assert nothing.used == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="horizon"):
        ic_half_life([0.1, 0.2], [1])
    with pytest.raises(ValueError, match="horizon"):
        ic_half_life([0.1, 0.2], [-1, 2])
    with pytest.raises(ValueError, match="forecast"):
        information_coefficient(Ragged.of([[1.0, 2.0]]), Ragged.of([[1.0]]))
    with pytest.raises(ValueError, match="nan"):
        ranks([1.0, np.nan])
