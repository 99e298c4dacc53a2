"""Errors that allow for what happens together: clustered by market, by event, or by both.

Owns cluster-robust errors of weighted means (many wallets at once) and of least squares:

- Liang and Zeger (1986); Cameron and Miller (2015), "A practitioner's guide to cluster-robust
  inference", section II.B, with Stata's correction G / (G - 1) (N - 1) / (N - K);
- two ways: Cameron, Gelbach and Miller (2011), "Robust inference with multiway clustering",
  eq. 2.6, and section 2.3 for a matrix that is not positive;
- few clusters: wild cluster bootstrap-t, null imposed, of Cameron, Gelbach and Miller (2008),
  "Bootstrap-based improvements for inference with clustered errors", section III.

Called by edge, skill and persistence.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.ragged import Floats, Ints, Ragged, divided, sums_by
from whaletrader.quant.resampling import monte_carlo_p, on_grid, resampled_sums

# Groups whose draws are held at once: 1,024 groups of 1,000 draws are 8 MB an array.
_GROUPS_AT_ONCE: Final = 1_024


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which cluster each value is in: `labels` (n,) 0..total-1; `owners` (total,) the group."""

    labels: Ints
    owners: Ints

    @property
    def total(self) -> int:
        """How many clusters there are, over all groups."""
        return len(self.owners)


@dataclass(frozen=True, slots=True)
class MeanErrors:
    """Weighted mean of each group with its clustered error; arrays (groups,), nan: undefined.

    `scores` and `shares` are what clusters add, sum w x and sum w / W, grouped by owner.
    """

    mean: Floats
    error: Floats
    clusters: Ints
    t: Floats
    scores: Ragged
    shares: Ragged


@dataclass(frozen=True, slots=True)
class Fit:
    """Least squares: coefficients (k,), clustered errors (k,), covariance (k, k), residuals."""

    coefficients: Floats
    errors: Floats
    covariance: Floats
    residuals: Floats
    # The fewer of the two ways: degrees of freedom are one less.
    clusters: int


def clusters_within(owners: Ints, codes: ArrayLike) -> Clusters:
    """Return clusters of values with one owner and one code each; ordered by owner, then code.

    The same code under two owners is two clusters. Raises ValueError.
    """
    labels = np.asarray(codes)
    if labels.shape != owners.shape or (labels.size and labels.dtype.kind not in "iu"):
        raise ValueError("every value needs the integer code of its cluster")
    if not labels.size:
        return Clusters(np.empty(0, np.int64), np.empty(0, np.int64))
    low, span = int(labels.min()), int(labels.max()) - int(labels.min()) + 1
    if span > np.iinfo(np.int64).max // (int(owners.max()) + 1):
        raise ValueError("number the clusters from 0 on: the codes are too large")
    keys, found = np.unique(owners * span + (labels - low), return_inverse=True)
    return Clusters(found.ravel().astype(np.int64), (keys // span).astype(np.int64))


def mean_errors(values: Ragged, weights: ArrayLike, clusters: ArrayLike) -> MeanErrors:
    """Return each group's weighted mean, sum w x / sum w, with its error clustered by code.

    error^2 = G / (G - 1) sum_g (sum_{i in g} w_i (x_i - mean))^2 / W^2. With one cluster: nan.
    `weights` (n,) not negative, `clusters` (n,) integers. Raises ValueError.
    """
    weighting = np.asarray(weights, dtype=np.float64)
    if weighting.shape != values.values.shape or (weighting < 0).any():
        raise ValueError("every value needs a weight that is not negative")
    found = clusters_within(values.labels, clusters)
    profit = sums_by(found.labels, weighting * values.values, found.total)
    weight = sums_by(found.labels, weighting, found.total)
    scores = Ragged.by(found.owners, profit, values.groups)
    total = sums_by(found.owners, weight, values.groups)
    shares = scores.with_values(np.nan_to_num(divided(weight, total[found.owners])))
    return errors_of(scores, shares, total)


def errors_of(scores: Ragged, shares: Ragged, total_weights: Floats) -> MeanErrors:
    """Return means and errors from clusters already summed; `total_weights` (groups,)."""
    gains = scores.sums()
    centred = scores.values - shares.values * gains[scores.labels]
    squares = sums_by(scores.labels, centred**2, scores.groups)
    counts = scores.counts
    correction = divided(counts, np.maximum(counts - 1, 0))
    mean = divided(gains, total_weights)
    error = divided(np.sqrt(correction * squares), total_weights)
    return MeanErrors(mean, error, counts, divided(mean, error), scores, shares)


def wild_cluster_p(errors: MeanErrors, weights: Floats) -> Floats:
    """Return one-sided p-values of a mean above 0, shape (groups,), by the wild cluster bootstrap.

    Each draw flips the signs of whole clusters of the null model (mean 0) and studentises again;
    `weights` (rows, draws) are signs from `sign_weights`, shared by all groups. Below five
    clusters fewer than 32 outcomes are possible, and the p-value is as coarse.
    """
    found = np.full(errors.scores.groups, np.nan)
    for first in range(0, len(found), _GROUPS_AT_ONCE):
        last = min(first + _GROUPS_AT_ONCE, len(found))
        scores, shares = errors.scores.between(first, last), errors.shares.between(first, last)
        found[first:last] = _wild_p(on_grid(scores), shares, weights)
    return np.where(errors.clusters > 1, found, np.nan)


def _wild_p(scores: Ragged, shares: Ragged, weights: Floats) -> Floats:
    drawn = resampled_sums(scores, weights)
    products = shares.with_values(scores.values * shares.values)
    squares = sums_by(scores.labels, scores.values**2, scores.groups)[:, None]
    leverage = sums_by(shares.labels, shares.values**2, shares.groups)[:, None]
    gains, crossed = scores.sums()[:, None], products.sums()[:, None]
    # sum_g (v_g s_g - a_g T)^2 with signs v, written out; a sum of squares, so never negative.
    spread = squares - 2 * drawn * resampled_sums(products, weights) + drawn**2 * leverage
    own = np.maximum(squares - 2 * gains * crossed + gains**2 * leverage, 0.0)
    spread = np.maximum(spread, 0.0)
    # t* >= t without dividing: both sides times both roots. Ties (the data itself) count.
    room = 1e-9 * np.sqrt(squares * np.maximum(own, spread))
    exceeding = drawn * np.sqrt(own) >= gains * np.sqrt(spread) - room
    return monte_carlo_p(exceeding.sum(axis=1), weights.shape[1])


def ols(
    design: ArrayLike,
    response: ArrayLike,
    clusters: ArrayLike,
    second_clusters: ArrayLike | None = None,
) -> Fit:
    """Fit response on design, (n, k) with its own column of ones; errors clustered one or two ways.

    Raises ValueError for a design without full rank or fewer than two clusters.
    """
    x, y = np.asarray(design, np.float64), np.asarray(response, np.float64)
    if x.ndim != 2 or y.shape != (len(x),) or np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError("design must be (n, k) of full rank, response (n,)")
    bread = np.linalg.inv(x.T @ x)
    coefficients = bread @ (x.T @ y)
    residuals = y - x @ coefficients
    covariance, fewest = cluster_covariance(x, residuals, clusters, second_clusters)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return Fit(coefficients, errors, covariance, residuals, fewest)


def cluster_covariance(
    design: Floats,
    residuals: Floats,
    clusters: ArrayLike,
    second_clusters: ArrayLike | None = None,
) -> tuple[Floats, int]:
    """Return the clustered covariance of least squares (k, k) and the smaller count of clusters.

    Two ways: by the first, plus by the second, less by both; negative eigenvalues become 0.
    """
    first = np.unique(np.asarray(clusters), return_inverse=True)[1].ravel()
    bread = np.asarray(np.linalg.inv(design.T @ design), np.float64)
    one, count = _one_way(design, residuals, first, bread)
    if second_clusters is None:
        return one, count
    second = np.unique(np.asarray(second_clusters), return_inverse=True)[1].ravel()
    other, other_count = _one_way(design, residuals, second, bread)
    both = np.unique(first * (second.max() + 1) + second, return_inverse=True)[1].ravel()
    shared, _ = _one_way(design, residuals, both, bread)
    covariance = one + other - shared
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    if (values < 0).any():
        covariance = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return covariance, min(count, other_count)


def _one_way(design: Floats, residuals: Floats, labels: Ints, bread: Floats) -> tuple[Floats, int]:
    rows, columns = design.shape
    count = int(labels.max()) + 1
    if count < 2 or rows <= columns:
        raise ValueError("clustered errors need two clusters and more rows than columns")
    scores = np.stack(
        [sums_by(labels, design[:, j] * residuals, count) for j in range(columns)], axis=1
    )
    correction = count / (count - 1) * (rows - 1) / (rows - columns)
    return correction * bread @ (scores.T @ scores) @ bread, count
