"""ADWIN: a window that is as long as nothing has changed within it.

Owns the algorithm of Bifet and Gavalda (2007), "Learning from time-changing data with adaptive
windowing", ADWIN2: values are kept in buckets of 1, 2, 4, … of them, at most six of each size, and
as soon as two parts of the window differ by more than chance the oldest bucket is dropped. Their
bound with the variance (section 3.1): with m the harmonic sum of the parts' lengths and
d = ln(2 ln(n) / delta), eps = sqrt(2 / m * variance * d) + 2 / (3 m) * d. Memory and time grow with
the logarithm of the window. The state is a tuple of numbers. Called by discovery.
"""

from dataclasses import dataclass
from math import inf, log

import numpy as np

BUCKETS_A_SIZE_MAX = 5
# A part shorter than this is no evidence; also where the variance of a binary edge means little.
PART_MIN = 5
# ln(ln(n)) needs some values.
WINDOW_MIN = 2 * PART_MIN


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many values, their sum, and the sum of squares about their mean."""

    count: int
    total: float
    squares: float


@dataclass(frozen=True, slots=True)
class Adwin:
    """The window, oldest bucket first."""

    buckets: tuple[Bucket, ...] = ()

    @property
    def count(self) -> int:
        return sum(it.count for it in self.buckets)

    @property
    def mean(self) -> float:
        """Mean of the window; 0 while it is empty."""
        count = self.count
        return sum(it.total for it in self.buckets) / count if count else 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """The window after a value, and which way it was cut: 1 the mean rose, -1 it fell, 0 not."""

    state: Adwin
    change: int


def updated(state: Adwin, value: float, delta: float = 0.002) -> Step:
    """Return the window with one more value, cut where its mean changed.

    `delta` in (0, 1) is the chance of a false cut at each value. Raises ValueError.
    """
    if not 0 < delta < 1:
        raise ValueError(f"a delta of {delta} is not between 0 and 1")
    if not -inf < value < inf:
        raise ValueError(f"{value} is no finite number")
    buckets = _compressed([*state.buckets, Bucket(1, value, 0.0)])
    change = 0
    while direction := _cut(buckets, delta):
        change = direction
        buckets = buckets[1:]
    return Step(Adwin(tuple(buckets)), change)


def _compressed(buckets: list[Bucket]) -> list[Bucket]:
    """Merge the two oldest of a size while there is one too many, smallest size first."""
    size = 1
    while True:
        places = [place for place, it in enumerate(buckets) if it.count == size]
        if len(places) <= BUCKETS_A_SIZE_MAX:
            return buckets
        first = places[0]
        both = _merged(buckets[first], buckets[first + 1])
        buckets = [*buckets[:first], both, *buckets[first + 2 :]]
        size *= 2


def _merged(one: Bucket, other: Bucket) -> Bucket:
    count = one.count + other.count
    between = one.total / one.count - other.total / other.count
    squares = one.squares + other.squares + between**2 * one.count * other.count / count
    return Bucket(count, one.total + other.total, squares)


def _cut(buckets: list[Bucket], delta: float) -> int:
    """Return 0, or which way the mean went at the cut that is furthest beyond its bound."""
    counts = np.array([it.count for it in buckets], dtype=np.float64)
    totals = np.array([it.total for it in buckets])
    count, mean = counts.sum(), totals.sum() / counts.sum()
    if count < WINDOW_MIN:
        return 0
    within = sum(it.squares for it in buckets)
    variance = (within + float((counts * (totals / counts - mean) ** 2).sum())) / count
    old = np.cumsum(counts)[:-1]
    old_totals = np.cumsum(totals)[:-1]
    new = count - old
    enough = (old >= PART_MIN) & (new >= PART_MIN)
    if not enough.any():
        return 0
    old, new, old_totals = old[enough], new[enough], old_totals[enough]
    inverse = 1 / (old - PART_MIN + 1) + 1 / (new - PART_MIN + 1)
    doubt = log(2 * log(count) / delta)
    bound = np.sqrt(2 * inverse * variance * doubt) + 2 / 3 * doubt * inverse
    rise = (totals.sum() - old_totals) / new - old_totals / old
    beyond = np.abs(rise) - bound
    place = int(np.argmax(beyond))
    if beyond[place] <= 0:
        return 0
    return 1 if rise[place] > 0 else -1
