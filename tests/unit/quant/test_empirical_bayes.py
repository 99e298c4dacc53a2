"""Shrinkage in arrays agrees with shrinkage one by one."""

import numpy as np
import pytest

from whaletrader.quant.empirical_bayes import james_stein, shrink_means
from whaletrader.quant.shrinkage import shrink


def measured(wallets: int = 200, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    counts = random.integers(5, 80, wallets).astype(float)
    variances = 0.2 / counts
    return random.normal(0.02, np.sqrt(variances + 0.03**2)), variances, counts


def test_the_arrays_hold_what_single_groups_give() -> None:
    means, variances, counts = measured()
    found = shrink_means(means, variances, counts)
    assert found.prior is not None
    for index in (0, 7, 199):
        one = shrink(float(means[index]), float(variances[index]), found.prior)
        assert found.mean[index] == pytest.approx(one.mean)
        assert found.variance[index] == pytest.approx(one.variance)
        assert found.prior_weight[index] == pytest.approx(one.prior_weight)


def test_the_prior_of_winners_can_be_cut() -> None:
    means, variances, counts = measured()
    found = shrink_means(means + 0.2, variances, counts, prior_mean_max=0.0)
    assert found.prior is not None
    assert found.prior.mean == 0.0
    is_above = means + 0.2 > 0
    assert (found.mean < means + 0.2)[is_above].all()


def test_what_was_not_measured_takes_no_part() -> None:
    means, variances, counts = measured()
    whole = shrink_means(means, variances, counts)
    with_gaps = shrink_means(
        np.append(means, [np.nan, 0.5]), np.append(variances, [0.1, 0.0]), np.append(counts, [3, 3])
    )
    assert with_gaps.mean[:200] == pytest.approx(whole.mean)
    assert np.isnan(with_gaps.mean[200:]).all()


def test_too_few_groups_are_left_as_they_are() -> None:
    found = shrink_means([0.1, np.nan, 0.3], [0.01, 0.01, 0.02], [5, 5, 5])
    assert found.prior is None
    assert found.mean[[0, 2]].tolist() == [0.1, 0.3]
    assert found.prior_weight[[0, 2]].tolist() == [0.0, 0.0]


def test_james_stein_beats_the_means_themselves() -> None:
    random = np.random.default_rng(2)
    truth = random.normal(0, 0.5, (400, 12))
    means = truth + random.normal(size=truth.shape)
    shrunk = np.stack([james_stein(row, 1.0) for row in means])
    assert ((shrunk - truth) ** 2).mean() < 0.5 * ((means - truth) ** 2).mean()
    assert james_stein([1.0, 1.0, 1.0, 1.0], 1.0).tolist() == [1.0] * 4


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="four"):
        james_stein([1, 2, 3], 1.0)
    with pytest.raises(ValueError, match="not positive"):
        james_stein([1, 2, 3, 4], 0.0)
    with pytest.raises(ValueError, match="shape"):
        shrink_means([0.1], [0.1, 0.2], [1])
