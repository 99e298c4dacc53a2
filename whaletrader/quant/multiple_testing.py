"""Many tests at once: what is left of a p-value when it was one of ten thousand.

Owns corrections only; whoever tests says how many were tried by handing in all of their p-values.
Called by the skill verdict, the persistence study and reports. All return adjusted p-values of
the shape given: reject where they are at most the level. nan is a test that was not made: it
stays nan and is not counted.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whaletrader.quant.ragged import Floats


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Return q-values: the false discovery rate at which each test is just rejected.

    Benjamini and Hochberg (1995), "Controlling the false discovery rate", section 3.1, for tests
    independent or positively dependent (Benjamini and Yekutieli 2001, theorem 1.2).
    """
    return _adjusted(p_values, lambda p, rank, m: _from_above(p * m / rank))


def benjamini_yekutieli(p_values: ArrayLike) -> Floats:
    """Return q-values under any dependence (Benjamini and Yekutieli 2001, theorem 1.3)."""

    def adjust(p: Floats, rank: Floats, m: int) -> Floats:
        harmonic = float(np.sum(1 / np.arange(1, m + 1)))
        return _from_above(p * m * harmonic / rank)

    return _adjusted(p_values, adjust)


def bonferroni(p_values: ArrayLike) -> Floats:
    """Return p-values times the number of tests: the chance of a single false rejection."""
    return _adjusted(p_values, lambda p, _, m: p * m)


def holm(p_values: ArrayLike) -> Floats:
    """Return Holm's step-down form of Bonferroni (Holm 1979), never weaker and always valid."""
    return _adjusted(p_values, lambda p, rank, m: np.maximum.accumulate(p * (m - rank + 1)))


def _from_above(raw: Floats) -> Floats:
    return np.minimum.accumulate(raw[::-1])[::-1]


def _adjusted(p_values: ArrayLike, adjust: Callable[[Floats, Floats, int], Floats]) -> Floats:
    values: NDArray[np.float64] = np.asarray(p_values, dtype=np.float64)
    is_made = ~np.isnan(values)
    made = values[is_made]
    if ((made < 0) | (made > 1)).any():
        raise ValueError("a p-value lies outside 0 to 1")
    found = np.full(values.shape, np.nan)
    if made.size:
        order = np.argsort(made, kind="stable")
        ranks = np.arange(1, made.size + 1, dtype=np.float64)
        adjusted = np.empty(made.size)
        adjusted[order] = np.minimum(adjust(made[order], ranks, made.size), 1.0)
        found[is_made] = adjusted
    return found
