"""What holds for any rows at all."""

from random import Random
from typing import Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.ledger.rows import EVENT, MARKETS
from whaletrader.domain.ledger import (
    ActivityRow,
    EventRoster,
    Kind,
    ResolutionTracker,
    Terms,
    WalletBook,
    replay,
    statement,
)

SIZES: Final = st.integers(1, 5_000_000)
CASH: Final = st.integers(0, 5_000_000)
TRADE: Final = st.sampled_from((Kind.BUY, Kind.SELL))
PAIRS: Final = st.sampled_from((Kind.SPLIT, Kind.MERGE))


def rows_of(kinds: st.SearchStrategy[Kind]) -> st.SearchStrategy[ActivityRow]:
    return st.builds(
        ActivityRow,
        kind=kinds,
        at_ns=st.just(1),
        size_micro=SIZES,
        cash_micro=CASH,
        condition_id=st.sampled_from(MARKETS),
        event_id=st.just(EVENT),
        outcome=st.integers(0, 1),
    )


CONVERSIONS: Final = st.builds(
    ActivityRow,
    kind=st.just(Kind.CONVERSION),
    at_ns=st.just(1),
    size_micro=SIZES,
    cash_micro=CASH,
    event_id=st.just(EVENT),
)
ANY_ROW: Final = st.one_of(
    rows_of(TRADE), rows_of(PAIRS), rows_of(st.just(Kind.REDEEM)), CONVERSIONS
)


def roster() -> EventRoster:
    return EventRoster({EVENT: MARKETS})


@settings(max_examples=150, deadline=None)
@given(st.lists(ANY_ROW, max_size=25))
def test_cash_is_realised_profit_less_open_cost_by_either_method(rows: list[ActivityRow]) -> None:
    book, results = WalletBook(), ResolutionTracker()
    for row in rows:
        book.apply(row, roster(), results)
        book.check_cash()


@settings(max_examples=100, deadline=None)
@given(st.lists(rows_of(TRADE), max_size=20))
def test_fifo_and_average_agree_when_flat(rows: list[ActivityRow]) -> None:
    book = replay(rows, roster(), ResolutionTracker())
    for market in list(book.markets.values()):
        for outcome, position in enumerate(market.positions):
            held = position.held_micro
            if held:
                kind = Kind.SELL if held > 0 else Kind.BUY
                row = ActivityRow(kind, 2, abs(held), 333, market.condition_id, EVENT, outcome)
                book.apply(row, roster(), ResolutionTracker())
    book.check_cash()
    assert book.cost_micro == 0
    for market in book.markets.values():
        for position in market.positions:
            assert position.realized_micro == position.realized_fifo_micro


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(rows_of(TRADE), rows_of(PAIRS)), max_size=12), st.randoms())
def test_the_order_inside_a_second_moves_no_cash_no_share_and_no_profit(
    rows: list[ActivityRow], random: Random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    books = [replay(each, roster(), ResolutionTracker()) for each in (rows, shuffled)]
    held = [
        {
            (name, outcome): position.held_micro
            for name, market in book.markets.items()
            for outcome, position in enumerate(market.positions)
            if position.held_micro
        }
        for book in books
    ]
    assert held[0] == held[1]
    assert books[0].cash_micro == books[1].cash_micro
    # Which lot a sale closed depends on the order; realised less open cost does not.
    totals = [book.realized_micro - book.cost_micro for book in books]
    assert totals[0] == totals[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_ROW, max_size=25), st.integers(0, 25))
def test_going_on_from_a_snapshot_gives_the_bytes_of_a_rebuild(
    rows: list[ActivityRow], cut: int
) -> None:
    whole = replay(rows, roster(), ResolutionTracker())
    results = ResolutionTracker()
    part = replay(rows[:cut], roster(), results)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=WalletBook)
    for row in rows[cut:]:
        news = restored.apply(row, roster(), results)
        if news is not None:
            results.record(news)
    assert msgspec.msgpack.encode(restored) == msgspec.msgpack.encode(whole)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_ROW, max_size=25))
def test_profit_is_cash_and_what_is_held(rows: list[ActivityRow]) -> None:
    results = ResolutionTracker()
    book = replay(rows, roster(), results)
    stated = statement(book, results, {}, Terms(at_ns=2))
    worth = sum(position.value_micro for position in stated.open)
    assert stated.trading_profit_micro == book.cash_micro + worth
