"""Backtests of VaR against Kupiec's regions, MathWorks' example and Basel's table."""

import numpy as np
import pytest
from scipy.stats import chi2

from whaletrader.quant.risk.backtest import (
    Light,
    christoffersen,
    conditional_coverage,
    kupiec,
    traffic_light,
)

# Kupiec 1995, table 3 (also Jorion 2006, table 6-2): the model is kept, at 5 %, for more than
# the first and fewer than the second number of exceptions, in 255, 510 and 1,000 days.
REGIONS = {
    0.01: ((None, 7), (1, 11), (4, 17)),
    0.025: ((2, 12), (6, 21), (15, 36)),
    0.05: ((6, 21), (16, 36), (37, 65)),
    0.075: ((11, 28), (27, 51), (59, 92)),
    0.10: ((16, 36), (38, 65), (81, 120)),
}


def series(transitions: tuple[int, int, int, int]) -> np.ndarray:
    """A series of days with those numbers of 00, 01, 10, 11; 01 and 10 equal or one apart."""
    n00, n01, n10, n11 = transitions
    # Runs of exceptions, the first as long as the pairs of them need, parted by single days.
    days = [0] * (n00 + 1)
    for number in range(n01):
        days += [1] * (n11 + 1 if number == 0 else 1)
        if number < n10:
            days.append(0)
    return np.array(days)


def mathworks() -> np.ndarray:
    days = series((932, 53, 53, 4))
    before, after = days[:-1], days[1:]
    counted = [int(((before == a) & (after == b)).sum()) for a in (0, 1) for b in (0, 1)]
    assert counted == [932, 53, 53, 4]
    assert (days.size, days.sum()) == (1043, 57)
    return days


@pytest.mark.parametrize("probability", REGIONS)
@pytest.mark.parametrize(("place", "days"), [(0, 255), (1, 510), (2, 1000)])
def test_kupiecs_regions(probability: float, place: int, days: int) -> None:
    above, below = REGIONS[probability][place]
    kept = [n for n in range(days // 2) if kupiec(n, days, probability).p_value > 0.05]
    # The table leaves the lower side open at 255 days and 1 %; the statistic of none is 5.1.
    assert kept[0] == (1 if above is None else above + 1)
    assert kept[-1] == below - 1
    assert kept == list(range(kept[0], kept[-1] + 1))


def test_the_example_of_mathworks() -> None:
    # varbacktest, EquityIndex with Normal95: 57 failures in 1,043 days.
    coverage = kupiec(57, 1043, 0.05)
    assert coverage.statistic == pytest.approx(0.46147, abs=5e-6)
    assert coverage.p_value == pytest.approx(0.49694, abs=5e-6)
    independence = christoffersen(mathworks())
    assert independence.statistic == pytest.approx(0.25866, abs=5e-6)
    assert independence.p_value == pytest.approx(0.61104, abs=5e-6)
    both = conditional_coverage(mathworks(), 0.05)
    assert both.statistic == pytest.approx(0.72013, abs=5e-6)
    assert both.p_value == pytest.approx(0.69763, abs=5e-6)
    assert (coverage.degrees, independence.degrees, both.degrees) == (1, 1, 2)


def test_losses_in_a_row_are_found_where_their_number_is_right() -> None:
    clustered = np.zeros(1000, dtype=bool)
    clustered[100:125] = clustered[500:525] = True
    assert kupiec(50, 1000, 0.05).p_value > 0.99
    assert christoffersen(clustered).p_value < 1e-6
    assert conditional_coverage(clustered, 0.05).p_value < 1e-6


def test_a_right_var_is_refused_about_as_often_as_said() -> None:
    chance = np.random.default_rng(12)
    refused = [
        conditional_coverage(chance.random(1000) < 0.05, 0.05).p_value < 0.05 for _ in range(400)
    ]
    assert 0.02 < np.mean(refused) < 0.1


def test_no_exception_at_all_is_no_division_by_zero() -> None:
    # -2 log (1 - p)^T
    found = kupiec(0, 250, 0.01)
    assert found.statistic == pytest.approx(-500 * np.log(0.99))
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 1))
    assert christoffersen(np.zeros(250, dtype=bool)).statistic == 0.0
    assert christoffersen(np.ones(250, dtype=bool)).statistic == 0.0
    assert kupiec(250, 250, 0.01).p_value < 1e-100


def test_basels_zones() -> None:
    zones = [traffic_light(n) for n in range(12)]
    assert zones == [Light.GREEN] * 5 + [Light.YELLOW] * 5 + [Light.RED] * 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kupiec(5, 0, 0.01), "5 exceptions in 0 days"),
        (lambda: kupiec(-1, 10, 0.01), "-1 exceptions"),
        (lambda: kupiec(11, 10, 0.01), "11 exceptions"),
        (lambda: kupiec(1, 10, 1.0), "between 0 and 1"),
        (lambda: traffic_light(1, 250, 0.0), "between 0 and 1"),
        (lambda: christoffersen([1]), "two days"),
        (lambda: christoffersen([0, 2]), "two days"),
        (lambda: conditional_coverage([0, 1], 5), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
