"""What a book is worth: payouts where a market is settled, marks where it is open.

Owns the split of profit into realised, unredeemed winners, open at mark, and income. A mark is
the last price that anybody is known to have traded at, of outcome 0; the other outcome is worth
one dollar less that. A mark older than `stale_after_ns` is rounded to the outcome it favours: a
market nobody trades any more has usually been decided, and its last price then says how. Called
by discovery and the evidence study.
"""

from collections.abc import Mapping

import msgspec

from whaletrader.domain.ledger.book import MarketBook, WalletBook
from whaletrader.domain.ledger.resolution import ResolutionTracker
from whaletrader.domain.money import MICRO


class Mark(msgspec.Struct, frozen=True):
    """The last known price of outcome 0, in micro-dollars, and when it was paid."""

    price_micro: int
    at_ns: int


class Terms(msgspec.Struct, frozen=True):
    """The moment of the valuation, and the age at which a mark is stale (None: never)."""

    at_ns: int
    stale_after_ns: int | None = None


class OpenPosition(msgspec.Struct, frozen=True):
    """Shares held, what they cost and what they are worth. Basis: payout, mark, stale, none."""

    condition_id: str
    outcome: int
    held_micro: int
    cost_micro: int
    value_micro: int
    basis: str


class MarketStatement(msgspec.Struct, frozen=True):
    """One market's profit: realised, and what is left at its value less its cost."""

    condition_id: str
    realized_micro: int
    unrealized_micro: int
    is_settled: bool
    is_whole: bool

    @property
    def profit_micro(self) -> int:
        return self.realized_micro + self.unrealized_micro


class Statement(msgspec.Struct, frozen=True):
    """The whole book at a moment. All in micro-dollars."""

    realized_micro: int
    # Shares of settled markets not redeemed, at their payout, less their cost.
    unredeemed_micro: int
    # Shares of open markets at mark, less their cost.
    unrealized_micro: int
    income_micro: int
    markets: tuple[MarketStatement, ...]
    open: tuple[OpenPosition, ...]

    @property
    def trading_profit_micro(self) -> int:
        """Realised and unrealised, income apart."""
        return self.realized_micro + self.unredeemed_micro + self.unrealized_micro


def statement(
    book: WalletBook,
    results: ResolutionTracker,
    marks: Mapping[str, Mark],
    terms: Terms,
) -> Statement:
    """Value the book. Shares without payout or mark are worth what they cost: basis `none`."""
    markets, held = [], []
    for market in book.markets.values():
        positions = _open(market, results, marks, terms)
        held += positions
        gain = sum(position.value_micro - position.cost_micro for position in positions)
        is_settled = results.of(market.condition_id) is not None
        markets.append(
            MarketStatement(
                market.condition_id, market.realized_micro, gain, is_settled, market.is_whole
            )
        )
    unplaced = sum(event.unplaced_cost_micro for event in book.events.values())
    return Statement(
        realized_micro=book.realized_micro,
        unredeemed_micro=sum(m.unrealized_micro for m in markets if m.is_settled),
        # Shares in markets never named are worth nothing we know of; their cost is lost.
        unrealized_micro=sum(m.unrealized_micro for m in markets if not m.is_settled) - unplaced,
        income_micro=sum(book.income_micro.values()),
        markets=tuple(markets),
        open=tuple(held),
    )


def _open(
    market: MarketBook, results: ResolutionTracker, marks: Mapping[str, Mark], terms: Terms
) -> list[OpenPosition]:
    found = []
    for outcome, position in enumerate(market.positions):
        held, cost = position.held_micro, position.cost_micro
        if held == 0:
            continue
        price, basis = _price(market.condition_id, outcome, (results, marks), terms)
        value = cost if price is None else _worth(price, held)
        found.append(OpenPosition(market.condition_id, outcome, held, cost, value, basis))
    return found


def _price(
    condition_id: str,
    outcome: int,
    known: tuple[ResolutionTracker, Mapping[str, Mark]],
    terms: Terms,
) -> tuple[int | None, str]:
    results, marks = known
    resolution = results.of(condition_id)
    if resolution is not None:
        return resolution.payouts[outcome], "payout"
    mark = marks.get(condition_id)
    if mark is None:
        return None, "none"
    price = mark.price_micro if outcome == 0 else MICRO - mark.price_micro
    if terms.stale_after_ns is not None and terms.at_ns - mark.at_ns > terms.stale_after_ns:
        return (MICRO if 2 * price > MICRO else 0), "stale"
    return price, "mark"


def _worth(price: int, held: int) -> int:
    # Towards zero: dust is worth nothing, a short owes no more than its price.
    worth = price * abs(held) // MICRO
    return worth if held >= 0 else -worth
