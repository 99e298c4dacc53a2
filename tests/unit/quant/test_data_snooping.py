"""The best of many models. Against arch: test_against_libraries."""

import numpy as np
import pytest

from whaletrader.quant.data_snooping import (
    bootstrap_variance,
    reality_check,
    superior_predictive_ability,
)
from whaletrader.quant.resampling import stationary_counts


def test_the_best_of_many_without_skill_is_seldom_believed() -> None:
    random = np.random.default_rng(1)
    p = [
        (
            reality_check(gains := random.normal(size=(60, 15)), 99, 1.0, random),
            superior_predictive_ability(gains, 99, 1.0, random).consistent,
        )
        for _ in range(80)
    ]
    rejected = (np.array(p) <= 0.1).mean(axis=0)
    # 80 trials at 10 %: 0.18 is 2.4 standard errors away.
    assert (rejected <= 0.18).all()
    assert (rejected >= 0.03).all()


def test_one_good_model_among_many_is_found_and_named() -> None:
    gains = np.random.default_rng(2).normal(size=(300, 40))
    gains[:, 17] += 0.4
    found = superior_predictive_ability(gains, 499, 2.0, np.random.default_rng(3))
    assert found.best == 17
    assert found.lower <= found.consistent <= found.upper == 0.002
    assert reality_check(gains, 499, 2.0, np.random.default_rng(3)) == 0.002


def test_poor_models_cost_the_reality_check_power_but_not_the_spa() -> None:
    random = np.random.default_rng(4)
    gains = random.normal(size=(200, 60)) * np.where(np.arange(60) == 0, 1, 6)
    gains[:, 0] += 0.22
    gains[:, 1:] -= 3
    assert superior_predictive_ability(gains, 999, 1.0, random).consistent < 0.05
    assert reality_check(gains, 999, 1.0, random) > 0.2


def test_the_closed_form_is_the_variance_of_the_draws() -> None:
    gains = np.cumsum(np.random.default_rng(5).normal(size=(80, 2)), axis=0)
    counts = stationary_counts(80, 8_000, 6.0, np.random.default_rng(6))
    drawn = (gains.T @ counts / 80).var(axis=1) * 80
    assert bootstrap_variance(gains, 6.0) == pytest.approx(drawn, rel=0.06)


def test_models_that_do_nothing_are_left_out() -> None:
    gains = np.zeros((50, 3))
    gains[:, 2] = np.random.default_rng(7).normal(1, 1, 50)
    assert superior_predictive_ability(gains, 99, 1.0, np.random.default_rng(0)).best == 2
    with pytest.raises(ValueError, match="varies"):
        superior_predictive_ability(gains[:, :2], 99, 1.0, np.random.default_rng(0))


@pytest.mark.parametrize("gains", [np.empty((0, 3)), np.array([[1.0, np.nan]]), np.ones((2, 2, 2))])
def test_bad_input_is_refused(gains: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> None:
    with pytest.raises(ValueError, match="performance"):
        reality_check(gains, 99, 1.0, np.random.default_rng(0))


@pytest.mark.parametrize("length", [0.0, 0.5, -1.0, np.nan])
def test_blocks_shorter_than_a_period_are_refused(length: float) -> None:
    gains = np.random.default_rng(8).normal(size=(20, 2))
    with pytest.raises(ValueError, match="block length"):
        bootstrap_variance(gains, length)
    with pytest.raises(ValueError, match="block length"):
        superior_predictive_ability(gains, 99, length, np.random.default_rng(0))
