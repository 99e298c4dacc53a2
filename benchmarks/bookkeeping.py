"""Rows of activity a second through the ledger, and whether a book's size slows it.

The rows are drawn from a seed: purchases and sales of many wallets in many markets, with splits,
merges, redemptions and conversions among them in the proportions of recorded activity.
"""

import time
from typing import Final

import msgspec
import numpy as np

from benchmarks.figures import Better, Figure, Section, rate_per_s
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.domain.ledger import (
    ActivityRow,
    EventRoster,
    Kind,
    ResolutionTracker,
    WalletBook,
)
from whaletrader.domain.money import MICRO

_SEED: Final = 11
_WALLETS: Final = 200
_MARKETS: Final = 2_000
_MARKETS_AN_EVENT: Final = 4
# Shares of recorded activity; conversions are rarer than one in a hundred.
_KINDS: Final = (Kind.BUY, Kind.SELL, Kind.REDEEM, Kind.MERGE, Kind.SPLIT, Kind.CONVERSION)
_SHARES: Final = (0.72, 0.22, 0.03, 0.015, 0.01, 0.005)
_NO_OUTCOME: Final = frozenset((Kind.REDEEM, Kind.MERGE, Kind.SPLIT, Kind.CONVERSION))
# The update of a book must not be what holds up a feed of 20,000 messages a second.
_ROWS_AIM: Final = 20_000

Rows = list[tuple[str, ActivityRow]]


class NotEqual(RuntimeError):
    """A book that was kept up to date and one that was rebuilt differ: speed means nothing."""


def run(_: Servers, sizes: Sizes) -> list[Section]:
    """Measure in this process; no server is involved."""
    rows = _drawn(sizes.ledger_rows)
    books, ours_ns = _booked(rows)
    floor_ns = _floor_ns(rows)
    _check_rebuild(rows, books)
    early_ns, late_ns = _first_and_last(rows)
    return [
        Section(
            "Ledger",
            "How many rows of wallets' activity a second the books can take.",
            f"{len(rows):,} rows of {_WALLETS} wallets in {_MARKETS:,} markets, row by row into "
            "`domain.ledger`: cost by FIFO and by average, splits, merges, redemptions, neg-risk "
            "conversions. The floor keeps shares and cash in a dict and knows no cost. Some books "
            "are encoded half way, decoded and carried on: their bytes are those of a rebuild.",
            [
                Figure(
                    "rows booked",
                    rate_per_s(len(rows), ours_ns),
                    "/s",
                    rate_per_s(len(rows), floor_ns),
                    better=Better.HIGHER,
                    value_aim=_ROWS_AIM,
                )
            ],
            [
                f"in one book of all rows, a row of the last tenth costs {late_ns / early_ns:.2f} "
                "times one of the first"
            ],
        )
    ]


def _drawn(count: int) -> Rows:
    random = np.random.default_rng(_SEED)
    kinds = [_KINDS[place] for place in random.choice(len(_KINDS), count, p=_SHARES)]
    wallets = random.integers(0, _WALLETS, count).tolist()
    markets = random.integers(0, _MARKETS, count).tolist()
    outcomes = random.integers(0, 2, count).tolist()
    sizes = (random.lognormal(4, 1, count) * MICRO).astype(np.int64).tolist()
    prices = random.uniform(0.03, 0.97, count).tolist()
    return [
        (
            f"wallet-{wallet}",
            ActivityRow(
                kind,
                at_ns,
                size,
                int(size * price) if kind in {Kind.BUY, Kind.SELL} else size,
                "" if kind is Kind.CONVERSION else f"market-{market}",
                f"event-{market // _MARKETS_AN_EVENT}",
                -1 if kind in _NO_OUTCOME else outcome,
            ),
        )
        for at_ns, (kind, wallet, market, outcome, size, price) in enumerate(
            zip(kinds, wallets, markets, outcomes, sizes, prices, strict=True), 1
        )
    ]


def _roster() -> EventRoster:
    return EventRoster(
        {
            f"event-{event}": [
                f"market-{event * _MARKETS_AN_EVENT + place}" for place in range(_MARKETS_AN_EVENT)
            ]
            for event in range(_MARKETS // _MARKETS_AN_EVENT)
        }
    )


def _booked(rows: Rows) -> tuple[dict[str, WalletBook], int]:
    roster, results = _roster(), ResolutionTracker()
    books: dict[str, WalletBook] = {}
    began_ns = time.perf_counter_ns()
    for wallet, row in rows:
        book = books.get(wallet)
        if book is None:
            book = books[wallet] = WalletBook()
        # What redemptions of made-up rows say of results is contradictory: it is not recorded.
        book.apply(row, roster, results)
    taken_ns = time.perf_counter_ns() - began_ns
    for book in books.values():
        book.check_cash()
    return books, taken_ns


def _floor_ns(rows: Rows) -> int:
    held: dict[tuple[str, str, int], int] = {}
    cash: dict[str, int] = {}
    began_ns = time.perf_counter_ns()
    for wallet, row in rows:
        sign = 1 if row.kind is Kind.BUY else -1
        key = (wallet, row.condition_id, row.outcome)
        held[key] = held.get(key, 0) + sign * row.size_micro
        cash[wallet] = cash.get(wallet, 0) - sign * row.cash_micro
    return time.perf_counter_ns() - began_ns


def _check_rebuild(rows: Rows, books: dict[str, WalletBook]) -> None:
    roster, results = _roster(), ResolutionTracker()
    for wallet in list(books)[:5]:
        own = [row for name, row in rows if name == wallet]
        book = WalletBook()
        for place, row in enumerate(own):
            if place == len(own) // 2:
                book = msgspec.msgpack.decode(msgspec.msgpack.encode(book), type=WalletBook)
            book.apply(row, roster, results)
        if msgspec.msgpack.encode(book) != msgspec.msgpack.encode(books[wallet]):
            raise NotEqual(f"{wallet}: the book from a snapshot differs from the one rebuilt")


def _first_and_last(rows: Rows) -> tuple[float, float]:
    """Nanoseconds a row in the first and the last tenth of one wallet that did everything."""
    roster, results, book = _roster(), ResolutionTracker(), WalletBook()
    tenth = len(rows) // 10
    costs = []
    for first in range(0, tenth * 10, tenth):
        part = rows[first : first + tenth]
        began_ns = time.perf_counter_ns()
        for _, row in part:
            book.apply(row, roster, results)
        costs.append((time.perf_counter_ns() - began_ns) / len(part))
    return costs[0], costs[-1]
