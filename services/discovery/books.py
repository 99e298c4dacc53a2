"""From messages to rows of the ledger, and from a market's book to its result.

Owns what a copier would have paid: each trade at the wallet's price with the taker fee in force.
Knows no statistics. Called by state and by the agent.
"""

from typing import Final

import msgspec

from whaletrader.domain.ledger import ActivityRow, Kind, MarketBook, WalletBook
from whaletrader.domain.money import MICRO, notional, taker_fee
from whaletrader.schemas import common_pb2, wallet_pb2

_KINDS: Final = {
    wallet_pb2.WALLET_DEED_SPLIT: Kind.SPLIT,
    wallet_pb2.WALLET_DEED_MERGE: Kind.MERGE,
    wallet_pb2.WALLET_DEED_CONVERSION: Kind.CONVERSION,
    wallet_pb2.WALLET_DEED_REDEEM: Kind.REDEEM,
    wallet_pb2.WALLET_DEED_REWARD: Kind.REWARD,
    wallet_pb2.WALLET_DEED_YIELD: Kind.YIELD,
    wallet_pb2.WALLET_DEED_MAKER_REBATE: Kind.MAKER_REBATE,
}
DEEDS: Final = frozenset(_KINDS)


class Charges(msgspec.Struct, frozen=True):
    """What a market charges takers: shares * rate * (p * (1 - p)) ^ exponent."""

    fee_rate_micro: int
    fee_exponent: int = 1


class BookResult(msgspec.Struct, frozen=True):
    """What a wallet made of a market that pays, by its books."""

    profit_micro: int
    fees_micro: int
    volume_micro: int
    trades: int
    is_whole: bool


def trade_fee(price_micro: int, size_micro: int, charges: Charges) -> int:
    """Return what a copier pays the venue for the trade, in micro-dollars."""
    return taker_fee(price_micro, size_micro, charges.fee_rate_micro, charges.fee_exponent)


def trade_row(
    trade: wallet_pb2.WalletTraded, outcome: int, event: str, charges: Charges
) -> ActivityRow:
    """Return a trade as the ledger takes it, at a taker's cost, rounded as for whoever pays."""
    is_buy = trade.side == common_pb2.SIDE_BUY
    worth = notional(trade.price_micro, trade.size_micro, up=is_buy)
    fee = trade_fee(trade.price_micro, trade.size_micro, charges)
    # Dust can be charged more than it brings: whoever sells it gets nothing.
    return ActivityRow(
        kind=Kind.BUY if is_buy else Kind.SELL,
        at_ns=trade.meta.event_time_ns,
        size_micro=trade.size_micro,
        cash_micro=worth + fee if is_buy else max(0, worth - fee),
        condition_id=trade.condition_id,
        event_id=event,
        outcome=outcome,
        fee_micro=fee,
    )


def deed_row(acted: wallet_pb2.WalletActed, event: str) -> ActivityRow:
    """Return what was no trade as the ledger takes it."""
    return ActivityRow(
        kind=_KINDS[acted.deed],
        at_ns=acted.meta.event_time_ns,
        size_micro=acted.size_micro,
        cash_micro=acted.cash_micro,
        condition_id=acted.condition_id,
        event_id=event,
    )


def result_of(book: MarketBook | None, payouts: tuple[int, int]) -> BookResult:
    """Return the market's result at those payouts, what is still held included."""
    if book is None:
        return BookResult(0, 0, 0, 0, is_whole=True)
    return BookResult(
        profit_micro=book.realized_micro - book.cost_micro + worth_of(book, payouts),
        fees_micro=book.fees_micro,
        volume_micro=book.paid_micro,
        trades=book.trades,
        is_whole=book.is_whole,
    )


def worth_of(book: MarketBook, payouts: tuple[int, int]) -> int:
    """Return what is held at those prices; a short owes, rounded towards zero."""
    worth = 0
    for position, price in zip(book.positions, payouts, strict=True):
        part = abs(position.held_micro) * price // MICRO
        worth += part if position.held_micro >= 0 else -part
    return worth


def close(book: WalletBook, condition_id: str) -> None:
    """Take a settled market off the books, with the cash that it moved: the rest still adds up."""
    market = book.markets.pop(condition_id, None)
    if market is not None:
        book.cash_micro -= market.realized_micro - market.cost_micro
