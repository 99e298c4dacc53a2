"""Everything about everybody: verdicts, Sharpe intervals and the best-of-many test in one go.

Owns the batch that a full rescoring is, and the sharing that makes it fast: one matrix of
bootstrap weights for all wallets, so that a thousand draws are products of matrices. Called by
the evidence study, for its parts, and by benchmarks.
"""

from dataclasses import dataclass, field

import numpy as np

from whaletrader.quant.data_snooping import Spa, superior_predictive_ability
from whaletrader.quant.edge import Bets, counted_once
from whaletrader.quant.performance import sharpe_ratio
from whaletrader.quant.ragged import Floats, Ragged, divided
from whaletrader.quant.resampling import optimal_block_length, resampled_sums, stationary_counts
from whaletrader.quant.sharpe_inference import probabilistic_sharpe, sharpe_moments
from whaletrader.quant.skill import SkillOptions, Verdicts, skill_verdicts

# Wallets whose draws are held at once: 1,024 of 1,000 draws are 8 MB an array.
_WALLETS_AT_ONCE = 1_024
# On fewer days neither a block length nor a best of all means anything.
DAYS_MIN = 10
# Series that the common block length is the median of.
_SERIES_MAX = 512


@dataclass(frozen=True, slots=True)
class RescoringOptions:
    """`skill` limits; `draws` of the stationary bootstrap; `days_per_year` to annualise by."""

    skill: SkillOptions = field(default_factory=SkillOptions)
    draws: int = 1_000
    confidence: float = 0.90
    days_per_year: float = 365.0


@dataclass(frozen=True, slots=True)
class SharpeIntervals:
    """Annualised Sharpe ratio of daily profit with its bootstrap interval; arrays (wallets,)."""

    sharpe: Floats
    lower: Floats
    upper: Floats
    probabilistic: Floats
    block_length_days: float


@dataclass(frozen=True, slots=True)
class Rescored:
    """The whole result. `best_of_all` asks whether the best wallet beats doing nothing."""

    verdicts: Verdicts
    sharpe: SharpeIntervals
    best_of_all: Spa | None


def rescore(
    bets: Bets, daily_profit: Floats, options: RescoringOptions, random: np.random.Generator
) -> Rescored:
    """Rescore every wallet: `bets` of all that were tried, `daily_profit` (days, wallets).

    Days are a common calendar, 0 where a wallet had no result, profit in any one unit. Verdicts
    weigh each market once (`edge.counted_once`), so bets of one wallet and market come in the
    order of trading. `best_of_all` is None when no profit varies or below ten days. A seed gives
    the same draws on every machine. Raises ValueError.
    """
    if daily_profit.ndim != 2 or not daily_profit.size:
        raise ValueError("daily_profit has the shape (days, wallets), neither empty")
    wallets = daily_profit.shape[1]
    verdicts = skill_verdicts(counted_once(bets), wallets, options.skill, random)
    block_length = common_block_length(daily_profit)
    sharpe = sharpe_intervals(daily_profit, block_length, options, random)
    return Rescored(
        verdicts, sharpe, best_of_all(daily_profit, options.draws, block_length, random)
    )


def best_of_all(
    daily_profit: Floats, draws: int, block_length: float, random: np.random.Generator
) -> Spa | None:
    """Return whether the best of (days, wallets) beats doing nothing, given how many there are.

    None when no profit varies or below ten days.
    """
    if len(daily_profit) < DAYS_MIN or not (daily_profit.std(axis=0) > 0).any():
        return None
    return superior_predictive_ability(daily_profit, draws, block_length, random)


def common_block_length(daily_profit: Floats) -> float:
    """Return the median optimal block length over wallets, in days, at least 1.

    One length for all: draws that keep wallets of one day together must cut the calendar alike.
    """
    if len(daily_profit) < DAYS_MIN:
        return 1.0
    is_moving = daily_profit.std(axis=0) > 0
    moving = daily_profit[:, is_moving]
    if not moving.shape[1]:
        return 1.0
    step = -(-moving.shape[1] // _SERIES_MAX)
    lengths = optimal_block_length(moving[:, ::step]).stationary
    return max(float(np.median(lengths)), 1.0)


def sharpe_intervals(
    daily_profit: Floats,
    block_length: float,
    options: RescoringOptions,
    random: np.random.Generator,
) -> SharpeIntervals:
    """Return Sharpe ratios with percentile intervals of the shared stationary bootstrap.

    Efron and Tibshirani (1993), "An introduction to the bootstrap", section 13.3, on draws of
    Politis and Romano (1994). nan for a wallet whose profit does not vary.
    """
    days, wallets = daily_profit.shape
    flat = np.ascontiguousarray(daily_profit.T).ravel()
    profits = Ragged(flat, np.arange(wallets + 1) * days)
    counts = stationary_counts(days, options.draws, block_length, random)
    tails = [(1 - options.confidence) / 2, (1 + options.confidence) / 2]
    bounds = np.full((2, wallets), np.nan)
    yearly = float(np.sqrt(options.days_per_year))
    for first in range(0, wallets, _WALLETS_AT_ONCE):
        last = min(first + _WALLETS_AT_ONCE, wallets)
        part = profits.between(first, last)
        mean = resampled_sums(part, counts) / days
        square = resampled_sums(part.with_values(part.values**2), counts) / days
        # n - 1 as in the ratio itself; a draw of equal days has no ratio and says nothing.
        variance = (square - mean**2) * days / max(days - 1, 1)
        noise = 1e-12 * square
        drawn = divided(mean, np.sqrt(np.where(variance > noise, variance, 0.0)))
        bounds[:, first:last] = _quantiles(drawn, tails)
    sharpe = sharpe_ratio(profits, options.days_per_year)
    is_known = np.isfinite(sharpe)
    return SharpeIntervals(
        sharpe=sharpe,
        lower=np.where(is_known, bounds[0] * yearly, np.nan),
        upper=np.where(is_known, bounds[1] * yearly, np.nan),
        probabilistic=probabilistic_sharpe(sharpe_moments(profits)),
        block_length_days=block_length,
    )


def _quantiles(drawn: Floats, tails: list[float]) -> Floats:
    """Lower and upper empirical quantiles of the defined draws of each row."""
    ordered = np.sort(drawn, axis=1)
    defined = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    low = np.floor(tails[0] * np.maximum(defined - 1, 0)).astype(np.int64)
    high = np.ceil(tails[1] * np.maximum(defined - 1, 0)).astype(np.int64)
    found = np.stack([ordered[rows, low], ordered[rows, high]])
    return np.where(defined > 0, found, np.nan)
