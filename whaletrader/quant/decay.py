"""Notices that a skilled wallet wins no more often than the prices say.

Each settled bet on a binary contract is held against two statements: "the odds of winning are
those of the cost, times exp(tilt)" (it still has its skill) and "they are those of the cost" (it
has none left). Page's CUSUM adds up the log-likelihood ratios of the second against the first
(Page 1954, "Continuous inspection schemes", Biometrika 41; with these increments it has the
shortest worst-case delay of all rules with as many bets between false alarms: Lorden 1971, Annals
of Mathematical Statistics 42; Moustakides 1986). Pure; states are plain numbers, so that an
agent can keep them. Called by discovery, one settled market at a time, and by `lab.universe`.
"""

from dataclasses import dataclass
from math import exp, expm1, isfinite, log1p, sqrt
from typing import Final

# Below this a wallet's skill is too small to tell its end from its presence in a lifetime.
TILT_MIN: Final = 0.1
_STEPS_MAX: Final = 100
# What a normal step overshoots a level by, at both ends of the score, in its deviations.
_OVERSHOOT: Final = 1.166


@dataclass(frozen=True, slots=True)
class Decay:
    """`score` in nats: how much better "no skill left" explains the bets since the last time
    that it explained them worse. `bets` counts all that were seen."""

    score: float = 0.0
    bets: int = 0


def tilt_of(edge: float, variance: float) -> float:
    """Return the log odds ratio of winning that an edge a share means, to first order.

    `edge` in dollars a share, `variance` the mean of cost * (1 - cost) over the bets that it was
    estimated from. Never below `TILT_MIN`. Raises ValueError unless 0 < variance <= 0.25.
    """
    if not 0 < variance <= 0.25:
        raise ValueError(f"the variance of a binary payout lies in (0, 0.25], not {variance}")
    return max(TILT_MIN, edge / variance)


def increment(cost: float, is_won: bool, tilt: float) -> float:
    """Return the log-likelihood ratio of one bet, "no skill" against "skill", in nats.

    `cost` is what a share cost, in dollars; `tilt` as `tilt_of` gives it. Raises ValueError.
    """
    if not 0 < cost < 1:
        raise ValueError(f"a share costs between 0 and 1 dollar, not {cost}")
    if not isfinite(tilt) or tilt <= 0:
        raise ValueError(f"a tilt is a positive number, not {tilt}")
    # ln P(won | no skill) / P(won | skill), with P(won | skill) = c e^t / (1 - c + c e^t).
    scale = log1p(cost * expm1(tilt))
    return scale - tilt if is_won else scale


def updated(state: Decay, cost: float, is_won: bool, tilt: float) -> Decay:
    """Return the state after one settled bet. Bets of one market count as one: they win together.

    Raises ValueError.
    """
    return Decay(max(0.0, state.score + increment(cost, is_won, tilt)), state.bets + 1)


def information(cost: float, tilt: float) -> float:
    """Return what a bet of a wallet that has its skill takes off the score on average, in nats.

    The Kullback-Leibler divergence of the two statements. Raises ValueError.
    """
    won = cost * exp(tilt) / (1 + cost * expm1(tilt))
    return -won * increment(cost, True, tilt) - (1 - won) * increment(cost, False, tilt)


def threshold(bets_between_alarms: float, information_per_bet: float) -> float:
    """Return the score at which to raise the flag, in nats.

    So that a wallet which keeps its skill is flagged once in about `bets_between_alarms` bets:
    the solution b of (e^b - b - 1) / I = n (Siegmund 1985, "Sequential Analysis", equation 2.55 in
    the units of the log-likelihood ratio), less the overshoot of 1.166 deviations of an increment,
    which are sqrt(2 I) for a small tilt. Steps of unequal costs overshoot more, which errs to
    fewer flags. Raises ValueError.
    """
    if bets_between_alarms < 1 or information_per_bet <= 0:
        raise ValueError("a flag needs at least one bet, and a bet that says something")
    wanted = bets_between_alarms * information_per_bet
    low, high = 0.0, log1p(wanted) + 2.0
    for _ in range(_STEPS_MAX):
        middle = (low + high) / 2
        low, high = (middle, high) if expm1(middle) - middle < wanted else (low, middle)
    # Of few bets nothing is left after the overshoot; one bet's information is the least.
    return max(high - _OVERSHOOT * sqrt(2 * information_per_bet), information_per_bet)
