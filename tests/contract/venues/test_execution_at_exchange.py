"""Execution against a running exchange, over real sockets, through the official client."""

import asyncio

import pytest

from tests.contract.venues.faulty_line import Fault
from tests.contract.venues.trading_rig import (
    CASH,
    CONDITION,
    MAKER_KEY,
    NO,
    T0,
    YES,
    S,
    Trader,
    approval,
    control,
    trading,
    venue_at,
)
from whaletrader.domain.money import notional
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.service import Policy
from whaletrader.schemas import common_pb2, control_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.agent import Working
from whaletrader.services.execution.transitions import Phase
from whaletrader.venues.approval import verify_approval
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY
from whaletrader.venues.polymarket.venue import PolymarketVenue

FILLED = order_pb2.CLOSE_STATUS_FILLED
CANCELLED = order_pb2.CLOSE_STATUS_CANCELLED
POST = "POST /order"


def only_order(trader: Trader) -> str:
    [order_id] = trader.state.orders
    return order_id


def is_live(trader: Trader) -> bool:
    return any(record.phase is Phase.LIVE for record in trader.state.orders.values())


async def agree(trader: Trader) -> None:
    """Wait until execution counts the facts that the exchange counts, and check the money."""
    wallet = trader.venue.wallet
    exchange = trader.place.engine
    await trader.until(lambda: trader.source.facts()[wallet] == exchange.facts()[wallet])
    await trader.settle()
    assert trader.source.facts()[wallet] == exchange.facts()[wallet]
    spent = held = 0
    for record in trader.state.orders.values():
        side = order_pb2.OrderAnnounced.FromString(record.announced).order.side
        sign = 1 if side == common_pb2.SIDE_BUY else -1
        for fill in record.fills.values():
            spent += sign * notional(fill.price_micro, fill.size_micro) + fill.fee_micro
            held += sign * fill.size_micro if record.token_id == YES else 0
    assert await trader.venue.cash_micro() == CASH - spent
    assert await trader.venue.shares_micro(YES) == held


async def test_the_order_has_the_id_that_was_announced_before_it_was_sent() -> None:
    async with trading() as trader:
        trader.tell(approval(), act=False)
        announced = only_order(trader)
        assert not trader.place.orders()
        await trader.restart()
        await trader.until(lambda: is_live(trader))
        assert list(trader.place.orders()) == [announced]


async def test_an_approved_trade_is_filled_by_the_tape_and_the_books_agree() -> None:
    async with trading() as trader:
        trader.tell(approval())
        await trader.until(lambda: is_live(trader))
        await trader.place.play(10, (YES, 50, 40))
        await trader.place.play(20, (YES, 45, 1_000))
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(FILLED, 10_000_000)]
        assert len(trader.said(order_pb2.OrderConfirmed)) == 2
        await agree(trader)


async def test_a_taker_of_several_prices_books_each_price_and_fee_to_the_micro_dollar() -> None:
    async with trading() as trader:
        maker = venue_at(trader.place.url, MAKER_KEY)
        await maker.connect()
        for n, (price, size) in enumerate([(530_000, 7_770_000), (590_000, 5_010_000)]):
            await _rest(maker, n, price, size)
        # Buying YES at 0.47 and 0.41 from those who buy NO at 0.53 and 0.59.
        trader.tell(approval(size_micro=12_780_000))
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(FILLED, 12_780_000)]
        fills = [e.fill for e in trader.said(order_pb2.OrderConfirmed)]
        assert sorted(fill.price_micro for fill in fills) == [410_000, 470_000]
        assert all(fill.fee_micro > 0 for fill in fills)
        await agree(trader)
        await maker.close()


async def _rest(venue: PolymarketVenue, n: int, price: int, size: int) -> None:
    """Have another account buy NO."""
    trade = approval(
        f"maker{n}", token_id=NO, outcome_index=1, limit_price_micro=price, size_micro=size
    )
    order = order_pb2.OrderAnnounced(
        order=order_pb2.OrderRef(
            approval_id=trade.approval_id,
            proposal_id=trade.proposal_id,
            portfolio=trade.portfolio,
            condition_id=CONDITION,
            token_id=NO,
            outcome_index=1,
            side=trade.side,
            price_micro=price,
            size_micro=size,
        ),
        order_type=order_pb2.ORDER_TYPE_GTC,
        salt=n,
        timestamp_ms=T0 // 1_000_000,
    )
    order.order.order_id = venue.prepare(order)
    proof = verify_approval(trade, lambda *_: None, T0)
    await venue.submit(proof, order)


async def test_an_order_that_the_venue_refuses_ends_as_rejected_in_its_words() -> None:
    async with trading() as trader:
        trader.tell(approval(size_micro=5_000_000_000))
        await trader.until(lambda: bool(trader.ends()))
        [closed] = trader.said(order_pb2.OrderClosed)
        assert closed.status == order_pb2.CLOSE_STATUS_REJECTED
        assert "not enough balance" in closed.reasons[0].detail
        await agree(trader)


async def test_an_order_is_cancelled_after_its_working_time() -> None:
    async with trading(working=Working(100 * S)) as trader:
        trader.tell(approval())
        await trader.until(lambda: is_live(trader))
        await trader.place.play(50, (YES, 48, 30))
        await trader.settle()
        assert not trader.ends()
        await trader.place.play(101)
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(CANCELLED, 3_000_000)]
        await agree(trader)


async def test_a_gtd_order_that_the_venue_drops_ends_as_expired() -> None:
    async with trading(working=Working(1_000 * S, gtd_margin_s=60)) as trader:
        trader.tell(approval())
        await trader.until(lambda: is_live(trader))
        await trader.place.play(999)
        await trader.settle()
        assert not trader.ends()
        # The exchange drops it within the window; our timer only finds that it is gone.
        await trader.place.play(1_010)
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(order_pb2.CLOSE_STATUS_EXPIRED, 0)]
        await agree(trader)


async def test_a_resolution_ends_what_rests() -> None:
    async with trading() as trader:
        trader.tell(approval())
        await trader.until(lambda: is_live(trader))
        decided = {"condition_id": CONDITION, "winning_index": 1, "ts_ns": T0 + 9 * S}
        await trader.place.play(10, resolutions=[decided])
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(CANCELLED, 0)]


# -- crashes ---------------------------------------------------------------------------------


async def test_a_crash_after_the_send_and_before_its_outcome_places_nothing_twice() -> None:
    async with trading() as trader:
        trader.tell(approval())
        await trader.until_placed()
        posts = trader.place.line.requests[POST]
        await trader.restart()
        await trader.until(lambda: is_live(trader))
        assert trader.place.line.requests[POST] == posts == 1
        assert len(trader.place.orders()) == 1
        assert len(trader.said(order_pb2.OrderAccepted)) == 1


async def test_an_order_that_was_filled_while_we_were_dead_is_found_and_booked_once() -> None:
    async with trading() as trader:
        trader.tell(approval())
        await trader.until_placed()
        await trader.crash()
        await trader.place.play(10, (YES, 40, 60))
        await trader.place.play(20, (YES, 40, 1_000))
        await trader.start()
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(FILLED, 10_000_000)]
        assert len(trader.said(order_pb2.OrderMatched)) == 2
        await agree(trader)


async def test_the_facts_of_earlier_lives_count_after_a_restart() -> None:
    async with trading() as trader:
        trader.tell(approval("a1"))
        trader.tell(approval("a2", limit_price_micro=300_000))
        await trader.until(lambda: len(trader.said(order_pb2.OrderAccepted)) == 2)
        await trader.place.play(10, (YES, 45, 1_000))
        trader.tell(control(control_pb2.CONTROL_ACTION_FLATTEN))
        await trader.until(lambda: len(trader.ends()) == 2)
        await agree(trader)
        messages, facts = len(trader.journal), dict(trader.source.facts())
        await trader.restart()
        await trader.until(lambda: trader.source.facts() == facts)
        await trader.settle()
        assert len(trader.journal) == messages, "nothing of it is news"


# -- lost answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "posts"), [(Fault.LOSE_ANSWER, 1), (Fault.LOSE_REQUEST, 2)])
async def test_a_broken_connection_is_followed_by_a_look_and_at_most_the_same_order_again(
    fault: Fault, posts: int
) -> None:
    async with trading() as trader:
        trader.place.line.arm("POST /order", fault)
        trader.tell(approval())
        await trader.until(lambda: is_live(trader))
        assert trader.place.line.requests[POST] == posts
        assert trader.place.line.requests[f"GET /data/order/{only_order(trader)}"] >= 1
        assert list(trader.place.orders()) == [only_order(trader)]
        assert not trader.said(order_pb2.OrderUnknown)


async def test_an_answer_that_never_comes_leaves_the_order_unknown_until_it_is_found() -> None:
    async with trading(Policy(deadline_s=1.5, attempts_max=1)) as trader:
        trader.place.line.arm("POST /order", Fault.HANG)
        trader.tell(approval())
        await trader.until(lambda: bool(trader.said(order_pb2.OrderUnknown)))
        assert not trader.ends()
        await trader.place.play(30)
        await trader.until(lambda: is_live(trader))
        assert trader.place.line.requests[POST] == 1


async def test_an_order_that_never_arrived_is_sent_again_as_it_is_while_its_approval_lives() -> (
    None
):
    async with trading(Policy(deadline_s=20.0, attempts_max=1)) as trader:
        trader.place.line.arm("POST /order", Fault.LOSE_REQUEST)
        trader.tell(approval())
        await trader.until(lambda: bool(trader.said(order_pb2.OrderUnknown)))
        await trader.place.play(10)
        await trader.until(lambda: is_live(trader))
        assert trader.place.line.requests[POST] == 2
        assert list(trader.place.orders()) == [only_order(trader)]


async def test_an_order_that_never_arrived_is_given_up_after_the_grace_and_not_before() -> None:
    async with trading(Policy(deadline_s=20.0, attempts_max=1)) as trader:
        trader.place.line.arm("POST /order", Fault.LOSE_REQUEST)
        trader.tell(approval(expires_ns=T0 + 5 * S))
        await trader.until(lambda: bool(trader.said(order_pb2.OrderUnknown)))
        await trader.place.play(10)
        await trader.settle()
        assert not trader.ends()
        await trader.place.play(60)
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(order_pb2.CLOSE_STATUS_FAILED, 0)]
        assert not trader.place.orders()
        await agree(trader)


async def test_while_the_venue_is_away_nothing_is_concluded() -> None:
    async with trading(Policy(deadline_s=20.0, attempts_max=2)) as trader:
        await trader.place.line.cut()
        trader.tell(approval(expires_ns=T0 + 30 * S))
        await trader.until(lambda: bool(trader.said(order_pb2.OrderUnknown)))
        for minute in range(1, 4):
            await trader.place.play(60 * minute)
            await trader.settle()
        assert not trader.ends()
        trader.place.line.mend()
        for minute in range(10, 30):
            await trader.place.play(60 * minute)
            await asyncio.sleep(0.3)
            await trader.settle()
            if trader.ends():
                break
        assert trader.ends() == [(order_pb2.CLOSE_STATUS_FAILED, 0)]


async def test_what_happens_while_the_stream_is_away_is_read_after_it() -> None:
    async with trading() as trader:
        trader.tell(approval("a1"))
        trader.tell(approval("a2", limit_price_micro=600_000))
        trader.tell(approval("a3", limit_price_micro=200_000))
        await trader.until(lambda: len(trader.said(order_pb2.OrderAccepted)) == 3)
        # Past the reads that follow the first connection: only a reconnect makes new ones.
        looks = trader.place.line.requests
        await trader.until(lambda: looks["GET /data/orders"] >= 2)
        await trader.settle()
        await trader.place.line.cut()
        await trader.place.play(10, (YES, 45, 150))
        other = venue_at(trader.place.url, DEVELOPMENT_KEY)
        await other.connect()
        [gone] = [o for o, r in trader.place.orders().items() if r.price_micro == 200_000]
        await other.cancel(gone)
        await other.close()
        await trader.settle()
        assert not trader.ends()
        trader.place.line.mend()
        await agree(trader)
        assert (CANCELLED, 0) in trader.ends()
        assert (FILLED, 10_000_000) in trader.ends()


# -- halt ------------------------------------------------------------------------------------


async def test_what_was_announced_but_not_sent_when_the_halt_came_never_leaves() -> None:
    async with trading() as trader:
        trader.tell(approval("a1"))
        trader.tell(approval("a2"))
        trader.tell(control(control_pb2.CONTROL_ACTION_HALT))
        await trader.until(lambda: len(trader.ends()) == 2)
        assert trader.ends() == [(CANCELLED, 0)] * 2
        assert trader.place.line.requests[POST] == 0
        trader.tell(approval("a3"))
        await trader.settle()
        assert trader.place.line.requests[POST] == 0
        assert len(trader.said(order_pb2.ApprovalRefused)) == 1


async def test_a_halt_that_was_committed_before_a_crash_holds_back_what_is_taken_up_again() -> None:
    async with trading() as trader:
        trader.tell(approval(), act=False)
        trader.tell(control(control_pb2.CONTROL_ACTION_HALT), act=False)
        await trader.restart()
        await trader.until(lambda: bool(trader.said(order_pb2.OrderUnknown)))
        await trader.place.play(60)
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(CANCELLED, 0)]
        assert trader.place.line.requests[POST] == 0
        assert not trader.place.orders()


async def test_a_halt_takes_what_rests_off_the_book() -> None:
    async with trading() as trader:
        trader.tell(approval())
        await trader.until(lambda: is_live(trader))
        trader.tell(control(control_pb2.CONTROL_ACTION_HALT))
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(CANCELLED, 0)]
        assert not await trader.venue.open_orders()
        await agree(trader)


async def test_an_approval_that_expires_before_the_order_is_sent_is_not_used() -> None:
    async with trading() as trader:
        trader.tell(approval(expires_ns=T0 + 5 * S), act=False)
        trader.place.clock.set(T0 + 5 * S)
        [effect] = [e for e in trader.core.pending.values() if e.lane]
        trader.runner.start(effect, again=False)
        await trader.until(lambda: bool(trader.ends()))
        assert trader.ends() == [(order_pb2.CLOSE_STATUS_EXPIRED, 0)]
        assert trader.place.line.requests[POST] == 0


async def test_a_tampered_effect_is_not_sent() -> None:
    async with trading() as trader:
        trader.tell(approval(), act=False)
        [effect] = [e for e in trader.core.pending.values() if e.lane]
        message = effect.message
        assert isinstance(message, order_pb2.SubmitOrder)
        message.order.order.size_micro *= 2
        trader.runner.start(effect, again=False)
        await trader.until(lambda: bool(trader.ends()))
        assert trader.place.line.requests[POST] == 0
        assert isinstance(message.approval, risk_pb2.ApprovedTrade)


async def test_an_order_sent_twice_is_placed_once_and_told_as_placed() -> None:
    async with trading() as trader:
        trader.tell(approval())
        await trader.until(lambda: is_live(trader))
        record = trader.state.orders[only_order(trader)]
        order = order_pb2.OrderAnnounced.FromString(record.announced)
        submit = order_pb2.SubmitOrder(order=order, approval=approval())
        outcome = await trader.runner._edges[order_pb2.SubmitOrder].performer(
            Effect(submit, "lane", "second"), False
        )
        assert isinstance(outcome, order_pb2.OrderPlacement)
        assert outcome.status == order_pb2.PLACEMENT_STATUS_LIVE
        assert len(trader.place.orders()) == 1
