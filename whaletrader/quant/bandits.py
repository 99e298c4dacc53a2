"""Whom to give capital to next, while it is still being learned who is good.

Owns posteriors of arms that pay or do not (Beta) and of arms that pay an amount (normal-gamma),
Thompson sampling from them (Thompson 1933; Chapelle and Li 2011, "An empirical evaluation of
Thompson sampling"), and upper confidence bounds, plain (Auer, Cesa-Bianchi and Fischer 2002) and
discounted for arms that change (Garivier and Moulines 2011, "On upper-confidence bound policies for
switching bandit problems"). What is drawn is drawn from the seed given: the same seed and arms
give the same weights. Called by discovery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DRAWS = 1_000
# A weight then has a standard error of 0.0005 at most.
DRAWS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class BetaArm:
    """Belief in the chance of a win: Beta(wins, losses), the prior's counts in them."""

    wins: float = 1.0
    losses: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.wins < inf and 0 < self.losses < inf):
            raise ValueError("a Beta belief needs wins and losses above 0; 1 and 1 know nothing")

    @property
    def mean(self) -> float:
        return self.wins / (self.wins + self.losses)

    def updated(self, won: float) -> "BetaArm":
        """Return the belief after a win (1), a loss (0), or a share of one. Raises ValueError."""
        if not 0 <= won <= 1:
            raise ValueError(f"{won} is neither a win nor a loss nor between")
        return BetaArm(self.wins + won, self.losses + 1 - won)

    def discounted(self, discount: float, prior: "BetaArm") -> "BetaArm":
        """Return the belief with its evidence weighing `discount` of what it did, in (0, 1].

        Counts go back towards the prior's (Raj and Kalyani 2017, discounted Thompson sampling).
        """
        _check_discount(discount)
        return BetaArm(
            prior.wins + discount * (self.wins - prior.wins),
            prior.losses + discount * (self.losses - prior.losses),
        )

    def drawn(self, generator: np.random.Generator, draws: int) -> Floats:
        """Draw chances of a win, shape (draws,)."""
        return generator.beta(self.wins, self.losses, draws)


@dataclass(frozen=True, slots=True)
class NormalGammaArm:
    """Belief in the mean of normal payoffs of unknown spread.

    Precision ~ Gamma(shape, rate), mean given it ~ N(mean, 1 / (weight * precision)) (DeGroot
    1970, section 9.6; Murphy 2007, "Conjugate Bayesian analysis of the Gaussian", section 3).
    """

    mean: float = 0.0
    weight: float = 1.0
    shape: float = 1.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not -inf < self.mean < inf:
            raise ValueError(f"a mean of {self.mean} is none")
        if not all(0 < it < inf for it in (self.weight, self.shape, self.rate)):
            raise ValueError("weight, shape and rate must be above 0 and finite")

    def updated(self, payoff: float) -> "NormalGammaArm":
        """Return the belief after one payoff (Murphy 2007, eq. 86 to 89). Raises ValueError."""
        if not -inf < payoff < inf:
            raise ValueError(f"a payoff of {payoff} is none")
        weight = self.weight + 1
        return NormalGammaArm(
            (self.weight * self.mean + payoff) / weight,
            weight,
            self.shape + 0.5,
            self.rate + self.weight * (payoff - self.mean) ** 2 / (2 * weight),
        )

    def discounted(self, discount: float, prior: "NormalGammaArm") -> "NormalGammaArm":
        """Return the belief with its evidence weighing `discount` of what it did, in (0, 1].

        What is added up a payoff (number, sum, sum of squares) goes back towards the prior's.
        """
        _check_discount(discount)
        mine, theirs = self._sums(), prior._sums()
        weight, total, shape, squares = (
            there + discount * (here - there) for here, there in zip(mine, theirs, strict=True)
        )
        mean = total / weight
        # Convexity keeps this above the prior's part; rounding may not.
        rate = max((squares - weight * mean**2) / 2, 1e-300)
        return NormalGammaArm(mean, weight, shape, rate)

    def drawn(self, generator: np.random.Generator, draws: int) -> Floats:
        """Draw means, shape (draws,): Student's t with 2 * shape degrees of freedom."""
        scale = sqrt(self.rate / (self.shape * self.weight))
        return self.mean + scale * generator.standard_t(2 * self.shape, draws)

    def _sums(self) -> tuple[float, float, float, float]:
        squares = 2 * self.rate + self.weight * self.mean**2
        return self.weight, self.weight * self.mean, self.shape, squares


Arm = BetaArm | NormalGammaArm


def thompson_choice(arms: Sequence[Arm], seed: int) -> int:
    """Return the arm whose one draw is highest. Raises ValueError without arms."""
    return int(np.argmax(_drawn(arms, seed, 1)[0]))


def thompson_weights(arms: Sequence[Arm], seed: int, draws: int = DRAWS) -> Floats:
    """Return the share of draws in which each arm is the best, shape (n,), adding to 1.

    It estimates the probability that the arm is the best one, which is how often Thompson
    sampling would take it; so it is a share of capital. Raises ValueError.
    """
    if not 1 <= draws <= DRAWS_MAX:
        raise ValueError(f"draws must be 1 to {DRAWS_MAX}")
    best = np.argmax(_drawn(arms, seed, draws), axis=1)
    return np.bincount(best, minlength=len(arms)) / draws


def thompson_weights_above(
    arms: Sequence[Arm], floor: float, seed: int, draws: int = DRAWS
) -> Floats:
    """Return the weights with `floor` as one more arm that is always known: cash.

    What is missing to 1 is the share of draws in which no arm beats the floor. Raises ValueError.
    """
    if not 1 <= draws <= DRAWS_MAX:
        raise ValueError(f"draws must be 1 to {DRAWS_MAX}")
    values = _drawn(arms, seed, draws)
    best = np.argmax(values, axis=1)
    beaten = values[np.arange(draws), best] > floor
    return np.bincount(best[beaten], minlength=len(arms)) / draws


def ucb1(means: ArrayLike, counts: ArrayLike, scale: float = 1.0) -> Floats:
    """Return mean + scale * sqrt(2 ln t / n) of each arm, shape (n,); infinity where n is 0.

    `scale` is the width of the payoffs' range (Auer et al. 2002, figure 1, has 1). Raises
    ValueError.
    """
    averages, plays = np.asarray(means, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if averages.ndim != 1 or averages.shape != plays.shape or averages.size == 0:
        raise ValueError("means and counts must be of one and the same length, at least 1")
    if not np.isfinite(averages).all() or not (plays >= 0).all() or not scale > 0:
        raise ValueError("means must be finite, counts not negative, the scale above 0")
    total = max(1.0, float(plays.sum()))
    with np.errstate(divide="ignore", invalid="ignore"):
        bonus = scale * np.sqrt(2 * log(total) / plays)
    return np.where(plays > 0, averages + bonus, inf)


@dataclass(frozen=True, slots=True)
class DiscountedUcb:
    """Payoffs of arms that may change, older ones counting less; start with `of`.

    `sums` and `counts` are discounted; `scale` bounds a payoff's size (B), `exploration` is xi.
    """

    sums: tuple[float, ...]
    counts: tuple[float, ...]
    discount: float
    scale: float = 1.0
    exploration: float = 0.6

    def __post_init__(self) -> None:
        _check_discount(self.discount)
        if not self.counts or len(self.counts) != len(self.sums):
            raise ValueError("sums and counts must be of one and the same length, at least 1")
        if not self.scale > 0 or not self.exploration > 0:
            raise ValueError("scale and exploration must be above 0")

    @classmethod
    def of(cls, arms: int, discount: float, scale: float = 1.0) -> "DiscountedUcb":
        """Start with arms that were never played. Raises ValueError."""
        return cls((0.0,) * arms, (0.0,) * arms, discount, scale)

    def updated(self, arm: int, payoff: float) -> "DiscountedUcb":
        """Return the sums after a payoff of one arm; all others fade. Raises ValueError."""
        if not 0 <= arm < len(self.counts):
            raise ValueError(f"there is no arm {arm}")
        if not -inf < payoff < inf:
            raise ValueError(f"a payoff of {payoff} is none")
        sums = [self.discount * it for it in self.sums]
        counts = [self.discount * it for it in self.counts]
        sums[arm] += payoff
        counts[arm] += 1
        return DiscountedUcb(
            tuple(sums), tuple(counts), self.discount, self.scale, self.exploration
        )

    def bounds(self) -> Floats:
        """Return each arm's mean + 2 B sqrt(xi ln(n) / N) (Garivier and Moulines, section 2.1)."""
        total = max(1.0, sum(self.counts))
        return np.array(
            [
                inf
                if count <= 0
                else amount / count + 2 * self.scale * sqrt(self.exploration * log(total) / count)
                for amount, count in zip(self.sums, self.counts, strict=True)
            ]
        )

    def choice(self) -> int:
        """Return the arm with the highest bound, the first of equals."""
        return int(np.argmax(self.bounds()))


def _drawn(arms: Sequence[Arm], seed: int, draws: int) -> Floats:
    if not arms:
        raise ValueError("there are no arms to choose from")
    if seed < 0:
        raise ValueError(f"a seed of {seed} is below zero")
    # A stream for each place: an arm that is added at the end leaves the others' draws alone.
    return np.column_stack(
        [arm.drawn(np.random.default_rng([seed, n]), draws) for n, arm in enumerate(arms)]
    )


def _check_discount(discount: float) -> None:
    if not 0 < discount <= 1:
        raise ValueError(f"a discount of {discount} is not above 0 and at most 1")
