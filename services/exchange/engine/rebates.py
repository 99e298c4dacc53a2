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


class Rebate(msgspec.Struct, frozen=True):
    """What one maker gets for one day in one market, in micro-units of collateral."""

    day: int
    condition_id: str
    maker: str
    amount_micro: int


class Rebates:
    """The confirmed trades that paid a fee, by day; a day that was paid stays for the record."""

    def __init__(self) -> None:
        self.trades: dict[int, list[Trade]] = defaultdict(list)
        self.paid_days: set[int] = set()

    def note(self, trade: Trade) -> None:
        """Count a confirmed trade that paid a fee; shares are worked out when asked for."""
        self.trades[trade.match_ns // DAY_NS].append(trade)

    def of(self, day: int, maker: str | None = None) -> list[Rebate]:
        """Return a day's rebates, of one maker or all, by market and maker.

        Floored: together they never exceed the pool.
        """
        by_market: dict[str, list[Trade]] = defaultdict(list)
        for trade in self.trades.get(day, ()):
            by_market[trade.market.condition_id].append(trade)
        found = []
        for condition_id, trades in sorted(by_market.items()):
            shares, pool = _shares(trades)
            total = sum(shares.values())
            for account, share in sorted(shares.items()):
                amount = pool * share // total if total else 0
                if amount > 0 and maker in (None, account):
                    found.append(Rebate(day, condition_id, account, amount))
        return found

    def unpaid_days(self, before_day: int) -> list[int]:
        """Return the days with fees that ended before the given one and were not paid."""
        return sorted(day for day in self.trades if day < before_day and day not in self.paid_days)


def _shares(trades: list[Trade]) -> tuple[dict[str, int], int]:
    """Return the fee that each maker's fills in one market would have paid, and the pool."""
    schedule = trades[0].market.schedule
    shares: dict[str, int] = defaultdict(int)
    for trade in trades:
        for leg in trade.makers:
            if leg.account not in HOUSE:
                shares[leg.account] += taker_fee_micro(
                    shares_micro=leg.size_micro,
                    price_micro=leg.price_micro,
                    rate_micro=schedule.rate_micro,
                    exponent=schedule.exponent,
                )
    pool = sum(trade.taker.fee_micro for trade in trades) * schedule.rebate_micro // MICRO
    return shares, pool
