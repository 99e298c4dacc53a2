"""Live trading on a running stack: it starts only where all is well, and stops where it is not."""

import pytest

from tests.chaos.faults.market import CENT, SHARE, halt
from tests.chaos.faults.stack import Stack
from whaletrader.schemas import order_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

CANCELLED = order_pb2.CLOSE_STATUS_CANCELLED
# What cannot be read is a no. Neither is a request of our account's.
UNREADABLE = {"effect": "error", "id": "unreadable", "status": 503, "accounts": []}


async def test_live_trading_does_not_start_while_a_check_fails(desk: Stack) -> None:
    await desk.market()
    await desk.blow(UNREADABLE | {"endpoints": ["GET /api/geoblock"]})
    await desk.execution.kill()
    desk.mode = "live"
    await desk.start()
    assert await desk.execution.ended() == 1
    last = desk.execution.last_words().splitlines()[-2:]
    assert "execution does not start: failed region: cannot be read" in "".join(last)


@pytest.mark.parametrize("endpoint", ["GET /api/geoblock", "GET /time"])
async def test_region_and_clock_are_watched_and_hold_orders_back_but_no_cancels(
    desk: Stack, endpoint: str
) -> None:
    name = endpoint.rpartition("/")[2]
    market = await desk.market()
    await desk.blow()
    desk.mode = "live"
    await desk.use(WATCH_EVERY_S="1")
    await desk.approve(market.approval(f"{name} 1", 50 * CENT, 10 * SHARE, portfolio=name))
    await desk.until_live(f"{name} 1")
    await desk.blow(UNREADABLE | {"endpoints": [endpoint]})
    await desk.until(lambda: "no order leaves" in _last_word(desk), "the watch's no")
    await desk.approve(market.approval(f"{name} 2", 50 * CENT, 10 * SHARE))
    await desk.append(halt(name))
    assert await desk.until_finished(f"{name} 2") == 0
    assert await desk.until_finished(f"{name} 1") == 0
    assert desk.told.ends_of(f"{name} 1") == [(CANCELLED, 0)], "it went from the book"
    [held] = desk.told.ends_of(f"{name} 2")
    assert held == (CANCELLED, 0)
    assert (await desk.struck())["posts"] == 0
    await desk.blow()
    await desk.until(lambda: "trading is allowed" in _last_word(desk), "the watch's yes")
    await desk.approve(market.approval(f"{name} 3", 50 * CENT, 10 * SHARE))
    await desk.until_live(f"{name} 3")
    await desk.rest(market.no, 50, 10)
    assert await desk.until_finished(f"{name} 3") == 10 * SHARE
    await desk.settled()


def _last_word(desk: Stack) -> str:
    """Return what the running life's watch has said last."""
    lines = desk.execution.said.read_text().splitlines()
    return next((line for line in reversed(lines) if ".outside: " in line), "")
