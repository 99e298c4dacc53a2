"""Scores by quantile, ranked by what is known of them."""

import numpy as np
import pytest

from whaletrader.quant.scores import (
    QUALITY_WEIGHTS,
    WhaleFactors,
    composite_score,
    quantile_normalised,
    whale_quality,
)


def factors(wallets: int = 50, seed: int = 1) -> WhaleFactors:
    return WhaleFactors(*np.random.default_rng(seed).normal(size=(5, wallets)))


def test_quantiles_keep_order_share_ties_and_let_no_outlier_count() -> None:
    assert quantile_normalised([3.0, 1.0, 2.0, 2.0]).tolist() == [0.875, 0.125, 0.5, 0.5]
    assert quantile_normalised([1.0, 2.0, 1e12])[2] == pytest.approx(5 / 6)
    assert quantile_normalised([np.nan, 4.0]).tolist() == [0.0, 0.5]


def test_the_best_in_everything_comes_first() -> None:
    some = factors()
    best = WhaleFactors(*(np.append(getattr(some, name), 9.0) for name in QUALITY_WEIGHTS))
    found = whale_quality(best)
    assert found.rank[50] == 1
    assert sorted(found.rank) == list(range(1, 52))
    assert found.score[50] == pytest.approx(50.5 / 51)
    assert ((found.score > 0) & (found.score < 1)).all()


def test_each_factor_has_its_weight() -> None:
    flat = {name: np.zeros(3) for name in QUALITY_WEIGHTS}
    for name, weight in QUALITY_WEIGHTS.items():
        found = whale_quality(WhaleFactors(**{**flat, name: np.array([0.0, 1.0, 2.0])}))
        assert found.score[2] - found.score[0] == pytest.approx(weight * 2 / 3)
    assert sum(QUALITY_WEIGHTS.values()) == pytest.approx(1.0)


def test_what_is_little_known_does_not_come_first() -> None:
    edges = np.linspace(-0.1, 0.1, 21)
    errors = np.full(21, 0.005)
    errors[20] = 0.1
    found = composite_score({"edge": edges}, {"edge": 1.0}, {"edge": errors})
    assert found.score[20] == found.score.max()
    assert found.rank[19] == 1
    assert found.rank[20] > 10
    assert (found.lower <= found.score).all()


def test_an_unknown_error_is_the_largest_and_none_is_exact() -> None:
    edges = np.arange(10.0)
    errors = np.full(10, 0.0)
    errors[9] = np.nan
    found = composite_score({"edge": edges}, {"edge": 2.0}, {"edge": errors})
    assert found.lower[:9] == pytest.approx(found.score[:9])
    assert found.lower[9] == 0.0
    assert found.rank[9] == 10


def test_errors_of_several_columns_add_in_squares() -> None:
    values = np.arange(100.0)
    columns = {"a": values, "b": values}
    both = composite_score(columns, {"a": 1, "b": 1}, {"a": values * 0 + 9, "b": values * 0 + 9})
    one = composite_score(columns, {"a": 1, "b": 1}, {"a": values * 0 + 9})
    assert both.score[60] - both.lower[60] == pytest.approx(
        np.sqrt(2) * (one.score[60] - one.lower[60])
    )


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="name the columns"):
        composite_score({"a": [1.0]}, {"b": 1.0})
    with pytest.raises(ValueError, match="name the columns"):
        composite_score({"a": [1.0]}, {"a": 1.0}, {"b": [1.0]})
    with pytest.raises(ValueError, match="not positive"):
        composite_score({"a": [1.0]}, {"a": 0.0})
    with pytest.raises(ValueError, match="its error"):
        composite_score({"a": [1.0]}, {"a": 1.0}, {"a": [-1.0]})
    with pytest.raises(ValueError, match="confidence"):
        composite_score({"a": [1.0]}, {"a": 1.0}, confidence=1.0)
