"""Kelly stakes against textbook figures, and against searching for the best one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whaletrader.quant.kelly import (
    AdaptiveOptions,
    Conditions,
    adaptive_kelly,
    doubling_bets,
    estimate_shrinkage,
    exclusive_kelly,
    growth_rate,
    independent_kelly,
    kelly_fraction,
)

chances = st.floats(0.02, 0.98)


def test_sixty_per_cent_at_even_money_is_a_fifth() -> None:
    assert kelly_fraction(0.6, 0.5) == pytest.approx(0.2)


def test_thorps_coin_of_53_per_cent() -> None:
    # Thorp 2006, section 2: f = p - q = 0.06; G = p ln p + q ln q + ln 2 = 0.0018.
    assert kelly_fraction(0.53, 0.5) == pytest.approx(0.06)
    best = float(growth_rate(0.06, 0.53, 0.5))
    assert best == pytest.approx(0.53 * np.log(0.53) + 0.47 * np.log(0.47) + np.log(2))
    assert best == pytest.approx(0.0018, abs=5e-5)
    assert doubling_bets(best) == pytest.approx(385, abs=1)


@given(chances, chances)
def test_the_stake_is_where_growth_is_highest(probability: float, cost: float) -> None:
    stakes = np.linspace(0, 0.9999, 4001)
    growth = growth_rate(stakes, probability, cost)
    best = float(stakes[int(np.argmax(growth))])
    assert kelly_fraction(probability, cost) == pytest.approx(best, abs=5e-4)


@given(chances, chances)
def test_twice_the_stake_grows_no_faster_than_none(probability: float, cost: float) -> None:
    stake = min(0.999, 2 * kelly_fraction(probability, cost))
    assert float(growth_rate(stake, probability, cost)) <= float(
        growth_rate(kelly_fraction(probability, cost), probability, cost)
    )


def test_no_edge_is_no_stake_and_a_fee_can_take_it() -> None:
    assert kelly_fraction(0.5, 0.5) == 0.0
    assert kelly_fraction(0.51, 0.52) == 0.0
    assert kelly_fraction(1.0, 0.9) == 1.0


def test_growth_of_staking_all_is_ruin_unless_it_cannot_fail() -> None:
    assert float(growth_rate(1.0, 0.99, 0.5)) == -np.inf
    assert float(growth_rate(1.0, 1.0, 0.5)) == pytest.approx(np.log(2))


def test_each_factor_is_told_and_they_multiply() -> None:
    sizing = adaptive_kelly(0.6, 0.5, Conditions(0.8, 0.04, 0.5, 0.10))
    values = {it.name: it.value for it in sizing.factors}
    assert values == pytest.approx(
        {
            "fraction": 0.25,
            "confidence": 0.8,
            "volatility": 0.5,
            "correlation": 0.5,
            "drawdown": 0.5,
        }
    )
    assert sizing.full == pytest.approx(0.2)
    assert sizing.stake == pytest.approx(0.2 * 0.25 * 0.8 * 0.5 * 0.5 * 0.5)


def test_a_calm_desk_stakes_the_fraction_and_nothing_is_ever_added() -> None:
    assert adaptive_kelly(0.6, 0.5, Conditions()).stake == pytest.approx(0.05)
    hedge = adaptive_kelly(0.6, 0.5, Conditions(correlation=-0.9)).stake
    assert hedge == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("conditions", "stake"),
    [
        (Conditions(drawdown=0.20), 0.0),
        (Conditions(drawdown=0.35), 0.0),
        (Conditions(drawdown=0.19), 0.0025),
        (Conditions(confidence=0.0), 0.0),
        (Conditions(correlation=1.0), 0.0),
        (Conditions(volatility=0.02), 0.05),
        (Conditions(volatility=10.0), 0.0125),  # the floor
    ],
)
def test_the_ends_of_each_factor(conditions: Conditions, stake: float) -> None:
    assert adaptive_kelly(0.6, 0.5, conditions).stake == pytest.approx(stake)


@given(chances, chances, st.floats(0, 1), st.floats(0, 5), st.floats(-1, 1), st.floats(0, 1))
def test_the_stake_is_between_nothing_and_the_fraction(
    probability: float,
    cost: float,
    confidence: float,
    volatility: float,
    correlation: float,
    drawdown: float,
) -> None:
    conditions = Conditions(confidence, volatility, correlation, drawdown)
    sizing = adaptive_kelly(probability, cost, conditions)
    assert 0 <= sizing.stake <= 0.25 * sizing.full
    assert all(0 <= it.value <= 1 for it in sizing.factors)


def test_an_estimate_is_believed_by_its_error() -> None:
    # An edge as large as its error is worth half; twice as large, four fifths.
    assert estimate_shrinkage(0.55, 0.05, 0.5) == pytest.approx(0.5)
    assert estimate_shrinkage(0.60, 0.05, 0.5) == pytest.approx(0.8)
    assert estimate_shrinkage(0.60, 0.0, 0.5) == 1.0
    assert estimate_shrinkage(0.4, 0.05, 0.5) == 0.0


def expected_log(stakes: np.ndarray, probabilities: np.ndarray, costs: np.ndarray) -> float:
    """Growth of bets on exclusive outcomes; the last term is none of them."""
    wealth = 1 - stakes.sum() + stakes / costs
    rest = 1 - probabilities.sum()
    kept = 1 - stakes.sum()
    total = sum(p * np.log(w) for p, w in zip(probabilities, wealth, strict=True) if p > 0)
    return float(total + (rest * np.log(max(kept, 1e-300)) if rest > 1e-12 else 0.0))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_no_small_step_from_the_exclusive_stakes_is_better(seed: int, outcomes: int) -> None:
    chance = np.random.default_rng(seed)
    probabilities = chance.dirichlet(np.ones(outcomes + 1))[:outcomes]
    costs = np.clip(probabilities * chance.uniform(0.7, 1.4, outcomes), 0.01, 0.95)
    stakes = exclusive_kelly(probabilities, costs)
    best = expected_log(stakes, probabilities, costs)
    for place in range(outcomes):
        for step in (1e-4, -1e-4):
            other = stakes.copy()
            other[place] = max(0.0, other[place] + step)
            if other.sum() < 1:
                assert expected_log(other, probabilities, costs) <= best + 1e-12


def test_one_exclusive_outcome_is_plain_kelly() -> None:
    assert exclusive_kelly([0.6], [0.5]) == pytest.approx([0.2])


def test_an_outcome_without_an_edge_is_taken_as_a_hedge() -> None:
    # 0.7 at 0.5 is good, 0.25 at 0.26 is not, yet it covers what the first leaves open.
    stakes = exclusive_kelly([0.7, 0.25], [0.5, 0.26])
    rate = (1 - 0.95) / (1 - 0.76)
    assert stakes == pytest.approx([0.7 - rate * 0.5, 0.25 - rate * 0.26])
    assert stakes[1] > 0


def test_a_set_of_all_outcomes_below_one_is_bought_whole() -> None:
    stakes = exclusive_kelly([0.5, 0.5], [0.4, 0.5])
    assert stakes == pytest.approx([0.5, 0.5])
    assert exclusive_kelly([0.5, 0.3], [0.5, 0.3]).tolist() == [0, 0]


def test_two_coins_at_once_are_thorps_formula() -> None:
    # Thorp 2006, section 7: each of two independent even bets gets m / (1 + m^2), m = p - q.
    assert independent_kelly([0.6, 0.6], [0.5, 0.5]) == pytest.approx([0.2 / 1.04] * 2, abs=1e-6)
    assert independent_kelly([0.53] * 2, [0.5] * 2) == pytest.approx([0.06 / 1.0036] * 2, abs=1e-6)


def test_bets_at_once_get_less_than_alone_and_bad_ones_nothing() -> None:
    stakes = independent_kelly([0.6, 0.9, 0.3], [0.5, 0.8, 0.4])
    alone = [kelly_fraction(0.6, 0.5), kelly_fraction(0.9, 0.8), 0.0]
    assert (stakes[:2] < alone[:2]).all()
    assert (stakes[:2] > 0.8 * np.array(alone[:2])).all()
    assert stakes[2] == 0.0
    assert independent_kelly([0.3], [0.4]).tolist() == [0.0]
    assert independent_kelly([0.7], [0.4]) == pytest.approx([0.5], abs=1e-6)


def test_many_good_bets_never_stake_more_than_all() -> None:
    stakes = independent_kelly([0.9] * 8, [0.5] * 8)
    assert stakes.sum() <= 1 + 1e-9
    assert stakes == pytest.approx([stakes[0]] * 8, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kelly_fraction(1.1, 0.5), "probability"),
        (lambda: kelly_fraction(float("nan"), 0.5), "probability"),
        (lambda: kelly_fraction(0.5, 0.0), "cost"),
        (lambda: kelly_fraction(0.5, 1.0), "cost"),
        (lambda: kelly_fraction(60, 0.5), "probability"),
        (lambda: growth_rate([1.5], 0.5, 0.5), "stakes"),
        (lambda: estimate_shrinkage(0.5, -1, 0.4), "standard error"),
        (lambda: Conditions(confidence=1.5), "confidence"),
        (lambda: Conditions(volatility=-1), "volatility"),
        (lambda: Conditions(correlation=2), "correlation"),
        (lambda: Conditions(drawdown=-0.1), "drawdown"),
        (lambda: AdaptiveOptions(fraction=0), "fraction"),
        (lambda: AdaptiveOptions(drawdown_max=1.5), "drawdown_max"),
        (lambda: AdaptiveOptions(volatility_target=0), "volatility_target"),
        (lambda: exclusive_kelly([0.6, 0.6], [0.5, 0.5]), "more than 1"),
        (lambda: exclusive_kelly([0.6], [0.5, 0.5]), "same length"),
        (lambda: independent_kelly([0.6] * 13, [0.5] * 13), "12 at most"),
        (lambda: independent_kelly([1.6], [0.5]), "probability"),
        (lambda: independent_kelly([0.6], [1.5]), "cost"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
