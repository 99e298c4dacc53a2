"""Shuffles. Against scipy's: test_against_libraries."""

import numpy as np
import pytest

from whaletrader.quant.permutation import correlation_test, sign_flip_test, two_sample_test
from whaletrader.quant.ragged import Ragged


def test_p_values_of_nothing_are_uniform() -> None:
    random = np.random.default_rng(1)
    p = sign_flip_test(Ragged.of(list(random.normal(size=(800, 15)))), 499, random)
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=0.06)


def test_a_clear_mean_is_found_and_its_opposite_is_not() -> None:
    values = np.random.default_rng(2).normal(1, 1, 40)
    p = sign_flip_test(Ragged.of([values, -values, []]), 999, np.random.default_rng(3))
    assert p[0] == 0.001
    assert p[1] == 1.0
    assert np.isnan(p[2])


def test_two_samples_and_a_correlation() -> None:
    random = np.random.default_rng(4)
    low, high = random.normal(0, 1, 30), random.normal(1.5, 1, 25)
    assert two_sample_test(high, low, 999, random) == 0.001
    assert two_sample_test(low, high, 999, random) > 0.99
    first = random.normal(size=40)
    assert correlation_test(first, first + random.normal(size=40), 999, random) == 0.001
    assert correlation_test(first, -first, 999, random) == 1.0


def test_equal_values_are_no_evidence() -> None:
    assert two_sample_test([1.0, 1.0], [1.0, 1.0, 1.0], 99, np.random.default_rng(0)) == 1.0
    assert correlation_test([1, 2, 3, 4], [7, 7, 7, 7], 99, np.random.default_rng(0)) == 1.0


def test_too_little_is_refused() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least one value"):
        two_sample_test([], [1.0], 99, random)
    with pytest.raises(ValueError, match="at least three"):
        correlation_test([1, 2], [1, 2], 99, random)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_known_is_refused_and_no_evidence(wrong: float) -> None:
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="not a finite number"):
        correlation_test([1.0, 2.0, 3.0], [1.0, wrong, 3.0], 99, random)
    with pytest.raises(ValueError, match="not a finite number"):
        correlation_test([1.0, wrong, 3.0], [1.0, 2.0, 3.0], 99, random)
    with pytest.raises(ValueError, match="not a finite number"):
        two_sample_test([1.0, wrong], [1.0, 2.0], 99, random)
