"""What risk has seen of the world: terms of markets, last prices, what was traded and offered.

Never needed to rebuild its book; without them it refuses. Everything is bounded in size.
"""

from typing import Final, TypeVar

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, market_pb2

# Closing prices kept of each market: two days of hours.
BARS_MAX: Final = 48
HOUR_NS: Final = 3_600 * 1_000_000_000
# What is offered is remembered to this depth.
LEVELS_MAX: Final = 5
# Markets whose bars, volume and book are kept: those traded last. A snapshot stays below the
# log's largest record whatever is listed.
FOLLOWED_MAX: Final = 1_500

# Above every schedule in force; a fee is a power of it, so it must be bounded.
FEE_EXPONENT_MAX: Final = 8

V = TypeVar("V")


class Market(msgspec.Struct, frozen=True):
    """The terms of a market that the rules need."""

    tokens: tuple[str, ...]
    tick_micro: int
    min_size_micro: int
    fee_rate_micro: int
    fee_exponent: int
    opens_ns: int
    # 0: nobody said.
    ends_ns: int
    category: str = ""
    # The event that it belongs to; a market without one is a topic of its own.
    topic: str = ""


class LastPrice(msgspec.Struct, frozen=True):
    price_micro: int
    at_ns: int


class Traded(msgspec.Struct):
    """Shares printed in this hour and, by hour, before."""

    hours: list[tuple[int, int]] = msgspec.field(default_factory=list)


class Bars(msgspec.Struct):
    """Closing prices of a market's first outcome, by number of the bar; gaps are left out."""

    numbers: list[int] = msgspec.field(default_factory=list)
    closes: list[int] = msgspec.field(default_factory=list)


class Offered(msgspec.Struct, frozen=True):
    """What is for sale, best first: price and shares."""

    asks: tuple[tuple[int, int], ...]
    bids: tuple[tuple[int, int], ...]
    at_ns: int


class RiskViews(msgspec.Struct):
    """By condition id, and by token id."""

    markets: dict[str, Market] = msgspec.field(default_factory=dict)
    prices: dict[str, LastPrice] = msgspec.field(default_factory=dict)
    bars: dict[str, Bars] = msgspec.field(default_factory=dict)
    traded: dict[str, Traded] = msgspec.field(default_factory=dict)
    books: dict[str, Offered] = msgspec.field(default_factory=dict)
    # The winning token of each decided market.
    winners: dict[str, str] = msgspec.field(default_factory=dict)


def see_market(views: RiskViews, listed: market_pb2.MarketListed) -> None:
    """Note a market's terms. One whose terms are none stays unknown, so it is not traded."""
    terms = (
        0 < listed.tick_size_micro < MICRO,
        0 <= listed.fee_rate_micro < MICRO,
        0 <= listed.fee_exponent <= FEE_EXPONENT_MAX,
        listed.min_size_micro >= 0,
        0 < len(listed.tokens) == len({token.token_id for token in listed.tokens}),
    )
    if not all(terms):
        return
    views.markets[listed.condition_id] = Market(
        tokens=tuple(token.token_id for token in listed.tokens),
        tick_micro=listed.tick_size_micro,
        min_size_micro=listed.min_size_micro,
        fee_rate_micro=listed.fee_rate_micro,
        fee_exponent=listed.fee_exponent,
        opens_ns=listed.opens_ns,
        ends_ns=listed.ends_ns,
        category=listed.category,
        topic=listed.event_slug or listed.condition_id,
    )


def see_print(views: RiskViews, printed: market_pb2.TradePrinted, bar_ns: int) -> str:
    """Note the last price, by event time, the bar that it closes so far, and what was traded.

    Returns the market whose bars were dropped for it, if any were.
    """
    at_ns, token = printed.meta.event_time_ns, printed.token_id
    if printed.condition_id in views.winners or not 0 < printed.price_micro < MICRO:
        return ""
    _note_traded(views, token, at_ns, printed.size_micro)
    last = views.prices.get(token)
    if last is not None and last.at_ns > at_ns:
        return ""
    views.prices[token] = LastPrice(printed.price_micro, at_ns)
    market = views.markets.get(printed.condition_id)
    if market is not None and token in market.tokens:
        is_first = token == market.tokens[0]
        close = printed.price_micro if is_first else MICRO - printed.price_micro
        bars = views.bars.pop(printed.condition_id, None) or Bars()
        _note_close(bars, at_ns // bar_ns, close)
        return _keep(views.bars, printed.condition_id, bars, FOLLOWED_MAX)
    return ""


def see_book(views: RiskViews, book: market_pb2.BookSnapshotted) -> None:
    """Note what is offered and asked for, as deep as it is looked at."""
    known = views.books.get(book.token_id)
    at_ns = book.meta.event_time_ns
    if book.condition_id in views.winners or (known is not None and known.at_ns > at_ns):
        return
    offered = Offered(
        asks=tuple((level.price_micro, level.size_micro) for level in book.asks[:LEVELS_MAX]),
        bids=tuple((level.price_micro, level.size_micro) for level in book.bids[:LEVELS_MAX]),
        at_ns=at_ns,
    )
    views.books.pop(book.token_id, None)
    _keep(views.books, book.token_id, offered, 2 * FOLLOWED_MAX)


def see_resolution(views: RiskViews, resolved: market_pb2.MarketResolved) -> None:
    """Note the first result that is one and forget what was seen of the market."""
    known = views.markets.get(resolved.condition_id)
    if not resolved.winning_token_id or (known and resolved.winning_token_id not in known.tokens):
        return
    views.winners.setdefault(resolved.condition_id, resolved.winning_token_id)
    views.bars.pop(resolved.condition_id, None)
    market = views.markets.get(resolved.condition_id)
    for token in market.tokens if market else ():
        views.prices.pop(token, None)
        views.traded.pop(token, None)
        views.books.pop(token, None)


def liquidity(views: RiskViews, token: str, side: int, price_micro: int, now_ns: int) -> int:
    """Return the shares traded within a day, or on offer up to the price if those are more."""
    since = now_ns // HOUR_NS - 24
    traded = views.traded.get(token)
    volume = sum(size for hour, size in traded.hours if hour > since) if traded else 0
    book = views.books.get(token)
    if book is None:
        return volume
    if side == common_pb2.SIDE_BUY:
        depth = sum(size for price, size in book.asks if price <= price_micro)
    else:
        depth = sum(size for price, size in book.bids if price >= price_micro)
    return max(volume, depth)


def mark(views: RiskViews, market: Market | None, token: str) -> int | None:
    """Return the last price of a token; of a market of two also by the other one's."""
    own = views.prices.get(token)
    if market is None or len(market.tokens) != 2:
        return own.price_micro if own else None
    other = views.prices.get(market.tokens[token == market.tokens[0]])
    if own is not None and (other is None or other.at_ns <= own.at_ns):
        return own.price_micro
    return MICRO - other.price_micro if other is not None else None


def _note_traded(views: RiskViews, token: str, at_ns: int, size_micro: int) -> None:
    traded = views.traded.pop(token, None) or Traded()
    _keep(views.traded, token, traded, 2 * FOLLOWED_MAX)
    hour, hours = at_ns // HOUR_NS, traded.hours
    if hours and hours[-1][0] >= hour:
        # What comes late counts for the newest hour.
        hours[-1] = (hours[-1][0], hours[-1][1] + size_micro)
        return
    hours.append((hour, size_micro))
    while hours[0][0] <= hour - 24:
        del hours[0]


def _keep(kept: dict[str, V], name: str, value: V, size_max: int) -> str:
    """Put it last and drop the first if there are too many; return what was dropped."""
    kept[name] = value
    if len(kept) <= size_max:
        return ""
    oldest = next(iter(kept))
    del kept[oldest]
    return oldest


def _note_close(bars: Bars, number: int, close_micro: int) -> None:
    if bars.numbers and bars.numbers[-1] >= number:
        bars.closes[-1] = close_micro
        return
    bars.numbers.append(number)
    bars.closes.append(close_micro)
    del bars.numbers[:-BARS_MAX], bars.closes[:-BARS_MAX]
