"""The books of one wallet: what its recorded activity cost, earned and left open.

`WalletBook.apply` takes one row of activity and changes one wallet; `statement` values the book
at payouts and marks; `ResolutionTracker` knows which market paid what, since when and on whose
word. All pure, all in integers of 1e-6, so that the same rows give the same bytes. Must not know
of messages, files or statistics. Called by discovery and by the evidence study.
"""

from whaletrader.domain.ledger.book import EventRoster, MarketBook, WalletBook, replay
from whaletrader.domain.ledger.position import Lot, Position
from whaletrader.domain.ledger.resolution import (
    HALF_EACH,
    Resolution,
    ResolutionConflict,
    ResolutionTracker,
    payouts_of_winner,
)
from whaletrader.domain.ledger.row import ActivityRow, Kind, LedgerError
from whaletrader.domain.ledger.valuation import (
    Mark,
    MarketStatement,
    OpenPosition,
    Statement,
    Terms,
    statement,
)

__all__ = [
    "HALF_EACH",
    "ActivityRow",
    "EventRoster",
    "Kind",
    "LedgerError",
    "Lot",
    "Mark",
    "MarketBook",
    "MarketStatement",
    "OpenPosition",
    "Position",
    "Resolution",
    "ResolutionConflict",
    "ResolutionTracker",
    "Statement",
    "Terms",
    "WalletBook",
    "payouts_of_winner",
    "replay",
    "statement",
]
