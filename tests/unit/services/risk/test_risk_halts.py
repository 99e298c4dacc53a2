"""Halt, resume, flatten and the day's loss: what is allowed in each state, and how it ends."""

from decimal import Decimal

import pytest

from tests.unit.services.risk.risk_room import (
    DAY,
    FLATTEN,
    GENEROUS,
    HALT,
    MARKETS,
    RESUME,
    SELL,
    SHARE,
    SIGNER,
    USD,
    WHALES,
    Room,
    alerts,
    closed,
    fill_of,
    no,
    order_of,
    said,
    yes,
)
from whaletrader.domain.approval import ApprovalVerifier, signing_bytes
from whaletrader.runtime.core import Step
from whaletrader.schemas import control_pb2, order_pb2, risk_pb2
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.rules import Rule

LOSS = GENEROUS.model_copy(update={"day_loss_usd_max": Decimal(100)})


def approvals(step: Step) -> list[risk_pb2.ApprovedTrade]:
    return said(step, risk_pb2.ApprovedTrade)


def elsewhere(room: Room) -> risk_pb2.TradeProposal:
    room.print_price(MARKETS[1], yes(MARKETS[1]), 500_000)
    return room.proposal(condition_id=MARKETS[1], token_id=yes(MARKETS[1]))


def room_after_loss(*, needs_resume: bool) -> Room:
    room = Room(LOSS.model_copy(update={"day_loss_needs_resume": needs_resume}))
    room.buy()
    room.buy(condition_id=MARKETS[2], token_id=yes(MARKETS[2]), max_size_micro=20 * SHARE)
    step = room.resolve(MARKETS[0], no(MARKETS[0]))
    assert alerts(step) == [Alert.DAY_LOSS]
    return room


def test_after_halt_nothing_is_bought_or_sold_until_resume() -> None:
    room = Room(GENEROUS)
    room.buy()
    assert alerts(room.control(HALT)) == [Alert.HALT]
    assert room.refusal(room.proposal()) == Rule.HALTED
    assert room.refusal(room.proposal(side=SELL)) == Rule.HALTED
    assert alerts(room.control(RESUME)) == [Alert.RESUME]
    assert room.ask(room.proposal(side=SELL))
    assert room.state == room.restored()


def test_halt_survives_a_restart() -> None:
    room = Room()
    room.control(HALT)
    assert room.restored().halt == Alert.HALT


def test_the_same_order_given_twice_is_said_once() -> None:
    room = Room()
    assert not room.control(RESUME).events
    assert room.control(HALT).events
    assert not room.control(HALT).events


@pytest.mark.parametrize("portfolio", ["", "other"])
def test_orders_for_another_portfolio_do_nothing(portfolio: str) -> None:
    room = Room()
    room.tell(control_pb2.ControlOrdered(portfolio=portfolio, action=HALT))
    assert room.ask(room.proposal())


def test_an_order_of_no_known_kind_does_nothing() -> None:
    room = Room()
    assert not room.tell(control_pb2.ControlOrdered(portfolio="main")).events


def test_money_set_aside_stays_so_while_halted() -> None:
    room = Room()
    approval = room.ask(room.proposal())
    room.control(HALT)
    reserved = room.state.reserved_micro
    assert reserved
    room.work(approval)
    assert room.state.reserved_micro == 0
    assert room.state.cost_micro > 0


def test_after_a_days_loss_holdings_may_be_sold_but_nothing_bought() -> None:
    room = room_after_loss(needs_resume=True)
    sale = room.proposal(
        side=SELL, condition_id=MARKETS[2], token_id=yes(MARKETS[2]), max_size_micro=20 * SHARE
    )
    assert room.refusal(elsewhere(room)) == Rule.HALTED
    assert room.ask(sale)


def test_a_days_loss_is_said_once() -> None:
    room = room_after_loss(needs_resume=True)
    assert not alerts(room.resolve(MARKETS[2], no(MARKETS[2])))


def test_a_days_loss_waits_for_a_person_where_it_is_set_so() -> None:
    room = room_after_loss(needs_resume=True)
    room.now_ns += 2 * DAY
    assert room.refusal(elsewhere(room)) == Rule.HALTED
    room.control(RESUME)
    assert room.ask(elsewhere(room))


def test_a_days_loss_ends_with_the_day_where_it_is_set_so() -> None:
    room = room_after_loss(needs_resume=False)
    assert room.refusal(elsewhere(room)) == Rule.HALTED
    room.now_ns += DAY
    step = room.tell(elsewhere(room))
    assert alerts(step) == [Alert.DAY_OVER]
    assert isinstance(step.replies[0], risk_pb2.ApprovedTrade)
    assert room.state.halt == ""
    assert room.state == room.restored()


def test_resumed_on_the_day_of_the_loss_the_rule_itself_still_refuses() -> None:
    room = room_after_loss(needs_resume=True)
    room.control(RESUME)
    assert room.refusal(elsewhere(room)) == Rule.DAY_LOSS


def test_an_operators_halt_does_not_end_with_the_day() -> None:
    room = room_after_loss(needs_resume=False)
    room.control(HALT)
    room.now_ns += DAY
    assert room.refusal(elsewhere(room)) == Rule.HALTED


def test_flatten_puts_every_holding_up_for_sale_under_a_signed_approval() -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    room.buy(leader=WHALES[1], max_size_micro=40 * SHARE)
    room.buy(condition_id=MARKETS[1], token_id=yes(MARKETS[1]), max_size_micro=20 * SHARE)
    step = room.control(FLATTEN)
    sales = approvals(step)
    assert {(sale.token_id, sale.leader, sale.size_micro) for sale in sales} == {
        (yes(MARKETS[0]), WHALES[0], 100 * SHARE),
        (yes(MARKETS[0]), WHALES[1], 40 * SHARE),
        (yes(MARKETS[1]), WHALES[0], 20 * SHARE),
    }
    verifier = ApprovalVerifier([SIGNER.public_pem()])
    for sale in sales:
        verifier.verify(signing_bytes(sale), sale.signature, sale.key_id)
        assert sale.side == SELL
        assert sale.strategy == "flatten"
        assert sale.limit_price_micro == 450_000
    assert len({sale.approval_id for sale in sales}) == len({s.meta.id for s in sales}) == 3
    assert len(said(step, risk_pb2.DeriskOrdered)) == 3
    for sale in sales:
        room.work(sale)
    assert room.state.exposure_micro == 0
    assert not room.state.lots
    assert room.state == room.restored()


def test_while_flattening_nothing_else_is_approved() -> None:
    room = Room(GENEROUS)
    room.buy()
    room.control(FLATTEN)
    assert room.refusal(room.proposal()) == Rule.HALTED
    assert room.refusal(room.proposal(side=SELL)) == Rule.HALTED


def test_a_purchase_that_fills_while_flattening_is_sold_as_well() -> None:
    room = Room(GENEROUS)
    order = order_of(room.ask(room.proposal(max_size_micro=100 * SHARE)))
    room.tell(order_pb2.OrderAnnounced(order=order))
    assert not approvals(room.control(FLATTEN))
    step = room.tell(order_pb2.OrderMatched(order=order, fill=fill_of(order)))
    assert [sale.size_micro for sale in approvals(step)] == [100 * SHARE]


def test_shares_that_a_cancelled_sale_gives_back_are_put_up_again_a_bounded_number_of_times() -> (
    None
):
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    waiting = [order_of(room.ask(room.proposal(side=SELL)))]
    room.tell(order_pb2.OrderAnnounced(order=waiting[0]))
    assert not approvals(room.control(FLATTEN))
    sold = 0
    while waiting:
        step = room.tell(closed(waiting.pop(), 0))
        for sale in approvals(step):
            sold += 1
            waiting.append(order_of(sale))
            room.tell(order_pb2.OrderAnnounced(order=waiting[-1]))
    assert sold == 3
    assert Alert.NOT_FLATTENED in alerts(step)
    # Ordered again, it is tried again.
    assert approvals(room.control(FLATTEN))


def test_a_holding_below_the_venues_minimum_is_named_and_stays() -> None:
    room = Room(GENEROUS)
    order = order_of(room.ask(room.proposal(max_size_micro=100 * SHARE)))
    fill = fill_of(order, size_micro=2 * SHARE)
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    step = room.control(FLATTEN)
    assert not approvals(step)
    ordered = said(step, risk_pb2.DeriskOrdered)[0]
    assert [r.rule for r in ordered.reasons if not r.passed] == [Rule.MINIMUM_SIZE]
    assert alerts(step) == [Alert.FLATTEN, Alert.NOT_FLATTENED]


def test_the_floor_of_a_sale_is_never_below_one_tick() -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    room.print_price(MARKETS[0], yes(MARKETS[0]), 20_000)
    assert approvals(room.control(FLATTEN))[0].limit_price_micro == 10_000


def test_halt_ends_a_flattening_and_resume_ends_both() -> None:
    room = Room(GENEROUS)
    room.buy(max_size_micro=100 * SHARE)
    sale = order_of(approvals(room.control(FLATTEN))[0])
    room.tell(order_pb2.OrderAnnounced(order=sale))
    room.control(HALT)
    assert not approvals(room.tell(closed(sale, 0)))
    room.control(RESUME)
    assert room.ask(room.proposal(side=SELL)).size_micro == 100 * SHARE


def test_a_decided_market_is_not_flattened() -> None:
    room = Room(GENEROUS)
    room.buy()
    room.resolve(MARKETS[0], yes(MARKETS[0]))
    assert not approvals(room.control(FLATTEN))


def test_without_any_price_nothing_is_sold_blindly() -> None:
    room = Room(GENEROUS)
    room.buy()
    views = room.core.agent.views
    views.prices.clear()
    step = room.control(FLATTEN)
    assert not approvals(step)
    failed = [r.rule for r in said(step, risk_pb2.DeriskOrdered)[0].reasons if not r.passed]
    assert failed == [Rule.PRICE_FRESH]


def test_the_loss_limit_counts_what_sales_realise() -> None:
    room = Room(LOSS.model_copy(update={"day_loss_usd_max": Decimal(10)}))
    room.buy(max_size_micro=100 * SHARE)
    sale = room.ask(room.proposal(side=SELL, limit_price_micro=400_000))
    order = order_of(sale)
    step = room.tell(order_pb2.OrderMatched(order=order, fill=fill_of(order)))
    assert alerts(step) == [Alert.DAY_LOSS]
    assert room.state.realized_micro == -10 * USD
