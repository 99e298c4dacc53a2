"""A tree of what moves together, and weights that spread risk along it.

Owns the distance sqrt((1 - rho) / 2) (Mantegna 1999, up to a factor; Lopez de Prado 2016, "Building
diversified portfolios that outperform out of sample", section 4), clusters cut from the tree, and
hierarchical risk parity (the same, appendix). The tree itself is scipy's. Called by discovery and
by studies.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import (  # type: ignore[import-untyped]
    fcluster,
    leaves_list,
    linkage,
)
from scipy.spatial.distance import squareform  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Cluster of each column from 0, by first column (n,), and the order of leaves (n,)."""

    clusters: Ints
    order: Ints


def hierarchy(correlation: ArrayLike, threshold: float, method: str = "average") -> Hierarchy:
    """Cluster columns whose mean correlation is at least `threshold`.

    `correlation` (n, n), n at least 1; `method` is scipy's linkage. Raises ValueError.
    """
    matrix = _checked(correlation)
    if not -1 <= threshold <= 1:
        raise ValueError(f"a correlation of {threshold} is not from -1 to 1")
    if len(matrix) == 1:
        return Hierarchy(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    tree = _tree(matrix, method)
    # Rounding must not part what is exactly at the threshold.
    labels = fcluster(tree, np.sqrt((1 - threshold) / 2) + 1e-12, criterion="distance")
    _, firsts, codes = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(firsts))
    return Hierarchy(rank[codes].astype(np.int64), np.asarray(leaves_list(tree), dtype=np.int64))


def parity_weights(covariance: ArrayLike, method: str = "single") -> Floats:
    """Return hierarchical risk parity weights (n,): positive, adding to 1.

    The leaves' order is cut in halves again and again, each half getting capital inversely to the
    variance of its inverse-variance portfolio. Raises ValueError unless every variance is above 0.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError("a covariance has shape (n, n), n at least 1")
    variances = np.diag(matrix)
    if not np.isfinite(matrix).all() or not (variances > 0).all():
        raise ValueError("a covariance must be finite, its variances above 0")
    deviation = np.sqrt(variances)
    correlation = np.clip(matrix / np.outer(deviation, deviation), -1, 1)
    np.fill_diagonal(correlation, 1.0)
    weights = np.ones(len(matrix))
    if len(matrix) == 1:
        return weights
    parts = [leaves_list(_tree(_checked(correlation), method))]
    while parts:
        part = parts.pop()
        halves = [part[: len(part) // 2], part[len(part) // 2 :]]
        left, right = (_variance(matrix, half) for half in halves)
        share = right / (left + right)
        weights[halves[0]] *= share
        weights[halves[1]] *= 1 - share
        parts += [half for half in halves if len(half) > 1]
    return weights


def _variance(matrix: Floats, part: Ints) -> float:
    block = matrix[np.ix_(part, part)]
    inverse = 1 / np.diag(block)
    shares = inverse / inverse.sum()
    return float(shares @ block @ shares)


def _tree(correlation: Floats, method: str) -> Floats:
    distance = np.sqrt(np.clip((1 - correlation) / 2, 0, 1))
    np.fill_diagonal(distance, 0.0)
    return np.asarray(linkage(squareform(distance, checks=False), method), dtype=np.float64)


def _checked(correlation: ArrayLike) -> Floats:
    matrix = np.asarray(correlation, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError("a correlation has shape (n, n), n at least 1")
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 1 + 1e-9:
        raise ValueError("correlations must be finite and from -1 to 1")
    if not np.allclose(matrix, matrix.T, atol=1e-9):
        raise ValueError("the correlation is not symmetric")
    return matrix
