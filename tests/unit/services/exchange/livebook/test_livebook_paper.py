"""Our orders against a followed book: what the real one would not have filled is not filled."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.exchange.exchange_venue import ALICE, BUY, NO, SELL, YES, market, venue
from whaletrader.services.exchange.engine.model import MICRO
from whaletrader.services.exchange.livebook.followed import FollowedBook, micro
from whaletrader.services.exchange.livebook.paper import STREET, Paper


@dataclass
class Desk:
    """Alice beside a street that shows a book."""

    book: FollowedBook
    paper: Paper

    def __init__(self) -> None:
        self.venue = venue(follows_tape=False)
        self.exchange = self.venue.exchange
        self.paper = Paper(self.exchange)
        self.book = FollowedBook(YES)
        self.condition = market().condition_id
        self.paper.open(market(), 0)

    def show(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        self.book.bids = {cents * 10_000: size * MICRO for cents, size in bids.items()}
        self.book.asks = {cents * 10_000: size * MICRO for cents, size in asks.items()}
        self.book.is_trusted = True
        self.paper.show(self.condition, self.book, 0)
        self.settle()

    def settle(self) -> None:
        self.paper.note(self.exchange.take_events())

    def buy(self, cents: int, shares: int, token: str = YES) -> int:
        order = self.venue.place(ALICE, BUY, token, cents, shares).order
        self.settle()
        self.last = order
        return order.matched_micro // MICRO

    def print(self, cents: int, shares: int) -> int:
        filled = self.paper.traded(self.condition, cents * 10_000, shares * MICRO, 0)
        self.settle()
        return filled // MICRO


def test_displayed_size_is_used_once_until_the_level_is_gone() -> None:
    desk = Desk()
    desk.show({}, {60: 100})
    assert desk.buy(60, 70) == 70
    desk.show({}, {60: 100})
    assert desk.buy(60, 70) == 30
    desk.show({}, {60: 120})
    # Twenty more were offered behind what we took; our rest still bids, so it is not shown to us.
    assert desk.last.matched_micro == 30 * MICRO
    desk.exchange.cancel(ALICE, desk.last.order_id, 0)
    desk.show({}, {})
    desk.show({}, {60: 50})
    assert desk.buy(60, 70) == 50


def test_the_other_outcome_sees_the_mirror() -> None:
    desk = Desk()
    desk.show({60: 30}, {})
    assert desk.buy(40, 50, NO) == 30


def test_a_book_that_moves_over_ours_fills_nothing_by_itself() -> None:
    desk = Desk()
    desk.show({50: 10}, {60: 10})
    assert desk.buy(55, 20) == 0
    desk.show({50: 10}, {54: 10})
    assert desk.last.matched_micro == 0
    assert desk.print(54, 8) == 8


def test_the_queue_before_us_trades_first() -> None:
    desk = Desk()
    desk.show({50: 100}, {60: 10})
    desk.buy(50, 20)
    assert desk.print(50, 60) == 0
    assert desk.print(50, 45) == 5
    assert desk.print(50, 45) == 15
    assert desk.last.remaining_micro == 0


def test_what_joins_behind_us_does_not_hold_us_up() -> None:
    desk = Desk()
    desk.show({50: 10}, {60: 10})
    desk.buy(50, 20)
    desk.show({50: 500}, {60: 10})
    assert desk.print(50, 15) == 5


def test_a_print_through_us_fills_whatever_stood_before() -> None:
    desk = Desk()
    desk.show({50: 100}, {60: 10})
    desk.buy(50, 20)
    assert desk.print(49, 12) == 12


def test_a_print_away_from_us_fills_nothing() -> None:
    desk = Desk()
    desk.show({50: 100}, {60: 10})
    desk.buy(50, 20)
    assert desk.print(51, 1_000) == 0


def test_an_untrusted_book_shows_nothing() -> None:
    desk = Desk()
    desk.show({50: 100}, {60: 10})
    desk.book.distrust()
    desk.paper.show(desk.condition, desk.book, 0)
    desk.settle()
    assert desk.buy(60, 10) == 0
    assert not desk.exchange.state.open_by_principal[STREET]


def test_sales_of_ours_fill_from_prints_above() -> None:
    desk = Desk()
    desk.show({}, {60: 50})
    desk.buy(60, 50)
    order = desk.venue.place(ALICE, SELL, YES, 65, 50).order
    desk.settle()
    assert desk.print(66, 20) == 20
    assert order.matched_micro == 20 * MICRO
    desk.venue.check()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("show"), st.integers(40, 59), st.integers(0, 50)),
            st.tuples(st.just("buy"), st.integers(41, 65), st.integers(5, 30)),
            st.tuples(st.just("print"), st.integers(35, 65), st.integers(1, 60)),
        ),
        max_size=25,
    )
)
def test_whatever_comes_money_adds_up_and_prints_are_not_exceeded(
    steps: list[tuple[str, int, int]],
) -> None:
    desk = Desk()
    for what, cents, size in steps:
        if what == "show":
            desk.show({cents: size} if size else {}, {cents + 2: 20})
        elif what == "print":
            assert desk.print(cents, size) <= size
        elif desk.exchange.state.ledger.account(ALICE).free_cash_micro > 40 * MICRO:
            desk.buy(cents, size)
        desk.venue.check()


@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        ({"side": "BUY", "price": "0.5", "size": "9", "best_bid": "0.5", "best_ask": "0.6"}, True),
        ({"side": "BUY", "price": "0.4", "size": "9", "best_bid": "0.4", "best_ask": "0.6"}, False),
        ({"side": "SELL", "price": "0.6", "size": "0", "best_bid": "0.5", "best_ask": "1"}, True),
    ],
)
def test_a_gap_shows_in_the_best_prices(change: dict[str, str], trusted: bool) -> None:
    book = FollowedBook(YES)
    assert not book.change(change)
    book.replace({"bids": [{"price": "0.5", "size": "1"}], "asks": [{"price": "0.6", "size": "1"}]})
    assert book.change(change) is trusted
    assert book.gaps == (0 if trusted else 1)


def test_a_price_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a decimal"):
        micro("much")
