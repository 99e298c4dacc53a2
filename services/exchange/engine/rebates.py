"""What makers get back of the fees that takers paid: by day, market and maker.

A day's pool of a market is its schedule's share of the fees collected there; makers share it by the
fee their fills would have paid. Counts settled trades only; called by settlement. Moves no money.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec

from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.ledger import HOUSE
from whaletrader.services.exchange.engine.model import Trade
from whaletrader.services.exchange.engine.units import MICRO, NS

DAY_NS = 86_400 * NS

# (day since the epoch, condition id)
DayMarket = tuple[int, str]


class Rebate(msgspec.Struct, frozen=True):
    """What one maker gets for one day in one market, in micro-units of collateral."""

    day: int
    condition_id: str
    maker: str
    amount_micro: int


class Rebates:
    """Pools and the makers' shares in them; a day that was paid is kept for the record."""

    def __init__(self) -> None:
        self.pools: dict[DayMarket, int] = defaultdict(int)
        self.shares: dict[DayMarket, dict[str, int]] = defaultdict(dict)
        self.paid_days: set[int] = set()

    def note(self, trade: Trade) -> None:
        """Count a confirmed trade; one without a fee, or without a maker that is a trader, adds
        nothing."""
        fee = trade.taker.fee_micro
        if fee == 0:
            return
        market = trade.market
        schedule = market.schedule
        if schedule.rebate_micro == 0:
            return
        key = (trade.match_ns // DAY_NS, market.condition_id)
        shares = self.shares[key]
        for leg in trade.makers:
            if leg.terms.account not in HOUSE:
                equivalent = taker_fee_micro(
                    shares_micro=leg.size_micro,
                    price_micro=leg.price_micro,
                    rate_micro=schedule.rate_micro,
                    exponent=schedule.exponent,
                )
                shares[leg.terms.account] = shares.get(leg.terms.account, 0) + equivalent
        self.pools[key] += fee * schedule.rebate_micro // MICRO

    def of(self, day: int, maker: str | None = None) -> list[Rebate]:
        """Return a day's rebates, of one maker or all, by market and maker.

        Floored: together they never exceed the pool.
        """
        found = []
        for (pool_day, condition_id), pool in sorted(self.pools.items()):
            shares = self.shares[(pool_day, condition_id)]
            total = sum(shares.values())
            if pool_day != day or total == 0:
                continue
            for account, share in sorted(shares.items()):
                amount = pool * share // total
                if amount > 0 and maker in (None, account):
                    found.append(Rebate(day, condition_id, account, amount))
        return found

    def unpaid_days(self, before_day: int) -> list[int]:
        """Return the days with a pool that ended before the given one and were not paid."""
        days = {day for day, _ in self.pools if day < before_day}
        return sorted(days - self.paid_days)
