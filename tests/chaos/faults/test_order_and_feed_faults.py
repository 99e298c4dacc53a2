"""The faults of orders and feeds that cost money elsewhere, each on a running stack.

Real processes, real sockets, the official client, a real log; only risk is played by the test.
After each fault the books are held against the exchange's own (`Stack.settled`).
"""

import json
import signal

import pytest

from tests.chaos.faults.market import CENT, SELL, SHARE, halt
from tests.chaos.faults.stack import DYING, Stack
from whaletrader.schemas import order_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

CANCELLED = order_pb2.CLOSE_STATUS_CANCELLED
# Longer than any test: it is lifted.
FOR_EVER_MS = 600_000
NO_CANCELS = {
    "effect": "error",
    "id": "no cancels",
    "status": 503,
    "endpoints": ["DELETE /order"],
}


def phases(*seconds: int) -> str:
    """Return phases that show all, the first at the mid, each next one a cent beyond."""
    return json.dumps(
        [{"seconds": it, "cents": at, "size_percent": 100} for at, it in enumerate(seconds)]
    )


async def test_a_crash_between_sign_and_post_sends_the_signed_order_once(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow()
    await desk.execution.kill()
    await desk.start(DYING)
    await desk.approve(market.approval("crash", 50 * CENT, 10 * SHARE))
    assert await desk.execution.ended() == -signal.SIGKILL
    await desk.told.read(desk.log)
    [order] = desk.told.orders_of("crash")
    assert (await desk.struck())["posts"] == 0
    assert not await desk.is_at_venue(order.order.order_id)
    await desk.start()
    assert await desk.until_live("crash") == order.order.order_id
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("crash") == 10 * SHARE
    assert (await desk.struck())["posts"] == 1
    await desk.settled()


async def test_a_time_out_after_post_that_took_effect_is_found_by_its_hash(desk: Stack) -> None:
    market = await desk.market()
    lost = {"effect": "timeout_after", "hold_ms": 300, "endpoints": ["POST /order"], "count": 1}
    await desk.blow(lost)
    await desk.approve(market.approval("after", 50 * CENT, 10 * SHARE))
    await desk.until_live("after")
    struck = await desk.struck()
    assert struck["1-timeout_after"] == 1
    assert struck["posts"] == 1, "what took effect is not sent again"
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("after") == 10 * SHARE
    await desk.settled()


async def test_a_time_out_after_post_that_took_no_effect_is_sent_again_as_it_is(
    desk: Stack,
) -> None:
    market = await desk.market()
    lost = {"effect": "timeout_before", "hold_ms": 300, "endpoints": ["POST /order"], "count": 1}
    await desk.blow(lost)
    await desk.approve(market.approval("before", 50 * CENT, 10 * SHARE))
    await desk.until_live("before")
    assert (await desk.struck())["posts"] == 2
    assert len(desk.told.orders_of("before")) == 1
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("before") == 10 * SHARE
    await desk.settled()


async def test_425_and_then_post_only_keep_the_order_until_the_venue_takes_it(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow({"effect": "restart", "id": "restart", "for_ms": FOR_EVER_MS})
    await desk.approve(market.approval("restart", 50 * CENT, 10 * SHARE))
    await desk.until_struck("restart")
    await desk.blow({"effect": "post_only", "id": "post only"})
    await desk.until_struck("post only")
    await desk.blow()
    await desk.until_live("restart")
    assert len(desk.told.orders_of("restart")) == 1
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("restart") == 10 * SHARE
    await desk.settled()


async def test_429_is_waited_for_as_long_as_it_says(desk: Stack) -> None:
    market = await desk.market()
    limit = {"effect": "rate_limit", "id": "limit", "retry_after_s": 1, "count": 2}
    await desk.blow(limit | {"endpoints": ["POST /order"]})
    await desk.approve(market.approval("limited", 50 * CENT, 10 * SHARE))
    await desk.until_live("limited")
    assert (await desk.struck())["limit"] == 2
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("limited") == 10 * SHARE
    await desk.settled()


async def test_events_that_come_twice_late_and_overtaken_count_once(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow(
        {"effect": "duplicate", "copies": 3, "delay_ms": 150, "probability": 0.7},
        {"effect": "reorder", "probability": 0.4, "delay_ms": 300},
        {"effect": "late", "delay_ms": 100, "jitter_ms": 600, "probability": 0.6},
        {"effect": "slow_settlement", "mined_ms": 200, "confirmed_ms": 200},
    )
    await desk.approve(market.approval("storm", 50 * CENT, 30 * SHARE))
    await desk.until_live("storm")
    for shares in (5, 6, 7, 12):
        await desk.rest(market.no, 50, shares)
    assert await desk.until_finished("storm") == 30 * SHARE
    assert len(desk.told.fills_of("storm")) == 4
    struck = await desk.struck()
    assert min(struck["1-duplicate"], struck["2-reorder"], struck["3-late"]) >= 1
    await desk.settled()


async def test_a_fill_that_failed_is_taken_back_everywhere(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow({"effect": "ghost_fill", "mined_ms": 500, "count": 1})
    await desk.approve(market.approval("ghost", 50 * CENT, 10 * SHARE))
    await desk.until_live("ghost")
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("ghost") == 0
    assert len(desk.told.fills_of("ghost", "reversed")) == 1
    assert not desk.told.fills_of("ghost")
    await desk.settled()


async def test_matched_again_after_confirmed_is_old_news(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow({"effect": "matched_again", "mined_ms": 100, "confirmed_ms": 100})
    await desk.approve(market.approval("again", 50 * CENT, 10 * SHARE))
    await desk.until_live("again")
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("again") == 10 * SHARE
    assert len(desk.told.fills_of("again", "matched")) == 1
    await desk.settled()


async def test_a_yes_that_meets_a_no_is_booked_as_ours_on_either_side(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow()
    # We rest and are met by a purchase of NO; then we take what a purchase of NO offers.
    await desk.approve(market.approval("maker", 42 * CENT, 10 * SHARE))
    await desk.until_live("maker")
    await desk.rest(market.no, 58, 10)
    await desk.rest(market.no, 55, 8)
    await desk.approve(market.approval("taker", 47 * CENT, 8 * SHARE))
    assert await desk.until_finished("maker") == 10 * SHARE
    assert await desk.until_finished("taker") == 8 * SHARE
    [made], [took] = desk.told.fills_of("maker"), desk.told.fills_of("taker")
    assert (made.price_micro, made.fee_micro) == (42 * CENT, 0)
    assert took.price_micro == 45 * CENT
    assert took.fee_micro > 0
    # And out again: our sale of YES meets a sale of NO, which is a merge.
    await desk.approve(market.approval("sale", 40 * CENT, 8 * SHARE, side=SELL))
    await desk.until_live("sale")
    await desk.rest(market.no, 60, 8, "SELL")
    assert await desk.until_finished("sale") == 8 * SHARE
    await desk.settled()


async def test_a_fill_that_crosses_a_cancel_is_booked_and_the_rest_is_gone(desk: Stack) -> None:
    # The fill must come while the cancel is on its way: on a slow machine that must take longer.
    for way_ms in (800, 3_000, 8_000):
        market, name = await desk.market(), f"race of {way_ms} ms"
        await desk.approve(market.approval(name, 50 * CENT, 20 * SHARE, portfolio=name))
        await desk.until_live(name)
        slow = {"effect": "latency", "latency_ms": way_ms, "endpoints": ["DELETE /order"]}
        await desk.blow(slow | {"id": "slow"}, {"effect": "late", "delay_ms": 1_500})
        await desk.append(halt(name))
        await desk.until_struck("slow")
        await desk.rest(market.no, 50, 7)
        if await desk.until_finished(name):
            break
    assert desk.told.ends_of(name) == [(CANCELLED, 7 * SHARE)]
    await desk.settled()


async def test_two_executors_on_one_wallet_place_nothing_twice(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow()
    first = desk.execution
    await desk.start(CLAIM_WAIT_S="0")
    assert await desk.execution.ended() == 1
    assert "wallet" in desk.execution.last_words().splitlines()[-1]
    # The first freezes, its session breaks, and a second takes over.
    first.send(signal.SIGSTOP)
    await desk.approve(market.approval("two", 50 * CENT, 10 * SHARE))
    await desk.break_session(first)
    await desk.start(CLAIM_WAIT_S="20")
    await desk.until_live("two")
    first.send(signal.SIGCONT)
    await desk.approve(market.approval("three", 49 * CENT, 10 * SHARE))
    await desk.until_live("three")
    for _ in range(2):
        await desk.rest(market.no, 51, 10)
    await desk.until_finished("two")
    await desk.until_finished("three")
    assert (await desk.struck())["posts"] == 2
    await first.kill()
    await desk.settled()


async def test_a_frozen_socket_hides_no_fill(desk: Stack) -> None:
    market = await desk.market()
    await desk.blow()
    await desk.approve(market.approval("frozen", 50 * CENT, 10 * SHARE))
    await desk.until_live("frozen")
    # Open, and answering pings: nothing but a look at the venue can tell.
    await desk.blow({"effect": "freeze", "id": "freeze", "channels": ["user"]})
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished("frozen") == 10 * SHARE
    assert (await desk.struck())["freeze"] >= 1
    await desk.settled()


async def test_what_happened_in_a_gap_is_read_after_it(desk: Stack) -> None:
    # No look by the clock: only the reconnect can bring it.
    await desk.blow({"effect": "latency", "id": "looks", "endpoints": ["GET /data/orders"]})
    await desk.use(RECONCILE_EVERY_S="3600", HOLDINGS_EVERY_S="0")
    # Past the look after the connection, and the one a moment later.
    await desk.until_struck("looks", 2)
    market = await desk.market()
    await desk.approve(market.approval("gap", 50 * CENT, 10 * SHARE))
    await desk.approve(market.approval("gone", 20 * CENT, 10 * SHARE))
    await desk.until_live("gap")
    gone = await desk.until_live("gone")
    await desk.blow({"effect": "drop", "id": "drop", "channels": ["user"]})
    await desk.until_struck("drop")
    await desk.rest(market.no, 50, 10)
    await desk.auditor.cancel_order(order_id=gone)
    await desk.blow()
    assert await desk.until_finished("gap") == 10 * SHARE
    await desk.until_finished("gone")
    assert desk.told.ends_of("gone") == [(CANCELLED, 0)]
    await desk.settled()


async def test_a_partial_fill_at_a_change_of_phase_is_not_bought_again(desk: Stack) -> None:
    await desk.use(TACTIC="adaptive", PHASES=phases(3, 600))
    market = await desk.market()
    # Bid 0.49, ask 0.51: the first phase rests between them, the second takes.
    await desk.rest(market.yes, 49, 50)
    await desk.rest(market.no, 49, 100)
    # The first phase's cancel is refused until the part is filled, and nothing tells of the fill.
    late = {"effect": "late", "delay_ms": 2_000}
    await desk.blow(NO_CANCELS, late)
    await desk.approve(market.approval("phases", 52 * CENT, 20 * SHARE))
    await desk.until_struck("no cancels")
    await desk.rest(market.no, 50, 6)
    await desk.blow(late)
    assert await desk.until_finished("phases") == 20 * SHARE
    orders = [order.order for order in desk.told.orders_of("phases")]
    assert [(it.price_micro, it.size_micro) for it in orders] == [
        (50 * CENT, 20 * SHARE),
        (51 * CENT, 14 * SHARE),
    ]
    await desk.settled()


async def test_dust_of_a_hundredth_of_a_share_ends_the_work_and_is_not_ordered_again(
    desk: Stack,
) -> None:
    await desk.use(TACTIC="adaptive", PHASES=phases(3, 600))
    market = await desk.market()
    # The first phase does not end before its order is met.
    await desk.blow(NO_CANCELS)
    await desk.rest(market.yes, 9, 50)
    await desk.rest(market.no, 89, 50)
    await desk.approve(market.approval("dust", 12 * CENT, 10_050_000))
    order_id = await desk.until_live("dust")
    # A purchase counted in dollars: 9.04 / 0.90 are 10.04 shares, and 0.01 of ours is left.
    taken = await desk.rival.place_market_order(
        asset_id=market.no, amount="9.04", side="BUY", max_price="0.90", order_type="FAK"
    )
    assert taken.ok
    desk.rival_orders += 1
    await desk.blow()
    assert await desk.until_finished("dust") == 10_040_000
    # Too small to be ordered, so the next phase has no order.
    assert [order.order.order_id for order in desk.told.orders_of("dust")] == [order_id]
    assert desk.told.ends_of("dust") == [(CANCELLED, 10_040_000)]
    await desk.settled()
