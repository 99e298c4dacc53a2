"""Losses whose distribution can be written down: independent events, and one large portfolio.

Owns two closed forms that the Monte Carlo is held against: the sum of independent events by
convolution, exact in integer micro-dollars while its values are few and on a grid with a stated
bound when they are many; and the limit of many small like positions under one factor (Vasicek
2002, "The distribution of loan portfolio value", Risk, December). Called by risk and by tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from whaletrader.quant.risk.binary import EventExposure, all_probabilities
from whaletrader.quant.risk.tail import Floats, Ints, Tail, check_confidence, of_sorted

# Distinct sums up to which each is kept; beyond, a grid of that many cells.
CELLS_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Distribution:
    """Profits in micro-dollars, ascending, with their probabilities; both of shape (m,).

    The true profit lies between the one given and `error_micro` above it, scenario by
    scenario: so the true VaR and CVaR are below those given by at most that.
    """

    pnl_micro: Ints
    probabilities: Floats
    error_micro: int

    def tail(self, confidence: float) -> Tail:
        """Return VaR and CVaR in micro-dollars. Raises ValueError."""
        losses = -self.pnl_micro[::-1].astype(np.float64)
        return of_sorted(losses, self.probabilities[::-1], confidence)


def independent_distribution(
    exposures: Sequence[EventExposure], cells_max: int = CELLS_MAX
) -> Distribution:
    """Return the distribution of the summed profit of independent events.

    At most `cells_max` values: while the distinct sums are fewer the result is exact, else each
    event's profits are rounded down to a grid. Raises ValueError for fewer than 2 cells.
    """
    if cells_max < 2:
        raise ValueError(f"{cells_max} cells hold no distribution")
    exact = _enumerated(exposures, cells_max)
    return exact if exact is not None else _on_grid(exposures, cells_max)


def vasicek_quantile(probability: float, correlation: float, confidence: float) -> float:
    """Return the share lost of a large portfolio of like positions at that confidence.

    Phi((Phi^-1(p) + sqrt(rho) Phi^-1(q)) / sqrt(1 - rho)) (Vasicek 2002, eq. 4), where each is
    lost with `probability` and latents correlate by `correlation` in [0, 1). Raises ValueError.
    """
    _check(probability, correlation, confidence)
    shifted = ndtri(probability) + sqrt(correlation) * ndtri(confidence)
    return float(ndtr(shifted / sqrt(1 - correlation)))


def vasicek_shortfall(probability: float, correlation: float, confidence: float) -> float:
    """Return the mean share lost beyond that confidence.

    Phi2(Phi^-1(p), Phi^-1(1 - q); sqrt(rho)) / (1 - q), the joint probability of a loss and of a
    factor in its worst 1 - q (Vasicek 2002; Gordy 2003, section 2). Raises ValueError.
    """
    _check(probability, correlation, confidence)
    # Phi2 as a one-dimensional integral over the factor's tail, by Gauss-Legendre in probability.
    nodes, weights = np.polynomial.legendre.leggauss(256)
    bad = (1 - confidence) * (nodes + 1) / 2
    conditional = ndtr(
        (ndtri(probability) - sqrt(correlation) * ndtri(bad)) / sqrt(1 - correlation)
    )
    return float(weights @ conditional / 2)


def _enumerated(exposures: Sequence[EventExposure], cells_max: int) -> Distribution | None:
    values: Ints = np.zeros(1, dtype=np.int64)
    chances: Floats = np.ones(1)
    for it in exposures:
        steps, shares = _atoms(it)
        if values.size * steps.size > 4 * cells_max:
            return None
        sums = np.add.outer(values, steps).ravel()
        products = np.multiply.outer(chances, shares).ravel()
        values, places = np.unique(sums, return_inverse=True)
        chances = _added(places, products)
        if values.size > cells_max:
            return None
    return Distribution(values, chances, 0)


def _on_grid(exposures: Sequence[EventExposure], cells_max: int) -> Distribution:
    atoms = [_atoms(it) for it in exposures]
    span = sum(int(steps[-1] - steps[0]) for steps, _ in atoms)
    # Rounding each event down can widen its span by a cell.
    grid = max(1, -(-span // max(1, cells_max - len(atoms) - 1)))
    cells = np.zeros(span // grid + len(atoms) + 1)
    cells[0], used, lowest = 1.0, 1, 0
    for steps, shares in atoms:
        places = steps // grid
        lowest += int(places[0])
        shifts = places - places[0]
        reach = used + int(shifts[-1])
        summed = np.zeros(reach)
        for shift, share in zip(shifts, shares, strict=True):
            summed[shift : shift + used] += share * cells[:used]
        cells[:reach], used = summed, reach
    profits = (lowest + np.arange(used, dtype=np.int64)) * grid
    possible = cells[:used] > 0
    return Distribution(profits[possible], cells[:used][possible], len(atoms) * (grid - 1))


def _atoms(of: EventExposure) -> tuple[Ints, Floats]:
    """Profits that can occur, ascending and distinct, with their probabilities."""
    values, places = np.unique(np.array(of.pnl_micro, dtype=np.int64), return_inverse=True)
    chances = _added(places, np.array(all_probabilities(of)))
    possible = chances > 0
    return values[possible], chances[possible]


def _added(places: NDArray[np.intp], probabilities: Floats) -> Floats:
    return np.asarray(np.bincount(places, weights=probabilities), dtype=np.float64)


def _check(probability: float, correlation: float, confidence: float) -> None:
    check_confidence(confidence)
    if not 0 < probability < 1:
        raise ValueError(f"a probability of {probability} is not between 0 and 1")
    if not 0 <= correlation < 1:
        raise ValueError(f"a correlation of {correlation} is not from 0 to below 1")
