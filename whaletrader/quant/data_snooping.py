"""The best of many: does it beat the benchmark, or was it bound to look so?

Owns White's (2000) "A reality check for data snooping" and Hansen's (2005) "A test for superior
predictive ability", on one shared stationary bootstrap, so that what happened to all models in
the same period stays together. Called by the evidence study and reports. Performance is gain
over the benchmark, higher is better: wallets' daily profit over none, say.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.ragged import Floats
from whaletrader.quant.resampling import check_block_length, monte_carlo_p, stationary_counts

# Models multiplied at once: bounds the matrix of drawn means to tens of megabytes.
_MODELS_AT_ONCE = 1_024


@dataclass(frozen=True, slots=True)
class Spa:
    """p-values of "no model beats the benchmark". `consistent` is the one to quote.

    `lower` and `upper` recentre as if the poor models were, or were not, as good as the
    benchmark (Hansen 2005, section 2.4). `statistic` is the best model's studentised mean.
    """

    lower: float
    consistent: float
    upper: float
    statistic: float
    best: int


def reality_check(
    performance: ArrayLike, draws: int, block_length: float, random: np.random.Generator
) -> float:
    """Return White's p-value that the best model is no better than the benchmark.

    `performance` (periods, models); statistic max_k sqrt(n) mean_k against the bootstrap of
    max_k sqrt(n) (mean*_k - mean_k) (2000, eqs. 3.2 and 3.3). Raises ValueError.
    """
    values = _checked(performance)
    counts = stationary_counts(len(values), draws, block_length, random)
    means = values.mean(axis=0)
    highest = np.full(draws, -np.inf)
    for part in _parts(values.shape[1]):
        drawn = values[:, part].T @ counts / len(values) - means[part][:, None]
        highest = np.maximum(highest, drawn.max(axis=0))
    return float(monte_carlo_p((highest >= means.max()).sum(), draws))


def superior_predictive_ability(
    performance: ArrayLike, draws: int, block_length: float, random: np.random.Generator
) -> Spa:
    """Return Hansen's studentised test, `performance` (periods, models). Raises ValueError.

    Statistic max(max_k sqrt(n) mean_k / omega_k, 0), omega_k by the stationary bootstrap's own
    variance; recentring by eqs. for mu^l, mu^c (threshold sqrt(2 log log n)) and mu^u (2005,
    sections 2.4 and 3). Models without variance are left out.
    """
    values = _checked(performance)
    periods = len(values)
    if periods < 3:
        raise ValueError("the threshold sqrt(2 log log n) needs at least three periods")
    omega = np.sqrt(bootstrap_variance(values, block_length))
    values, omega, kept = values[:, omega > 0], omega[omega > 0], np.flatnonzero(omega > 0)
    if not len(kept):
        raise ValueError("no model's performance varies")
    means = values.mean(axis=0)
    scaled = np.sqrt(periods) * means / omega
    statistic = max(float(scaled.max()), 0.0)
    threshold = -np.sqrt(2 * np.log(np.log(periods)))
    # What a poor model's mean is taken back by: all of it, or none.
    centres = np.stack([np.maximum(means, 0.0), np.where(scaled >= threshold, means, 0.0), means])
    counts = stationary_counts(periods, draws, block_length, random)
    highest = np.zeros((3, draws))
    for part in _parts(values.shape[1]):
        drawn = values[:, part].T @ counts / periods
        for row, centre in enumerate(centres[:, part]):
            scores = np.sqrt(periods) * (drawn - centre[:, None]) / omega[part][:, None]
            highest[row] = np.maximum(highest[row], scores.max(axis=0))
    p_values = monte_carlo_p((highest >= statistic).sum(axis=1), draws)
    lower, consistent, upper = (float(p) for p in p_values)
    return Spa(lower, consistent, upper, statistic, int(kept[np.argmax(scaled)]))


def bootstrap_variance(performance: ArrayLike, block_length: float) -> Floats:
    """Return n times the variance of a stationary bootstrap's mean, per model, in closed form.

    gamma_0 + 2 sum kappa(i) gamma_i with kappa(i) = (n - i) / n (1 - q)^i + i / n (1 - q)^(n - i)
    and q = 1 / block length (Politis and Romano 1994, lemma 1; Hansen 2005, section 3).
    """
    check_block_length(block_length)
    values = _checked(performance)
    periods = len(values)
    keep = 1 - 1 / block_length
    centred = values - values.mean(axis=0)
    total = (centred**2).sum(axis=0) / periods
    for lag in range(1, periods):
        kernel = (periods - lag) / periods * keep**lag + lag / periods * keep ** (periods - lag)
        # Nothing beyond this lag, nor its mirror image at the far end, adds a visible digit.
        if kernel < 1e-12:
            continue
        total = total + 2 * kernel * (centred[lag:] * centred[:-lag]).sum(axis=0) / periods
    return np.asarray(np.maximum(total, 0.0), np.float64)


def _checked(performance: ArrayLike) -> Floats:
    values = np.asarray(performance, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.size:
        raise ValueError("performance has the shape (periods, models), neither empty")
    if not np.isfinite(values).all():
        raise ValueError("a performance is not finite: a model without a result in a period has 0")
    return values


def _parts(models: int) -> list[slice]:
    starts = range(0, models, _MODELS_AT_ONCE)
    return [slice(start, min(start + _MODELS_AT_ONCE, models)) for start in starts]
