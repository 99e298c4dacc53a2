"""Errors of what happens together. Against statsmodels and Petersen: the published numbers."""

import numpy as np
import pytest
import statsmodels.api as sm

from whaletrader.quant.cluster_errors import clusters_within, mean_errors, ols, wild_cluster_p
from whaletrader.quant.ragged import Ragged
from whaletrader.quant.resampling import sign_weights


def test_a_weighted_mean_has_the_error_of_weighted_least_squares() -> None:
    random = np.random.default_rng(1)
    values, weights = random.normal(size=60), random.uniform(0.5, 3, 60)
    clusters = random.integers(0, 9, 60)
    found = mean_errors(Ragged.of([values]), weights, clusters)
    # statsmodels' correction has (n - 1) / (n - 1) for one column: the same as ours.
    theirs = sm.WLS(values, np.ones(60), weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": True}
    )
    assert found.mean[0] == pytest.approx(theirs.params[0])
    assert found.error[0] == pytest.approx(theirs.bse[0])
    assert found.clusters[0] == 9


def test_wallets_do_not_share_clusters() -> None:
    values, weights = np.array([1.0, 2.0, 4.0, 1.0, 2.0, 4.0]), np.ones(6)
    both = mean_errors(Ragged(values, np.array([0, 3, 6])), weights, [5, 6, 7, 5, 6, 7])
    assert both.clusters.tolist() == [3, 3]
    assert both.error[0] == both.error[1] == pytest.approx(np.std(values[:3], ddof=1) / np.sqrt(3))


def test_repeating_every_trade_proves_nothing_more() -> None:
    values = np.array([0.5, -0.2, 0.3, 0.1])
    once = mean_errors(Ragged.of([values]), np.ones(4), np.arange(4))
    ten_times = mean_errors(
        Ragged.of([np.repeat(values, 10)]), np.ones(40), np.repeat(range(4), 10)
    )
    assert ten_times.error[0] == pytest.approx(once.error[0])


def test_one_cluster_has_no_error_and_no_value_no_mean() -> None:
    found = mean_errors(Ragged.of([[1.0, 2.0], []]), np.ones(2), [3, 3])
    assert found.mean[0] == 1.5
    assert np.isnan(found.error).all()
    assert np.isnan(found.mean[1])
    assert np.isnan(wild_cluster_p(found, sign_weights(1, 99, np.random.default_rng(0)))).all()


def test_the_wild_bootstrap_rejects_as_often_as_it_says() -> None:
    random = np.random.default_rng(2)
    wallets = 600
    shocks = random.normal(size=(wallets, 12)).repeat(5, axis=1)
    values = Ragged.of(list(shocks + 0.3 * random.normal(size=shocks.shape)))
    found = mean_errors(values, np.ones(wallets * 60), np.tile(np.arange(12).repeat(5), wallets))
    p = wild_cluster_p(found, sign_weights(12, 999, random))
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.03)
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.06)


def test_the_wild_bootstrap_counts_every_flip_of_few_clusters() -> None:
    scores = np.array([3.0, 1.0, 2.0, 2.5])
    found = mean_errors(Ragged.of([scores]), np.ones(4), np.arange(4))
    p = wild_cluster_p(found, sign_weights(4, 20_000, np.random.default_rng(3)))
    # All positive: of 16 flips only the data itself is as high.
    assert p[0] == pytest.approx(1 / 16, abs=0.006)


def test_two_ways_allow_for_both() -> None:
    random = np.random.default_rng(4)
    firm, year = np.repeat(np.arange(30), 20), np.tile(np.arange(20), 30)
    shock = random.normal(size=30)[firm] + random.normal(size=20)[year]
    design = np.ones((600, 1))
    one = ols(design, shock, firm)
    other = ols(design, shock, year)
    both = ols(design, shock, firm, year)
    assert both.errors[0] > max(one.errors[0], other.errors[0])
    assert both.clusters == 20
    assert both.coefficients[0] == pytest.approx(shock.mean())


def test_a_two_way_matrix_is_never_negative() -> None:
    random = np.random.default_rng(5)
    design = np.column_stack([np.ones(12), random.normal(size=12)])
    for seed in range(30):
        noise = np.random.default_rng(seed).normal(size=12)
        fit = ols(design, noise, np.arange(12) % 3, np.arange(12) // 6)
        assert (np.linalg.eigvalsh(fit.covariance) >= -1e-12).all()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="weight"):
        mean_errors(Ragged.of([[1.0]]), [-1.0], [0])
    with pytest.raises(ValueError, match="integer code"):
        clusters_within(np.array([0, 0]), [0.5, 1.5])
    with pytest.raises(ValueError, match="from 0 on"):
        clusters_within(np.array([0, 5]), [0, 2**62])
    with pytest.raises(ValueError, match="two clusters"):
        ols(np.ones((4, 1)), [1, 2, 3, 4], [0, 0, 0, 0])
    with pytest.raises(ValueError, match="full rank"):
        ols(np.ones((4, 2)), [1, 2, 3, 4], [0, 1, 2, 3])
