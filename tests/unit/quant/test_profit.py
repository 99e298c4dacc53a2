"""Profit by leader: totals by market first, then Student's t."""

import numpy as np
import pytest
from scipy import stats

from whaletrader.quant.profit import profit_by_leader


def test_totals_are_summed_and_sorted_best_first() -> None:
    found = profit_by_leader(["a", "b", "a", "b"], ["m", "m", "n", "o"], [1.0, 5.0, 2.0, -1.0])
    assert [(one.leader, one.total, one.markets) for one in found] == [("b", 4, 2), ("a", 3, 2)]


def test_the_interval_is_students_over_market_totals() -> None:
    totals = [3.0, -1.0, 4.0, 1.5]
    [one] = profit_by_leader(["a"] * 4, ["m", "n", "o", "p"], totals, 0.9)
    error = stats.sem(totals)
    lower, upper = stats.t.interval(0.9, 3, loc=np.mean(totals), scale=error)
    assert (one.lower, one.upper) == pytest.approx((4 * lower, 4 * upper))


def test_a_hundred_copies_in_one_market_are_no_hundred_proofs() -> None:
    spread = profit_by_leader(["a"] * 4, ["m", "m", "n", "n"], [5.0, 6.0, -3.0, -4.0])[0]
    apart = profit_by_leader(["a"] * 4, ["m", "n", "o", "p"], [5.0, 6.0, -3.0, -4.0])[0]
    assert spread.total == apart.total == 4.0
    assert spread.upper - spread.lower > apart.upper - apart.lower
    merged = profit_by_leader(["a"] * 2, ["m", "n"], [11.0, -7.0])[0]
    assert (spread.lower, spread.upper) == (merged.lower, merged.upper)


def test_a_single_market_has_no_interval() -> None:
    [one] = profit_by_leader(["a", "a"], ["m", "m"], [1.0, 2.0])
    assert (one.total, one.markets, one.lower, one.upper) == (3.0, 1, None, None)


def test_the_same_market_under_two_leaders_is_two_clusters() -> None:
    found = profit_by_leader(["a", "b"], ["m", "m"], [1.0, 2.0])
    assert [(one.leader, one.markets) for one in found] == [("b", 1), ("a", 1)]


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        markets = rng.integers(0, 30, 200)
        shocks = rng.normal(0, 5, 30)
        [one] = profit_by_leader(["a"] * 200, markets, shocks[markets] + rng.normal(0, 1, 200), 0.9)
        covered += one.lower <= 0 <= one.upper
    assert covered / 400 > 0.85


def test_nothing_gives_nothing() -> None:
    assert profit_by_leader([], [], []) == []


@pytest.mark.parametrize(
    ("leaders", "markets", "profits", "confidence"),
    [
        (["a"], ["m", "n"], [1.0], 0.9),
        (["a"], ["m"], [float("nan")], 0.9),
        (["a"], ["m"], [float("inf")], 0.9),
        ([["a"]], [["m"]], [[1.0]], 0.9),
        (["a", "a"], ["m", "n"], [1.0, 2.0], 1.0),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    leaders: list, markets: list, profits: list, confidence: float
) -> None:
    with pytest.raises(ValueError, match=r"length|finite|confidence"):
        profit_by_leader(leaders, markets, profits, confidence)
