"""Parametric empirical Bayes: many noisy group means, shrunk towards what they have in common.

Normal-normal model: m_i ~ N(theta_i, v_i), theta_i ~ N(mu, A), with v_i = s_i^2 / n_i known.

- mu and A by the general method of moments with weights n_i: DerSimonian and Kacker (2007),
  "Random-effects model for meta-analysis of clinical trials: an update", eq. 6. Everything it
  needs is a sum over groups, so one group can change without a pass over the others.
- Shrinkage factor and posterior variance by Morris (1983), "Parametric empirical Bayes
  inference", sections 1 and 5, who allows for mu and A being estimated. With equal v_i it is the
  James-Stein rule of Efron and Morris (1975); Casella (1985) introduces it.

Called by discovery. Units are the caller's: means in u, variances in u^2.
"""

from dataclasses import dataclass
from math import sqrt

from whaletrader.quant.student import t_multiplier

# Morris's factor (k - 3) / (k - 1) needs at least four groups.
GROUPS_MIN = 4


@dataclass(frozen=True, slots=True)
class GroupSums:
    """Sums over groups with n_i observations, mean m_i and variance s_i^2 an observation."""

    groups: int
    observations: float
    squared_observations: float
    # sum n_i m_i, sum n_i m_i^2
    totals: float
    weighted_squared_means: float
    # sum s_i^2, sum n_i s_i^2
    variances: float
    weighted_variances: float


@dataclass(frozen=True, slots=True)
class Prior:
    """What the groups have in common: mean, variance between groups, variance of the mean."""

    mean: float
    between_variance: float
    mean_variance: float
    groups: int


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of one group. `prior_weight` in [0, 1] is the weight of the prior mean."""

    mean: float
    variance: float
    prior_weight: float


def prior_from_sums(sums: GroupSums) -> Prior | None:
    """Estimate the prior; None with fewer than GROUPS_MIN groups.

    A between-group variance that comes out negative is reported as 0: the groups then differ
    by no more than chance.
    """
    if sums.groups < GROUPS_MIN or sums.observations <= 0:
        return None
    count = sums.observations
    mean = sums.totals / count
    spread = sums.weighted_squared_means - count * mean * mean
    by_chance = sums.variances - sums.weighted_variances / count
    scale = count - sums.squared_observations / count
    between = max(0.0, (spread - by_chance) / scale)
    mean_variance = (sums.weighted_variances + between * sums.squared_observations) / count**2
    return Prior(mean, between, mean_variance, sums.groups)


def shrink(mean: float, variance: float, prior: Prior) -> Posterior:
    """Return the posterior of a group whose mean was measured with that sampling variance.

    `variance` is that of the mean (s_i^2 / n_i) and must be positive. Raises ValueError.
    """
    if variance <= 0:
        raise ValueError(f"a sampling variance of {variance} is not positive")
    groups = prior.groups
    weight = (groups - 3) / (groups - 1) * variance / (variance + prior.between_variance)
    distance = mean - prior.mean
    posterior_variance = (
        variance * (1 - weight)
        + weight**2 * prior.mean_variance
        + 2 / (groups - 3) * weight**2 * distance**2
    )
    return Posterior(mean - weight * distance, posterior_variance, weight)


def interval(mean: float, variance: float, confidence: float, degrees: int) -> tuple[float, float]:
    """Return the central interval by Student's t with that many degrees of freedom.

    `confidence` is two-sided, in (0, 1). Raises ValueError.
    """
    if variance < 0:
        raise ValueError(f"a variance of {variance} is negative")
    half = t_multiplier(confidence, degrees) * sqrt(variance)
    return mean - half, mean + half
