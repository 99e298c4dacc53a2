"""Price-time books. One book a market, kept in the price of outcome 0.

A bid buys outcome 0 or sells outcome 1, an ask the other way round, so a mint, a merge and a plain
exchange of shares are all one bid meeting one ask. Holds open orders only; moves no money.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from whaletrader.services.exchange.engine.errors import InvariantBroken
from whaletrader.services.exchange.engine.model import LOT_MICRO, MICRO, Order


class Ladder:
    """One side of a book: best price first, earliest order first within a price.

    Keys are prices, negated for asks, so that the best is always the last of a sorted list and
    comes off without moving the others.
    """

    __slots__ = ("_keys", "_levels", "_sign", "_sizes")

    def __init__(self, *, is_bid: bool) -> None:
        self._sign = 1 if is_bid else -1
        self._keys: list[int] = []
        self._levels: dict[int, dict[str, Order]] = {}
        # Open size by level, kept beside the orders so that asking for it costs nothing.
        self._sizes: dict[int, int] = {}

    def add(self, order: Order) -> int:
        """Put an order behind the others at its price; return the level's open size."""
        key = self._sign * order.book_price_micro
        level = self._levels.get(key)
        open_micro = order.size_micro - order.matched_micro
        if level is None:
            self._levels[key] = {order.terms.order_id: order}
            self._sizes[key] = open_micro
            insort(self._keys, key)
            return open_micro
        level[order.terms.order_id] = order
        open_micro += self._sizes[key]
        self._sizes[key] = open_micro
        return open_micro

    def remove(self, order: Order) -> None:
        key = self._sign * order.book_price_micro
        level = self._levels[key]
        del level[order.terms.order_id]
        left = self._sizes[key] - order.size_micro + order.matched_micro
        if level:
            self._sizes[key] = left
            return
        if left != 0:
            raise InvariantBroken(f"level {key} is empty but shows {left}")
        self._forget(key)

    def grow(self, order: Order, size_micro: int) -> None:
        """Count what a reversal put back on a resting order; its matched size knows already."""
        self._sizes[self._sign * order.book_price_micro] += size_micro

    def fill(self, order: Order, size_micro: int) -> int:
        """Count a fill of a resting order and drop it once it is whole; return the level's size."""
        key = self._sign * order.book_price_micro
        left = self._sizes[key] - size_micro
        order.matched_micro += size_micro
        if order.matched_micro < order.size_micro:
            self._sizes[key] = left
            return left
        level = self._levels[key]
        del level[order.terms.order_id]
        if level:
            self._sizes[key] = left
            return left
        if left != 0:
            raise InvariantBroken(f"level {key} is empty but shows {left}")
        self._forget(key)
        return 0

    def orders(self) -> Iterator[Order]:
        """Yield orders by priority; do not change the ladder meanwhile."""
        for key in reversed(self._keys):
            yield from self._levels[key].values()

    def reached(self, limit_micro: int) -> Iterator[Order]:
        """Yield the orders at the limit or better, by priority."""
        limit = self._sign * limit_micro
        levels = self._levels
        for key in reversed(self._keys):
            if key < limit:
                return
            yield from levels[key].values()

    def best_price(self) -> int | None:
        return self._sign * self._keys[-1] if self._keys else None

    def levels(self) -> list[tuple[int, int]]:
        """Return (price, open size) pairs, best first, in micro-units."""
        return [(self._sign * key, self._sizes[key]) for key in reversed(self._keys)]

    def size_at(self, price_micro: int) -> int:
        return self._sizes.get(self._sign * price_micro, 0)

    def _forget(self, key: int) -> None:
        del self._levels[key]
        del self._sizes[key]
        # Mostly the best level empties.
        if self._keys[-1] == key:
            self._keys.pop()
        else:
            del self._keys[bisect_left(self._keys, key)]

    def __contains__(self, order: Order) -> bool:
        level = self._levels.get(self._sign * order.book_price_micro)
        return level is not None and order.terms.order_id in level


class Book:
    """Both ladders of a market."""

    __slots__ = ("asks", "bids")

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
        account = order.terms.account
        for resting in self.against(order).reached(order.book_price_micro):
            if resting.terms.account != account:
                yield resting

    def plan(self, taker: Order) -> list[tuple[Order, int]]:
        """Return whom an order would meet now and for how many micro-shares each, by priority."""
        ladder = self.asks if taker.is_bid else self.bids
        best = ladder.best_price()
        limit = taker.book_price_micro
        if best is None or (best > limit if taker.is_bid else best < limit):
            return []
        if taker.budget_micro:
            return self._plan_budget(taker)
        meets: list[tuple[Order, int]] = []
        wanted = taker.size_micro - taker.matched_micro
        account = taker.terms.account
        for resting in ladder.reached(limit):
            if resting.terms.account == account:
                continue
            open_micro = resting.size_micro - resting.matched_micro
            if open_micro >= wanted:
                meets.append((resting, wanted))
                break
            meets.append((resting, open_micro))
            wanted -= open_micro
        return meets

    def _plan_budget(self, taker: Order) -> list[tuple[Order, int]]:
        """Spend dollars instead of wanting shares: whole lots only, until none is affordable."""
        meets: list[tuple[Order, int]] = []
        left = taker.budget_micro - taker.spent_micro
        for resting in self.crosses(taker):
            price = (
                resting.book_price_micro if taker.index == 0 else MICRO - resting.book_price_micro
            )
            affordable = left * MICRO // price // LOT_MICRO * LOT_MICRO
            open_micro = resting.size_micro - resting.matched_micro
            size = min(affordable, open_micro)
            if size > 0:
                meets.append((resting, size))
                left -= size * price // MICRO
            if size == affordable:
                break
        return meets

    def is_crossed(self) -> bool:
        """Whether orders of different accounts stand at prices that meet."""
        return any(True for bid in self.bids.orders() for _ in self.crosses(bid))

    def view(self, index: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return (bids, asks) of one outcome, best first; outcome 1 sees the mirror."""
        if index == 0:
            return self.bids.levels(), self.asks.levels()
        mirrored_bids = [(MICRO - price, size) for price, size in self.asks.levels()]
        mirrored_asks = [(MICRO - price, size) for price, size in self.bids.levels()]
        return mirrored_bids, mirrored_asks

    def open_orders(self) -> list[Order]:
        return [*self.bids.orders(), *self.asks.orders()]
