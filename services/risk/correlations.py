"""Which markets move together: EWMA correlation of hourly changes, shrunk towards none.

A cache of numbers that are a function of the bars: made anew when a bar begins. Two markets of
one topic count as one bet whatever their prices did.
"""

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


class Correlations:
    """Changes by market on one grid of bars; the newest bar is under way and left out."""

    def __init__(self) -> None:
        self._bar = -1
        self._rows: dict[str, Floats | None] = {}

    def restart(self, bar: int) -> None:
        """Forget the rows: another bar is under way."""
        self._bar = bar
        self._rows.clear()

    def forget(self, name: str) -> None:
        """Drop the row of a market in which something was traded."""
        self._rows.pop(name, None)

    def between(self, first: tuple[str, Bars | None], second: tuple[str, Bars | None]) -> int:
        """Return the correlation of two markets in millionths, 0 while too little is known."""
        one, other = self._row(*first), self._row(*second)
        if one is None or other is None:
            return 0
        return correlation_micro(one, other)

    def _row(self, name: str, bars: Bars | None) -> Floats | None:
        if name not in self._rows:
            self._rows[name] = changes(bars, self._bar)
        return self._rows[name]


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


def correlation_micro(one: Floats, other: Floats) -> int:
    """Return the EWMA correlation (RiskMetrics 1996), shrunk by how many changes there are."""
    weights = DECAY ** np.arange(one.size - 1, -1, -1)
    scale = sqrt(float((weights * one * one).sum() * (weights * other * other).sum()))
    if scale <= 0:
        return 0
    both = float(np.count_nonzero((one != 0) & (other != 0)))
    raw = float((weights * one * other).sum()) / scale
    return round(raw * both / (both + PRIOR_CHANGES) * MICRO)
