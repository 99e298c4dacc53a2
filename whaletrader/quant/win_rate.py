"""Win rates with a memory of how often such bets win: beta-binomial, base rate by category.

Owns win rates only, which say nothing about profit: a favourite at 0.95 wins often and earns
little (see edge). Gelman et al. (2013), "Bayesian data analysis", 3rd ed., section 2.4: a prior
of a wins and b losses adds to what was counted. Called by scores and reports.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincinv  # type: ignore[import-untyped]

from whaletrader.quant.ragged import Floats, codes_in_range, divided, sums_by

# As many bets as the base rate is worth: a wallet with twenty of its own counts half.
PRIOR_STRENGTH: Final = 20.0


@dataclass(frozen=True, slots=True)
class WinRate:
    """Posterior of each win rate: mean, median and central interval; arrays of one shape."""

    mean: Floats
    median: Floats
    lower: Floats
    upper: Floats


def category_base_rates(
    wins: ArrayLike, trials: ArrayLike, categories: ArrayLike, count: int
) -> Floats:
    """Return wins over trials of each category 0..count-1, shape (count,).

    A category without trials has the rate of all; without any trial, one half. The arrays have
    one row a wallet and category. Raises ValueError.
    """
    won, tried = _checked(wins, trials)
    codes = codes_in_range(categories, count)
    total = float(tried.sum())
    overall = float(won.sum()) / total if total else 0.5
    rates = divided(sums_by(codes, won, count), sums_by(codes, tried, count))
    return np.where(np.isnan(rates), overall, rates)


def posterior_win_rate(
    wins: ArrayLike,
    trials: ArrayLike,
    base_rates: ArrayLike,
    strength: float = PRIOR_STRENGTH,
    confidence: float = 0.95,
) -> WinRate:
    """Return Beta(strength r + wins, strength (1 - r) + losses) of each; all broadcast.

    `base_rates` r in (0, 1) by category, `confidence` two-sided. Raises ValueError.
    """
    won, tried = _checked(wins, trials)
    first, second = _shapes(won, tried, base_rates, strength)
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    tail = (1 - confidence) / 2
    return WinRate(
        mean=np.asarray(first / (first + second), np.float64),
        median=np.asarray(betaincinv(first, second, 0.5), np.float64),
        lower=np.asarray(betaincinv(first, second, tail), np.float64),
        upper=np.asarray(betaincinv(first, second, 1 - tail), np.float64),
    )


def chance_above(
    wins: ArrayLike,
    trials: ArrayLike,
    base_rates: ArrayLike,
    rate: ArrayLike,
    strength: float = PRIOR_STRENGTH,
) -> Floats:
    """Return the posterior probability that a win rate lies above `rate`, such as a price paid."""
    won, tried = _checked(wins, trials)
    first, second = _shapes(won, tried, base_rates, strength)
    return np.asarray(1 - betainc(first, second, np.asarray(rate, np.float64)), np.float64)


def _checked(wins: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    won, tried = np.asarray(wins, np.float64), np.asarray(trials, np.float64)
    if (won < 0).any() or (tried < won).any():
        raise ValueError("wins must lie between 0 and trials")
    return won, tried


def _shapes(
    won: Floats, tried: Floats, base_rates: ArrayLike, strength: float
) -> tuple[Floats, Floats]:
    rates = np.asarray(base_rates, dtype=np.float64)
    if not strength > 0:
        raise ValueError("the strength of the prior must be positive")
    if ((rates < 0) | (rates > 1)).any():
        raise ValueError("a base rate lies outside 0 to 1")
    # A category that always won, or never, still leaves room for the other.
    inside = np.clip(rates, 1e-6, 1 - 1e-6)
    return strength * inside + won, strength * (1 - inside) + (tried - won)
