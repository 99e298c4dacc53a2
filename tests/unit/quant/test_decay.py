"""The end of skill, checked against the definitions and against simulated run lengths."""

from math import exp, log

import numpy as np
import pytest

from whaletrader.quant.change.cusum import siegmund_run_length
from whaletrader.quant.decay import (
    TILT_MIN,
    Decay,
    increment,
    information,
    threshold,
    tilt_of,
    updated,
)


@pytest.mark.parametrize("cost", [0.02, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("tilt", [0.1, 0.5, 1.5])
def test_an_increment_is_the_logarithm_of_the_likelihood_ratio(cost: float, tilt: float) -> None:
    odds = cost / (1 - cost) * exp(tilt)
    skilled = odds / (1 + odds)
    assert increment(cost, True, tilt) == pytest.approx(log(cost / skilled), rel=1e-12)
    assert increment(cost, False, tilt) == pytest.approx(log((1 - cost) / (1 - skilled)), rel=1e-12)


@pytest.mark.parametrize("cost", [0.05, 0.5, 0.9])
def test_a_bet_of_a_wallet_without_skill_raises_the_score_on_average(cost: float) -> None:
    mean = cost * increment(cost, True, 0.4) + (1 - cost) * increment(cost, False, 0.4)
    assert mean > 0
    assert information(cost, 0.4) > 0


def test_the_score_never_falls_below_zero() -> None:
    state = Decay()
    for _ in range(50):
        state = updated(state, 0.5, True, 0.4)
    assert state == Decay(score=0.0, bets=50)


def test_the_tilt_of_an_edge_beats_the_price_by_that_edge_to_first_order() -> None:
    tilt = tilt_of(0.04, 0.25)
    odds = exp(tilt)
    assert odds / (1 + odds) == pytest.approx(0.54, abs=1e-4)


def test_a_wallet_without_a_measured_edge_is_watched_for_the_least_skill() -> None:
    assert tilt_of(-0.2, 0.2) == TILT_MIN


@pytest.mark.parametrize("bets", [50.0, 400.0, 2_000.0])
def test_the_threshold_is_the_cusum_charts_own(bets: float) -> None:
    # A chart of steps with deviation sqrt(2 I) and drift -I, in the units of `change.cusum`.
    told = 0.03
    deviation = (2 * told) ** 0.5
    height = threshold(bets, told) / deviation
    length = siegmund_run_length(slack=told / deviation, threshold=height, shift=0.0)
    assert length == pytest.approx(bets, rel=1e-9)


def test_a_threshold_for_hardly_a_bet_is_above_zero() -> None:
    assert threshold(1.0, 0.05) == 0.05


@pytest.mark.parametrize("tilt", [0.3, 0.6])
def test_false_alarms_are_about_as_frequent_as_asked_for(tilt: float) -> None:
    bets = 300.0
    height = threshold(bets, information(0.5, tilt))
    odds = exp(tilt)
    random = np.random.default_rng(7)
    lengths = []
    for _ in range(200):
        state = Decay()
        while state.score < height and state.bets < 20_000:
            state = updated(state, 0.5, bool(random.random() < odds / (1 + odds)), tilt)
        lengths.append(state.bets)
    # The mean of 200 run lengths has an error of 7 %, the formula one of its own.
    assert 0.75 * bets < np.mean(lengths) < 1.5 * bets


def test_the_end_of_skill_is_noticed_many_times_sooner_than_a_false_alarm() -> None:
    tilt, bets = 0.6, 1_000.0
    height = threshold(bets, information(0.5, tilt))
    random = np.random.default_rng(8)
    delays = []
    for _ in range(150):
        state = Decay()
        while state.score < height:
            state = updated(state, 0.5, bool(random.random() < 0.5), tilt)
        delays.append(state.bets)
    assert np.mean(delays) < bets / 5


@pytest.mark.parametrize("cost", [0.0, 1.0, -0.1, float("nan")])
def test_a_cost_that_is_no_price_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1 dollar"):
        increment(cost, True, 0.4)


@pytest.mark.parametrize("tilt", [0.0, -1.0, float("inf"), float("nan")])
def test_a_tilt_that_is_no_skill_is_refused(tilt: float) -> None:
    with pytest.raises(ValueError, match="positive number"):
        increment(0.5, True, tilt)


def test_a_threshold_without_information_is_refused() -> None:
    with pytest.raises(ValueError, match="says something"):
        threshold(100, 0.0)


@pytest.mark.parametrize("variance", [0.0, 0.26, -1.0])
def test_a_variance_that_no_binary_payout_has_is_refused(variance: float) -> None:
    with pytest.raises(ValueError, match="variance"):
        tilt_of(0.1, variance)
