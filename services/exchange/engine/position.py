"""One account's history in one token: what its shares cost and brought. Plain arithmetic."""

from __future__ import annotations

import msgspec

from whaletrader.services.exchange.engine.model import Market
from whaletrader.services.exchange.engine.units import MICRO


class Position(msgspec.Struct):
    """One account's history in one token, in micro-units; `size_micro` is 0 once it is closed.

    `cost_micro`: what the open shares cost, `bought_*`: all shares ever got and what they cost,
    fees of purchases apart (`fees_micro`). `realized_micro`: proceeds, after the fees of sales,
    less the average cost of what was sold, merged, converted or redeemed.
    """

    token_id: str
    market: Market
    index: int
    size_micro: int = 0
    cost_micro: int = 0
    bought_micro: int = 0
    bought_cost_micro: int = 0
    fees_micro: int = 0
    realized_micro: int = 0
    first_ns: int = 0
    last_ns: int = 0

    @property
    def avg_price_micro(self) -> int:
        if self.size_micro > 0:
            return self.cost_micro * MICRO // self.size_micro
        return self.bought_cost_micro * MICRO // self.bought_micro if self.bought_micro else 0

    def gain(self, size: int, cost: int, at_ns: int) -> None:
        self.size_micro += size
        self.cost_micro += cost
        self.bought_micro += size
        self.bought_cost_micro += cost
        self.first_ns = self.first_ns or at_ns
        self.last_ns = at_ns

    def part(self, size: int, proceeds: int, at_ns: int) -> int:
        """Give shares away; return the cost that they had."""
        cost = self.cost_micro * size // self.size_micro if self.size_micro else 0
        self.size_micro -= size
        self.cost_micro -= cost
        self.realized_micro += proceeds - cost
        self.last_ns = at_ns
        return cost
