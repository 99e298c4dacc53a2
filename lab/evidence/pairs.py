"""One row a wallet and market: what the ledger says it paid and made there.

Owns which pairs count as evidence: whole (nothing was sold that was never seen bought), with
shares bought, in a market whose result is known. A cut history shows wins whose cost is missing;
taking those in would make skill out of missing rows. Called by `halves` and `run`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.evidence.books import MICRO, NS_PER_S, Books
from whaletrader.lab.evidence.markets import Markets

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Wallet by market; every array is (pairs,), ordered by wallet, then first row."""

    wallet: IntArray
    market: IntArray
    profit: FloatArray
    paid: FloatArray
    first_s: IntArray
    is_whole: BoolArray

    def only(self, mask: BoolArray) -> "Pairs":
        """Return the pairs of the mask."""
        return Pairs(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


def pair_table(books: Books, markets: Markets, wallets: list[str]) -> Pairs:
    """Return every wallet's business in every traded market."""
    codes = {condition: code for code, condition in enumerate(markets.condition_id.tolist())}
    rows = []
    for wallet_code, wallet in enumerate(wallets):
        book = books.books.get(wallet)
        if book is None:
            continue
        found = []
        for stated in books.statements[wallet].markets:
            code = codes.get(stated.condition_id)
            held = book.markets[stated.condition_id]
            if code is None or held.trades == 0:
                continue
            profit, paid = stated.profit_micro / MICRO, held.paid_micro / MICRO
            first_s = held.first_ns // NS_PER_S
            found.append((wallet_code, code, profit, paid, first_s, stated.is_whole))
        rows += sorted(found, key=lambda row: (row[4], row[1]))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    return Pairs(
        wallet=np.array(columns[0], dtype=np.int64),
        market=np.array(columns[1], dtype=np.int64),
        profit=np.array(columns[2], dtype=np.float64),
        paid=np.array(columns[3], dtype=np.float64),
        first_s=np.array(columns[4], dtype=np.int64),
        is_whole=np.array(columns[5], dtype=np.bool_),
    )
