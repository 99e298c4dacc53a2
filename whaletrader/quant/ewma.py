"""Exponentially weighted mean and variance, one observation at a time.

The decay is that of RiskMetrics (J.P. Morgan and Reuters, 1996, "Technical Document", 4th ed.,
section 5.2): weights lambda^k. RiskMetrics takes the mean as zero (eq. 5.3); volumes have
one, so mean and variance move together as in Finch (2009), "Incremental calculation of weighted
mean and variance", section 9. With the mean held at zero it is RiskMetrics' recursion.
Called by intelligence. No units of its own.
"""

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Ewma:
    """Weighted mean and variance after `count` observations; all zero before the first."""

    mean: float = 0.0
    variance: float = 0.0
    count: int = 0


def updated(before: Ewma, value: float, decay: float) -> Ewma:
    """Return the moments after one more observation; `decay` is lambda in (0, 1).

    The first observation becomes the mean. Raises ValueError for another decay.
    """
    _check(decay)
    if before.count == 0:
        return Ewma(value, 0.0, 1)
    difference = value - before.mean
    step = (1 - decay) * difference
    variance = decay * (before.variance + difference * step)
    return Ewma(before.mean + step, variance, before.count + 1)


def updated_by_zeros(before: Ewma, zeros: int, decay: float) -> Ewma:
    """Return the moments after `zeros` observations of 0, in one step.

    With d = decay^zeros: mean d m, variance d v + d (1 - d) m^2. Raises ValueError.
    """
    _check(decay)
    if zeros < 0:
        raise ValueError(f"{zeros} observations")
    if before.count == 0:
        return Ewma(0.0, 0.0, zeros)
    left = decay**zeros
    variance = left * before.variance + left * (1 - left) * before.mean**2
    return Ewma(before.mean * left, variance, before.count + zeros)


def z_score(moments: Ewma, value: float, deviation_min: float) -> float:
    """Return how many deviations the value lies above the mean.

    `deviation_min` (positive) stands in for a smaller deviation: after a few equal
    observations the measured one says nothing. Raises ValueError.
    """
    if deviation_min <= 0:
        raise ValueError(f"a least deviation of {deviation_min} is not positive")
    return (value - moments.mean) / max(sqrt(moments.variance), deviation_min)


def _check(decay: float) -> None:
    if not 0 < decay < 1:
        raise ValueError(f"a decay of {decay} is not between 0 and 1")
