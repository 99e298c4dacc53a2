"""The ledger against what the venue published, wallet by wallet, and why where they differ.

Owns the comparison and the search for what explains a difference: each candidate is computed
from the rows, and named only if it closes the gap. Compares like with like: a figure from a topic's
leaderboard with the profit in that topic's markets. Called by `run`.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from whaletrader.domain.ledger import ActivityRow, MarketStatement, Statement
from whaletrader.lab.evidence.books import MICRO, NS_PER_S, Books
from whaletrader.lab.evidence.evidence import Comparison
from whaletrader.lab.evidence.path import equity_path
from whaletrader.lab.evidence.scope import board_of, counts_for

# Within one in a hundred of the published figure, or so many dollars if that is more.
SHARE: Final = 0.01
DOLLARS: Final = 500.0
ROUND_TO: Final = 1_000.0
# Other prices explain a gap of at most this share of what open positions stand at.
MARKS_SHARE: Final = 0.25


@dataclass(frozen=True)
class Named:
    """What a market is called and what it is about."""

    slug: str
    category: str


@dataclass(frozen=True)
class Published:
    """What the folder says was published of a wallet."""

    wallet: str
    profit: float
    source: str
    is_capped: bool


def compare(published: Published, books: Books, names: dict[str, Named]) -> Comparison:
    """Hold the wallet's ledger against the published figure."""
    held = books.statements[published.wallet]
    board = board_of(published.source)
    inside = [m for m in held.markets if _counts(board, m, names)]
    computed = _dollars(sum(market.profit_micro for market in inside))
    gap = published.profit - computed
    tolerance = max(SHARE * abs(published.profit), DOLLARS)
    matches = abs(gap) <= tolerance
    if matches:
        reasons = [_agreement(published, held, inside, board)]
    else:
        case = _Case(published, held, board, computed, tolerance)
        reasons = _reasons(case, books, names)
    return Comparison(
        source=published.source,
        board=board or "everything",
        published=published.profit,
        computed=computed,
        difference=computed - published.profit,
        tolerance=tolerance,
        is_compared=not published.is_capped,
        matches=matches and not published.is_capped,
        explanation=" ".join(reasons),
    )


@dataclass(frozen=True)
class _Case:
    """One difference to be explained, in dollars."""

    published: Published
    held: Statement
    board: str
    computed: float
    tolerance: float

    @property
    def gap(self) -> float:
        return self.published.profit - self.computed

    def closes(self, change: float) -> bool:
        """Whether the change brings the computed figure within the tolerance."""
        return abs(self.gap - change) <= self.tolerance


def _agreement(
    published: Published, held: Statement, inside: list[MarketStatement], board: str
) -> str:
    total = _dollars(held.trading_profit_micro)
    scope = _dollars(sum(market.profit_micro for market in inside))
    if board and abs(total - published.profit) > max(SHARE * abs(published.profit), DOLLARS):
        return (
            f"The figure holds {board} markets only: all markets together come to "
            f"{total:,.0f}, those of {board} to {scope:,.0f}."
        )
    return "Agrees: realised plus unrealised at mark, rewards left out."


def _reasons(case: _Case, books: Books, names: dict[str, Named]) -> list[str]:
    if case.published.is_capped:
        return ["Not compared: the record of this wallet is cut off and lacks its older trades."]
    found = [
        *_one_market(case, names),
        *_open_at_other_marks(case, names),
        *_income(case),
    ]
    found += _dated(case, books.rows[case.published.wallet])
    found += _unlisted(case, books)
    return found or ["Not explained by anything in these rows."]


def _one_market(case: _Case, names: dict[str, Named]) -> list[str]:
    """One market on the other side of the topic's border, the one that fits best."""
    if not case.board:
        return []
    tried = []
    for market in case.held.markets:
        is_inside = _counts(case.board, market, names)
        change = _dollars(market.profit_micro) * (-1 if is_inside else 1)
        tried.append((abs(case.gap - change), change, is_inside, names[market.condition_id]))
    if not tried:
        return []
    residual, change, is_inside, name = min(tried, key=lambda entry: (entry[0], entry[3].slug))
    if residual > case.tolerance:
        return []
    verb = "without" if is_inside else "with"
    return [
        f"The venue's {case.board} board seems to draw its border elsewhere than our reading of "
        f"slugs: {verb} {name.slug} (read as {name.category}, {abs(change):,.0f}) the books come "
        f"to {case.computed + change:,.0f}, {abs(residual):,.0f} from the published figure."
    ]


def _open_at_other_marks(case: _Case, names: dict[str, Named]) -> list[str]:
    """Whether the gap lies within what open positions could be worth."""
    positions = [
        position
        for position in case.held.open
        if position.basis != "payout"
        and counts_for(case.board, *_about(names, position.condition_id))
    ]
    worth = _dollars(sum(position.value_micro for position in positions))
    least = -worth
    most = _dollars(sum(max(0, position.held_micro) for position in positions)) - worth
    is_near = abs(case.gap) <= MARKS_SHARE * worth
    if not is_near or not least - case.tolerance <= case.gap <= most + case.tolerance:
        return []
    return [
        f"It depends on the price of {len(positions)} open positions: they stand in our books at "
        f"{worth:,.0f}, and could be worth from 0 to {most + worth:,.0f}; the published figure "
        f"takes them at {worth + case.gap:,.0f}."
    ]


def _income(case: _Case) -> list[str]:
    income = _dollars(case.held.income_micro)
    if not income or not case.closes(income):
        return []
    return [f"Rewards and yield of {income:,.0f}, which we keep apart, close the gap."]


def _dated(case: _Case, rows: list[ActivityRow]) -> list[str]:
    """A figure that is no leaderboard's: round, of an unknown day; did the books pass it?"""
    if case.board or "leaderboard" in case.published.source:
        return []
    path = equity_path(rows)
    days = (rows[-1].at_ns - rows[0].at_ns) / (86_400 * NS_PER_S)
    first, last = _date(rows[0].at_ns), _date(rows[-1].at_ns)
    is_round = case.published.profit % ROUND_TO == 0
    start = (
        f"The figure comes from a list of seeds ({case.published.source}), "
        f"{'rounded to thousands, ' if is_round else ''}of no stated day."
    )
    goal = case.published.profit
    passed = [
        at
        for (at, value), (_, before) in zip(path[1:], path, strict=False)
        if min(before, value) <= goal <= max(before, value)
    ]
    if passed:
        return [
            f"{start} The books pass it on {_date(passed[-1])} and stand at "
            f"{case.computed:,.0f} at the end of the record: the figure is the older of the two."
        ]
    top = max(value for _, value in path)
    return [
        f"{start} The rows cover {days:.1f} days ({first} to {last}), in which the books never "
        f"stand above {top:,.0f}: whatever it counts is not in these rows."
    ]


def _unlisted(case: _Case, books: Books) -> list[str]:
    """Conversions also paid in outcomes that the folder never names: worth what is left of one."""
    book = books.books[case.published.wallet]
    amount, worth = 0, 0.0
    for event in book.events.values():
        shares = sum(conversion.amount_micro for conversion in event.conversions)
        named = sum(books.price_of_first(condition) for condition in event.members)
        amount += shares
        worth += _dollars(shares) * max(0.0, 1.0 - named)
    if not amount:
        return []
    return [
        f"Conversions of {_dollars(amount):,.0f} shares also gave shares of outcomes that the "
        f"folder never names; not valued, and by the prices of the named ones worth up to "
        f"{worth:,.0f}."
    ]


def _counts(board: str, market: MarketStatement, names: dict[str, Named]) -> bool:
    return counts_for(board, *_about(names, market.condition_id))


def _about(names: dict[str, Named], condition_id: str) -> tuple[str, str]:
    name = names[condition_id]
    return name.category, name.slug


def _date(at_ns: int) -> str:
    return dt.datetime.fromtimestamp(at_ns // NS_PER_S, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _dollars(micro: int) -> float:
    return micro / MICRO
