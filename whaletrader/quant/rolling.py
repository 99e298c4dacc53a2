"""Performance as it is now: over a moving window, and with old results counting less.

Owns rolling and exponentially time-decayed forms. The decay is by age in days, not by count of
trades: a result `half_life_days` old counts half (an exponential weight in time, as RiskMetrics
1996, section 5.2 has it in periods). Called by scores and reports.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.performance import weighted_profit_factor
from whaletrader.quant.ragged import Floats, Ints, Ragged, divided, sums_by

HALF_LIFE_DAYS: Final = 60.0
# A deviation below this share of the values is what rounding leaves of equal ones.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Consistency:
    """How steady rolling Sharpe ratios are: share above 0, mean, deviation, windows; (groups,)."""

    positive_share: Floats
    mean: Floats
    deviation: Floats
    windows: Floats


def rolling_sharpe(returns: Ragged, window: int) -> Ragged:
    """Return the Sharpe ratio (a period's) of each `window` consecutive returns of each group.

    A group of n values has n - window + 1 windows; those without variance are left out. Raises
    ValueError for a window below two.
    """
    if window < 2:
        raise ValueError("a window must hold at least two returns")
    parts = []
    for index in range(returns.groups):
        part = returns.group(index)
        if len(part) < window:
            parts.append(np.empty(0))
            continue
        views = np.lib.stride_tricks.sliding_window_view(part, window)
        deviation = views.std(axis=1, ddof=1)
        # Equal returns leave a deviation of rounding only.
        is_defined = deviation > _ROUNDING * np.abs(views).max(axis=1)
        parts.append(views.mean(axis=1)[is_defined] / deviation[is_defined])
    return Ragged.of(parts)


def windows_of(values: Ragged, window: int) -> tuple[Ragged, Ints]:
    """Return every `window` consecutive values as a group of its own, and the group it is from.

    So that any ratio of whole records has its rolling form: `sortino_ratio(windows, 365)`.
    Memory is window times the values. Raises ValueError for a window below one.
    """
    if window < 1:
        raise ValueError("a window must hold at least one value")
    found = np.maximum(values.counts - window + 1, 0)
    owner = np.repeat(np.arange(values.groups), found)
    # The number of a window within its group is also where it begins.
    number = np.arange(len(owner)) - np.repeat(np.cumsum(found) - found, found)
    start = values.offsets[:-1][owner] + number
    flat = values.values[(start[:, None] + np.arange(window)).ravel()]
    return Ragged(flat, np.arange(len(owner) + 1) * window), owner


def sharpe_consistency(returns: Ragged, window: int) -> Consistency:
    """Return how consistent the rolling Sharpe ratio of each group is; nan without a window."""
    rolled = rolling_sharpe(returns, window)
    mean = rolled.means()
    centred = rolled.values - mean[rolled.labels]
    squares = sums_by(rolled.labels, centred**2, rolled.groups)
    above = sums_by(rolled.labels, (rolled.values > 0).astype(np.float64), rolled.groups)
    return Consistency(
        positive_share=divided(above, rolled.counts),
        mean=mean,
        deviation=np.sqrt(divided(squares, np.maximum(rolled.counts - 1, 0))),
        windows=rolled.counts.astype(np.float64),
    )


def decay_weights(ages_days: ArrayLike, half_life_days: float = HALF_LIFE_DAYS) -> Floats:
    """Return 2^(-age / half-life) for each age. Raises ValueError for an age below 0 (the future).

    Ages and half-life in days.
    """
    ages = np.asarray(ages_days, dtype=np.float64)
    if not half_life_days > 0:
        raise ValueError("the half-life must be positive")
    if (ages < 0).any() or not np.isfinite(ages).all():
        raise ValueError("an age is negative or not finite: leave out what has not happened yet")
    return np.exp2(-ages / half_life_days)


def decayed_mean(
    values: Ragged, ages_days: ArrayLike, half_life_days: float = HALF_LIFE_DAYS
) -> Floats:
    """Return the mean with weights by age; `ages_days` (n,) beside the values."""
    weights = _weights(values, ages_days, half_life_days)
    total = sums_by(values.labels, weights, values.groups)
    return divided(sums_by(values.labels, weights * values.values, values.groups), total)


def decayed_sharpe(
    returns: Ragged, ages_days: ArrayLike, half_life_days: float = HALF_LIFE_DAYS
) -> Floats:
    """Return a period's Sharpe ratio with weights by age, nan below two effective values' worth.

    The variance is the unbiased one for reliability weights, V1 - V2 / V1 in place of n - 1
    (NIST/SEMATECH 2012, section 2; Gough 2009, GNU Scientific Library, section 21.7).
    """
    weights = _weights(returns, ages_days, half_life_days)
    first = sums_by(returns.labels, weights, returns.groups)
    second = sums_by(returns.labels, weights**2, returns.groups)
    mean = divided(sums_by(returns.labels, weights * returns.values, returns.groups), first)
    centred = returns.values - mean[returns.labels]
    squares = sums_by(returns.labels, weights * centred**2, returns.groups)
    scale = np.where(returns.counts > 1, first - divided(second, first), 0.0)
    deviation = np.sqrt(divided(squares, scale))
    is_risky = deviation > _ROUNDING * np.abs(mean)
    return divided(mean, np.where(is_risky, deviation, 0.0))


def decayed_sortino(
    returns: Ragged,
    ages_days: ArrayLike,
    target: float = 0.0,
    half_life_days: float = HALF_LIFE_DAYS,
) -> Floats:
    """Return a period's Sortino ratio with weights by age; `target` is a period's."""
    weights = _weights(returns, ages_days, half_life_days)
    total = sums_by(returns.labels, weights, returns.groups)
    mean = divided(sums_by(returns.labels, weights * returns.values, returns.groups), total)
    short = np.minimum(returns.values - target, 0.0)
    downside = divided(sums_by(returns.labels, weights * short**2, returns.groups), total)
    return divided(mean - target, np.sqrt(downside))


def decayed_profit_factor(
    profits: Ragged, ages_days: ArrayLike, half_life_days: float = HALF_LIFE_DAYS
) -> Floats:
    """Return the profit factor with weights by age."""
    return weighted_profit_factor(profits, _weights(profits, ages_days, half_life_days))


def _weights(values: Ragged, ages_days: ArrayLike, half_life_days: float) -> Floats:
    weights = decay_weights(ages_days, half_life_days)
    if weights.shape != values.values.shape:
        raise ValueError("every value needs its age")
    return weights
