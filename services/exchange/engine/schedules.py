"""Fee schedules by category, as published in July 2026.

A taker pays shares x rate x (p x (1 - p))^exponent; makers get a share of what takers paid.
"""

from __future__ import annotations

import msgspec


class FeeSchedule(msgspec.Struct, frozen=True):
    """Taker rate and the makers' share of what it collects, both in 1e-6."""

    rate_micro: int
    rebate_micro: int
    exponent: int = 1


_CRYPTO = FeeSchedule(70_000, 200_000)
_SPORTS = FeeSchedule(50_000, 150_000)
_LOWER = FeeSchedule(40_000, 250_000)
_GENERAL = FeeSchedule(50_000, 250_000)
_FREE = FeeSchedule(0, 0)
SCHEDULES = {
    "crypto": _CRYPTO,
    "sports": _SPORTS,
    "finance": _LOWER,
    "politics": _LOWER,
    "mentions": _LOWER,
    "tech": _LOWER,
    "economics": _GENERAL,
    "culture": _GENERAL,
    "weather": _GENERAL,
    "general": _GENERAL,
    "geopolitics": _FREE,
    "world": _FREE,
}


def schedule_of(category: str) -> FeeSchedule:
    """Return the published schedule of a category; an unknown one pays the general rate."""
    return SCHEDULES.get(category.lower(), _GENERAL)
