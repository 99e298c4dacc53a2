"""What making and taking are expected to cost, and how far a price is from the market's. Pure.

Costs are micro-dollars a share against the mid: positive is worse for us. A price beyond the mid
is a cost, the fee is one, the rebate is a gain.
"""

from dataclasses import dataclass

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2
from whaletrader.services.execution.working.book import Book
from whaletrader.services.execution.working.terms import FeeTerms, TacticSettings


@dataclass(frozen=True, slots=True)
class Costs:
    """The expected cost of each way, a share; and at which prices."""

    make_micro: int
    take_micro: int
    make_price_micro: int
    take_price_micro: int


def beyond(side: int, price_micro: int, reference_micro: int) -> int:
    """Return how much worse for us a price is than another one."""
    difference = price_micro - reference_micro
    return difference if side == common_pb2.SIDE_BUY else -difference


def expected_costs(
    book: Book, trade: tuple[int, int, int], fees: FeeTerms, settings: TacticSettings
) -> Costs | None:
    """Compare resting on our side of the book with taking; `trade`: side, limit, size.

    None where a side is empty: there is nothing to compare. What rests is filled with the set
    probability; otherwise it is taken later, which costs the set amount more.
    """
    side, limit_micro, size_micro = trade
    if not book.is_two_sided:
        return None
    sweep = book.sweep(side, limit_micro, size_micro)
    take_price = sweep.average_micro or book.far(side)
    take = beyond(side, take_price, book.mid_micro) + fees.taker_micro(take_price, MICRO)
    make_price = book.near(side)
    made = beyond(side, make_price, book.mid_micro) - fees.rebate_micro(make_price, MICRO)
    filled = settings.maker_fill_micro_ratio
    missed = take + settings.miss_cost_micro
    make = (made * filled + missed * (MICRO - filled)) // MICRO
    return Costs(make, take, make_price, take_price)


def expected_price(book: Book, side: int, price_micro: int, size_micro: int) -> int:
    """Return the average price of an order: what it would take now, and its own for the rest."""
    if not size_micro:
        return price_micro
    sweep = book.sweep(side, price_micro, size_micro)
    rest = size_micro - sweep.size_micro
    cost = sweep.cost_micro * MICRO + price_micro * rest
    return (cost + size_micro // 2) // size_micro


def slippage_reason(
    book: Book, side: int, price_micro: int, limits: tuple[str, int, int]
) -> common_pb2.Reason:
    """Hold an expected price against the mid; `limits`: rule, ratio, tick.

    One tick is always allowed: at low prices it is more than any ratio, and no market has less.
    """
    rule, ratio, tick_micro = limits
    mid = book.mid_micro
    slipped = max(0, beyond(side, price_micro, mid)) * MICRO // mid if mid else 0
    limit = max(ratio, tick_micro * MICRO // mid) if mid else ratio
    return common_pb2.Reason(
        rule=rule,
        value=slipped,
        limit=limit,
        unit=common_pb2.UNIT_MICRO_RATIO,
        passed=slipped <= limit,
        detail=f"expected {price_micro}, mid {mid}",
    )
