"""Price before time, whatever comes: the book against a list that is searched from end to end."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.exchange.exchange_venue import (
    ALICE,
    BOB,
    CONDITION,
    NO,
    YES,
    venue,
)
from whaletrader.services.exchange.engine.model import MICRO, Order, OrderType, Side

CAROL = "0x" + "ca" * 20
TRADERS = (ALICE, BOB, CAROL)


class Wish(NamedTuple):
    """A limit order as drawn; `cancels` is which of the orders so far goes before it comes."""

    trader: str
    side: Side
    token: str
    cents: int
    shares: int
    cancels: int | None

    @property
    def is_bid(self) -> bool:
        return (self.side is Side.BUY) == (self.token == YES)

    @property
    def book_cents(self) -> int:
        return self.cents if self.token == YES else 100 - self.cents


class Resting:
    """An order in the naive model."""

    def __init__(self, wish: Wish, number: int) -> None:
        self.wish, self.number, self.left = wish, number, wish.shares


wishes = st.lists(
    st.builds(
        Wish,
        st.sampled_from(TRADERS),
        st.sampled_from(Side),
        st.sampled_from((YES, NO)),
        st.integers(45, 55),
        st.integers(5, 20),
        st.one_of(st.none(), st.integers(0, 30)),
    ),
    max_size=30,
)


def naive(resting: list[Resting], wish: Wish, number: int) -> list[tuple[int, int]]:
    """Match by looking at every order again for every fill; return (maker, shares)."""
    taker = Resting(wish, number)
    fills = []
    while taker.left:
        reached = [
            r
            for r in resting
            if r.left
            and r.wish.is_bid != wish.is_bid
            and r.wish.trader != wish.trader
            and (
                r.wish.book_cents <= wish.book_cents
                if wish.is_bid
                else r.wish.book_cents >= wish.book_cents
            )
        ]
        if not reached:
            break
        sign = 1 if wish.is_bid else -1
        best = min(reached, key=lambda r: (sign * r.wish.book_cents, r.number))
        size = min(best.left, taker.left)
        best.left -= size
        taker.left -= size
        fills.append((best.number, size))
    resting.append(taker)
    return fills


@settings(max_examples=100, deadline=None)
@given(flow=wishes)
def test_fills_are_those_of_a_naive_search_by_price_and_then_time(flow: list[Wish]) -> None:
    v = venue(follows_tape=False, fee_rate_micro=0, cash=100_000 * MICRO)
    v.exchange.deposit(CAROL, 100_000 * MICRO, "start")
    for trader in TRADERS:
        v.exchange.split(trader, CONDITION, 1_000 * MICRO, 0)
    orders: list[Order] = []
    resting: list[Resting] = []
    numbers: dict[str, int] = {}
    for number, wish in enumerate(flow):
        if wish.cancels is not None and wish.cancels < len(orders):
            gone = orders[wish.cancels]
            refusal = v.exchange.cancel(gone.terms.principal, gone.order_id, 0)
            assert (refusal is None) == (resting[wish.cancels].left > 0)
            resting[wish.cancels].left = 0
        placed = v.place(
            wish.trader, wish.side, wish.token, wish.cents, wish.shares, order_type=OrderType.GTC
        )
        orders.append(placed.order)
        numbers[placed.order.order_id] = number
        legs = placed.trade.makers if placed.trade else ()
        fills = [(numbers[leg.order_id], leg.size_micro // MICRO) for leg in legs]
        assert fills == naive(resting, wish, number)
    book = v.exchange.state.books[CONDITION]
    assert not book.is_crossed()
    open_shares = sum(order.remaining_micro for order in book.open_orders())
    assert open_shares == sum(r.left for r in resting) * MICRO
    levels = [*book.bids.levels(), *book.asks.levels()]
    assert sum(size for _, size in levels) == open_shares
    v.check()
