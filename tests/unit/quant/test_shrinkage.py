"""Empirical Bayes against a published example and against its formulas written out in numpy."""

import numpy as np
import pytest
from scipy import stats

from whaletrader.quant.shrinkage import GroupSums, Prior, interval, prior_from_sums, shrink

# Efron and Morris (1977), "Stein's paradox in statistics", table of 18 batters of 1970: averages
# after 45 times at bat, and the James-Stein estimates printed there (shrinking factor 0.212).
BATTING = [
    *(0.400, 0.378, 0.356, 0.333, 0.311, 0.311, 0.289, 0.267, 0.244),
    *(0.244, 0.222, 0.222, 0.222, 0.222, 0.222, 0.200, 0.178, 0.156),
]
PRINTED = [
    *(0.294, 0.289, 0.284, 0.280, 0.275, 0.275, 0.270, 0.266, 0.261),
    *(0.261, 0.256, 0.256, 0.256, 0.256, 0.256, 0.251, 0.247, 0.242),
]


def sums_of(counts: np.ndarray, means: np.ndarray, variances: np.ndarray) -> GroupSums:
    return GroupSums(
        groups=len(counts),
        observations=float(counts.sum()),
        squared_observations=float((counts**2).sum()),
        totals=float((counts * means).sum()),
        weighted_squared_means=float((counts * means**2).sum()),
        variances=float(variances.sum()),
        weighted_variances=float((counts * variances).sum()),
    )


def test_the_batters_of_efron_and_morris_are_shrunk_as_published() -> None:
    means = np.array(BATTING)
    average = means.mean()
    # One observation a batter, with the binomial variance of the average of 45 at bats.
    variance = average * (1 - average) / 45
    ones = np.ones(len(means))
    prior = prior_from_sums(sums_of(ones, means, variance * ones))
    assert prior is not None
    assert prior.mean == pytest.approx(0.265, abs=0.001)
    shrunk = [shrink(mean, variance, prior) for mean in means]
    assert 1 - shrunk[0].prior_weight == pytest.approx(0.212, abs=0.01)
    assert [one.mean for one in shrunk] == pytest.approx(PRINTED, abs=0.002)


def test_unequal_groups_follow_the_general_method_of_moments() -> None:
    rng = np.random.default_rng(7)
    counts = rng.integers(2, 60, 40).astype(float)
    variances = rng.uniform(0.01, 0.3, 40)
    means = rng.normal(0.02, 0.2, 40)
    # DerSimonian and Kacker (2007), eq. 6, with a_i = n_i and s_i^2 the variance of the mean.
    of_means = variances / counts
    centre = np.average(means, weights=counts)
    q = (counts * (means - centre) ** 2).sum()
    by_chance = (counts * of_means).sum() - (counts**2 * of_means).sum() / counts.sum()
    expected = (q - by_chance) / (counts.sum() - (counts**2).sum() / counts.sum())
    prior = prior_from_sums(sums_of(counts, means, variances))
    assert prior is not None
    assert prior.mean == pytest.approx(centre)
    assert prior.between_variance == pytest.approx(expected)
    weights = counts / counts.sum()
    assert prior.mean_variance == pytest.approx((weights**2 * (of_means + expected)).sum())


def test_planted_moments_are_found_again() -> None:
    rng = np.random.default_rng(11)
    counts = rng.integers(5, 50, 4_000)
    truth = rng.normal(0.03, 0.1, 4_000)
    means = rng.normal(truth, 0.4 / np.sqrt(counts))
    prior = prior_from_sums(sums_of(counts.astype(float), means, np.full(4_000, 0.16)))
    assert prior is not None
    assert prior.mean == pytest.approx(0.03, abs=0.006)
    assert prior.between_variance == pytest.approx(0.01, rel=0.1)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(13)
    ones, covered = np.ones(60), 0
    for _ in range(100):
        truth = rng.normal(-0.02, 0.08, 60)
        means = rng.normal(truth, 0.1)
        prior = prior_from_sums(sums_of(ones, means, 0.01 * ones))
        assert prior is not None
        for mean, value in zip(means, truth, strict=True):
            posterior = shrink(mean, 0.01, prior)
            lower, upper = interval(posterior.mean, posterior.variance, 0.9, 10**6)
            covered += lower <= value <= upper
    assert 0.88 <= covered / 6_000 <= 0.92


def test_groups_that_differ_by_chance_alone_have_no_variance_between_them() -> None:
    counts, means = np.full(10, 5.0), np.full(10, 0.1)
    prior = prior_from_sums(sums_of(counts, means, np.full(10, 0.2)))
    assert prior is not None
    assert prior.between_variance == 0
    assert shrink(0.5, 0.04, prior).prior_weight == pytest.approx(7 / 9)


@pytest.mark.parametrize("groups", [0, 1, 3])
def test_too_few_groups_give_no_prior(groups: int) -> None:
    counts = np.full(groups, 5.0)
    assert prior_from_sums(sums_of(counts, counts / 50, counts)) is None


def test_a_group_without_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="not positive"):
        shrink(0.1, 0.0, Prior(0.0, 0.1, 0.001, 10))


def test_the_interval_is_students() -> None:
    expected = stats.t.interval(0.9, 7, loc=0.2, scale=0.3)
    assert interval(0.2, 0.09, 0.9, 7) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("variance", "confidence", "degrees"), [(-1, 0.9, 5), (1, 1.0, 5), (1, 0.0, 5), (1, 0.9, 0)]
)
def test_an_interval_without_meaning_is_refused(
    variance: float, confidence: float, degrees: int
) -> None:
    with pytest.raises(ValueError, match=r"variance|confidence|freedom"):
        interval(0.0, variance, confidence, degrees)
