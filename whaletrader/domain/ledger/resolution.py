"""Which market paid what, since when, and on whose word.

Owns the order of trust between sources, and that a result once taken is changed only by a source
more trusted: two sources of equal rank that disagree are a conflict, told and not settled by
chance. Called by whoever learns of results: the agent from the log, the study from files, the
book from a redemption.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from whaletrader.domain.money import MICRO

# Most trusted last. `venue`: the venue's own resolution. `published`: a market dump of it.
# `inferred_redeem`: what a redemption paid says which outcome won.
BASES: Final = ("inferred_redeem", "published", "venue")
HALF_EACH: Final = (MICRO // 2, MICRO // 2)

Payouts = tuple[int, int]


class ResolutionConflict(ValueError):
    """Two sources of the same rank name different winners: a human has to look."""


class Resolution(msgspec.Struct, frozen=True):
    """One market's result. `payouts` in micro-dollars a share, they add up to one dollar.

    `at_ns` is the first moment at which it is known to have been known; 0 if nobody says.
    """

    condition_id: str
    payouts: Payouts
    at_ns: int
    basis: str

    @property
    def winner(self) -> int | None:
        """The winning outcome; None if it was settled half and half or otherwise shared."""
        return self.payouts.index(MICRO) if MICRO in self.payouts else None


def payouts_of_winner(outcome: int) -> Payouts:
    """Return what a share of each outcome pays if that one won. Raises ValueError."""
    if outcome not in (0, 1):
        raise ValueError(f"outcome {outcome} is neither 0 nor 1")
    return (MICRO, 0) if outcome == 0 else (0, MICRO)


class ResolutionTracker:
    """All results known so far, by market."""

    def __init__(self, known: Mapping[str, Resolution] | None = None) -> None:
        self._known: dict[str, Resolution] = dict(known or {})

    def __len__(self) -> int:
        return len(self._known)

    def of(self, condition_id: str) -> Resolution | None:
        """Return the market's result, None while it is open or unknown."""
        return self._known.get(condition_id)

    def record(self, resolution: Resolution) -> bool:
        """Take a result; True if it is news. An equal or less trusted repeat changes nothing.

        The earliest time at which a source of the same rank knew it is kept. Raises
        ResolutionConflict, and ValueError for payouts that are none.
        """
        _check(resolution)
        held = self._known.get(resolution.condition_id)
        if held is None or _rank(resolution) > _rank(held):
            self._known[resolution.condition_id] = resolution
            return held is None or held.payouts != resolution.payouts
        if _rank(resolution) < _rank(held):
            return False
        if resolution.payouts != held.payouts:
            raise ResolutionConflict(
                f"{resolution.condition_id}: {resolution.basis} says {resolution.payouts}, "
                f"{held.basis} said {held.payouts}"
            )
        if 0 < resolution.at_ns < held.at_ns or held.at_ns == 0:
            self._known[resolution.condition_id] = resolution
        return False


def _check(resolution: Resolution) -> None:
    if resolution.basis not in BASES:
        raise ValueError(f"basis {resolution.basis!r} is none of {BASES}")
    if sum(resolution.payouts) != MICRO or min(resolution.payouts) < 0:
        raise ValueError(f"payouts {resolution.payouts} do not add up to one dollar")


def _rank(resolution: Resolution) -> int:
    return BASES.index(resolution.basis)
