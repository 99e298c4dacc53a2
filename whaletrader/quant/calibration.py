"""Do things that cost 0.30 happen three times in ten? Scores of probabilities against outcomes.

Owns the Brier score (Brier 1950), its partition (Murphy 1973, "A new vector partition of the
probability score") and reliability curves. Called by the evidence study and wallet pages.
Probabilities are prices paid, outcomes 1 or 0; flat arrays of one length.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv  # type: ignore[import-untyped]

from whaletrader.quant.ragged import Floats, Ints, divided, sums_by


@dataclass(frozen=True, slots=True)
class Brier:
    """score = reliability - resolution + uncertainty + within_bins, to the last digit.

    Smaller score and reliability are better, larger resolution is. `within_bins` is what Murphy's
    partition leaves over when bins hold more than one probability (Stephenson et al. 2008): 0 for
    probabilities that are equal within each bin.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """One entry a bin that holds anything: mean probability, frequency, count, interval.

    The interval is Jeffreys's, two-sided (Brown, Cai and DasGupta 2001, section 3.1.2), for
    outcomes that are independent.
    """

    predicted: Floats
    observed: Floats
    counts: Ints
    lower: Floats
    upper: Floats


def brier(probabilities: ArrayLike, outcomes: ArrayLike, bins: int = 10) -> Brier:
    """Return the Brier score and its parts with `bins` equal bins of [0, 1].

    Raises ValueError for values outside 0 to 1, or none.
    """
    chance, came = _checked(probabilities, outcomes)
    labels, counts = _binned(chance, bins)
    predicted = divided(sums_by(labels, chance, bins), counts)
    observed = divided(sums_by(labels, came, bins), counts)
    base, total = float(came.mean()), len(chance)
    is_used = counts > 0
    gap, lift = (predicted - observed)[is_used], (observed - base)[is_used]
    score = float(((chance - came) ** 2).mean())
    reliability = float((counts[is_used] * gap**2).sum() / total)
    resolution = float((counts[is_used] * lift**2).sum() / total)
    # base (1 - base) for outcomes 0 and 1; this form also holds for a market that paid half.
    uncertainty = float(((came - base) ** 2).mean())
    within = score - reliability + resolution - uncertainty
    return Brier(score, reliability, resolution, uncertainty, within)


def reliability_curve(
    probabilities: ArrayLike, outcomes: ArrayLike, bins: int = 10, confidence: float = 0.95
) -> ReliabilityCurve:
    """Return how often what was priced in each bin came true. Raises ValueError."""
    chance, came = _checked(probabilities, outcomes)
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    labels, counts = _binned(chance, bins)
    is_used = counts > 0
    count = counts[is_used].astype(np.float64)
    wins = sums_by(labels, came, bins)[is_used]
    losses, tail = count - wins, (1 - confidence) / 2
    lower = np.where(wins > 0, betaincinv(wins + 0.5, losses + 0.5, tail), 0.0)
    upper = np.where(losses > 0, betaincinv(wins + 0.5, losses + 0.5, 1 - tail), 1.0)
    predicted = sums_by(labels, chance, bins)[is_used] / count
    return ReliabilityCurve(predicted, wins / count, counts[is_used], lower, upper)


def _checked(probabilities: ArrayLike, outcomes: ArrayLike) -> tuple[Floats, Floats]:
    chance, came = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.float64)
    if chance.ndim != 1 or chance.shape != came.shape or not len(chance):
        raise ValueError("probabilities and outcomes must be flat, of one length, not empty")
    # Written so that nan is refused, too.
    if not (((chance >= 0) & (chance <= 1)).all() and ((came >= 0) & (came <= 1)).all()):
        raise ValueError("probabilities and outcomes must lie from 0 to 1")
    return chance, came


def _binned(chance: Floats, bins: int) -> tuple[Ints, Ints]:
    if bins < 1:
        raise ValueError("needs at least one bin")
    labels = np.minimum((chance * bins).astype(np.int64), bins - 1)
    return labels, np.bincount(labels, minlength=bins).astype(np.int64)
