"""Corrections for how much was tried."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.multiple_testing import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    holm,
)

many = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(many)
def test_no_correction_makes_a_p_value_smaller_and_order_is_kept(values: list[float]) -> None:
    p = np.array(values)
    for correct in (benjamini_hochberg, benjamini_yekutieli, holm, bonferroni):
        adjusted = correct(p)
        assert (adjusted >= p - 1e-15).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= -1e-12).all()
    assert (benjamini_hochberg(p) <= benjamini_yekutieli(p) + 1e-12).all()
    assert (benjamini_hochberg(p) <= holm(p) + 1e-12).all()
    assert (holm(p) <= bonferroni(p) + 1e-12).all()


def test_a_test_that_was_not_made_is_not_counted() -> None:
    p = np.array([[0.01, np.nan], [0.04, 0.5]])
    adjusted = benjamini_hochberg(p)
    assert adjusted.shape == p.shape
    assert np.isnan(adjusted[0, 1])
    assert adjusted[~np.isnan(p)] == pytest.approx([0.03, 0.06, 0.5])
    assert benjamini_hochberg([]).size == 0


def test_the_false_discovery_rate_is_kept_when_some_are_true() -> None:
    random = np.random.default_rng(1)
    shares = []
    for _ in range(400):
        p = random.random(100)
        p[:20] *= 1e-3
        rejected = benjamini_hochberg(p) <= 0.1
        shares.append(rejected[20:].sum() / max(rejected.sum(), 1))
    assert np.mean(shares) == pytest.approx(0.08, abs=0.02)


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        benjamini_hochberg([0.5, value])
