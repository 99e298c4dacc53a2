"""The Page-Hinkley test: has the mean left where it was, when it is not known where that is?

Owns the test of Hinkley (1971), "Inference about the change-point from cumulative sum tests",
in the streaming form of Gama et al. (2014), "A survey on concept drift adaptation", section 3.2:
deviations from the running mean are summed, and the sum is held against its own extreme. Six
numbers of state. Called by discovery.
"""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class PageHinkleyOptions:
    """`tolerance` a value may stray and `threshold` of the sum, in the unit of the values.

    `memory` in (0, 1] is what a sum keeps from one value to the next; no alarm comes before
    `count_min` values.
    """

    tolerance: float
    threshold: float
    memory: float = 1.0
    count_min: int = 30

    def __post_init__(self) -> None:
        if not self.tolerance >= 0 or not self.threshold > 0:
            raise ValueError("need a threshold above 0 and no negative tolerance")
        if not 0 < self.memory <= 1 or self.count_min < 1:
            raise ValueError("need a memory above 0 and at most 1, and at least one value")


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Running mean, and the sums of deviations with the extremes they had."""

    count: int = 0
    mean: float = 0.0
    rise: float = 0.0
    rise_least: float = 0.0
    fall: float = 0.0
    fall_greatest: float = 0.0


def updated(state: PageHinkley, value: float, options: PageHinkleyOptions) -> PageHinkley:
    """Return the state after one more value. Raises ValueError for what is no number."""
    if not -inf < value < inf:
        raise ValueError(f"{value} is no finite number")
    count = state.count + 1
    mean = state.mean + (value - state.mean) / count
    rise = options.memory * state.rise + value - mean - options.tolerance
    fall = options.memory * state.fall + value - mean + options.tolerance
    is_first = state.count == 0
    return PageHinkley(
        count=count,
        mean=mean,
        rise=rise,
        rise_least=rise if is_first else min(state.rise_least, rise),
        fall=fall,
        fall_greatest=fall if is_first else max(state.fall_greatest, fall),
    )


def drift(state: PageHinkley, options: PageHinkleyOptions) -> int:
    """Return 1 if the mean has risen, -1 if it has fallen, else 0. Start afresh after an alarm."""
    if state.count < options.count_min:
        return 0
    up = state.rise - state.rise_least
    down = state.fall_greatest - state.fall
    if max(up, down) <= options.threshold:
        return 0
    return 1 if up >= down else -1
