"""Permutation tests: is it more than a shuffle would give?

Owns exact-in-law tests that assume exchangeability and nothing else (Fisher 1935; Good 2005,
"Permutation, parametric and bootstrap tests", chapters 3 and 4). Called by reports and the
evidence study. Takes a `numpy.random.Generator`; p-values count the data as one of the draws.
"""

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.ragged import Floats, Ragged
from whaletrader.quant.resampling import monte_carlo_p, on_grid, resampled_sums, sign_weights


def sign_flip_test(values: Ragged, draws: int, random: np.random.Generator) -> Floats:
    """Return one-sided p-values of a mean above 0, shape (groups,).

    Right when each value is symmetric about 0 under the null; not for payoffs of longshots (see
    fair_price). Values are to be independent: sum by market first. An empty group: nan.
    """
    weights = sign_weights(int(values.counts.max(initial=0)), draws, random)
    drawn = resampled_sums(values, weights)
    observed = on_grid(values).sums()
    exceeding = (drawn >= observed[:, None]).sum(axis=1)
    return np.where(values.counts > 0, monte_carlo_p(exceeding, draws), np.nan)


def two_sample_test(
    first: ArrayLike, second: ArrayLike, draws: int, random: np.random.Generator
) -> float:
    """Return the one-sided p-value of the first mean lying above the second.

    Both flat. Raises ValueError for an empty sample.
    """
    ours, theirs = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if not len(ours) or not len(theirs):
        raise ValueError("both samples need at least one value")
    pooled = on_grid(Ragged.of([np.concatenate([ours, theirs])])).values
    shuffled = random.permuted(np.broadcast_to(pooled, (draws, len(pooled))), axis=1)
    # With the pooled sum fixed, the sum of the first sample orders as the difference of means.
    drawn = shuffled[:, : len(ours)].sum(axis=1)
    return float(monte_carlo_p((drawn >= pooled[: len(ours)].sum()).sum(), draws))


def correlation_test(
    first: ArrayLike, second: ArrayLike, draws: int, random: np.random.Generator
) -> float:
    """Return the one-sided p-value of a correlation above 0, by shuffling one side.

    Both flat and of one length. Hand in ranks for Spearman's. Raises ValueError, also for what is
    no finite number: no shuffle reaches nan, so it would look like the strongest evidence.
    """
    ours, theirs = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1 or len(ours) < 3:
        raise ValueError("a correlation needs two samples of one length, at least three")
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise ValueError("a value is not a finite number: leave out what is not known")
    centred = theirs - theirs.mean()
    shuffled = random.permuted(np.broadcast_to(centred, (draws, len(centred))), axis=1)
    observed = float(centred @ ours)
    # A shuffle that equals the data must count: leave room for the last digits.
    room = 1e-12 * float(np.abs(centred) @ np.abs(ours))
    return float(monte_carlo_p((shuffled @ ours >= observed - room).sum(), draws))
