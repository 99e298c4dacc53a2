"""Shrinkage of many wallets at once: `shrinkage` in arrays, and the rule of James and Stein.

Owns the array forms only; the prior and the posterior of one group live in `shrinkage`, which
names the sources, and these agree with it. Called by the skill verdict and by scores. Units are
the caller's: means in u, variances in u^2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.ragged import Floats
from whaletrader.quant.shrinkage import GroupSums, Prior, prior_from_sums


@dataclass(frozen=True, slots=True)
class Shrunk:
    """Posterior of each group, arrays (groups,), nan where nothing was measured."""

    mean: Floats
    variance: Floats
    prior_weight: Floats
    # None when there were too few groups to know what they have in common: nothing is shrunk.
    prior: Prior | None


def shrink_means(
    means: ArrayLike, variances: ArrayLike, observations: ArrayLike, prior_mean_max: float = np.inf
) -> Shrunk:
    """Shrink means, measured with those variances (of the mean) from `observations` each.

    Normal-normal, prior by `prior_from_sums`, posterior by Morris (1983) as in `shrink`. The
    prior mean is cut at `prior_mean_max`: what was chosen because it won has a mean that says
    how it was chosen. Groups with nan or a variance of 0 take no part. Raises ValueError.
    """
    mean, variance = np.asarray(means, np.float64), np.asarray(variances, np.float64)
    count = np.asarray(observations, np.float64)
    if not mean.shape == variance.shape == count.shape:
        raise ValueError("means, variances and observations must have one and the same shape")
    is_known = np.isfinite(mean) & np.isfinite(variance) & (variance > 0) & (count > 0)
    m, v, n = mean[is_known], variance[is_known], count[is_known]
    sums = GroupSums(
        groups=len(m),
        observations=float(n.sum()),
        squared_observations=float((n**2).sum()),
        totals=float((n * m).sum()),
        weighted_squared_means=float((n * m**2).sum()),
        variances=float((n * v).sum()),
        weighted_variances=float((n**2 * v).sum()),
    )
    prior = prior_from_sums(sums)
    if prior is None:
        unshrunk = np.where(is_known, 0.0, np.nan)
        return Shrunk(np.where(is_known, mean, np.nan), variance.copy(), unshrunk, None)
    centre = min(prior.mean, prior_mean_max)
    groups = prior.groups
    weight = np.full(mean.shape, np.nan)
    weight[is_known] = (groups - 3) / (groups - 1) * v / (v + prior.between_variance)
    distance = mean - centre
    posterior = (
        variance * (1 - weight)
        + weight**2 * prior.mean_variance
        + 2 / (groups - 3) * weight**2 * distance**2
    )
    cut = Prior(centre, prior.between_variance, prior.mean_variance, groups)
    return Shrunk(mean - weight * distance, posterior, weight, cut)


def james_stein(means: ArrayLike, variance: float) -> Floats:
    """Return the means shrunk towards their average, for one known variance of each.

    1 - (k - 3) v / sum (m - mbar)^2, cut at 0: Efron and Morris (1975), "Data analysis using
    Stein's estimator", eqs. 1.4 and 2.1. Raises ValueError below four means.
    """
    values = np.asarray(means, dtype=np.float64)
    if values.ndim != 1 or len(values) < 4:
        raise ValueError("shrinking towards the average takes at least four means")
    if not variance > 0:
        raise ValueError(f"a variance of {variance} is not positive")
    centre = values.mean()
    spread = float(((values - centre) ** 2).sum())
    factor = max(0.0, 1 - (len(values) - 3) * variance / spread) if spread > 0 else 0.0
    return np.asarray(centre + factor * (values - centre), np.float64)
