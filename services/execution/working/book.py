"""A token's book, and what an order would meet in it. Pure; prices and sizes in micro-units."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2

# Deeper than any order of ours reaches; a longer book only costs memory.
LEVELS_MAX: Final = 100


class Level(Protocol):
    """One price level, as messages and ports have it."""

    @property
    def price_micro(self) -> int: ...
    @property
    def size_micro(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """What taking from a book gives: `size_micro` of it for `cost_micro`, the last at `worst`."""

    size_micro: int
    cost_micro: int
    worst_micro: int

    @property
    def average_micro(self) -> int:
        """The average price, rounded; 0 if nothing is there."""
        if not self.size_micro:
            return 0
        return (self.cost_micro * MICRO + self.size_micro // 2) // self.size_micro


class Book(msgspec.Struct, frozen=True):
    """Both sides best first, as (price, size). `at_ns`: when the venue had it so."""

    bids: tuple[tuple[int, int], ...] = ()
    asks: tuple[tuple[int, int], ...] = ()
    at_ns: int = 0

    @classmethod
    def of(cls, bids: Iterable[Level], asks: Iterable[Level], at_ns: int) -> "Book":
        """Return the book of some levels in any order; empty and impossible ones are left out."""
        return cls(_side(bids, best_is_high=True), _side(asks, best_is_high=False), at_ns)

    @property
    def bid_micro(self) -> int:
        """The best bid, or 0."""
        return self.bids[0][0] if self.bids else 0

    @property
    def ask_micro(self) -> int:
        """The best ask, or 0."""
        return self.asks[0][0] if self.asks else 0

    @property
    def is_two_sided(self) -> bool:
        return bool(self.bids and self.asks)

    @property
    def mid_micro(self) -> int:
        """Half way between the sides, rounded down; the one side if there is one; or 0."""
        if self.is_two_sided:
            return (self.bid_micro + self.ask_micro) // 2
        return self.bid_micro or self.ask_micro

    @property
    def spread_micro_ratio(self) -> int:
        """The spread as a share of the mid; 0 unless there are two sides."""
        if not self.is_two_sided or not self.mid_micro:
            return 0
        return (self.ask_micro - self.bid_micro) * MICRO // self.mid_micro

    def near(self, side: int) -> int:
        """Return the best price on our own side, or 0."""
        return self.bid_micro if side == common_pb2.SIDE_BUY else self.ask_micro

    def far(self, side: int) -> int:
        """Return the best price that we could take, or 0."""
        return self.ask_micro if side == common_pb2.SIDE_BUY else self.bid_micro

    def depth_micro(self, side: int, limit_micro: int) -> int:
        """Return how much could be taken at the limit or better."""
        return sum(size for _, size in self._within(side, limit_micro))

    def sweep(self, side: int, limit_micro: int, size_micro: int) -> Sweep:
        """Return what taking up to a size at the limit or better would give."""
        taken = cost = worst = 0
        for price, size in self._within(side, limit_micro):
            part = min(size, size_micro - taken)
            if part <= 0:
                break
            taken, cost, worst = taken + part, cost + price * part, price
        return Sweep(taken, cost // MICRO, worst)

    def _within(self, side: int, limit_micro: int) -> Iterable[tuple[int, int]]:
        if side == common_pb2.SIDE_BUY:
            return (level for level in self.asks if level[0] <= limit_micro)
        return (level for level in self.bids if level[0] >= limit_micro)


def _side(levels: Iterable[Level], *, best_is_high: bool) -> tuple[tuple[int, int], ...]:
    found = [
        (level.price_micro, level.size_micro)
        for level in levels
        if 0 < level.price_micro < MICRO and level.size_micro > 0
    ]
    return tuple(sorted(found, reverse=best_is_high)[:LEVELS_MAX])
