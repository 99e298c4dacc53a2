"""What a book offers, and what making and taking cost: by hand-reckoned books."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2
from whaletrader.services.execution.working.book import Book
from whaletrader.services.execution.working.costs import (
    beyond,
    expected_costs,
    expected_price,
    slippage_reason,
)
from whaletrader.services.execution.working.terms import FeeTerms, TacticSettings

BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL
NO_FEES = FeeTerms(0, 1, 0)


def level(price: int, size: int) -> SimpleNamespace:
    return SimpleNamespace(price_micro=price * 10_000, size_micro=size * MICRO)


def book(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Book:
    return Book.of([level(*it) for it in bids], [level(*it) for it in asks], 0)


DEEP = book([(48, 100), (47, 200)], [(52, 100), (50, 50), (55, 1_000)])


def test_levels_are_sorted_best_first_and_impossible_ones_left_out() -> None:
    made = book([(47, 1), (48, 1), (0, 5), (100, 5)], [(52, 1), (50, 0), (51, 2)])
    assert made.bids == ((480_000, MICRO), (470_000, MICRO))
    assert made.asks == ((510_000, 2 * MICRO), (520_000, MICRO))


@pytest.mark.parametrize(
    ("side", "limit", "size", "expected"),
    [
        # 50 at 0.50 and 100 at 0.52 for 150 shares: 77 dollars, 0.513333 a share.
        (BUY, 550_000, 150, (150, 77_000_000, 520_000, 513_333)),
        (BUY, 500_000, 150, (50, 25_000_000, 500_000, 500_000)),
        (BUY, 490_000, 150, (0, 0, 0, 0)),
        (SELL, 470_000, 150, (150, 71_500_000, 470_000, 476_667)),
    ],
)
def test_a_sweep_takes_the_best_levels_within_the_limit(
    side: int, limit: int, size: int, expected: tuple[int, int, int, int]
) -> None:
    swept = DEEP.sweep(side, limit, size * MICRO)
    found = (swept.size_micro // MICRO, swept.cost_micro, swept.worst_micro, swept.average_micro)
    assert found == expected


def test_what_is_not_there_is_expected_at_the_orders_own_price() -> None:
    # 50 shares at 0.50 at once, 50 more at our 0.51.
    assert expected_price(DEEP, BUY, 510_000, 100 * MICRO) == 505_000


def test_the_costs_of_both_ways_are_what_the_schedule_says() -> None:
    # Mid 0.49. Taking 50 at 0.50 costs a cent and the fee 0.07 * 0.25 = 1.75 cents. Making at
    # 0.48 gains a cent and 20 % of 0.07 * 0.48 * 0.52 = 0.349440 cents; missed half the time.
    fees = FeeTerms(70_000, 1, 200_000)
    settings = TacticSettings(maker_fill_micro_ratio=500_000, miss_cost_micro=20_000)
    costs = expected_costs(DEEP, (BUY, 550_000, 50 * MICRO), fees, settings)
    assert costs is not None
    assert costs.take_micro == 10_000 + 17_500
    made = -10_000 - 17_470 * 200_000 // MICRO
    assert costs.make_micro == (made * 500_000 + (27_500 + 20_000) * 500_000) // MICRO
    assert (costs.make_price_micro, costs.take_price_micro) == (480_000, 500_000)


def test_with_an_empty_side_nothing_is_compared() -> None:
    assert expected_costs(
        book([], [(50, 1)]), (BUY, 550_000, MICRO), NO_FEES, TacticSettings()
    ) is (None)


@pytest.mark.parametrize(
    ("side", "price", "passed"),
    [
        # Mid 0.49: two per cent is 0.9 cents, but one tick is always allowed.
        (BUY, 499_800, True),
        (BUY, 500_000, True),
        (BUY, 500_100, False),
        (BUY, 300_000, True),
        (SELL, 480_000, True),
        (SELL, 479_000, False),
    ],
)
def test_slippage_is_held_against_the_mid_and_never_less_than_a_tick(
    side: int, price: int, passed: bool
) -> None:
    reason = slippage_reason(DEEP, side, price, ("child.slippage_limit", 20_000, 10_000))
    assert reason.passed is passed
    assert reason.unit == common_pb2.UNIT_MICRO_RATIO


LEVELS = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 1_000)), max_size=12)


@given(LEVELS, LEVELS, st.integers(1, 99), st.integers(1, 5_000), st.sampled_from([BUY, SELL]))
def test_no_sweep_gives_more_than_asked_or_worse_than_the_limit(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], cents: int, size: int, side: int
) -> None:
    made = book(bids, asks)
    limit = cents * 10_000
    swept = made.sweep(side, limit, size * MICRO)
    assert 0 <= swept.size_micro <= size * MICRO
    assert swept.size_micro <= made.depth_micro(side, limit)
    if swept.size_micro:
        assert beyond(side, swept.worst_micro, limit) <= 0
        assert beyond(side, swept.average_micro, swept.worst_micro) <= 0
