"""Clusters and hierarchical risk parity, by hand and by what must hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whaletrader.quant.together.hierarchy import hierarchy, parity_weights


def blocks(*sizes: int, inside: float = 0.8, between: float = 0.1) -> np.ndarray:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    matrix = np.where(labels[:, None] == labels[None, :], inside, between)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def test_blocks_are_found_in_whatever_order_columns_come() -> None:
    order = np.random.default_rng(1).permutation(9)
    labels = np.repeat([0, 1, 2], [4, 3, 2])[order]
    found = hierarchy(blocks(4, 3, 2)[np.ix_(order, order)], 0.5)
    for one in range(9):
        for other in range(9):
            together = found.clusters[one] == found.clusters[other]
            assert together == (labels[one] == labels[other])
    assert found.clusters[0] == 0, "numbered by first column"
    # Neighbours in the order of leaves stay together.
    assert np.count_nonzero(np.diff(labels[found.order])) == 2


def test_the_threshold_is_a_correlation() -> None:
    matrix = blocks(2, 1, inside=0.7)
    assert hierarchy(matrix, 0.7).clusters.tolist() == [0, 0, 1]
    assert hierarchy(matrix, 0.71).clusters.tolist() == [0, 1, 2]
    assert hierarchy([[1.0]], 0.5).clusters.tolist() == [0]


def test_two_free_assets_get_inverse_variance() -> None:
    assert parity_weights(np.diag([0.04, 0.01])) == pytest.approx([0.2, 0.8])
    assert parity_weights([[2.0]]).tolist() == [1.0]


def test_four_assets_worked_by_hand() -> None:
    # Two pairs of twins, variances 1, 1 and 4, 4: each pair's variance is (1 + rho) / 2 times its
    # own, so the split is 4 to 1, and within a pair one half.
    correlation = blocks(2, 2, inside=0.9, between=0.0)
    deviation = np.array([1.0, 1.0, 2.0, 2.0])
    weights = parity_weights(correlation * np.outer(deviation, deviation))
    assert weights == pytest.approx([0.4, 0.4, 0.1, 0.1])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10**6))
def test_weights_are_positive_and_add_to_one(columns: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    returns = chance.normal(size=(40, columns)) * chance.uniform(0.5, 2, columns)
    weights = parity_weights(np.atleast_2d(np.cov(returns, rowvar=False)))
    assert (weights > 0).all()
    assert weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hierarchy([[1, 0.5], [0.4, 1]], 0.5), "symmetric"),
        (lambda: hierarchy([[1, 2], [2, 1]], 0.5), "from -1 to 1"),
        (lambda: hierarchy(np.eye(2), 1.5), "from -1 to 1"),
        (lambda: hierarchy([1.0], 0.5), "shape"),
        (lambda: parity_weights([[0.0]]), "above 0"),
        (lambda: parity_weights([1.0]), "shape"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
