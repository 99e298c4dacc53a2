"""Win rates with a base rate. Printed example: test_published_numbers."""

import numpy as np
import pytest
from scipy import stats

from whaletrader.quant.win_rate import category_base_rates, chance_above, posterior_win_rate


def test_twenty_bets_weigh_as_much_as_the_base_rate() -> None:
    found = posterior_win_rate([20], [20], [0.5])
    assert found.mean[0] == pytest.approx(0.75)


def test_many_bets_speak_for_themselves_and_none_say_the_base_rate() -> None:
    found = posterior_win_rate([0, 9_000], [0, 10_000], [0.3, 0.3])
    assert found.mean == pytest.approx([0.3, 0.9], abs=0.002)


def test_the_interval_is_the_beta_distributions() -> None:
    found = posterior_win_rate([7], [12], [0.4], strength=20, confidence=0.9)
    expected = stats.beta.interval(0.9, 8 + 7, 12 + 5)
    assert (found.lower[0], found.upper[0]) == pytest.approx(expected)
    above = chance_above([7], [12], [0.4], 0.55)[0]
    assert above == pytest.approx(stats.beta.sf(0.55, 15, 17))


def test_base_rates_are_those_of_their_category() -> None:
    rates = category_base_rates([3, 1, 8], [4, 4, 16], [0, 0, 2], 3)
    assert rates == pytest.approx([0.5, 0.5, 0.5])
    rates = category_base_rates([4, 1, 8], [4, 6, 10], [0, 0, 2], 3)
    # Nothing is known of category 1: it has the rate of all.
    assert rates == pytest.approx([0.5, 13 / 20, 0.8])
    assert category_base_rates([], [], np.empty(0, int), 2) == pytest.approx([0.5, 0.5])


def test_a_category_that_always_won_still_leaves_room() -> None:
    found = posterior_win_rate([0], [5], [1.0])
    assert 0 < found.mean[0] < 1
    assert np.isfinite([found.lower[0], found.upper[0]]).all()


@pytest.mark.parametrize(
    ("wins", "trials", "rate", "strength", "message"),
    [
        (3, 2, 0.5, 20, "trials"),
        (-1, 2, 0.5, 20, "trials"),
        (1, 2, 1.5, 20, "base rate"),
        (1, 2, 0.5, 0, "strength"),
    ],
)
def test_bad_input_is_refused(
    wins: int, trials: int, rate: float, strength: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        posterior_win_rate([wins], [trials], [rate], strength)
