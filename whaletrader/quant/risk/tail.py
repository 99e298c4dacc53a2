"""Value at risk and expected shortfall of losses that are given as a sample or a distribution.

Owns the definition of both for distributions with atoms, as losses on binary contracts are:
VaR is the smallest loss that is not exceeded with the confidence asked for, and CVaR the mean of
the worst 1 - confidence of the probability, splitting the atom at VaR where it must (Rockafellar
and Uryasev 2002, "Conditional value-at-risk for general loss distributions", prop. 5 and 8;
for continuous losses the same as Rockafellar and Uryasev 2000). Called by the other modules of
this folder, by risk and by reports. Draws nothing.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# confidence * n that is a whole number on paper may come out a little above it.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Tail:
    """What is lost in the tail, in the unit of the losses; positive is lost, negative gained."""

    confidence: float
    var: float
    cvar: float
    scenarios: int


def tail(losses: ArrayLike, confidence: float, weights: ArrayLike | None = None) -> Tail:
    """Return historical VaR and CVaR of losses of shape (n,), positive where money is lost.

    `weights` of shape (n,) are probabilities up to a factor; equal ones when left out.
    `confidence` in (0, 1), 0.975 for the worst 2.5 %. Raises ValueError.
    """
    values = np.asarray(losses, dtype=np.float64)
    check_confidence(confidence)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("losses must be a non-empty one-dimensional array of finite numbers")
    if weights is None:
        return _of_equal_weights(values, confidence)
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != values.shape or not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError("weights must be as many as losses, finite and not negative")
    if shares.sum() <= 0:
        raise ValueError("weights must not all be zero")
    order = np.argsort(values, kind="stable")
    return of_sorted(values[order], shares[order] / shares.sum(), confidence)


def tail_of_pnl(pnl_micro: Ints, confidence: float) -> Tail:
    """Return the tail of equally likely profits in micro-dollars, shape (n,), gains positive.

    Integers in, no check of each: this is the path of a risk check. Raises ValueError.
    """
    check_confidence(confidence)
    if pnl_micro.ndim != 1 or pnl_micro.size == 0:
        raise ValueError("profits must be a non-empty one-dimensional array")
    count = pnl_micro.size
    place = _place_of_var(count, confidence)
    # The worst profits first: VaR stands as many places from the end as the loss order has it.
    parted = np.partition(pnl_micro, count - 1 - place)
    at_var = -float(parted[count - 1 - place])
    beyond = -float(parted[: count - 1 - place].sum())
    return _from_parts(confidence, at_var, beyond, place, count)


def of_sorted(losses: Floats, probabilities: Floats, confidence: float) -> Tail:
    """Return the tail of a discrete distribution whose losses ascend and probabilities add to 1."""
    check_confidence(confidence)
    below = np.cumsum(probabilities)
    place = min(int(np.searchsorted(below, confidence - 1e-12)), len(losses) - 1)
    at_var = float(losses[place])
    beyond = float(probabilities[place + 1 :] @ losses[place + 1 :])
    left_at_var = max(0.0, 1 - confidence - float(probabilities[place + 1 :].sum()))
    cvar = (beyond + left_at_var * at_var) / (1 - confidence)
    return Tail(confidence, at_var, cvar, len(losses))


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless 0 < confidence < 1."""
    if not 0 < confidence < 1:
        raise ValueError(
            f"a confidence of {confidence} is not between 0 and 1: give 0.975, not 97.5"
        )


def _of_equal_weights(values: Floats, confidence: float) -> Tail:
    count = values.size
    place = _place_of_var(count, confidence)
    parted = np.partition(values, place)
    beyond = float(parted[place + 1 :].sum())
    return _from_parts(confidence, float(parted[place]), beyond, place, count)


def _place_of_var(count: int, confidence: float) -> int:
    return max(0, ceil(count * confidence - _ROUNDING) - 1)


def _from_parts(confidence: float, at_var: float, beyond: float, place: int, count: int) -> Tail:
    # Psi(VaR) - confidence is the part of the atom at VaR that still belongs to the tail.
    left_at_var = max(0.0, (place + 1) / count - confidence)
    cvar = (left_at_var * at_var + beyond / count) / (1 - confidence)
    return Tail(confidence, at_var, cvar, count)
