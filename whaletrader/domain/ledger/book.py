"""One wallet's book: apply a row, and the positions, the cash and the income follow.

Owns what each kind of row does. Cash that trading moved always equals what was realised less
what open positions cost, by either method of cost; a row that would break that raises. Nothing is
dropped: what the records cannot explain (a redemption that fits no holding, a sale of shares
never bought) is booked and counted, so that a reader can tell a whole history from a cut one.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from whaletrader.domain.ledger.conversion import EventBook, credit_newcomer, find_sources, spread
from whaletrader.domain.ledger.position import Position
from whaletrader.domain.ledger.resolution import (
    HALF_EACH,
    Payouts,
    Resolution,
    ResolutionTracker,
    payouts_of_winner,
)
from whaletrader.domain.ledger.row import INCOME, OUTCOMES, ActivityRow, Kind, LedgerError, check

# Sources round shares and dollars to 4 or 6 decimals: holdings this near are the same holding.
DUST_MICRO: Final = 10_000


class MarketBook(msgspec.Struct):
    """A wallet's business in one market."""

    condition_id: str
    event_id: str = ""
    positions: tuple[Position, Position] = msgspec.field(
        default_factory=lambda: (Position(), Position())
    )
    # Of trades alone: shares bought and what they cost, shares sold and what they brought.
    bought_micro: int = 0
    paid_micro: int = 0
    sold_micro: int = 0
    received_micro: int = 0
    fees_micro: int = 0
    trades: int = 0
    first_ns: int = 0
    last_ns: int = 0

    @property
    def realized_micro(self) -> int:
        """Realised profit by average cost."""
        return sum(position.realized_micro for position in self.positions)

    @property
    def realized_fifo_micro(self) -> int:
        return sum(position.realized_fifo_micro for position in self.positions)

    @property
    def cost_micro(self) -> int:
        """What is still open cost, by average."""
        return sum(position.cost_micro for position in self.positions)

    @property
    def is_whole(self) -> bool:
        """Whether nothing left here that was never seen to arrive."""
        return all(position.held_micro >= -DUST_MICRO for position in self.positions)


class EventRoster:
    """Which markets a neg-risk event has: conversions hand out shares of all of them."""

    def __init__(self, events: Mapping[str, Iterable[str]] | None = None) -> None:
        self._events = {event: dict.fromkeys(held) for event, held in (events or {}).items()}

    def add(self, event_id: str, condition_id: str) -> None:
        self._events.setdefault(event_id, {})[condition_id] = None

    def markets(self, event_id: str) -> list[str]:
        """Return the event's known markets, in the order in which they became known."""
        return list(self._events.get(event_id, ()))


class WalletBook(msgspec.Struct):
    """Everything one wallet has done, folded."""

    markets: dict[str, MarketBook] = msgspec.field(default_factory=dict)
    events: dict[str, EventBook] = msgspec.field(default_factory=dict)
    # Trading's: every trade, split, merge, conversion and redemption; never income.
    cash_micro: int = 0
    income_micro: dict[Kind, int] = msgspec.field(default_factory=dict)
    rows: int = 0
    # Conversions where more than one holding could have been what was converted.
    ambiguous_conversions: int = 0
    unexplained_conversions: int = 0
    unmatched_redemptions: int = 0

    @property
    def realized_micro(self) -> int:
        """Realised trading profit by average cost, fees paid, income apart."""
        return sum(market.realized_micro for market in self.markets.values())

    @property
    def cost_micro(self) -> int:
        """What open positions cost by average, conversions not yet placed included."""
        placed = sum(market.cost_micro for market in self.markets.values())
        return placed + sum(event.unplaced_cost_micro for event in self.events.values())

    def apply(
        self, row: ActivityRow, roster: EventRoster, results: ResolutionTracker
    ) -> Resolution | None:
        """Fold one row in; returns what a redemption says of its market if that is news.

        Rows come in the order of their times. Raises LedgerError and leaves the book unchanged
        if no wallet can have such a row.
        """
        check(row)
        self.rows += 1
        if row.kind in INCOME:
            self.income_micro[row.kind] = self.income_micro.get(row.kind, 0) + row.cash_micro
            return None
        if row.kind is Kind.CONVERSION:
            self._convert(row, roster)
            return None
        market = self._market(row)
        if row.kind is Kind.REDEEM:
            return self._redeem(market, row, results)
        self.cash_micro += _ACTIONS[row.kind](market, row)
        return None

    def check_cash(self) -> None:
        """Raise LedgerError unless cash equals realised profit less open cost, both methods."""
        fifo_cost = sum(
            position.fifo_cost_micro
            for market in self.markets.values()
            for position in market.positions
        ) + sum(event.unplaced_cost_micro for event in self.events.values())
        fifo = sum(market.realized_fifo_micro for market in self.markets.values()) - fifo_cost
        average = self.realized_micro - self.cost_micro
        if not self.cash_micro == average == fifo:
            raise LedgerError(
                f"cash {self.cash_micro}, by average cost {average}, by FIFO {fifo}: not the same"
            )

    def _market(self, row: ActivityRow) -> MarketBook:
        market = self.markets.get(row.condition_id)
        if market is None:
            market = MarketBook(row.condition_id, row.event_id, first_ns=row.at_ns)
            self.markets[row.condition_id] = market
        market.last_ns = max(market.last_ns, row.at_ns)
        event = self.events.get(row.event_id)
        if event is not None:
            credit_newcomer(event, market.condition_id, market.positions)
        return market

    def _convert(self, row: ActivityRow, roster: EventRoster) -> None:
        members = roster.markets(row.event_id)
        held = {
            condition: self.markets[condition].positions[1].held_micro
            for condition in members
            if condition in self.markets
        }
        found = find_sources(held, row.size_micro, DUST_MICRO)
        if not found.sources:
            self.unexplained_conversions += 1
            return
        self.ambiguous_conversions += found.is_ambiguous
        event = self.events.setdefault(row.event_id, EventBook())
        for condition in members:
            if condition not in self.markets:
                self.markets[condition] = MarketBook(condition, row.event_id, first_ns=row.at_ns)
        positions = {condition: self.markets[condition].positions for condition in members}
        self.cash_micro += spread(event, positions, found.sources, row.size_micro)

    def _redeem(
        self, market: MarketBook, row: ActivityRow, results: ResolutionTracker
    ) -> Resolution | None:
        known = results.of(row.condition_id)
        payouts = known.payouts if known else _payouts_paid(market, row.cash_micro)
        self.cash_micro += row.cash_micro
        if payouts is None:
            self.unmatched_redemptions += 1
            if row.cash_micro:
                larger = max(market.positions, key=lambda position: position.held_micro)
                larger.give(row.cash_micro, row.cash_micro)
            return None
        _pay_out(market, row.cash_micro, payouts)
        if known:
            return None
        return Resolution(row.condition_id, payouts, row.at_ns, "inferred_redeem")


def replay(
    rows: Iterable[ActivityRow], roster: EventRoster, results: ResolutionTracker
) -> WalletBook:
    """Return the book of these rows from zero; inferred results are recorded as they appear."""
    book = WalletBook()
    for row in rows:
        news = book.apply(row, roster, results)
        if news is not None:
            results.record(news)
    book.check_cash()
    return book


def _buy(market: MarketBook, row: ActivityRow) -> int:
    market.positions[row.outcome].receive(row.size_micro, row.cash_micro)
    market.bought_micro += row.size_micro
    market.paid_micro += row.cash_micro
    market.fees_micro += row.fee_micro
    market.trades += 1
    return -row.cash_micro


def _sell(market: MarketBook, row: ActivityRow) -> int:
    market.positions[row.outcome].give(row.size_micro, row.cash_micro)
    market.sold_micro += row.size_micro
    market.received_micro += row.cash_micro
    market.fees_micro += row.fee_micro
    market.trades += 1
    return row.cash_micro


def _split(market: MarketBook, row: ActivityRow) -> int:
    # Half the dollar to each outcome, as the venue's own books do.
    first = row.cash_micro // OUTCOMES
    market.positions[0].receive(row.size_micro, first)
    market.positions[1].receive(row.size_micro, row.cash_micro - first)
    return -row.cash_micro


def _merge(market: MarketBook, row: ActivityRow) -> int:
    first = row.cash_micro // OUTCOMES
    market.positions[0].give(row.size_micro, first)
    market.positions[1].give(row.size_micro, row.cash_micro - first)
    return row.cash_micro


_ACTIONS: Final = {Kind.BUY: _buy, Kind.SELL: _sell, Kind.SPLIT: _split, Kind.MERGE: _merge}


def _payouts_paid(market: MarketBook, cash: int) -> Payouts | None:
    """Infer the result from what a redemption of these holdings paid; None if it fits none."""
    held = [position.held_micro for position in market.positions]
    if cash == 0:
        is_held = [size > DUST_MICRO for size in held]
        if sum(is_held) != 1:
            return None
        return payouts_of_winner(is_held.index(False))
    fits = [abs(size - cash) <= DUST_MICRO for size in held]
    if sum(fits) == 1:
        return payouts_of_winner(fits.index(True))
    # Equal holdings of both pay the same whoever wins, also when settled half and half.
    if not any(fits) and min(held) >= 0 and abs(sum(held) - 2 * cash) <= DUST_MICRO:
        return HALF_EACH
    return None


def _pay_out(market: MarketBook, cash: int, payouts: Payouts) -> None:
    """Take the redeemed shares out: losers for nothing, the rest for the cash."""
    winner = next((i for i, payout in enumerate(payouts) if payout == sum(payouts)), None)
    if winner is None:
        worth = [
            max(0, p.held_micro) * pay for p, pay in zip(market.positions, payouts, strict=True)
        ]
        first = cash * worth[0] // sum(worth) if sum(worth) else cash // OUTCOMES
        for position, part in zip(market.positions, (first, cash - first), strict=True):
            position.give(max(0, position.held_micro), part)
        return
    if cash:
        market.positions[winner].give(cash, cash)
    loser = market.positions[1 - winner]
    if loser.held_micro > 0:
        loser.give(loser.held_micro, 0)
