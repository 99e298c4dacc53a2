"""When a whale leaves, what copies of it hold is sold."""

import pytest

from tests.unit.services.orchestrator.orchestrator_floor import (
    ANN,
    BOB,
    BUY,
    HOUR_NS,
    SELL,
    YES,
    Floor,
    decisions,
    declined_by,
    proposal,
)
from whaletrader.domain.money import MICRO
from whaletrader.schemas import (
    order_pb2,
    whale_pb2,
)
from whaletrader.services.orchestrator.rules import Rule


def test_a_sale_of_what_we_do_not_hold_is_declined() -> None:
    assert declined_by(Floor().trade(side=SELL)) == Rule.HELD


def test_a_sale_of_what_we_copied_is_proposed_in_full() -> None:
    floor = Floor()
    floor.fill(ANN, 7 * MICRO)
    asked = proposal(floor.trade(side=SELL))
    assert asked.max_size_micro == 7 * MICRO
    assert asked.limit_price_micro == 480_000


def test_what_copies_of_another_whale_hold_is_not_sold() -> None:
    floor = Floor()
    floor.fill(BOB, 7 * MICRO)
    assert declined_by(floor.trade(wallet=ANN, side=SELL)) == Rule.HELD


def test_what_was_sold_already_is_not_sold_again() -> None:
    floor = Floor()
    floor.fill(ANN, 7 * MICRO)
    floor.fill(ANN, 7 * MICRO, SELL)
    assert declined_by(floor.trade(side=SELL)) == Rule.HELD


def test_a_reversed_fill_is_not_held() -> None:
    floor = Floor()
    floor.fill(ANN, 7 * MICRO)
    reverted = order_pb2.OrderReversed()
    reverted.order.portfolio = "main"
    reverted.order.leader, reverted.order.token_id, reverted.order.side = ANN, YES, BUY
    reverted.fill.size_micro = 7 * MICRO
    floor.tell(reverted)
    assert declined_by(floor.trade(side=SELL)) == Rule.HELD


def test_a_market_that_ends_soon_may_still_be_left() -> None:
    floor = Floor()
    floor.tell(floor.listing(ends_ns=HOUR_NS + 1))
    floor.fill(ANN, 7 * MICRO)
    proposal(floor.trade(side=SELL, at_ns=HOUR_NS))


@pytest.mark.parametrize(("size", "is_exit"), [(200 * MICRO, True), (200 * MICRO - 1, False)])
def test_a_whale_that_trims_is_not_leaving(size: int, is_exit: bool) -> None:
    floor = Floor()
    floor.trade(size=1_000 * MICRO)
    floor.fill(ANN, 50 * MICRO)
    step = floor.trade(side=SELL, size=size)
    if is_exit:
        assert proposal(step).max_size_micro == 50 * MICRO
    else:
        assert declined_by(step) == Rule.EXIT_SHARE


def test_small_sales_add_up_to_an_exit() -> None:
    floor = Floor()
    floor.trade(size=1_000 * MICRO)
    floor.fill(ANN, 50 * MICRO)
    assert declined_by(floor.trade(side=SELL, size=150 * MICRO)) == Rule.EXIT_SHARE
    proposal(floor.trade(side=SELL, size=50 * MICRO))


def test_whom_we_stopped_following_is_still_followed_out() -> None:
    floor = Floor()
    floor.trade(size=1_000 * MICRO)
    floor.fill(ANN, 50 * MICRO)
    floor.tell(whale_pb2.WhalePruned(wallet=ANN))
    assert decisions(floor.trade(at_ns=2 * HOUR_NS)) == []
    proposal(floor.trade(side=SELL, size=1_000 * MICRO, at_ns=2 * HOUR_NS))


def test_fills_of_another_portfolio_are_not_held() -> None:
    floor = Floor()
    matched = order_pb2.OrderMatched()
    matched.order.portfolio, matched.order.leader, matched.order.token_id = "other", ANN, YES
    matched.order.side, matched.fill.size_micro = BUY, MICRO
    floor.tell(matched)
    assert declined_by(floor.trade(side=SELL)) == Rule.HELD
