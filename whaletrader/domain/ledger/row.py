"""One row of a wallet's activity, as the ledger takes it.

Owns what a row may look like and the refusal of any other. Whoever reads a source (files, the
venue's Data API, the log) turns its rows into these. Cash is what moved in fact, fees included:
a source that lists price and size only must put their product there.
"""

import enum
from typing import Final

import msgspec


class LedgerError(ValueError):
    """A row that no wallet can have: refuse it at the border, the book is left as it was."""


class Kind(enum.StrEnum):
    """What a wallet can do; the names are the venue's."""

    BUY = "BUY"
    SELL = "SELL"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    CONVERSION = "CONVERSION"
    REDEEM = "REDEEM"
    REWARD = "REWARD"
    YIELD = "YIELD"
    MAKER_REBATE = "MAKER_REBATE"


TRADES: Final = frozenset((Kind.BUY, Kind.SELL))
# Paid for holding or quoting, not for being right: kept apart from what trading earned.
INCOME: Final = frozenset((Kind.REWARD, Kind.YIELD, Kind.MAKER_REBATE))
OUTCOMES: Final = 2
NO_OUTCOME: Final = -1


class ActivityRow(msgspec.Struct, frozen=True, gc=False):
    """One row. `cash_micro` is what was paid or received, never negative, fee included.

    `fee_micro` says how much of it was fee, for the record. `event_id` is what joins the markets
    of a neg-risk event; a CONVERSION names the event and no market. A REDEEM names no outcome.
    """

    kind: Kind
    at_ns: int
    size_micro: int
    cash_micro: int
    condition_id: str = ""
    event_id: str = ""
    outcome: int = NO_OUTCOME
    fee_micro: int = 0


def check(row: ActivityRow) -> None:
    """Raise LedgerError with the rule that the row breaks."""
    if row.size_micro < 0 or row.cash_micro < 0 or row.fee_micro < 0:
        raise LedgerError(f"{row.kind}: size, cash and fee are not negative: {row}")
    if row.kind in TRADES:
        if row.outcome not in range(OUTCOMES):
            raise LedgerError(f"{row.kind}: outcome {row.outcome} is neither 0 nor 1: {row}")
        if row.size_micro == 0:
            raise LedgerError(f"{row.kind}: a trade of no shares: {row}")
    if row.kind is Kind.CONVERSION:
        if not row.event_id:
            raise LedgerError(f"a conversion names its event: {row}")
    elif row.kind not in INCOME and not row.condition_id:
        raise LedgerError(f"{row.kind} names its market: {row}")
