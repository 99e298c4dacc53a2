"""Approved trades worked at a running exchange: its own books, its own matching, real sockets."""

from dataclasses import replace
from typing import Any

import pytest

from tests.contract.venues.faulty_line import Fault
from tests.contract.venues.test_execution_at_exchange import _rest, agree
from tests.contract.venues.trading_rig import (
    CASH,
    MAKER_KEY,
    NO,
    T0,
    Place,
    S,
    Trader,
    approval,
    control,
    trading,
    venue_at,
)
from whaletrader.domain.money import MICRO
from whaletrader.schemas import agent_pb2, control_pb2, order_pb2
from whaletrader.services.execution.source import Rhythm
from whaletrader.services.execution.working.terms import TacticSettings
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY

# The category's fee would make us rest: here the three phases are looked at.
ADAPTIVE = TacticSettings(fixed=order_pb2.TACTIC_ADAPTIVE)
EXPIRES = {"expires_ns": T0 + 1_000 * S}


async def offered(place: Place, *levels: tuple[int, int]) -> Any:
    """Have another account offer YES at prices in cents by buying NO."""
    maker = venue_at(place.url, MAKER_KEY)
    await maker.connect()
    for number, (cents, shares) in enumerate(levels):
        await _rest(maker, number, MICRO - cents * 10_000, shares * MICRO)
    return maker


def phases(trader: Trader) -> list[tuple[int, int, int]]:
    return [
        (e.phase, e.order.price_micro // 10_000, e.order.size_micro // MICRO)
        for e in trader.said(order_pb2.OrderAnnounced)
    ]


def is_done(trader: Trader) -> bool:
    return bool(trader.said(order_pb2.WorkFinished))


async def test_phases_follow_the_exchanges_own_book_and_their_figures_add_up() -> None:
    async with trading(tactics=ADAPTIVE) as trader:
        maker = await offered(trader.place, (47, 20), (49, 60), (60, 50))
        trader.tell(approval(size_micro=100 * MICRO, limit_price_micro=500_000, **EXPIRES))
        # One side only: the mid is the best ask.
        await trader.until(lambda: phases(trader) == [(0, 47, 100)])
        await trader.settle()
        await trader.place.play(31)
        await trader.until(lambda: len(phases(trader)) == 2)
        await trader.settle()
        assert phases(trader)[1] == (1, 50, 72)
        await trader.place.play(77)
        await trader.until(lambda: len(phases(trader)) == 3)
        await trader.settle()
        await trader.place.play(138)
        await trader.until(lambda: is_done(trader))
        [event] = trader.said(order_pb2.WorkFinished)
        assert event.filled_size_micro == 80 * MICRO
        assert event.average_price_micro == (47 * 20 + 49 * 60) * 10_000 // 80
        assert event.fees_micro > 0
        assert event.fees_micro == sum(
            e.fill.fee_micro for e in trader.said(order_pb2.OrderConfirmed)
        )
        assert not await trader.venue.open_orders()
        await agree(trader)
        await maker.close()


async def test_a_crash_between_two_phases_goes_on_where_it_was() -> None:
    async with trading(tactics=ADAPTIVE) as trader:
        maker = await offered(trader.place, (49, 30), (60, 50))
        trader.tell(approval(size_micro=100 * MICRO, limit_price_micro=500_000, **EXPIRES))
        await trader.until(lambda: bool(trader.said(order_pb2.OrderAccepted)))
        await trader.settle()
        await trader.crash()
        # Its first phase ends while nobody is there.
        await trader.place.play(31)
        await trader.start()
        await trader.until(lambda: len(phases(trader)) == 2)
        await trader.settle()
        assert phases(trader) == [(0, 49, 100), (1, 50, 63)]
        [resting] = trader.place.engine.state.open_by_principal[trader.venue.wallet]
        assert resting == list(trader.state.orders)[-1]
        await agree(trader)
        await maker.close()


async def test_a_purchase_in_haste_takes_exactly_what_was_approved_and_rests_nothing() -> None:
    hasty = TacticSettings(fixed=order_pb2.TACTIC_AGGRESSIVE)
    async with trading(tactics=hasty) as trader:
        maker = await offered(trader.place, (45, 30), (48, 100))
        trader.tell(approval(size_micro=50 * MICRO, limit_price_micro=500_000, **EXPIRES))
        await trader.until(lambda: is_done(trader))
        [event] = trader.said(order_pb2.WorkFinished)
        assert event.result == order_pb2.WORK_RESULT_FILLED
        assert event.filled_size_micro == 50 * MICRO
        assert event.average_price_micro == (45 * 30 + 48 * 20) * 10_000 // 50
        assert {part.liquidity for part in event.parts} == {order_pb2.LIQUIDITY_TAKER}
        await trader.settle()
        assert not await trader.venue.open_orders()
        await agree(trader)
        await maker.close()


async def test_an_empty_book_is_given_up_after_some_looks_and_goes_on_the_review_list() -> None:
    patient = replace(ADAPTIVE, failures_max=2, retry_ns=1)
    async with trading(tactics=patient) as trader:
        trader.tell(approval(**EXPIRES))
        await trader.until(lambda: bool(trader.said(agent_pb2.DeadLettered)) or _tick(trader))
        [event] = trader.said(order_pb2.WorkFinished)
        assert event.result == order_pb2.WORK_RESULT_FAILED
        assert not trader.place.orders()


async def test_the_holdings_are_those_of_the_exchange_and_a_stranger_is_noticed() -> None:
    async with trading() as trader:
        trader.rhythm = Rhythm(30.0, holdings_s=0.2, second_look_s=0.1)
        await trader.restart()
        await trader.until(lambda: bool(trader.said(order_pb2.PositionsReconciled)))
        assert trader.said(order_pb2.PositionsReconciled)[0].cash_micro == CASH
        maker = await offered(trader.place, (49, 30))
        trader.tell(approval(size_micro=20 * MICRO, **EXPIRES))
        await trader.until(lambda: is_done(trader))
        trader.place.clock.set(T0 + 1)
        before = len(trader.said(order_pb2.PositionsReconciled))
        await trader.until(lambda: len(trader.said(order_pb2.PositionsReconciled)) > before)
        assert not trader.said(order_pb2.ReconciliationFailed)
        # Somebody with our key trades behind our back: shares that no order of ours explains.
        await _trade_behind_our_back(trader)
        await trader.until(
            lambda: any(e.halted for e in trader.said(order_pb2.ReconciliationFailed))
        )
        trader.tell(approval("a2", **EXPIRES))
        await trader.settle()
        [refusal] = trader.said(order_pb2.ApprovalRefused)
        assert [r.detail for r in refusal.reasons if not r.passed] == ["difference"]
        await maker.close()


async def _trade_behind_our_back(trader: Trader) -> None:
    """Buy NO as a stranger with our key would."""
    stranger = venue_at(trader.place.url, DEVELOPMENT_KEY)
    await stranger.connect()
    await _rest(stranger, 99, 520_000, 10 * MICRO)
    await stranger.close()
    await trader.place.play(10, (NO, 40, 1_000))


def _tick(trader: Trader) -> bool:
    """Let the tape's time pass a little: pauses between looks are counted in it."""
    trader.place.clock.set(trader.place.clock.now_ns() + S)
    return False


async def test_the_exchange_hears_that_we_live_before_an_order_rests_and_after_it() -> None:
    async with trading() as trader:
        trader.rhythm = Rhythm(30.0, heartbeat_s=0.05)
        await trader.restart()
        # A silence between two orders would end the second one, if it came before the lapse.
        await trader.until(lambda: _beats(trader) >= 3)
        trader.tell(approval(**EXPIRES))
        await trader.until(lambda: bool(trader.said(order_pb2.OrderAccepted)))
        trader.tell(control(control_pb2.CONTROL_ACTION_HALT))
        await trader.until(lambda: bool(trader.ends()))
        heard = _beats(trader)
        await trader.until(lambda: _beats(trader) >= heard + 3)


async def test_a_new_life_takes_over_the_heartbeats_of_the_former_before_they_lapse() -> None:
    async with trading() as trader:
        # So seldom that only a beat at once can be heard.
        trader.rhythm = Rhythm(30.0, heartbeat_s=3_600.0)
        chains = trader.place.heartbeats
        await trader.restart()
        await trader.until(lambda: bool(chains))
        [(key, (_, heard_ns))] = chains.items()
        await trader.restart()
        await trader.until(lambda: list(chains) == [key] and chains[key][1] > heard_ns)
        assert not trader.said(order_pb2.OrderAnnounced), "before any order"


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
async def test_after_a_heartbeat_that_failed_everything_is_read_anew(fault: Fault) -> None:
    async with trading() as trader:
        # No look by the clock.
        trader.rhythm = Rhythm(3_600.0, heartbeat_s=0.1)
        await trader.restart()
        # One when the stream has opened, and one a moment later.
        await trader.until(lambda: _looks(trader) >= 2)
        await trader.settle()
        looked = _looks(trader)
        trader.place.line.arm("POST /v1/heartbeats", fault)
        await trader.until(lambda: _looks(trader) > looked)


async def test_after_heartbeats_have_lapsed_everything_is_read_anew() -> None:
    async with trading() as trader:
        trader.rhythm = Rhythm(3_600.0, heartbeat_s=0.1)
        await trader.restart()
        await trader.until(lambda: _looks(trader) >= 2)
        await trader.settle()
        looked = _looks(trader)
        # What the exchange does after a silence.
        trader.place.heartbeats.clear()
        await trader.until(lambda: _looks(trader) > looked)


def _beats(trader: Trader) -> int:
    requests = trader.place.line.requests
    return sum(count for name, count in requests.items() if "heartbeat" in name)


def _looks(trader: Trader) -> int:
    return trader.place.line.requests["GET /data/orders"]
