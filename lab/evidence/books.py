"""From rows of the folder to the books of every wallet.

Owns the translation of rows (dollars and shares into integers of 1e-6, the fee a row holds) and
which results and marks the valuation uses. The books themselves are the domain's. Called by
`run`.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from whaletrader.domain.ledger import (
    ActivityRow,
    EventRoster,
    Kind,
    Mark,
    Resolution,
    ResolutionConflict,
    ResolutionTracker,
    Statement,
    Terms,
    WalletBook,
    payouts_of_winner,
    statement,
)
from whaletrader.lab.evidence.layout import Inputs

MICRO: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
DAY_NS: Final = 86_400 * NS_PER_S
# Prices are averages rounded by the source, so a cent of difference is no fee.
FEE_TOLERANCE_MICRO: Final = 10_000


@dataclass(frozen=True)
class Books:
    """Every wallet's rows, book and statement, by address."""

    rows: dict[str, list[ActivityRow]]
    books: dict[str, WalletBook]
    statements: dict[str, Statement]
    results: ResolutionTracker
    marks: dict[str, Mark]
    terms: Terms
    conflicts: list[str] = field(default_factory=list)

    def price_of_first(self, condition_id: str) -> float:
        """Return what outcome 0 of the market is worth in dollars; 0 if nobody says."""
        known, mark = self.results.of(condition_id), self.marks.get(condition_id)
        if known is not None:
            return known.payouts[0] / MICRO
        return mark.price_micro / MICRO if mark is not None else 0.0


def build_books(inputs: Inputs, stale_after_days: int, tell: Callable[[int, int], None]) -> Books:
    """Fold every row into its wallet's book; `tell(done, all)` after each wallet."""
    rows = _rows(inputs.activity)
    roster = _roster(inputs)
    results = _results(inputs.resolutions)
    terms = Terms(int(inputs.activity["timestamp"].max()) * NS_PER_S, stale_after_days * DAY_NS)
    books, conflicts = {}, []
    for done, wallet in enumerate(sorted(rows)):
        book = WalletBook()
        for row in rows[wallet]:
            news = book.apply(row, roster, results)
            if news is not None:
                try:
                    results.record(news)
                except ResolutionConflict as conflict:
                    conflicts.append(str(conflict))
        book.check_cash()
        books[wallet] = book
        tell(done + 1, len(rows))
    marks = _marks(inputs.resolutions)
    statements = {wallet: statement(book, results, marks, terms) for wallet, book in books.items()}
    return Books(rows, books, statements, results, marks, terms, conflicts)


def _rows(activity: pd.DataFrame) -> dict[str, list[ActivityRow]]:
    """Rows by wallet, in time order; inside a second in the order of the file."""
    ordered = activity.iloc[np.argsort(activity["timestamp"].to_numpy(), kind="stable")]
    is_trade = (ordered["type"] == "TRADE").to_numpy()
    kinds = [Kind(name) for name in np.where(is_trade, ordered["side"], ordered["type"])]
    cash = _micro(ordered["usdcSize"])
    size = _micro(ordered["size"])
    notional = _micro(ordered["size"] * ordered["price"])
    gap = np.where((ordered["side"] == "BUY").to_numpy(), cash - notional, notional - cash)
    fee = np.where(is_trade & (gap > FEE_TOLERANCE_MICRO), gap, 0)
    found: dict[str, list[ActivityRow]] = defaultdict(list)
    for wallet, *values in zip(
        ordered["proxyWallet"].tolist(),
        kinds,
        (ordered["timestamp"].to_numpy() * NS_PER_S).tolist(),
        size.tolist(),
        cash.tolist(),
        ordered["conditionId"].tolist(),
        ordered["eventSlug"].tolist(),
        np.where(is_trade, ordered["outcomeIndex"], -1).astype(np.int64).tolist(),
        fee.tolist(),
        strict=True,
    ):
        found[wallet].append(ActivityRow(*values))
    return dict(found)


def _micro(values: "pd.Series[float]") -> NDArray[np.int64]:
    return np.asarray(np.rint(values.to_numpy(dtype=np.float64) * MICRO), dtype=np.int64)


def _roster(inputs: Inputs) -> EventRoster:
    """The markets of every event with a conversion, as far as the folder names them."""
    activity = inputs.activity
    converted = set(activity.loc[activity["type"] == "CONVERSION", "eventSlug"])
    named = activity[(activity["type"] != "CONVERSION") & (activity["conditionId"] != "")]
    columns = ["eventSlug", "conditionId"]
    pairs = pd.concat([named[columns], inputs.resolutions[columns]]).drop_duplicates()
    roster = EventRoster()
    for event, condition in pairs[pairs["eventSlug"].isin(converted)].itertuples(index=False):
        roster.add(event, condition)
    return roster


def _results(resolutions: pd.DataFrame) -> ResolutionTracker:
    results = ResolutionTracker()
    known = resolutions[resolutions["basis"] != "unknown"]
    for condition, winner, basis in zip(
        known["conditionId"], known["winning_outcome_index"], known["basis"], strict=True
    ):
        results.record(Resolution(condition, payouts_of_winner(int(winner)), 0, basis))
    return results


def _marks(resolutions: pd.DataFrame) -> dict[str, Mark]:
    traded = resolutions.dropna(subset=["last_price_outcome0", "last_trade_ts"])
    prices = _micro(traded["last_price_outcome0"]).tolist()
    times = (traded["last_trade_ts"].to_numpy(dtype=np.int64) * NS_PER_S).tolist()
    return {
        condition: Mark(price, at_ns)
        for condition, price, at_ns in zip(traded["conditionId"], prices, times, strict=True)
    }
