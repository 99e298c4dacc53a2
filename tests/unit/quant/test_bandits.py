"""Bandits: posteriors by hand, and regret in simulation against what theory allows."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from whaletrader.quant.bandits import (
    BetaArm,
    DiscountedUcb,
    NormalGammaArm,
    thompson_choice,
    thompson_weights,
    thompson_weights_above,
    ucb1,
)

CHANCES = (0.45, 0.5, 0.6)


def regret_of(choose: Callable[[int], int], learn: Callable[[int, float], None]) -> list[float]:
    """Cumulative regret of 2,000 plays of three coins."""
    world = np.random.default_rng(77)
    total, path = 0.0, []
    for play in range(2_000):
        arm = choose(play)
        learn(arm, float(world.random() < CHANCES[arm]))
        total += max(CHANCES) - CHANCES[arm]
        path.append(total)
    return path


def test_thompson_sampling_stops_paying_for_what_it_knows() -> None:
    arms = [BetaArm()] * 3

    def learn(arm: int, won: float) -> None:
        arms[arm] = arms[arm].updated(won)

    path = regret_of(lambda play: thompson_choice(arms, play), learn)
    # Blind play loses 0.0833 a time, 167 in all; Lai and Robbins allow some 20 at 2,000.
    assert path[-1] < 60
    assert path[-1] - path[1_000] < path[1_000]


def test_ucb1_keeps_its_bound_and_beats_blind_play() -> None:
    sums, counts = np.zeros(3), np.zeros(3)

    def learn(arm: int, won: float) -> None:
        sums[arm] += won
        counts[arm] += 1

    def choose(_: int) -> int:
        return int(np.argmax(ucb1(sums / np.maximum(counts, 1), counts)))

    path = regret_of(choose, learn)
    gaps = [0.15, 0.1]
    # Auer et al. 2002, theorem 1.
    bound = sum(8 * np.log(2_000) / gap for gap in gaps) + (1 + np.pi**2 / 3) * sum(gaps)
    assert path[-1] < bound
    assert path[-1] < 150


def test_a_discount_follows_an_arm_that_changes() -> None:
    def earned(discount: float) -> float:
        world = np.random.default_rng(5)
        policy, total = DiscountedUcb.of(2, discount, scale=0.5), 0.0
        for play in range(3_000):
            # The better arm becomes the worse one half way.
            chances = (0.8, 0.3) if play < 1_500 else (0.1, 0.6)
            arm = policy.choice()
            won = float(world.random() < chances[arm])
            policy, total = policy.updated(arm, won), total + chances[arm]
        return total

    assert earned(0.99) > earned(1.0) + 100


def test_discounted_beliefs_let_thompson_follow_a_change_too() -> None:
    prior = BetaArm()

    def arms(discount: float) -> list[BetaArm]:
        good_then_bad, steady = prior, prior
        for play in range(400):
            good_then_bad = good_then_bad.discounted(discount, prior).updated(float(play < 300))
            steady = steady.discounted(discount, prior).updated(play % 2)
        return [good_then_bad, steady]

    assert thompson_weights(arms(1.0), 1)[0] > 0.99
    assert thompson_weights(arms(0.95), 1)[0] < 0.01


def test_weights_are_the_chance_of_being_best() -> None:
    # P(Beta(8, 4) > Beta(5, 7)) by quadrature.
    grid = np.linspace(0, 1, 20_001)
    first, second = stats.beta(8, 4), stats.beta(5, 7)
    truth = np.trapezoid(first.pdf(grid) * second.cdf(grid), grid)
    weights = thompson_weights([BetaArm(8, 4), BetaArm(5, 7)], seed=3, draws=200_000)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] == pytest.approx(truth, abs=0.005)


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    arms = [NormalGammaArm(0.1), NormalGammaArm(0.2), BetaArm(3, 4)]
    assert thompson_weights(arms, 9).tolist() == thompson_weights(arms, 9).tolist()
    assert thompson_weights(arms, 9).tolist() != thompson_weights(arms, 10).tolist()


def test_cash_takes_what_nobody_earns() -> None:
    poor = NormalGammaArm(mean=-0.05, weight=200, shape=100, rate=1)
    rich = NormalGammaArm(mean=0.05, weight=200, shape=100, rate=1)
    assert thompson_weights_above([poor, poor], 0.0, 1).sum() < 0.01
    assert thompson_weights_above([poor, rich], 0.0, 1)[1] > 0.99


def test_normal_gamma_by_hand() -> None:
    # From (0, 1, 1, 1) after 2: mean 1, weight 2, shape 1.5, rate 1 + 1 * 4 / 4 = 2.
    assert NormalGammaArm().updated(2.0) == NormalGammaArm(1.0, 2.0, 1.5, 2.0)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_one_payoff_at_a_time_is_all_at_once(payoffs: list[float]) -> None:
    arm = NormalGammaArm(0.5, 2.0, 3.0, 4.0)
    for payoff in payoffs:
        arm = arm.updated(payoff)
    count, mean = len(payoffs), float(np.mean(payoffs))
    assert arm.weight == pytest.approx(2 + count)
    assert arm.mean == pytest.approx((2 * 0.5 + count * mean) / (2 + count), abs=1e-9)
    squares = count * float(np.var(payoffs))
    rate = 4 + squares / 2 + 2 * count * (mean - 0.5) ** 2 / (2 * (2 + count))
    assert arm.rate == pytest.approx(rate, rel=1e-9)


@settings(max_examples=30)
@given(st.lists(st.floats(-10, 10), max_size=10), st.floats(0.01, 1))
def test_discounting_ends_at_the_prior_and_by_one_does_nothing(
    payoffs: list[float], discount: float
) -> None:
    prior = NormalGammaArm(0.5, 2.0, 3.0, 4.0)
    arm = prior
    for payoff in payoffs:
        arm = arm.updated(payoff)
    same = arm.discounted(1.0, prior)
    assert (same.mean, same.rate) == pytest.approx((arm.mean, arm.rate), rel=1e-6)
    faded = arm
    for _ in range(300):
        faded = faded.discounted(min(discount, 0.95), prior)
    assert (faded.mean, faded.weight) == pytest.approx((0.5, 2.0), rel=1e-4)
    assert faded.rate == pytest.approx(4.0, rel=1e-3)


def test_draws_of_a_mean_are_students_t() -> None:
    arm = NormalGammaArm(1.0, 4.0, 3.0, 6.0)
    drawn = arm.drawn(np.random.default_rng(0), 20_000)
    peer = stats.t(df=6, loc=1.0, scale=(6 / (3 * 4)) ** 0.5)
    assert stats.kstest(drawn, peer.cdf).pvalue > 0.01


def test_an_arm_never_played_comes_first() -> None:
    assert int(np.argmax(ucb1([0.9, 0.0], [10, 0]))) == 1
    assert DiscountedUcb.of(3, 0.9).updated(0, 1.0).choice() == 1


def test_ucb1_by_hand() -> None:
    found = ucb1([0.5, 0.2], [30, 70])
    assert found == pytest.approx(
        [0.5 + (2 * np.log(100) / 30) ** 0.5, 0.2 + (2 * np.log(100) / 70) ** 0.5]
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: BetaArm(0, 1), "above 0"),
        (lambda: BetaArm().updated(1.5), "neither"),
        (lambda: BetaArm().discounted(0, BetaArm()), "discount"),
        (lambda: NormalGammaArm(rate=0), "above 0"),
        (lambda: NormalGammaArm(mean=float("nan")), "mean"),
        (lambda: NormalGammaArm().updated(float("inf")), "payoff"),
        (lambda: thompson_weights([], 1), "no arms"),
        (lambda: thompson_choice([BetaArm()], -1), "seed"),
        (lambda: thompson_weights([BetaArm()], 1, 0), "draws"),
        (lambda: thompson_weights_above([BetaArm()], 0.5, 1, 0), "draws"),
        (lambda: ucb1([0.1], [1, 2]), "length"),
        (lambda: ucb1([0.1], [-1]), "not negative"),
        (lambda: DiscountedUcb.of(0, 0.9), "at least 1"),
        (lambda: DiscountedUcb.of(1, 1.5), "discount"),
        (lambda: DiscountedUcb.of(1, 0.9).updated(1, 0.0), "no arm 1"),
        (lambda: DiscountedUcb.of(1, 0.9).updated(0, float("nan")), "payoff"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
