"""Random approved trades and what others do about them, from one seed. Pure.

A trade rests and is met, or takes what rests already, wholly, in parts or not at all; it buys
either outcome or sells what is held; some are beyond the wallet's means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.faults.market import BUY, CENT, SELL, SHARE, Market

_TOO_MUCH = 9_000_000 * SHARE


@dataclass(frozen=True, slots=True)
class Offer:
    """An order of somebody else's: whole cents and hundredths of a share."""

    token_id: str
    cents: int
    hundredths: int


@dataclass(slots=True)
class Trade:
    """One approved trade. `before` rests when it comes; `after` comes once its order rests."""

    name: str
    approval: Any
    before: list[Offer] = field(default_factory=list)
    after: list[Offer] = field(default_factory=list)


class Trades:
    """Draws trades in some markets."""

    def __init__(self, seed: int, markets: list[Market]) -> None:
        self._chance = Random(seed)
        self._markets = markets
        self._count = 0
        # What sales under way may still take of a token.
        self.selling: dict[str, int] = {}

    def draw(self, held: Mapping[str, int]) -> Trade:
        """Return the next trade; `held` is what our books hold, by token."""
        chance = self._chance
        self._count += 1
        name = f"t{self._count}"
        market = chance.choice(self._markets)
        token = chance.choice((market.yes, market.no))
        cents = chance.randint(5, 95)
        hundredths = chance.randint(500, 4_000)
        side = BUY
        free = held.get(token, 0) // 10_000 - self.selling.get(token, 0)
        if free >= 500 and chance.random() < 0.6:
            side, hundredths = SELL, min(hundredths, free)
            self.selling[token] = self.selling.get(token, 0) + hundredths
        size = hundredths * 10_000
        if chance.random() < 0.01:
            size = _TOO_MUCH
        approval = market.approval(name, cents * CENT, size, token_id=token, side=side)
        trade = Trade(name, approval)
        self._meet(trade, market, (side, cents, hundredths))
        return trade

    def _meet(self, trade: Trade, market: Market, order: tuple[int, int, int]) -> None:
        side, cents, hundredths = order
        chance = self._chance
        token = trade.approval.token_id
        other = market.no if token == market.yes else market.yes
        # Purchases of the other outcome meet ours; purchases of the same one meet our sales.
        wanted, price = (other, 100 - cents) if side == BUY else (token, cents)
        kind = chance.random()
        parts = [hundredths]
        if kind < 0.35 and hundredths >= 1_000:
            cut = chance.randint(500, hundredths - 500)
            parts = [cut, hundredths - cut]
        elif kind < 0.5:
            parts = [max(500, hundredths // 2)]
        elif kind < 0.6:
            parts = []
        offers = [Offer(wanted, price, part) for part in parts]
        if chance.random() < 0.4:
            trade.before = offers
        else:
            trade.after = offers
