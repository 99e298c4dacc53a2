"""The copier: buys what a whale bought, so many seconds later, at a price somebody then paid.

Owns the rules of the fill. The copier sees the whale's print and acts `delay_s` later: his price
is the first print of the same token from then on (`any`: whosever it is, often the whale's own
next fill; `others`: the first of somebody else), and worse by the slippage. He pays the taker fee.
Only what was printed before his moment decides anything; the result pays only in the end. One
dollar a signal. Called by `run`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.evidence.fees import Terms, terms_then, terms_today
from whaletrader.lab.evidence.markets import PUBLISHED, Markets, Prints, Trades
from whaletrader.lab.evidence.signals import Signals, signals_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ANY, OTHERS = "any", "others"
THEN, TODAY, NONE = "then", "today", "none"
HOLD, FOLLOW = "hold", "follow"
# Above this a share can win less than the smallest tick: nobody buys it.
COST_MAX: Final = 0.999


@dataclass(frozen=True)
class Way:
    """One way of copying."""

    delay_s: int
    slippage: float
    patience_s: int
    prints: str = ANY
    fees: str = THEN
    exits: str = HOLD
    results: str = PUBLISHED
    # Prints outside are not bought at.
    price_least: float = 0.0
    price_most: float = 1.0


@dataclass(frozen=True)
class Copies:
    """What became of each signal; arrays are (signals,)."""

    signals: Signals
    # Whether the market's result counts, and whether the copier got shares then.
    is_offered: BoolArray
    is_filled: BoolArray
    # The print met, before slippage; nan where none was.
    price: FloatArray
    entry_s: IntArray
    is_own_print: BoolArray
    # Dollars a share, fee and slippage within.
    cost: FloatArray
    # Profit on each dollar spent, fee and slippage within; nan where not filled.
    gain: FloatArray
    # The same dollar on the outcome that was the favourite at that print, and on either by lot.
    favourite_gain: FloatArray
    coin_gain: FloatArray


class Copier:
    """Knows every print, and answers what copying would have brought."""

    def __init__(self, trades: Trades, markets: Markets) -> None:
        self._markets = markets
        token = 2 * trades.market + trades.outcome
        self._prints = Prints(token, trades.at_s, trades.price)
        self._owner = trades.wallet[self._prints.order]
        self._next_other = _next_other(self._prints.token, self._owner)
        self._tokens = 2 * len(markets.slug)
        sales = signals_of(trades, is_buy=False)
        self._sales = Prints(
            sales.wallet * self._tokens + sales.token, sales.at_s, np.zeros(sales.count)
        )

    def copy(self, signals: Signals, way: Way) -> Copies:
        """Return what each signal brought; those without a result are not offered."""
        place = self._meet(signals.token, signals.at_s + way.delay_s, signals.wallet, way.prints)
        safe = np.maximum(place, 0)
        entry_s = np.where(place >= 0, self._prints.at_s[safe], 0)
        price = np.where(place >= 0, self._prints.price[safe], np.nan)
        waited = entry_s - signals.at_s - way.delay_s
        first = self._markets.values(way.results)[signals.market]
        pays = np.where(signals.outcome == 0, first, 1.0 - first)
        terms = self._terms(signals.market, entry_s, way.fees)
        cost = _cost(price, way.slippage, terms)
        is_wanted = (price >= way.price_least) & (price <= way.price_most) & (cost < COST_MAX)
        is_offered = np.isfinite(first)
        is_filled = is_offered & (place >= 0) & (waited <= way.patience_s) & is_wanted
        gain = pays / cost - 1.0
        if way.exits == FOLLOW:
            gain = self._with_exits(signals, way, entry_s, cost, gain)
        is_favourite = price >= 0.5
        other_cost = _cost(1.0 - price, way.slippage, terms)
        other_gain = (1.0 - pays) / other_cost - 1.0
        hold_gain = pays / cost - 1.0
        return Copies(
            signals=signals,
            is_offered=is_offered,
            is_filled=is_filled,
            price=price,
            entry_s=entry_s,
            is_own_print=(place >= 0) & (self._owner[safe] == signals.wallet),
            cost=cost,
            gain=np.where(is_filled, gain, np.nan),
            favourite_gain=np.where(
                is_filled, np.where(is_favourite, hold_gain, other_gain), np.nan
            ),
            coin_gain=np.where(is_filled, (hold_gain + other_gain) / 2.0, np.nan),
        )

    def _meet(self, token: IntArray, from_s: IntArray, wallet: IntArray, prints: str) -> IntArray:
        place = self._prints.first_from(token, from_s)
        if prints == ANY or not len(self._owner):
            return place
        is_own = (place >= 0) & (self._owner[np.maximum(place, 0)] == wallet)
        return np.where(is_own, self._next_other[np.maximum(place, 0)], place)

    def _with_exits(
        self, signals: Signals, way: Way, entry_s: IntArray, cost: FloatArray, gain: FloatArray
    ) -> FloatArray:
        """Sell when the whale sells after our entry, if a print comes to sell at."""
        if not len(self._sales.at_s):
            return gain
        key = signals.wallet * self._tokens + signals.token
        sale = self._sales.first_from(key, entry_s + 1)
        sold_s = np.where(sale >= 0, self._sales.at_s[np.maximum(sale, 0)], 0)
        place = self._meet(signals.token, sold_s + way.delay_s, signals.wallet, way.prints)
        is_exit = (sale >= 0) & (place >= 0)
        safe = np.maximum(place, 0)
        price = np.clip(self._prints.price[safe] - way.slippage, 0.0, 1.0)
        terms = self._terms(signals.market, self._prints.at_s[safe], way.fees)
        proceeds = price - terms.per_share(price)
        return np.where(is_exit, proceeds / cost - 1.0, gain)

    def _terms(self, market: IntArray, at_s: IntArray, fees: str) -> Terms:
        category, window = self._markets.category[market], self._markets.window[market]
        if fees == TODAY:
            return terms_today(category)
        if fees == THEN:
            return terms_then(category, window, at_s)
        free = np.zeros(len(market), dtype=np.float64)
        return Terms(free, np.ones_like(free))


def _cost(price: FloatArray, slippage: float, terms: Terms) -> FloatArray:
    """Dollars a share, all in; nobody pays less than the smallest tick."""
    paid = np.clip(price + slippage, 0.001, 1.0)
    return np.asarray(paid + terms.per_share(paid))


def _next_other(token: IntArray, owner: IntArray) -> IntArray:
    """For each print, the place of the next one of its token by somebody else; -1 if none."""
    count = len(token)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    # Runs of one owner in one token: whoever begins the next run is somebody else.
    is_start = np.ones(count, dtype=np.bool_)
    is_start[1:] = (token[1:] != token[:-1]) | (owner[1:] != owner[:-1])
    starts = np.flatnonzero(is_start)
    run = np.cumsum(is_start) - 1
    following = np.append(starts, -1)[run + 1]
    is_same = (following >= 0) & (token[np.maximum(following, 0)] == token)
    return np.where(is_same, following, -1).astype(np.int64)
