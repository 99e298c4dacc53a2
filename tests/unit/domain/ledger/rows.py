"""Rows for the tests of the ledger, in whole shares and cents, and a made-up event."""

from whaletrader.domain.ledger import ActivityRow, EventRoster, Kind, ResolutionTracker, WalletBook

SHARE = 1_000_000
CENT = 10_000
EVENT = "who-wins"
MARKETS = ("ann", "ben", "cid")


def row(kind: Kind, size: int, cents: int, market: str = "rain", **more: int | str) -> ActivityRow:
    """One row of `size` shares for `cents` in all; an event's markets name their event."""
    fields = {
        "at_ns": 1,
        "condition_id": market,
        "event_id": EVENT if market in MARKETS else "",
        **more,
    }
    return ActivityRow(kind, size_micro=size * SHARE, cash_micro=cents * CENT, **fields)  # type: ignore[arg-type]


def buy(size: int, cents: int, market: str = "rain", outcome: int = 0) -> ActivityRow:
    return row(Kind.BUY, size, cents, market, outcome=outcome)


def sell(size: int, cents: int, market: str = "rain", outcome: int = 0) -> ActivityRow:
    return row(Kind.SELL, size, cents, market, outcome=outcome)


def redeem(cents: int, market: str = "rain") -> ActivityRow:
    # The venue lists the payout as the size, too.
    return row(Kind.REDEEM, cents // 100, cents, market)


def convert(size: int) -> ActivityRow:
    # The venue lists the shares as cash; none of it moved.
    return row(Kind.CONVERSION, size, 100 * size, "neg-risk-id", event_id=EVENT)


def book_of(*rows: ActivityRow, results: ResolutionTracker | None = None) -> WalletBook:
    """Fold the rows, every market of the event known, and check the cash after each."""
    book, roster = WalletBook(), EventRoster({EVENT: MARKETS})
    tracker = ResolutionTracker() if results is None else results
    for each in rows:
        news = book.apply(each, roster, tracker)
        if news is not None:
            tracker.record(news)
        book.check_cash()
    return book
