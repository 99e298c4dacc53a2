"""Value at risk of returns that are skewed and heavy-tailed: the Cornish-Fisher expansion.

Owns the modified VaR of Favre and Galeano (2002), "Mean-modified value-at-risk optimization with
hedge funds", eq. 4, with the lower-tail quantile z = Phi^-1(1 - confidence), so that the loss is
-(mu + z_cf sigma) (the form with an upper quantile and a plus sign, which also circulates, yields
a gain). The expansion is a quantile only where it is monotone in z; outside that domain (Maillard
2012, "A user's guide to the Cornish Fisher expansion", section 3) the figure is marked and must
not be relied on. Called by risk and by reports.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri  # type: ignore[import-untyped]

from whaletrader.quant.risk.tail import check_confidence


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of returns a period, as the population has them (division by n)."""

    mean: float
    std: float
    skew: float
    excess_kurtosis: float


@dataclass(frozen=True, slots=True)
class ModifiedVar:
    """A loss in the unit of the returns, positive where money is lost.

    `is_valid` is False where the expansion is not monotone and so is no quantile.
    """

    var: float
    z: float
    z_modified: float
    is_valid: bool


def moments(returns: ArrayLike) -> Moments:
    """Return the four moments of returns of shape (n,), n of at least 2. Raises ValueError."""
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise ValueError("moments need at least two finite returns in one dimension")
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    # Rounding leaves a spread of some 1e-16 of the level in a constant series.
    if variance <= (1e-12 * (1 + abs(float(values.mean())))) ** 2:
        return Moments(float(values.mean()), 0.0, 0.0, 0.0)
    skew = float(np.mean(centred**3)) / variance**1.5
    excess = float(np.mean(centred**4)) / variance**2 - 3
    return Moments(float(values.mean()), variance**0.5, skew, excess)


def modified_var(of: Moments, confidence: float) -> ModifiedVar:
    """Return the Cornish-Fisher VaR at that confidence, say 0.99. Raises ValueError."""
    check_confidence(confidence)
    z = float(ndtri(1 - confidence))
    skew, excess = of.skew, of.excess_kurtosis
    z_modified = (
        z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    )
    return ModifiedVar(-(of.mean + z_modified * of.std), z, z_modified, is_monotone(skew, excess))


def gaussian_var(of: Moments, confidence: float) -> float:
    """Return the VaR of normal returns with that mean and deviation. Raises ValueError."""
    check_confidence(confidence)
    return -(of.mean + float(ndtri(1 - confidence)) * of.std)


def is_monotone(skew: float, excess_kurtosis: float) -> bool:
    """Return whether the expansion rises with z everywhere (Maillard 2012, the domain's edge).

    Its derivative a z^2 + b z + c has a = K/8 - S^2/6, b = S/3, c = 1 - K/8 + 5 S^2/36: it stays
    above zero where b^2 <= 4 a c and a >= 0.
    """
    square = excess_kurtosis / 8 - skew**2 / 6
    constant = 1 - excess_kurtosis / 8 + 5 * skew**2 / 36
    return square >= 0 and constant >= 0 and (skew / 3) ** 2 <= 4 * square * constant
