"""What a measurement yields: figures beside their floors, and whether they meet their aim. Pure.

A ratio always says how many times the floor's cost a figure costs: 1 is the floor itself, for
latencies and for rates alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

NS_PER_MS: Final = 1_000_000


class Better(StrEnum):
    """Which way a figure should move."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `ratio_max` and `value_aim` are what the design asks for, if anything."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    better: Better = Better.LOWER
    ratio_max: float | None = None
    value_aim: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the floor's cost this costs; None without a floor or a measurement."""
        if self.floor is None or self.floor <= 0 or self.value <= 0:
            return None
        if self.better is Better.LOWER:
            return self.value / self.floor
        return self.floor / self.value

    @property
    def aim(self) -> str:
        """The aim in words, empty when there is none."""
        parts = []
        if self.ratio_max is not None:
            parts.append(f"at most {self.ratio_max:g} x the floor")
        if self.value_aim is not None:
            bound = "at least" if self.better is Better.HIGHER else "at most"
            parts.append(f"{bound} {self.value_aim:,.0f} {self.unit}")
        return ", ".join(parts)

    @property
    def is_met(self) -> bool | None:
        """Whether every aim is met; None when there is none."""
        if self.ratio_max is None and self.value_aim is None:
            return None
        if self.ratio_max is not None and (self.ratio is None or self.ratio > self.ratio_max):
            return False
        if self.value_aim is None:
            return True
        if self.better is Better.HIGHER:
            return self.value >= self.value_aim
        return self.value <= self.value_aim


@dataclass(slots=True)
class Section:
    """One measurement: what for, how, the figures and what was noticed."""

    title: str
    purpose: str
    method: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Samples:
    """Latencies of one kind in nanoseconds, and how many answers never came."""

    taken_ns: list[int] = field(default_factory=list)
    missing: int = 0

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile in milliseconds by nearest rank. Raises ValueError when empty."""
        return percentile(self.taken_ns, percent) / NS_PER_MS


def percentile(values: Sequence[int], percent: float) -> int:
    """Return the smallest value that `percent` of all do not exceed. ValueError when empty."""
    if not values:
        raise ValueError("no value was measured")
    if not 0 < percent <= 100:
        raise ValueError(f"{percent} is no percentage")
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def latency_figures(
    name: str,
    ours: Samples,
    floor: Samples,
    ratios_max: tuple[float | None, float | None] = (None, None),
) -> list[Figure]:
    """Return p50 and p99 in milliseconds. `ratios_max` are the aims for the two."""
    return [
        Figure(
            f"{name}, p{percent}",
            ours.percentile_ms(percent),
            "ms",
            floor.percentile_ms(percent),
            ratio_max=ratio_max,
        )
        for percent, ratio_max in zip((50, 99), ratios_max, strict=True)
    ]


def rate_per_s(count: int, taken_ns: int) -> float:
    """Return how many a second. Raises ValueError when no time passed."""
    if taken_ns <= 0:
        raise ValueError("no time passed: nothing was measured")
    return count * 1_000_000_000 / taken_ns
