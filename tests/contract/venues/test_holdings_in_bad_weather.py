"""What the wallet holds, read while single reads fail: none is lost, and none crowds out orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.venues.port_rig import BOB, NO, YES, Site, place, site
from tests.contract.venues.trading_rig import trading
from whaletrader.services.execution.source import Rhythm
from whaletrader.venues.errors import VenueUnavailable

SHARE = 1_000_000
BALANCES = ["GET /balance-allowance"]


@pytest.fixture
async def here() -> AsyncIterator[Site]:
    async with site() as made:
        yield made


async def test_a_balance_whose_read_fails_is_read_again_alone(here: Site) -> None:
    alice, bob = await here.venue(), await here.venue(BOB)
    await place(bob, 600_000, 20 * SHARE, token=NO)
    await place(alice, 400_000, 12 * SHARE)
    rule = {"effect": "error", "id": "reads", "endpoints": BALANCES, "count": 2}
    answer = await here.http.put("/admin/weather", json={"rules": [rule]})
    assert answer.status_code == 200, answer.text
    assert await alice.positions(also=(YES, NO)) == {YES: 12 * SHARE}
    [row] = (await here.http.get("/admin/weather")).json()["rules"]
    assert (row["done"], row["seen"]) == (2, 4), "two tokens, two failures, nothing more"


async def test_a_balance_that_stays_unreadable_is_given_up_after_a_few_tries(here: Site) -> None:
    alice = await here.venue()
    rule = {"effect": "error", "id": "reads", "endpoints": BALANCES}
    await here.http.put("/admin/weather", json={"rules": [rule]})
    with pytest.raises(VenueUnavailable):
        await alice.positions(also=(YES,))
    [row] = (await here.http.get("/admin/weather")).json()["rules"]
    assert row["seen"] == 4


async def test_a_look_at_holdings_that_fails_is_repeated_ever_more_seldom() -> None:
    async with trading() as trader:
        await trader.crash()
        rule = {"effect": "error", "id": "reads", "endpoints": BALANCES}
        http = trader.place.http
        await http.put("/admin/weather", json={"rules": [rule]})
        trader.rhythm = Rhythm(30.0, holdings_s=0.2, second_look_s=0.1)
        await trader.start()
        rows: list[Any] = []
        while len(rows) < 3:  # the test's own time-out ends it
            await asyncio.sleep(0.05)
            rows = (await http.get("/admin/weather/log")).json()["entries"]
        at_s = [row["at_ns"] / 1e9 for row in rows]
        # Half a second, then a second: never sooner, however slow the machine.
        assert at_s[1] - at_s[0] > 0.45
        assert at_s[2] - at_s[1] > 0.95
        await http.delete("/admin/weather")
