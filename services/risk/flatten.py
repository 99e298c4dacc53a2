"""Selling everything: which holdings go up for sale, how much of each, down to which price.

Pure. Called by the agent when an operator orders it, and again for a holding whenever shares of
it become free while the flattening lasts. Nothing is sold without a last price to start from.
"""

from dataclasses import dataclass

from whaletrader.domain.money import floor_to
from whaletrader.schemas import common_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.rules import COUNT, SHARES, Rule, at_least, at_most, holds
from whaletrader.services.risk.state import Lot
from whaletrader.services.risk.verdict import price_on_tick, price_reason


@dataclass(frozen=True, slots=True)
class Sale:
    """One holding and what it was held against. It is for sale if every reason passed."""

    token_id: str
    leader: str
    lot: Lot
    price_micro: int
    size_micro: int
    reasons: tuple[common_pb2.Reason, ...]

    @property
    def is_possible(self) -> bool:
        return all(reason.passed for reason in self.reasons)


def sales(desk: Desk, token_id: str = "") -> list[Sale]:
    """Return a sale for each holding with free shares: of one token, or of all."""
    return [
        _sale(desk, token, leader, lot)
        for token, leaders in desk.state.lots.items()
        if token_id in ("", token)
        for leader, lot in leaders.items()
        if lot.free_micro and lot.condition_id not in desk.views.winners
    ]


def _sale(desk: Desk, token_id: str, leader: str, lot: Lot) -> Sale:
    market = desk.market(lot.condition_id)
    last = desk.views.prices.get(token_id)
    attempts = at_most(
        Rule.FLATTEN_ATTEMPTS, lot.flattens + 1, desk.limits.flatten_attempts_max, COUNT
    )
    known = [
        holds(Rule.MARKET_KNOWN, market is not None, lot.condition_id),
        holds(Rule.PRICE_FRESH, last is not None, "" if last else "no trade was ever seen"),
        attempts,
    ]
    if market is None or last is None:
        return Sale(token_id, leader, lot, 0, 0, tuple(known))
    floor = max(market.tick_micro, last.price_micro - desk.limits.flatten_slippage_micro)
    price = price_on_tick(floor, market.tick_micro, is_buy=False)
    size = floor_to(lot.free_micro, sizing.LOT_MICRO)
    smallest = max(market.min_size_micro, sizing.LOT_MICRO)
    reasons = (
        *known,
        price_reason(price, market.tick_micro),
        at_least(Rule.MINIMUM_SIZE, size, smallest, SHARES),
    )
    return Sale(token_id, leader, lot, price, size, reasons)
