"""What a Sharpe ratio proves: its error, its probability, the record it needs, its deflation.

Owns inference on Sharpe ratios of returns that are neither normal nor the only ones tried:

- Lo (2002), "The statistics of Sharpe ratios", eq. 9: error under normality;
- Mertens (2002): error with skewness and kurtosis, used as in
- Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", eqs. 8, 11 and 13:
  probabilistic Sharpe ratio and minimum track record length;
- Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", eqs. 1 and 2.

Called by the skill verdict and by reports. Every Sharpe ratio here is a period's, not annualised;
kurtosis is 3 for the normal distribution. Arrays broadcast: one entry a wallet.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from whaletrader.quant.ragged import Floats, Ragged, centred_squares, divided, sums_by

EULER_MASCHERONI: Final = 0.577215664901532860606512090082


@dataclass(frozen=True, slots=True)
class SharpeMoments:
    """A period's Sharpe ratio and what its error depends on; arrays of one shape."""

    sharpe: Floats
    observations: Floats
    skewness: Floats
    kurtosis: Floats


def sharpe_moments(returns: Ragged) -> SharpeMoments:
    """Return the moments of each group; nan without variance.

    The deviation is the sample's (n - 1); skewness and kurtosis are the population forms
    m3 / m2^1.5 and m4 / m2^2.
    """
    labels, groups = returns.labels, returns.groups
    counts = returns.counts.astype(np.float64)
    mean = returns.means()
    centred, squares = centred_squares(returns)
    second = divided(squares, counts)
    is_risky = second > 0
    second = np.where(is_risky, second, np.nan)
    deviation = np.sqrt(divided(squares, np.maximum(counts - 1, 0)))
    return SharpeMoments(
        sharpe=divided(mean, np.where(is_risky, deviation, 0.0)),
        observations=counts,
        skewness=divided(sums_by(labels, centred**3, groups), counts) / second**1.5,
        kurtosis=divided(sums_by(labels, centred**4, groups), counts) / second**2,
    )


def error_factor(moments: SharpeMoments) -> Floats:
    """Return 1 - g3 SR + (g4 - 1) / 4 SR^2, the variance of sqrt(n) SR^ (Mertens 2002).

    It is never negative for moments of real data (g4 >= 1 + g3^2); nan where they are not.
    """
    sharpe = moments.sharpe
    factor = 1 - moments.skewness * sharpe + (moments.kurtosis - 1) / 4 * sharpe**2
    return np.where(factor > 0, factor, np.nan)


def sharpe_standard_error(moments: SharpeMoments) -> Floats:
    """Return sqrt(error_factor / n): Lo (2002), eq. 9 when skewness is 0 and kurtosis 3."""
    return np.sqrt(divided(error_factor(moments), moments.observations))


def probabilistic_sharpe(moments: SharpeMoments, benchmark: ArrayLike = 0.0) -> Floats:
    """Return P(true Sharpe > `benchmark`), Bailey and Lopez de Prado (2012), eq. 8."""
    distance = moments.sharpe - np.asarray(benchmark, dtype=np.float64)
    periods = np.sqrt(np.maximum(moments.observations - 1, 0))
    return np.asarray(ndtr(distance * periods / np.sqrt(error_factor(moments))), np.float64)


def minimum_track_record(
    moments: SharpeMoments, benchmark: ArrayLike = 0.0, confidence: float = 0.95
) -> Floats:
    """Return how many periods it takes to believe Sharpe > `benchmark` (2012, eq. 13).

    inf where the observed ratio is not above the benchmark. Raises ValueError for a confidence
    outside (0.5, 1).
    """
    if not 0.5 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0.5 and 1")
    distance = moments.sharpe - np.asarray(benchmark, dtype=np.float64)
    needed = 1 + error_factor(moments) * divided(ndtri(confidence), distance) ** 2
    return np.where(np.isnan(distance), np.nan, np.where(distance > 0, needed, np.inf))


def expected_maximum_sharpe(variance: ArrayLike, trials: ArrayLike) -> Floats:
    """Return what the best of `trials` records shows though none has skill (2014, eq. 1).

    `variance` is that of the Sharpe ratios across trials, about 0. One trial: 0. Raises
    ValueError for fewer than one trial or a negative variance.
    """
    spread, count = np.asarray(variance, np.float64), np.asarray(trials, np.float64)
    if (spread < 0).any() or (count < 1).any():
        raise ValueError("needs at least one trial and a variance that is not negative")
    many = np.maximum(count, 2.0)
    highest = (1 - EULER_MASCHERONI) * ndtri(1 - 1 / many)
    highest = highest + EULER_MASCHERONI * ndtri(1 - 1 / (many * np.e))
    return np.where(count > 1, np.sqrt(spread) * highest, 0.0)


def deflated_sharpe(moments: SharpeMoments, variance: ArrayLike, trials: ArrayLike) -> Floats:
    """Return the probabilistic Sharpe ratio against the expected maximum (2014, eq. 2)."""
    return probabilistic_sharpe(moments, expected_maximum_sharpe(variance, trials))
