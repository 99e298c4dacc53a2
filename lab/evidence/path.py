"""A wallet's worth over its own record: cash that trading moved, plus holdings at last prints.

Owns the walk over rows; prices are those of the wallet's own trades, the latest before each
moment, so nothing later is used. Conversions are left at cost. Called by `published`.
"""

from collections.abc import Sequence
from typing import Final

from whaletrader.domain.ledger import (
    ActivityRow,
    EventRoster,
    Kind,
    ResolutionTracker,
    WalletBook,
)

MICRO: Final = 1_000_000


def equity_path(rows: Sequence[ActivityRow]) -> list[tuple[int, float]]:
    """Return (time in ns, dollars) after each row."""
    book, results, roster = WalletBook(), ResolutionTracker(), EventRoster()
    prices: dict[str, int] = {}
    worth: dict[str, int] = {}
    total = 0
    path = []
    for row in rows:
        if row.condition_id and row.kind is not Kind.CONVERSION:
            roster.add(row.event_id, row.condition_id)
        news = book.apply(row, roster, results)
        if news is not None:
            results.record(news)
        if row.kind in (Kind.BUY, Kind.SELL):
            price = row.cash_micro * MICRO // row.size_micro
            prices[row.condition_id] = price if row.outcome == 0 else MICRO - price
        if row.condition_id in book.markets:
            now = _worth(book, row.condition_id, prices, results)
            total += now - worth.get(row.condition_id, 0)
            worth[row.condition_id] = now
        path.append((row.at_ns, (book.cash_micro + total) / MICRO))
    return path


def _worth(
    book: WalletBook, condition_id: str, prices: dict[str, int], results: ResolutionTracker
) -> int:
    known = results.of(condition_id)
    price = prices.get(condition_id)
    first, second = book.markets[condition_id].positions
    if known is not None:
        pays = known.payouts
    elif price is not None:
        pays = (price, MICRO - price)
    else:
        return first.cost_micro + second.cost_micro
    return (first.held_micro * pays[0] + second.held_micro * pays[1]) // MICRO
