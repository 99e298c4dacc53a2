"""Which markets move together: EWMA correlation of hourly changes (RiskMetrics 1996), shrunk.

A cache of numbers that are a function of the bars: made anew when a bar begins. Two markets of
one topic count as one bet whatever their prices did.
"""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whaletrader.domain.money import MICRO
from whaletrader.services.risk.views import BARS_MAX, Bars

Floats = NDArray[np.float64]

DECAY: Final = 0.94
# Changes that both must have shown, and how many weigh as much as the belief in none.
CHANGES_MIN: Final = 8
PRIOR_CHANGES: Final = 4.0
# Square roots: each of the two rows brings half of a product's weight.
WEIGHTS: Final = DECAY ** (np.arange(BARS_MAX - 1, -1, -1) / 2)


class Correlations:
    """Changes by market on one grid of bars; the newest bar is under way and left out."""

    def __init__(self) -> None:
        self._bar = -1
        self._places: dict[str, int] = {}
        # Weighted rows, which bars they moved in, and their lengths; -1 for a market without.
        self._rows: Floats = np.zeros((64, BARS_MAX))
        self._moved: Floats = np.zeros((64, BARS_MAX))
        self._used = 0

    def restart(self, bar: int) -> None:
        """Forget the rows: another bar is under way."""
        self._bar = bar
        self._places.clear()
        self._used = 0

    def forget(self, name: str) -> None:
        """Drop the row of a market in which something was traded."""
        self._places.pop(name, None)

    def with_each(
        self, name: str, others: Iterable[str], bars: Mapping[str, Bars]
    ) -> dict[str, int]:
        """Return the correlations of a market with others in millionths, where enough is known."""
        mine = self._place(name, bars)
        if mine < 0:
            return {}
        found = [(other, place) for other in others if (place := self._place(other, bars)) >= 0]
        if not found:
            return {}
        # One product for all: a row by row loop would cost more than the rest of an approval.
        rows, moved = self._rows[: self._used], self._moved[: self._used]
        both = moved @ moved[mine]
        raw = rows @ rows[mine]
        shrunk = raw * (both / (both + PRIOR_CHANGES)) * MICRO
        return {other: round(float(shrunk[place])) for other, place in found}

    def _place(self, name: str, bars: Mapping[str, Bars]) -> int:
        place = self._places.get(name)
        if place is None:
            row = changes(bars.get(name), self._bar)
            place = self._places[name] = -1 if row is None else self._keep(row)
        return place

    def _keep(self, row: Floats) -> int:
        if self._used == len(self._rows):
            if len(self._places) * 2 < self._used:
                self._restack()
            else:
                self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
                self._moved = np.concatenate([self._moved, np.zeros_like(self._moved)])
        place = self._used
        weighted = row * WEIGHTS
        self._rows[place] = weighted / sqrt(float(weighted @ weighted))
        self._moved[place] = row != 0
        self._used += 1
        return place

    def _restack(self) -> None:
        kept = {name: place for name, place in self._places.items() if place >= 0}
        order = list(kept.values())
        self._rows[: len(order)] = self._rows[order]
        self._moved[: len(order)] = self._moved[order]
        self._used = len(order)
        self._places.update({name: new for new, name in enumerate(kept)})


def changes(bars: Bars | None, bar: int) -> Floats | None:
    """Return changes in millionths by bar before `bar`, shape (BARS_MAX,), 0 where none was told.

    None while there are too few that are not zero.
    """
    if bars is None or len(bars.closes) <= CHANGES_MIN:
        return None
    row = np.zeros(BARS_MAX)
    for index in range(1, len(bars.closes)):
        age = bar - 1 - bars.numbers[index]
        if 0 <= age < BARS_MAX:
            row[BARS_MAX - 1 - age] = bars.closes[index] - bars.closes[index - 1]
    return row if np.count_nonzero(row) >= CHANGES_MIN else None
