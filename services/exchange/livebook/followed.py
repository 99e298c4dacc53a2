"""One token's real book as its stream tells it, and whether something was missed. Pure.

A gap shows itself: each change carries the best prices after it. When ours differ, or a change
comes before the first book, the book is not to be trusted until it was read anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from whaletrader.services.exchange.engine.model import LOT_MICRO, MICRO

Levels = dict[int, int]


@dataclass(slots=True)
class FollowedBook:
    """Levels of one token in micro-units: price -> size."""

    token_id: str
    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)
    is_trusted: bool = False
    gaps: int = 0

    def replace(self, frame: dict[str, Any]) -> None:
        """Take a whole book, from the stream or from a read."""
        self.bids = _levels(frame.get("bids"))
        self.asks = _levels(frame.get("asks"))
        self.is_trusted = True

    def change(self, change: dict[str, Any], *, is_last: bool = True) -> bool:
        """Apply one changed level; return False when that shows that something was missed.

        The best prices are those after the last change to this book in the same frame.
        """
        if not self.is_trusted:
            return False
        side = self.bids if change.get("side") == "BUY" else self.asks
        price, size = micro(change.get("price")), micro(change.get("size"))
        if size:
            side[price] = size
        else:
            side.pop(price, None)
        if not is_last:
            return True
        told = (micro(change.get("best_bid") or "0"), micro(change.get("best_ask") or "1"))
        if told != self.best():
            self.is_trusted = False
            self.gaps += 1
        return self.is_trusted

    def best(self) -> tuple[int, int]:
        """Return (best bid, best ask); 0 and 1 for empty sides, as the stream has it."""
        return max(self.bids, default=0), min(self.asks, default=MICRO)

    def distrust(self) -> None:
        """The connection is gone: nothing is known until the next whole book."""
        self.is_trusted = False


def micro(value: Any) -> int:
    """Return a decimal text in micro-units; raises `ValueError` for what is none."""
    try:
        return int(Decimal(str(value)) * MICRO)
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not a decimal") from error


def _levels(rows: Any) -> Levels:
    found: Levels = {}
    for row in rows if isinstance(rows, list) else []:
        size = micro(row["size"]) // LOT_MICRO * LOT_MICRO
        if size:
            found[micro(row["price"])] = size
    return found
