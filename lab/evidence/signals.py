"""What a copier sees: a wallet buys an outcome, at a second, and later sells.

Owns the grouping of fills into signals. One purchase is often many rows of one second; they are
one signal. Nothing of a signal depends on anything later. Called by `copying`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.evidence.markets import Trades

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Signals:
    """One entry a wallet, token and second; in time order; arrays are (signals,)."""

    wallet: IntArray
    market: IntArray
    outcome: IntArray
    at_s: IntArray
    # Whether it is the wallet's first of this token.
    is_first: BoolArray

    def only(self, mask: BoolArray) -> "Signals":
        """Return the signals of the mask."""
        return Signals(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    @property
    def token(self) -> IntArray:
        """2 * market + outcome."""
        return np.asarray(2 * self.market + self.outcome)

    @property
    def count(self) -> int:
        return len(self.at_s)


def signals_of(trades: Trades, *, is_buy: bool) -> Signals:
    """Return the purchases (or the sales) as signals."""
    picked = trades.only(trades.is_buy if is_buy else ~trades.is_buy)
    keys = np.column_stack((picked.wallet, picked.market, picked.outcome, picked.at_s))
    _, places = np.unique(keys, axis=0, return_index=True)
    found = picked.only(np.sort(places))
    tokens = np.column_stack((found.wallet, found.market, found.outcome))
    is_first = np.zeros(found.count, dtype=np.bool_)
    if found.count:
        is_first[np.unique(tokens, axis=0, return_index=True)[1]] = True
    return Signals(found.wallet, found.market, found.outcome, found.at_s, is_first)
