"""How much of the capital to stake on contracts that pay one dollar or nothing.

Owns the growth-optimal stake (Kelly 1956, "A new interpretation of information rate") of a
contract bought at cost c, fee included, that wins with probability p, f = (p - c) / (1 - c); what
is taken off it; and the stakes of several bets at once. All stakes are shares of capital, of
which stake / c buys shares. Called by risk and by studies; limits are the caller's.
"""

from dataclasses import dataclass
from itertools import product
from math import log, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import LinearConstraint, minimize  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

# 2^12 outcomes are counted one by one; more bets than that need a simulation.
INDEPENDENT_BETS_MAX = 12


@dataclass(frozen=True, slots=True)
class AdaptiveOptions:
    """How a stake shrinks with circumstances. All shares of 1.

    `fraction` of full Kelly; `volatility_target` up to which nothing is taken off;
    `correlation_max` and `drawdown_max` at which nothing is left; `volatility_floor` keeps one
    wild day from stopping the desk.
    """

    fraction: float = 0.25
    volatility_target: float = 0.02
    volatility_floor: float = 0.25
    correlation_max: float = 1.0
    drawdown_max: float = 0.20

    def __post_init__(self) -> None:
        for name in ("fraction", "correlation_max", "drawdown_max", "volatility_floor"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1")
        if not self.volatility_target > 0:
            raise ValueError("volatility_target must be above 0")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a stake is adapted to.

    `confidence` in [0, 1] in the estimate of p; `volatility` of the portfolio's returns a day;
    `correlation` in [-1, 1] of the new position with what is held; `drawdown` in [0, 1] from the
    high-water mark.
    """

    confidence: float = 1.0
    volatility: float = 0.0
    correlation: float = 0.0
    drawdown: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"a confidence of {self.confidence} is not from 0 to 1")
        if not 0 <= self.volatility < float("inf"):
            raise ValueError(f"a volatility of {self.volatility} is none")
        if not -1 <= self.correlation <= 1:
            raise ValueError(f"a correlation of {self.correlation} is not from -1 to 1")
        if not 0 <= self.drawdown <= 1:
            raise ValueError(f"a drawdown of {self.drawdown} is not from 0 to 1")


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing that was taken off: `value` in [0, 1], what it came from, and its full mark."""

    name: str
    value: float
    measured: float
    reference: float


@dataclass(frozen=True, slots=True)
class Sizing:
    """A stake as a share of capital: full Kelly, times each factor in turn."""

    full: float
    factors: tuple[Factor, ...]
    stake: float


def kelly_fraction(probability: float, cost: float) -> float:
    """Return (p - c) / (1 - c), the growth-optimal share of capital, or 0 without an edge.

    `cost` of a share with its fee, in (0, 1). Raises ValueError.
    """
    _check(probability, cost)
    return max(0.0, (probability - cost) / (1 - cost))


def adaptive_kelly(
    probability: float,
    cost: float,
    conditions: Conditions,
    options: AdaptiveOptions | None = None,
) -> Sizing:
    """Return full Kelly times fraction, confidence, volatility, correlation and drawdown factors.

    Each factor is in [0, 1], so none can make the stake larger. Raises ValueError.
    """
    rules = options or AdaptiveOptions()
    now = conditions
    calm = rules.volatility_target
    # As scaling to a volatility target does (Moreira and Muir 2017), but never up.
    by_volatility = 1.0 if now.volatility <= calm else calm / now.volatility
    factors = (
        Factor("fraction", rules.fraction, rules.fraction, 1.0),
        Factor("confidence", now.confidence, now.confidence, 1.0),
        Factor("volatility", max(rules.volatility_floor, by_volatility), now.volatility, calm),
        Factor(
            "correlation",
            _left(now.correlation, rules.correlation_max),
            now.correlation,
            rules.correlation_max,
        ),
        # Linear to the mark (Grossman and Zhou 1993: stake in proportion to the distance to it).
        Factor(
            "drawdown", _left(now.drawdown, rules.drawdown_max), now.drawdown, rules.drawdown_max
        ),
    )
    full = kelly_fraction(probability, cost)
    return Sizing(full, factors, full * prod(it.value for it in factors))


def estimate_shrinkage(probability: float, error: float, cost: float) -> float:
    """Return what to multiply a stake with whose p is an estimate with that standard error.

    edge^2 / (edge^2 + error^2) (Baker and McHale 2013, "Optimal betting under parameter
    uncertainty", their closed approximation, with odds 1/c - 1); 0 without an edge. A way to
    come by a `confidence`. Raises ValueError.
    """
    _check(probability, cost)
    if not 0 <= error < float("inf"):
        raise ValueError(f"a standard error of {error} is none")
    edge = probability - cost
    return edge**2 / (edge**2 + error**2) if edge > 0 else 0.0


def growth_rate(stakes: ArrayLike, probability: float, cost: float) -> Floats:
    """Return the expected log growth of capital a bet, for each stake in [0, 1); shape kept.

    p log(1 + f (1 - c) / c) + (1 - p) log(1 - f) (Kelly 1956; Thorp 2006, eq. 2.1). Staking all
    gives minus infinity unless p is 1. Raises ValueError.
    """
    _check(probability, cost)
    shares = np.asarray(stakes, dtype=np.float64)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError("stakes must be from 0 to 1")
    with np.errstate(divide="ignore"):
        lost = np.log1p(-shares) if probability < 1 else np.zeros_like(shares)
    won = np.log1p(shares * (1 - cost) / cost)
    return np.asarray(probability * won + (1 - probability) * lost, dtype=np.float64)


def exclusive_kelly(probabilities: ArrayLike, costs: ArrayLike) -> Floats:
    """Return the stakes on outcomes of one event, of which at most one comes true; shape (k,).

    Smoczynski and Tomkins (2010), "An explicit solution to the problem of optimizing the
    allocations of a bettor's wealth when wagering on horse races", theorem 1: take outcomes by
    p / c while that is above the reserve rate R = (1 - sum p) / (1 - sum c) of those taken, then
    f = p - R c. An outcome without an edge of its own may be taken, as a hedge of the others.
    Raises ValueError unless the probabilities add to at most 1.
    """
    chances, prices = _arrays(probabilities, costs)
    if chances.sum() > 1 + 1e-9:
        raise ValueError("probabilities of outcomes that exclude each other add to more than 1")
    stakes = np.zeros_like(chances)
    order = np.argsort(-chances / prices, kind="stable")
    taken, rate = 0, 1.0
    left_chance, left_price = 1.0, 1.0
    for place in order:
        if chances[place] / prices[place] <= rate:
            break
        left_chance = max(0.0, left_chance - float(chances[place]))
        left_price -= float(prices[place])
        taken += 1
        # All that can happen is bought: nothing needs to be kept.
        rate = left_chance / left_price if left_price > 0 else 0.0
    held = order[:taken]
    stakes[held] = np.maximum(0.0, chances[held] - rate * prices[held])
    return stakes


def independent_kelly(probabilities: ArrayLike, costs: ArrayLike) -> Floats:
    """Return the stakes on bets that are decided independently and placed at once, shape (k,).

    Maximises E log(1 + sum f_i (won_i / c_i - 1)) over all 2^k outcomes with sum f at most 1
    (Thorp 2006, section 7; Whitrow 2007), to about 1e-6. k up to INDEPENDENT_BETS_MAX. Raises
    ValueError, RuntimeError if the solver gives up.
    """
    chances, prices = _arrays(probabilities, costs)
    stakes = np.zeros_like(chances)
    favourable = np.flatnonzero(chances > prices)
    if favourable.size == 0:
        return stakes
    if favourable.size > INDEPENDENT_BETS_MAX:
        raise ValueError(f"{favourable.size} bets with an edge; {INDEPENDENT_BETS_MAX} at most")
    stakes[favourable] = _best_of_all(chances[favourable], prices[favourable])
    return stakes


def _best_of_all(chances: Floats, prices: Floats) -> Floats:
    won = np.array(list(product((0.0, 1.0), repeat=len(chances))))
    weights = np.where(won > 0, chances, 1 - chances).prod(axis=1)
    possible = weights > 0
    won, weights = won[possible], weights[possible]
    gains = won / prices - 1

    def loss(shares: Floats) -> tuple[float, Floats]:
        # The solver looks beyond the edge, where there is no logarithm.
        wealth = np.maximum(1 + gains @ shares, 1e-9)
        return -float(weights @ np.log(wealth)), -(gains.T @ (weights / wealth))

    alone = (chances - prices) / (1 - prices)
    found = minimize(
        loss,
        alone * min(0.5, 0.9 / alone.sum()),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(chances),
        constraints=[LinearConstraint(np.ones(len(chances)), -np.inf, 1.0)],
        options={"ftol": 1e-14, "maxiter": 500},
    )
    if not found.success:
        raise RuntimeError(f"no best stakes were found: {found.message}")
    best: Floats = np.clip(found.x, 0.0, 1.0)
    return best


def doubling_bets(growth: float) -> float:
    """Return after how many bets capital doubles at that log growth; infinity without any."""
    return log(2) / growth if growth > 0 else float("inf")


def _left(measured: float, limit: float) -> float:
    return min(1.0, max(0.0, 1 - measured / limit))


def _check(probability: float, cost: float) -> None:
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability of {probability} is not from 0 to 1")
    if not 0 < cost < 1:
        raise ValueError(f"a cost of {cost} a share is not between 0 and 1 dollar")


def _arrays(probabilities: ArrayLike, costs: ArrayLike) -> tuple[Floats, Floats]:
    chances = np.asarray(probabilities, dtype=np.float64)
    prices = np.asarray(costs, dtype=np.float64)
    if chances.ndim != 1 or chances.shape != prices.shape:
        raise ValueError("probabilities and costs must be of one and the same length")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("a probability is not from 0 to 1")
    if not ((prices > 0) & (prices < 1)).all():
        raise ValueError("a cost is not between 0 and 1 dollar a share")
    return chances, prices
