"""Price-time books. One book a market, kept in the price of outcome 0.

A bid buys outcome 0 or sells outcome 1, an ask the other way round, so a mint, a merge and a plain
exchange of shares are all one bid meeting one ask. Holds open orders only; decides nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from whaletrader.services.exchange.engine.errors import InvariantBroken
from whaletrader.services.exchange.engine.model import MICRO, Order


class Ladder:
    """One side of a book: best price first, earliest order first within a price."""

    def __init__(self, *, is_bid: bool) -> None:
        self._sign = -1 if is_bid else 1
        self._keys: list[int] = []
        self._levels: dict[int, dict[str, Order]] = {}
        # Open size by level, kept beside the orders so that asking for it costs nothing.
        self._sizes: dict[int, int] = {}

    def add(self, order: Order) -> None:
        key = self._sign * order.book_price_micro
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = {}
            self._sizes[key] = 0
            insort(self._keys, key)
        level[order.order_id] = order
        self._sizes[key] += order.remaining_micro

    def remove(self, order: Order) -> None:
        key = self._sign * order.book_price_micro
        level = self._levels[key]
        del level[order.order_id]
        self._sizes[key] -= order.remaining_micro
        if not level:
            if self._sizes[key] != 0:
                raise InvariantBroken(f"level {key} is empty but shows {self._sizes[key]}")
            del self._levels[key]
            del self._sizes[key]
            del self._keys[bisect_left(self._keys, key)]

    def reduce(self, order: Order, size_micro: int) -> None:
        """Count a fill of a resting order, which is already part of its matched size."""
        self._sizes[self._sign * order.book_price_micro] -= size_micro

    def orders(self) -> Iterator[Order]:
        """Yield orders by priority; do not change the ladder meanwhile."""
        for key in self._keys:
            yield from self._levels[key].values()

    def best_price(self) -> int | None:
        return self._sign * self._keys[0] if self._keys else None

    def levels(self) -> list[tuple[int, int]]:
        """Return (price, open size) pairs, best first, in micro-units."""
        return [(self._sign * key, self._sizes[key]) for key in self._keys]

    def size_at(self, price_micro: int) -> int:
        return self._sizes.get(self._sign * price_micro, 0)


class Book:
    """Both ladders of a market."""

    def __init__(self) -> None:
        self.bids = Ladder(is_bid=True)
        self.asks = Ladder(is_bid=False)

    def side_of(self, order: Order) -> Ladder:
        return self.bids if order.is_bid else self.asks

    def against(self, order: Order) -> Ladder:
        return self.asks if order.is_bid else self.bids

    def crosses(self, order: Order) -> Iterator[Order]:
        """Yield the resting orders that the given one would meet, by priority.

        An account does not trade with itself: its own orders are stepped over.
        """
        limit = order.book_price_micro
        for resting in self.against(order).orders():
            price = resting.book_price_micro
            if (price > limit) if order.is_bid else (price < limit):
                return
            if resting.terms.account != order.terms.account:
                yield resting

    def view(self, index: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return (bids, asks) of one outcome, best first; outcome 1 sees the mirror."""
        if index == 0:
            return self.bids.levels(), self.asks.levels()
        mirrored_bids = [(MICRO - price, size) for price, size in self.asks.levels()]
        mirrored_asks = [(MICRO - price, size) for price, size in self.bids.levels()]
        return mirrored_bids, mirrored_asks

    def open_orders(self) -> list[Order]:
        return [*self.bids.orders(), *self.asks.orders()]
