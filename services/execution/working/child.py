"""The next order of an approved trade: its price, size and type, or why there is none. Pure.

Whatever a leg wants, the order stays within the approval: never beyond its limit, never larger
than what is neither filled nor at the venue, and on the market's grid.
"""

from dataclasses import dataclass

from whaletrader.domain.money import MICRO, floor_to, notional
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.services.execution.working.book import Book
from whaletrader.services.execution.working.costs import beyond, expected_price, slippage_reason
from whaletrader.services.execution.working.plan import Anchor, Leg
from whaletrader.services.execution.working.terms import TacticSettings

BUY = common_pb2.SIDE_BUY
# A hundredth of a share is the smallest part that can be ordered.
LOT_MICRO = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be traded: `free_micro` is neither filled nor at the venue."""

    side: int
    limit_price_micro: int
    free_micro: int
    tick_micro: int
    min_size_micro: int


@dataclass(frozen=True, slots=True)
class Child:
    """An order to be announced; or, if a reason did not pass, one that is not."""

    price_micro: int
    size_micro: int
    order_type: order_pb2.OrderType.ValueType
    post_only: bool
    takes_only: bool
    expected_price_micro: int
    reasons: tuple[common_pb2.Reason, ...]

    @property
    def is_skipped(self) -> bool:
        return not all(reason.passed for reason in self.reasons)


def child_of(leg: Leg, wanted: Wanted, book: Book, settings: TacticSettings) -> Child:
    """Return the order that a leg wants now, held against the rules."""
    price = _price(leg, wanted, book)
    size = _size(leg, wanted, book, price)
    # A market order to buy is counted in dollars at the venue and could give more shares than
    # approved: what only takes is then a limit order that is taken off again at once.
    is_fak = leg.order_type == order_pb2.ORDER_TYPE_FAK and wanted.side != BUY
    expected = price
    if leg.needs_book:
        expected = (
            book.sweep(wanted.side, price, size).average_micro or price
            if leg.takes_only
            else expected_price(book, wanted.side, price, size)
        )
    return Child(
        price_micro=price,
        size_micro=size,
        order_type=order_pb2.ORDER_TYPE_FAK if is_fak else order_pb2.ORDER_TYPE_GTC,
        post_only=leg.post_only,
        takes_only=leg.takes_only,
        expected_price_micro=expected,
        reasons=tuple(_reasons(leg, wanted, (book, price, size, expected), settings)),
    )


def on_grid(price_micro: int, side: int, tick_micro: int) -> int:
    """Return a price moved onto the tick away from us: a purchase down, a sale up."""
    floor = floor_to(price_micro, tick_micro)
    return floor + tick_micro if side != BUY and floor != price_micro else floor


def _price(leg: Leg, wanted: Wanted, book: Book) -> int:
    limit = on_grid(wanted.limit_price_micro, wanted.side, wanted.tick_micro)
    anchor = {
        Anchor.LIMIT: limit,
        Anchor.MID: book.mid_micro,
        Anchor.NEAR: book.near(wanted.side),
        Anchor.FAR: book.far(wanted.side),
    }[leg.anchor]
    if not anchor:
        return limit
    sign = 1 if wanted.side == BUY else -1
    price = on_grid(anchor + sign * leg.offset_micro, wanted.side, wanted.tick_micro)
    # Never beyond the limit, and always a price that the market has.
    price = min(price, limit) if wanted.side == BUY else max(price, limit)
    price = max(wanted.tick_micro, min(price, MICRO - wanted.tick_micro))
    return price if beyond(wanted.side, price, limit) <= 0 else limit


def _size(leg: Leg, wanted: Wanted, book: Book, price_micro: int) -> int:
    size = wanted.free_micro * leg.size_micro_ratio // MICRO
    if leg.clip_micro_ratio:
        depth = book.depth_micro(wanted.side, wanted.limit_price_micro)
        size = min(size, depth * leg.clip_micro_ratio // MICRO)
    if leg.takes_only:
        there = book.sweep(wanted.side, price_micro, size).size_micro
        size = min(size, there)
    # Neither an order nor what it leaves may be too small to be ordered.
    size = max(size, min(wanted.min_size_micro, wanted.free_micro))
    if wanted.free_micro - size < wanted.min_size_micro and not leg.takes_only:
        size = wanted.free_micro
    return floor_to(min(size, wanted.free_micro), LOT_MICRO)


def _reasons(
    leg: Leg, wanted: Wanted, made: tuple[Book, int, int, int], settings: TacticSettings
) -> list[common_pb2.Reason]:
    book, price, size, expected = made
    smallest = max(wanted.min_size_micro, LOT_MICRO)
    reasons = [
        common_pb2.Reason(
            rule="child.size_minimum",
            value=size,
            limit=smallest,
            unit=common_pb2.UNIT_MICRO_SHARES,
            passed=size >= smallest,
        ),
        common_pb2.Reason(
            rule="child.limit",
            value=price,
            limit=wanted.limit_price_micro,
            unit=common_pb2.UNIT_MICRO_PRICE,
            passed=beyond(wanted.side, price, wanted.limit_price_micro) <= 0,
        ),
    ]
    if not leg.needs_book:
        return reasons
    reasons.append(_book_seen(book))
    if leg.post_only:
        reasons.append(_does_not_take(wanted.side, price, book))
    else:
        rule, ratio = ("child.slippage_limit", settings.limit_slippage_micro_ratio)
        if leg.takes_only:
            rule, ratio = ("child.slippage_market", settings.market_slippage_micro_ratio)
        reasons.append(
            slippage_reason(book, wanted.side, expected, (rule, ratio, wanted.tick_micro))
        )
    if leg.takes_only:
        reasons += _worth_taking(wanted, (book, price, size), settings)
    return reasons


def _book_seen(book: Book) -> common_pb2.Reason:
    levels = len(book.bids) + len(book.asks)
    return common_pb2.Reason(
        rule="child.book",
        value=levels,
        limit=1,
        unit=common_pb2.UNIT_COUNT,
        passed=levels >= 1,
        detail=f"{book.bid_micro} / {book.ask_micro}",
    )


def _does_not_take(side: int, price_micro: int, book: Book) -> common_pb2.Reason:
    far = book.far(side)
    return common_pb2.Reason(
        rule="child.post_only",
        value=price_micro,
        limit=far,
        unit=common_pb2.UNIT_MICRO_PRICE,
        passed=not far or beyond(side, price_micro, far) < 0,
    )


def _worth_taking(
    wanted: Wanted, order: tuple[Book, int, int], settings: TacticSettings
) -> list[common_pb2.Reason]:
    book, price, size = order
    there = book.sweep(wanted.side, price, size)
    money = notional(price, size)
    least = settings.notional_micro_min if wanted.side == BUY else 0
    return [
        common_pb2.Reason(
            rule="child.depth",
            value=there.size_micro,
            limit=LOT_MICRO,
            unit=common_pb2.UNIT_MICRO_SHARES,
            passed=there.size_micro >= LOT_MICRO,
        ),
        common_pb2.Reason(
            rule="child.notional_minimum",
            value=money,
            limit=least,
            unit=common_pb2.UNIT_MICRO_USD,
            passed=money >= least,
        ),
    ]
