"""The book: what order events change, once each, in whatever order they come."""

import pytest

from tests.unit.services.risk.risk_room import (
    GENEROUS,
    MARKETS,
    SELL,
    SHARE,
    USD,
    WHALES,
    Room,
    alerts,
    closed,
    fill_of,
    order_of,
    said,
    yes,
)
from whaletrader.runtime.core import Inline
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.rules import Rule

SLACK = sizing.ROUNDING_SLACK_MICRO


def held(room: Room, token: str = yes(MARKETS[0]), leader: str = WHALES[0]) -> int:
    lot = room.state.lot(token, leader)
    return lot.size_micro if lot else 0


def bought(room: Room, shares: int = 100) -> risk_pb2.ApprovedTrade:
    return room.ask(room.proposal(max_size_micro=shares * SHARE))


def test_money_moves_from_set_aside_to_the_holding_and_the_better_price_is_set_free() -> None:
    room = Room()
    approval = bought(room)
    assert room.state.reserved_micro == 50 * USD + SLACK
    order = order_of(approval)
    room.tell(order_pb2.OrderAnnounced(order=order))
    half = fill_of(order, trade_id="t1", size_micro=50 * SHARE, price_micro=400_000)
    room.tell(order_pb2.OrderMatched(order=order, fill=half))
    assert held(room) == 50 * SHARE
    assert room.state.cash_micro == 9_980 * USD
    assert room.state.reserved_micro == 25 * USD + SLACK
    assert room.state.exposure_micro == 45 * USD + SLACK
    room.tell(closed(order, 50 * SHARE))
    assert room.state.reserved_micro == 0
    assert room.state.exposure_micro == 20 * USD
    # Its fill is still provisional.
    assert approval.approval_id in room.state.approvals
    room.tell(order_pb2.OrderConfirmed(order=order, fill=half))
    assert approval.approval_id not in room.state.approvals


def test_every_fact_told_again_changes_nothing() -> None:
    room = Room()
    approval = bought(room)
    order = order_of(approval)
    fill = fill_of(order, fee_micro=1_000)
    story = [
        order_pb2.OrderAnnounced(order=order),
        order_pb2.OrderMatched(order=order, fill=fill),
        order_pb2.OrderConfirmed(order=order, fill=fill),
        closed(order, fill.size_micro),
    ]
    for length in range(len(story)):
        room.tell(story[length])
        after = room.restored()
        for message in story[: length + 1]:
            message.meta.Clear()
            step = room.tell(message)
            assert not said(step, risk_pb2.ExposureChanged)
            assert not alerts(step)
        assert room.state == after
    assert room.state.cash_micro == 9_950 * USD - 1_000
    assert held(room) == 100 * SHARE


def test_a_reversed_fill_is_undone_to_the_micro_unit() -> None:
    room = Room()
    approval = bought(room)
    order = order_of(approval)
    fill = fill_of(order, fee_micro=1_230)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    room.tell(closed(order, 0))
    assert held(room) == 0
    assert room.state.cash_micro == 10_000 * USD
    assert room.state.exposure_micro == room.state.fees_micro == 0
    assert not room.state.lots
    # The match told again does not bring it back.
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert held(room) == 0


def test_a_reversal_that_overtakes_its_match_wins() -> None:
    room = Room()
    order = order_of(bought(room))
    fill = fill_of(order)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert held(room) == 0


def test_a_final_fill_whose_match_was_never_heard_of_is_booked() -> None:
    room = Room()
    order = order_of(bought(room))
    room.tell(order_pb2.OrderConfirmed(order=order, fill=fill_of(order)))
    assert held(room) == 100 * SHARE


def test_a_fill_said_to_be_final_and_undone_stands_as_booked_and_a_person_is_told() -> None:
    room = Room()
    for first, second, shares in (
        (order_pb2.OrderConfirmed, order_pb2.OrderReversed, 100),
        (order_pb2.OrderReversed, order_pb2.OrderConfirmed, 100),
    ):
        order = order_of(bought(room, 100))
        fill = fill_of(order)
        room.tell(order_pb2.OrderMatched(order=order, fill=fill))
        room.tell(first(order=order, fill=fill))
        step = room.tell(second(order=order, fill=fill))
        assert alerts(step) == [Alert.FILL_CONTRADICTED]
        assert held(room) == shares * SHARE


@pytest.mark.parametrize("changes", [{"size_micro": 101 * SHARE}, {"price_micro": 510_000}])
def test_a_fill_beyond_its_order_is_booked_as_it_is_and_noticed(changes: dict[str, int]) -> None:
    room = Room()
    order = order_of(bought(room))
    room.tell(order_pb2.OrderAnnounced(order=order))
    fill = fill_of(order, **changes)
    step = room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert Alert.FILL_BEYOND_ORDER in alerts(step)
    assert held(room) == fill.size_micro


def test_a_close_that_overtakes_a_fill_keeps_money_for_that_fill() -> None:
    room = Room()
    approval = bought(room)
    order = order_of(approval)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(closed(order, 60 * SHARE))
    assert room.state.reserved_micro == 30 * USD + SLACK
    fill = fill_of(order, size_micro=60 * SHARE)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert room.state.reserved_micro == 0
    assert room.state.exposure_micro == 30 * USD
    room.tell(order_pb2.OrderConfirmed(order=order, fill=fill))
    assert not room.state.approvals


def test_a_close_whose_fills_never_come_is_set_free_when_the_market_is_decided() -> None:
    room = Room()
    order = order_of(bought(room))
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(closed(order, 60 * SHARE))
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    assert room.state.exposure_micro == room.state.reserved_micro == 0


def test_a_fill_that_comes_after_everything_was_set_free_is_booked_and_sets_nothing_aside() -> None:
    room = Room()
    order = order_of(bought(room))
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(closed(order, 60 * SHARE))
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    fill = fill_of(order, size_micro=60 * SHARE)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert not said(room.tell(closed(order, 60 * SHARE)), risk_pb2.ExposureChanged)
    assert room.state.realized_micro == 30 * USD
    assert room.state.exposure_micro == 0
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    assert room.state.cash_micro == 10_000 * USD
    assert not room.state.approvals


def test_a_second_fill_after_everything_was_set_free_sets_nothing_aside_either() -> None:
    room = Room()
    order = order_of(bought(room))
    first = fill_of(order, trade_id="t1", size_micro=10 * SHARE)
    second = fill_of(order, trade_id="t2", size_micro=10 * SHARE)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(closed(order, 60 * SHARE))
    room.tell(order_pb2.OrderMatched(order=order, fill=first))
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    room.tell(order_pb2.OrderMatched(order=order, fill=second))
    for fill in (first, second):
        room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    assert room.state.exposure_micro == room.state.reserved_micro == 0
    assert room.state.cash_micro == 10_000 * USD


def test_what_is_sold_beyond_the_holding_has_cost_nothing_and_gives_no_room() -> None:
    room = Room(GENEROUS)
    order = order_of(room.ask(room.proposal(max_size_micro=100 * SHARE)))
    room.tell(order_pb2.OrderMatched(order=order, fill=fill_of(order)))
    sale = order_of(room.ask(room.proposal(side=SELL)))
    first = fill_of(sale, trade_id="t1", size_micro=40 * SHARE)
    room.tell(order_pb2.OrderMatched(order=sale, fill=first))
    room.tell(order_pb2.OrderReversed(order=order, fill=fill_of(order)))
    second = fill_of(sale, trade_id="t2", size_micro=60 * SHARE)
    room.tell(order_pb2.OrderMatched(order=sale, fill=second))
    assert held(room) == -100 * SHARE
    assert room.state.exposure_micro >= 0
    for fill in (first, second):
        room.tell(order_pb2.OrderReversed(order=sale, fill=fill))
    assert room.state.cash_micro == 10_000 * USD
    assert room.state.exposure_micro == 0


def test_a_sale_takes_its_share_of_the_cost_and_realises_the_rest() -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    sale = room.ask(room.proposal(side=SELL, limit_price_micro=700_000, max_size_micro=40 * SHARE))
    assert sale.size_micro == 40 * SHARE
    room.work(sale, fee_micro=500_000)
    assert held(room) == 60 * SHARE
    assert room.state.realized_micro == 28 * USD - 500_000 - 20 * USD
    assert room.state.cash_micro == 9_950 * USD + 28 * USD - 500_000
    assert room.state.exposure_micro == 30 * USD


def test_what_is_promised_to_one_sale_is_not_sold_twice() -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    first = room.ask(room.proposal(side=SELL, max_size_micro=70 * SHARE))
    second = room.ask(room.proposal(side=SELL))
    assert (first.size_micro, second.size_micro) == (70 * SHARE, 30 * SHARE)
    assert room.refusal(room.proposal(side=SELL)) == Rule.HELD
    room.fire(first)
    assert room.ask(room.proposal(side=SELL)).size_micro == 70 * SHARE


def test_another_leaders_holding_is_not_sold() -> None:
    room = Room(GENEROUS)
    room.buy()
    assert room.refusal(room.proposal(side=SELL, leader=WHALES[1])) == Rule.HELD


def test_a_cancelled_sale_gives_its_shares_back() -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    sale = room.ask(room.proposal(side=SELL))
    order = order_of(sale)
    room.tell(order_pb2.OrderAnnounced(order=order))
    part = fill_of(order, size_micro=30 * SHARE)
    room.tell(order_pb2.OrderMatched(order=order, fill=part))
    room.tell(closed(order, 30 * SHARE))
    assert room.ask(room.proposal(side=SELL)).size_micro == 70 * SHARE


def test_a_sale_that_is_not_final_gives_neither_room_nor_cash() -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    before = (room.state.exposure_micro, room.state.available_micro)
    order = order_of(room.ask(room.proposal(side=SELL, limit_price_micro=600_000)))
    fill = fill_of(order)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert (room.state.exposure_micro, room.state.available_micro) == before
    room.tell(order_pb2.OrderConfirmed(order=order, fill=fill))
    assert room.state.exposure_micro == 0
    assert room.state.available_micro == 10_010 * USD


def test_a_sale_that_stood_on_an_undone_purchase_is_noticed() -> None:
    room = Room(GENEROUS)
    order = order_of(room.ask(room.proposal(max_size_micro=100 * SHARE)))
    fill = fill_of(order)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    sale = order_of(room.ask(room.proposal(side=SELL)))
    room.tell(order_pb2.OrderMatched(order=sale, fill=fill_of(sale)))
    step = room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    assert alerts(step) == [Alert.OVERSOLD]
    room.tell(order_pb2.OrderReversed(order=sale, fill=fill_of(sale)))
    assert held(room) == 0
    assert room.state.cash_micro == 10_000 * USD
    assert room.state.cost_micro == 0


@pytest.mark.parametrize(("winner", "profit"), [("yes", 50), ("no", -50)])
def test_a_decided_market_pays_a_dollar_a_share_or_nothing(winner: str, profit: int) -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    room.resolve(MARKETS[0], f"{MARKETS[0]}-{winner}")
    assert room.state.realized_micro == profit * USD
    assert room.state.cash_micro == (10_000 + profit) * USD
    assert room.state.exposure_micro == 0
    assert not room.state.lots
    room.resolve(MARKETS[0], f"{MARKETS[0]}-{winner}")
    assert room.state.realized_micro == profit * USD


def test_a_fill_after_the_decision_is_settled_at_once_and_its_reversal_too() -> None:
    room = Room(GENEROUS)
    order = order_of(room.ask(room.proposal(max_size_micro=100 * SHARE)))
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    fill = fill_of(order)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert room.state.realized_micro == 50 * USD
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    assert room.state.realized_micro == 0
    assert room.state.cash_micro == 10_000 * USD
    assert not room.state.lots


def test_a_fill_that_makes_no_sense_is_kept_as_a_dead_letter_and_books_nothing() -> None:
    room = Room()
    order = order_of(bought(room))
    before = room.restored()
    for changes in ({"size_micro": 0}, {"size_micro": -1}, {"price_micro": 65_000_000}):
        event = order_pb2.OrderMatched(
            meta=common_pb2.Meta(id="f" * 32), order=order, fill=fill_of(order, **changes)
        )
        step = room.core.step([Inline(event)], room.now_ns)
        assert [topic for _, topic, _ in step.events] == ["dead.letter"]
    assert room.state == before
