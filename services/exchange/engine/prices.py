"""What prices-history is served from: the last trade's price of each minute, kept bounded.

A market's old points are thinned, never its newest, so that memory stays bounded however long the
exchange runs and the long view survives. Called by matching and the tape at every trade.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from whaletrader.services.exchange.engine.units import NS

MINUTE_NS = 60 * NS
# The older part of a full history loses every second point.
_THINNED_SHARE = 2


class PriceHistory:
    """Points (minute since the epoch, price of outcome 0 in micro-units) by condition id."""

    def __init__(self, points_max: int) -> None:
        self._points_max = points_max
        self.minutes: dict[str, list[int]] = {}
        self.prices: dict[str, list[int]] = {}

    def note(self, condition_id: str, book_price_micro: int, at_ns: int) -> None:
        """Remember a trade's price; one that is older than the newest point changes nothing."""
        minute = at_ns // MINUTE_NS
        minutes = self.minutes.get(condition_id)
        if minutes is None:
            self.minutes[condition_id] = [minute]
            self.prices[condition_id] = [book_price_micro]
            return
        if minute < minutes[-1]:
            return
        prices = self.prices[condition_id]
        if minute == minutes[-1]:
            prices[-1] = book_price_micro
            return
        minutes.append(minute)
        prices.append(book_price_micro)
        if len(minutes) > self._points_max:
            older = len(minutes) // _THINNED_SHARE
            del minutes[1:older:2]
            del prices[1:older:2]

    def read(
        self, condition_id: str, start_s: int, end_s: int, step_s: int
    ) -> list[tuple[int, int]]:
        """Return (unix seconds, price of outcome 0) from start to end, the last of each step.

        Raises ValueError for a step that is not positive.
        """
        if step_s <= 0:
            raise ValueError("the step must be at least a second")
        minutes = self.minutes.get(condition_id, [])
        prices = self.prices.get(condition_id, [])
        first = bisect_left(minutes, -(-start_s // 60))
        last = bisect_right(minutes, end_s // 60)
        steps: dict[int, tuple[int, int]] = {}
        for at in range(first, last):
            second = minutes[at] * 60
            steps[second // step_s] = (second, prices[at])
        return list(steps.values())
