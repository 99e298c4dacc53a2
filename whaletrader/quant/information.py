"""How well forecasts order what comes: information coefficient and how fast it fades.

Owns ranks, the information coefficient (Grinold and Kahn 1999, "Active portfolio management",
chapter 6, in Spearman's rank form) and its half-life. Called by scores and persistence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.ragged import Floats, Ragged, divided, sums_by


@dataclass(frozen=True, slots=True)
class Decay:
    """ic(h) = level 2^(-h / half_life); `half_life` in the horizons' unit, inf: does not fade."""

    level: float
    half_life: float
    # Horizons with an IC above 0, which the fit is made of.
    used: int


def ranks(values: ArrayLike) -> Floats:
    """Return ranks from 1, ties their average."""
    flat = np.asarray(values, dtype=np.float64)
    if flat.ndim != 1 or np.isnan(flat).any():
        raise ValueError("ranks need a flat array without nan")
    _, labels, counts = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[labels.ravel()], np.float64)


def information_coefficient(forecasts: Ragged, realised: Ragged) -> Floats:
    """Return Spearman's correlation of each group, such as a day's or a wallet's: (groups,).

    One layout for both; nan below three values or when one side is all ties. Raises ValueError.
    """
    if not np.array_equal(forecasts.offsets, realised.offsets):
        raise ValueError("every forecast needs what came of it")
    ours, theirs = _centred_ranks(forecasts), _centred_ranks(realised)
    labels, groups = ours.labels, ours.groups
    together = sums_by(labels, ours.values * theirs.values, groups)
    first = sums_by(labels, ours.values**2, groups)
    second = sums_by(labels, theirs.values**2, groups)
    found = divided(together, np.sqrt(first * second))
    return np.where(ours.counts >= 3, found, np.nan)


def ic_half_life(coefficients: ArrayLike, horizons: ArrayLike) -> Decay:
    """Fit the decay of coefficients over horizons by least squares of the logarithm.

    Only coefficients above 0 have one; weights are the coefficients squared, because the error of
    ln(x) is the error of x over x. Fewer than two: nan. Raises ValueError.
    """
    ic, at = np.asarray(coefficients, np.float64), np.asarray(horizons, np.float64)
    if ic.ndim != 1 or ic.shape != at.shape or (at < 0).any():
        raise ValueError("every coefficient needs its horizon, not negative")
    is_used = np.isfinite(ic) & (ic > 0)
    used = int(is_used.sum())
    ic, at = ic[is_used], at[is_used]
    if used < 2 or np.ptp(at) == 0:
        return Decay(np.nan, np.nan, used)
    weight = ic**2
    centre = float(np.average(at, weights=weight))
    height = float(np.average(np.log(ic), weights=weight))
    spread = at - centre
    slope = float((weight * spread * (np.log(ic) - height)).sum() / (weight * spread**2).sum())
    level = float(np.exp(height - slope * centre))
    return Decay(level, -float(np.log(2)) / slope if slope < 0 else np.inf, used)


def _centred_ranks(values: Ragged) -> Ragged:
    order = np.lexsort((values.values, values.labels))
    ordered = values.values[order]
    labels = values.labels[order]
    # A new rank begins where the value or the group changes; ties share their average place.
    is_new = np.ones(len(ordered), dtype=np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]) | (labels[1:] != labels[:-1])
    tie = np.cumsum(is_new) - 1
    sizes = np.bincount(tie) if len(tie) else np.zeros(0, np.int64)
    place = np.flatnonzero(is_new) + (sizes - 1) / 2
    found = np.empty(len(ordered))
    found[order] = place[tie] if len(tie) else place
    raw = values.with_values(found)
    return raw.with_values(raw.values - raw.means()[raw.labels])
