"""Breaks in the mean of a series, found in hindsight: how many, and where.

Owns the least-squares breaks of Bai and Perron (1998, 2003), "Computation and analysis of multiple
structural change models", section 3 (dynamic programming over all partitions), for a mean that
steps; their number by the Bayesian criterion (Yao 1988), and the sup-F test of one break against
none (Andrews 1993). Called by studies and by discovery's full rescoring.
"""

from dataclasses import dataclass
from math import ceil, inf, log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# All pairs of ends are held: 2,000 values take 32 MB.
VALUES_MAX = 2_000
# 5 % critical value of sup-F for one mean with 15 % trimmed (Bai and Perron 2003, table 1).
SUP_F_CRITICAL = 8.58
TRIM = 0.15


@dataclass(frozen=True, slots=True)
class Breaks:
    """Breaks of a series of n values.

    `positions` are the lengths before each break (a break after value k is k), `means` those of
    the pieces. `squares` and `criteria` are the residual sum of squares and the criterion with
    0, 1, … breaks; `sup_f` the test of one against none, above SUP_F_CRITICAL at 5 % with TRIM.
    """

    positions: tuple[int, ...]
    means: tuple[float, ...]
    squares: tuple[float, ...]
    criteria: tuple[float, ...]
    sup_f: float


def breaks(series: ArrayLike, breaks_max: int = 5, trim: float = TRIM) -> Breaks:
    """Find up to `breaks_max` breaks, no piece shorter than `trim` of the series.

    `series` (n,), n up to VALUES_MAX and long enough for two pieces of two. Raises ValueError.
    """
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or values.size > VALUES_MAX:
        raise ValueError(f"give up to {VALUES_MAX} finite values in one dimension")
    if not 0 < trim < 0.5 or breaks_max < 1:
        raise ValueError("need a trim between 0 and 0.5 and at least one break")
    # 0.15 * 100 is a little above 15 in floating point.
    piece_min = max(2, ceil(trim * values.size - 1e-9))
    if values.size < 2 * piece_min:
        raise ValueError(f"{values.size} values do not make two pieces of {piece_min}")
    costs = _costs(values, piece_min)
    most = min(breaks_max, values.size // piece_min - 1)
    squares, starts = _best(costs, most)
    criteria = [_criterion(it, values.size, count) for count, it in enumerate(squares)]
    count = int(np.argmin(criteria))
    positions = _positions(starts, count)
    pieces = np.split(values, positions)
    return Breaks(
        tuple(positions),
        tuple(float(it.mean()) for it in pieces),
        tuple(squares),
        tuple(criteria),
        _sup_f(squares, values.size),
    )


def _costs(values: Floats, piece_min: int) -> Floats:
    """Sum of squares about its mean of each piece [i, j), shape (n + 1, n + 1); inf: too short."""
    # Centred first, so that a level far from zero costs no digits.
    centred = values - values.mean()
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    places = np.arange(values.size + 1)
    lengths = places[None, :] - places[:, None]
    safe = np.maximum(lengths, 1)
    within = squares[None, :] - squares[:, None] - (sums[None, :] - sums[:, None]) ** 2 / safe
    return np.where(lengths >= piece_min, np.maximum(within, 0.0), inf)


def _best(costs: Floats, most: int) -> tuple[list[float], list[Ints]]:
    """Least squares of the whole with each number of breaks, and where its last piece starts."""
    best = costs[0]
    squares, starts = [float(best[-1])], []
    for _ in range(most):
        reached = best[:, None] + costs
        start = np.argmin(reached, axis=0)
        best = reached[start, np.arange(len(start))]
        squares.append(float(best[-1]))
        starts.append(start.astype(np.int64))
    return squares, starts


def _positions(starts: list[Ints], count: int) -> list[int]:
    found: list[int] = []
    end = -1
    for number in range(count - 1, -1, -1):
        end = int(starts[number][end])
        found.append(end)
    return found[::-1]


def _criterion(squares: float, count: int, number: int) -> float:
    """-2 log likelihood + log(n) a parameter: each piece's mean, each break, the variance."""
    if squares <= 0:
        return -inf
    likelihood = count * (log(squares / count) + 1 + log(2 * pi))
    return likelihood + 2 * (number + 1) * log(count)


def _sup_f(squares: list[float], count: int) -> float:
    none, one = squares[0], squares[1]
    if one <= 0:
        return inf if none > 0 else 0.0
    return (none - one) / (one / (count - 2))
