"""First half against second half."""

import numpy as np
import pytest
import statsmodels.api as sm

from whaletrader.quant.persistence import persistence_regression, winners_and_losers


def test_skill_persists_and_luck_does_not() -> None:
    random = np.random.default_rng(1)
    skill, noise = random.normal(0, 1, 200), random.normal(0, 1, (3, 200))
    lasting = persistence_regression(skill + noise[0], skill + noise[1], random=random)
    fleeting = persistence_regression(noise[2], noise[1], random=random)
    assert lasting.p_value < 1e-4
    assert lasting.rank_p_value == pytest.approx(1 / 1_001)
    assert lasting.slope == pytest.approx(0.5, abs=0.15)
    assert fleeting.p_value > 0.05
    assert fleeting.rank_p_value > 0.05


def test_the_errors_are_whites_without_clusters() -> None:
    random = np.random.default_rng(2)
    first = random.normal(size=50)
    second = 0.3 * first + random.normal(size=50) * (1 + np.abs(first))
    found = persistence_regression(first, second, random=random)
    theirs = sm.OLS(second, sm.add_constant(first)).fit(cov_type="HC1")
    assert found.slope == pytest.approx(theirs.params[1])
    assert found.slope_error == pytest.approx(theirs.bse[1])
    assert found.t == pytest.approx(theirs.tvalues[1])


def test_wallets_of_one_owner_are_one() -> None:
    random = np.random.default_rng(3)
    first, second = random.normal(size=20), random.normal(size=20)
    repeated = persistence_regression(
        np.repeat(first, 10), np.repeat(second, 10), np.repeat(np.arange(20), 10), random=random
    )
    once = persistence_regression(first, second, random=random)
    assert repeated.slope == pytest.approx(once.slope)
    assert repeated.slope_error == pytest.approx(once.slope_error, rel=0.05)


def test_a_wallet_without_a_second_half_is_left_out() -> None:
    random = np.random.default_rng(4)
    first, second = random.normal(size=12), random.normal(size=12)
    second[[2, 5]] = np.nan
    assert persistence_regression(first, second, random=random).wallets == 10
    with pytest.raises(ValueError, match="needs four"):
        persistence_regression(first[:5], second[1:6], random=random)
    with pytest.raises(ValueError, match="one length"):
        persistence_regression(first, second[:5], random=random)


def test_winners_that_win_again_are_counted() -> None:
    first = np.arange(20.0)
    again = first + np.tile([3.0, -3.0], 10)
    table, z = winners_and_losers(first, again)
    assert table.sum() == 20
    assert table[0, 0] == table[1, 1] == 9
    assert z == pytest.approx(np.log(81) / np.sqrt(2 / 9 + 2 / 1))
    table, z = winners_and_losers(first, first)
    assert table.tolist() == [[10, 0], [0, 10]]
    assert np.isnan(z)
