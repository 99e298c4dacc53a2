"""How far a price moves in a day, from its bars. Pure.

EWMA of squared price changes (RiskMetrics 1996, section 5.2, decay 0.94), scaled to a day. A price
is a martingale in [0, 1], so all that is to come has variance p * (1 - p): no day has more.
"""

from itertools import pairwise
from math import isqrt
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.services.risk.views import Bars

DECAY_PERCENT: Final = 94
# What a price is taken to move in a day while there are too few bars to tell, and at least.
MOVE_UNKNOWN_MICRO: Final = 50_000
MOVE_MIN_MICRO: Final = 10_000
BARS_MIN: Final = 10
# Bars that stand for a day where they are hours; a gap counts as the bars that it spans.
BARS_A_DAY: Final = 24


def day_move(bars: Bars | None, price_micro: int) -> int:
    """Return one standard deviation of a day's change in micro-dollars a share."""
    cap = isqrt(price_micro * (MICRO - price_micro))
    if bars is None or len(bars.closes) < BARS_MIN:
        return min(cap, MOVE_UNKNOWN_MICRO)
    variance = 0
    for index in range(1, len(bars.closes)):
        gap = max(1, bars.numbers[index] - bars.numbers[index - 1])
        change = bars.closes[index] - bars.closes[index - 1]
        squared = change * change // gap
        if index == 1:
            variance = squared
        else:
            variance = (variance * DECAY_PERCENT + squared * (100 - DECAY_PERCENT)) // 100
    return min(cap, max(MOVE_MIN_MICRO, isqrt(variance * BARS_A_DAY)))


def true_range(bars: Bars | None, count: int) -> int:
    """Return the mean absolute change over the last bars, in micro-dollars; 0 with too few.

    With one price a bar, Wilder's (1978) average true range is the mean absolute change.
    """
    if bars is None or len(bars.closes) <= count:
        return 0
    closes = bars.closes[-count - 1 :]
    return sum(abs(b - a) for a, b in pairwise(closes)) // count
