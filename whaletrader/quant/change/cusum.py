"""Cumulative sums: the quickest alarm for a shift of known size, at a known rate of false alarms.

Owns the two-sided CUSUM of Page (1954), "Continuous inspection schemes", section 2, in its tabular
form, and its average run lengths: by Page's integral equation, solved numerically, and by the
approximation of Siegmund (1985), "Sequential analysis", eq. 2.55 with his correction of 1.166. The
state is three numbers, so it fits into any snapshot. Called by discovery and by studies.
"""

from dataclasses import dataclass
from math import erf, exp, inf, sqrt

import numpy as np
from scipy.optimize import brentq  # type: ignore[import-untyped]

# Nodes at which the integral equation is solved: 60 give six digits up to a threshold of 20.
_NODES = 60
THRESHOLD_MAX = 20.0


@dataclass(frozen=True, slots=True)
class CusumOptions:
    """What is watched, in the unit of the values.

    `target` is the mean while all is well and `deviation` the spread of a value; `slack` (half
    the shift that matters) and `threshold` count deviations.
    """

    target: float
    deviation: float
    slack: float = 0.5
    threshold: float = 5.0

    def __post_init__(self) -> None:
        if not self.deviation > 0 or not self.slack >= 0 or not self.threshold > 0:
            raise ValueError("need a deviation and a threshold above 0, and no negative slack")


@dataclass(frozen=True, slots=True)
class Cusum:
    """Sums since they last were zero, in deviations, and how many values were seen."""

    upper: float = 0.0
    lower: float = 0.0
    count: int = 0


def updated(state: Cusum, value: float, options: CusumOptions) -> Cusum:
    """Return the sums after one more value. Raises ValueError for what is no number."""
    score = (value - options.target) / options.deviation
    if not -inf < score < inf:
        raise ValueError(f"{value} is no finite number")
    upper = max(0.0, state.upper + score - options.slack)
    lower = max(0.0, state.lower - score - options.slack)
    return Cusum(upper, lower, state.count + 1)


def signal(state: Cusum, options: CusumOptions) -> int:
    """Return 1 if the mean has risen, -1 if it has fallen, else 0. Start afresh after an alarm."""
    if max(state.upper, state.lower) <= options.threshold:
        return 0
    return 1 if state.upper >= state.lower else -1


def run_length(slack: float, threshold: float, shift: float) -> float:
    """Return how many normal values a one-sided chart takes on average until it alarms.

    The mean is `shift` deviations off target in the chart's direction. Page's equation
    L(s) = 1 + L(0) Phi(k - s - d) + int_0^h L(x) phi(x + k - s - d) dx, at s = 0, by Gauss-Legendre
    quadrature (Goel and Wu 1971). Raises ValueError.
    """
    _check(slack, threshold)
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    levels = threshold * (points + 1) / 2
    weights = weights * threshold / 2
    # The level after a value, less the level before it, is normal about shift - slack.
    steps = levels[None, :] - levels[:, None] + slack - shift
    kernel = np.exp(-(steps**2) / 2) / sqrt(2 * np.pi) * weights
    to_zero = np.array([_phi(slack - shift - level) for level in levels])
    # Unknowns: L(0), then L at each level.
    system = np.eye(_NODES + 1)
    system[1:, 0] -= to_zero
    system[1:, 1:] -= kernel
    system[0, 0] -= _phi(slack - shift)
    system[0, 1:] -= np.exp(-((levels + slack - shift) ** 2) / 2) / sqrt(2 * np.pi) * weights
    return float(np.linalg.solve(system, np.ones(_NODES + 1))[0])


def siegmund_run_length(slack: float, threshold: float, shift: float) -> float:
    """Return Siegmund's approximation: (exp(-2 D b) + 2 D b - 1) / (2 D^2), b = h + 1.166.

    D = shift - slack; b^2 where that is 0. Raises ValueError.
    """
    _check(slack, threshold)
    drift, reach = shift - slack, threshold + 1.166
    if abs(drift) < 1e-8:
        return reach**2
    return (exp(-2 * drift * reach) + 2 * drift * reach - 1) / (2 * drift**2)


def both_sides(upper: float, lower: float) -> float:
    """Return the run length of a chart of two sides from those of each (van Dobben de Bruyn)."""
    return 1 / (1 / upper + 1 / lower)


def calibrated_threshold(slack: float, run_length_min: float) -> float:
    """Return the threshold at which a one-sided chart alarms falsely once in so many values.

    Raises ValueError if that needs a threshold above THRESHOLD_MAX, or none.
    """
    if run_length(slack, THRESHOLD_MAX, 0.0) < run_length_min:
        raise ValueError(f"no threshold up to {THRESHOLD_MAX} is as patient; take more slack")
    if run_length(slack, 1e-6, 0.0) >= run_length_min:
        raise ValueError(f"any threshold is more patient than {run_length_min} values")
    found = brentq(
        lambda h: np.log(run_length(slack, h, 0.0) / run_length_min), 1e-6, THRESHOLD_MAX
    )
    return float(found)


def _phi(z: float) -> float:
    return 0.5 * (1 + erf(z / sqrt(2)))


def _check(slack: float, threshold: float) -> None:
    if not slack >= 0 or not 0 < threshold <= THRESHOLD_MAX:
        raise ValueError(f"need slack of at least 0 and a threshold up to {THRESHOLD_MAX}")
