"""Several orders under one approval: set aside until the work is finished, never more than that."""

from random import Random

import pytest

from tests.unit.services.risk.risk_room import (
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
    tight,
    yes,
)
from whaletrader.schemas import order_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.rules import Rule

SLACK = sizing.ROUNDING_SLACK_MICRO


def worked(room: Room, shares: int = 100) -> risk_pb2.ApprovedTrade:
    approval = room.ask(room.proposal(max_size_micro=shares * SHARE))
    room.tell(order_pb2.WorkStarted(portfolio="main", approval_id=approval.approval_id))
    return approval


def child(approval: risk_pb2.ApprovedTrade, name: str, shares: int) -> order_pb2.OrderRef:
    return order_of(approval, order_id=name, size_micro=shares * SHARE)


def finish(room: Room, approval: risk_pb2.ApprovedTrade, filled: int) -> None:
    room.tell(
        order_pb2.WorkFinished(
            portfolio="main",
            approval_id=approval.approval_id,
            condition_id=approval.condition_id,
            filled_size_micro=filled * SHARE,
        )
    )


def test_orders_within_the_approval_set_nothing_more_aside() -> None:
    room = Room()
    approval = worked(room)
    for name in ("first", "second"):
        step = room.tell(order_pb2.OrderAnnounced(order=child(approval, name, 50)))
        assert not alerts(step)
    assert room.state.reserved_micro == 50 * USD + SLACK
    assert room.restored() == room.state


def test_an_order_beyond_what_the_approval_has_left_is_noticed_and_set_aside() -> None:
    room = Room()
    approval = worked(room)
    room.tell(order_pb2.OrderAnnounced(order=child(approval, "first", 60)))
    step = room.tell(order_pb2.OrderAnnounced(order=child(approval, "second", 60)))
    assert alerts(step) == [Alert.SECOND_ORDER]
    assert room.state.reserved_micro == 50 * USD + SLACK + 10 * USD + SLACK


def test_a_closed_order_frees_nothing_until_the_work_is_finished() -> None:
    room = Room()
    approval = worked(room)
    first = child(approval, "first", 60)
    room.tell(order_pb2.OrderAnnounced(order=first))
    room.tell(closed(first, 0))
    assert room.state.reserved_micro == 50 * USD + SLACK
    # Its part may be ordered again.
    assert not alerts(room.tell(order_pb2.OrderAnnounced(order=child(approval, "next", 100))))
    room.tell(closed(child(approval, "next", 100), 0))
    finish(room, approval, 0)
    assert room.state.reserved_micro == room.state.exposure_micro == 0
    assert not room.state.approvals
    assert room.restored() == room.state


def test_work_that_came_to_no_order_frees_everything() -> None:
    room = Room()
    approval = worked(room)
    room.fire(approval)
    assert room.state.reserved_micro == 50 * USD + SLACK
    finish(room, approval, 0)
    assert room.state.reserved_micro == 0


def test_a_reversed_fill_is_set_aside_again_while_the_work_goes_on() -> None:
    room = Room()
    approval = worked(room)
    order = child(approval, "first", 100)
    fill = fill_of(order, size_micro=60 * SHARE, price_micro=400_000)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert room.state.exposure_micro == 24 * USD + 20 * USD + SLACK
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    assert room.state.exposure_micro == 50 * USD + SLACK
    finish(room, approval, 0)
    assert room.state.exposure_micro == 0
    assert room.state.cash_micro == 10_000 * USD


def test_after_the_work_a_reversed_fill_sets_nothing_aside() -> None:
    room = Room()
    approval = worked(room)
    order = child(approval, "first", 100)
    fill = fill_of(order)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    finish(room, approval, 100)
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    assert room.state.exposure_micro == 0
    assert not room.state.approvals


def test_work_that_ends_before_a_fill_is_heard_of_keeps_money_for_it() -> None:
    room = Room()
    approval = worked(room)
    order = child(approval, "first", 100)
    room.tell(order_pb2.OrderAnnounced(order=order))
    finish(room, approval, 40)
    assert room.state.reserved_micro == 20 * USD + SLACK
    fill = fill_of(order, size_micro=40 * SHARE)
    room.tell(order_pb2.OrderConfirmed(order=order, fill=fill))
    assert room.state.reserved_micro == 0
    assert room.state.exposure_micro == 20 * USD
    assert not room.state.approvals


def test_shares_of_a_worked_sale_stay_promised_until_it_is_finished() -> None:
    room = Room()
    room.buy(max_size_micro=100 * SHARE)
    sale = room.ask(room.proposal(side=SELL))
    room.tell(order_pb2.WorkStarted(portfolio="main", approval_id=sale.approval_id))
    first = child(sale, "first", 50)
    fill = fill_of(first)
    room.tell(order_pb2.OrderAnnounced(order=first))
    room.tell(order_pb2.OrderMatched(order=first, fill=fill))
    room.tell(closed(first, 50 * SHARE))
    assert room.refusal(room.proposal(side=SELL)) == Rule.HELD
    room.tell(order_pb2.OrderReversed(order=first, fill=fill))
    assert room.refusal(room.proposal(side=SELL)) == Rule.HELD
    finish(room, sale, 0)
    assert room.ask(room.proposal(side=SELL)).size_micro == 100 * SHARE
    assert room.restored() == room.state


def test_work_told_twice_changes_nothing_twice() -> None:
    room = Room()
    approval = worked(room)
    again = order_pb2.WorkStarted(portfolio="main", approval_id=approval.approval_id)
    assert not room.tell(again).events
    finish(room, approval, 0)
    before = room.restored()
    finish(room, approval, 0)
    assert room.state == before


@pytest.mark.parametrize("seed", range(30))
def test_however_work_goes_what_may_still_be_bought_is_set_aside(seed: int) -> None:
    chance = Random(seed)
    room = Room(tight(total_usd_max=9_000), fee_rate_micro=70_000)
    approval = worked(room, 120)
    bound = room.state.exposure_micro
    orders: list[order_pb2.OrderRef] = []
    fills: list[tuple[order_pb2.OrderRef, order_pb2.Fill]] = []
    standing: dict[str, int] = {}
    open_sizes: dict[str, int] = {}
    for turn in range(25):
        claimed = sum(max(open_sizes.get(o.order_id, 0), standing[o.order_id]) for o in orders)
        left = approval.size_micro // SHARE - -(-claimed // SHARE)
        kind = chance.choice(("order", "fill", "fill", "undo", "close"))
        if kind == "order" and left > 0:
            order = child(approval, f"order-{turn}", chance.randint(1, left))
            assert not alerts(room.tell(order_pb2.OrderAnnounced(order=order)))
            orders.append(order)
            open_sizes[order.order_id], standing[order.order_id] = order.size_micro, 0
        elif kind == "fill" and open_sizes:
            order = next(o for o in orders if o.order_id in open_sizes)
            size = (order.size_micro - standing[order.order_id]) // chance.randint(1, 3)
            if size > 0:
                fill = fill_of(order, trade_id=f"t{turn}", size_micro=size)
                assert not alerts(room.tell(order_pb2.OrderMatched(order=order, fill=fill)))
                fills.append((order, fill))
                standing[order.order_id] += size
        elif kind == "undo" and fills:
            order, fill = fills.pop(chance.randrange(len(fills)))
            room.tell(order_pb2.OrderReversed(order=order, fill=fill))
            standing[order.order_id] -= fill.size_micro
        elif kind == "close" and open_sizes:
            name = next(iter(open_sizes))
            del open_sizes[name]
            order = next(o for o in orders if o.order_id == name)
            room.tell(closed(order, standing[name]))
        assert room.state.exposure_micro <= bound + SLACK
        rest = approval.size_micro - sum(standing.values())
        market = room.core.agent.views.markets[MARKETS[0]]
        assert room.state.reserved_micro >= sizing.worst_cost(
            market, approval.limit_price_micro, rest
        )
    finish(room, approval, sum(standing.values()) // SHARE)
    for order, fill in fills:
        room.tell(order_pb2.OrderConfirmed(order=order, fill=fill))
    assert room.state.reserved_micro <= SLACK * 4
    lot = room.state.lot(yes(MARKETS[0]), WHALES[0])
    assert (lot.size_micro if lot else 0) == sum(standing.values())
    assert room.restored() == room.state
    assert not said(room.steps[-1], risk_pb2.RiskAlerted)
