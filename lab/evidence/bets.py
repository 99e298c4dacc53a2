"""Trades as bets: each the purchase of one side at what it cost in fact, against what it paid.

Owns which trades count and at which value: payout where the result is known; for a ranking made
at some moment, the payout if it was known by then and otherwise the last print before it. A trade
needs no history before it, so cut records do no harm here. Called by `halves` and `skill`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.evidence.markets import Markets, Prints, Trades
from whaletrader.quant.edge import Bets, sides_and_costs

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def bets_of(trades: Trades, markets: Markets, value_first: FloatArray) -> Bets:
    """Return the trades as bets, `value_first` (trades,) being what outcome 0 is worth.

    The cost is what was paid in fact, venue's fee within; the weight is the shares.
    """
    price = np.clip(trades.usdc / trades.size, 0.0, 1.0)
    is_yes, cost = sides_and_costs(trades.is_buy, trades.outcome == 0, price, 0.0)
    return Bets(
        wallet=trades.wallet,
        event=markets.event[trades.market],
        market=trades.market,
        is_yes=is_yes,
        cost=np.clip(cost, 0.0, 1.0),
        payoff=np.where(is_yes, value_first, 1.0 - value_first),
        weight=trades.size,
    )


def settled_bets(trades: Trades, markets: Markets, results: str) -> Bets:
    """Return the bets in markets whose results count, at what they paid."""
    values = markets.values(results)
    kept = trades.only(np.isfinite(values[trades.market]))
    return bets_of(kept, markets, values[kept.market])


@dataclass(frozen=True)
class ValuesThen:
    """What outcome 0 of a market was worth at a moment, on what was known by then."""

    markets: Markets
    prints: Prints

    @classmethod
    def of(cls, trades: Trades, markets: Markets) -> "ValuesThen":
        """Return the lookup over all prints of both outcomes."""
        first = np.where(trades.outcome == 0, trades.price, 1.0 - trades.price)
        return cls(markets, Prints(trades.market, trades.at_s, first))

    def at(self, market: IntArray, at_s: IntArray) -> FloatArray:
        """Return the payout if known by then, else the last print before; both (n,)."""
        place = self.prints.last_before(market, at_s)
        printed = np.where(place >= 0, self.prints.price[np.maximum(place, 0)], np.nan)
        is_settled = self.markets.is_known[market] & (self.markets.resolved_s[market] <= at_s)
        return np.where(is_settled, self.markets.winner[market] == 0, printed).astype(np.float64)
