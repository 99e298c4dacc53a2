"""The dashboard during a running demo, as a person at the desk uses it."""

import asyncio
import contextlib
import os
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.browser.dashboard_page import PHONE, DashboardPage, SeenReason, chromium
from tests.chaos.demo_run import DemoRun

# Slow enough for a person: the slice then takes about two minutes.
PACE = {"WHALETRADER_FEEDS_WINDOW_WALL_S_MIN": "2.0"}
# An order that was being announced when the halt came onto the log may still be announced.
OBEYED_NS = 3 * 10**9
ATTEMPTS_MAX = 10


async def announced_after(dsn: str, log_time_ns: int) -> int:
    """Return how many orders were announced after a moment of the log's clock."""
    database = await asyncpg.connect(dsn)
    try:
        return int(
            await database.fetchval(
                "SELECT count(*) FROM store.events WHERE topic = 'order.events' "
                "AND type LIKE '%OrderAnnounced' AND log_time_ns > $1",
                log_time_ns,
            )
        )
    finally:
        await database.close()


async def log_time_of_halt(dsn: str) -> int:
    database = await asyncpg.connect(dsn)
    try:
        found = await database.fetchval(
            "SELECT max(log_time_ns) FROM store.events WHERE topic = 'control'"
        )
    finally:
        await database.close()
    return int(found)


async def refused_as_halted(dsn: str) -> int:
    database = await asyncpg.connect(dsn)
    try:
        return int(
            await database.fetchval("SELECT count(*) FROM read.rejections WHERE rule = 'halted'")
        )
    finally:
        await database.close()


async def reasons_of_an_approval(dashboard: DashboardPage) -> list[SeenReason]:
    """Unfold an approval; the feed moves on, so the card may be gone before it is reached."""
    dashboard.page.set_default_timeout(3_000)
    await dashboard.page.get_by_role("button", name="Approved", exact=True).click()
    for _ in range(ATTEMPTS_MAX):
        decision = await dashboard.wait_for_decision("approved", timeout_s=120)
        with contextlib.suppress(PlaywrightTimeout):
            if found := await dashboard.reasons(decision.id):
                return found
    raise AssertionError("no approval stays long enough to be read")


@pytest.mark.timeout(400)
async def test_the_curve_moves_a_decision_explains_itself_and_halt_stops_orders(
    tmp_path: Path,
) -> None:
    pictures = Path(os.environ.get("WHALETRADER_PICTURES", tmp_path))
    async with chromium() as browser:
        with DemoRun("postgres", PACE) as run:
            dsn = run.settings["WHALETRADER_POSTGRES_DSN"]
            playing = asyncio.create_task(run.play())
            url = f"http://127.0.0.1:{run.settings['WHALETRADER_GATEWAY_PORT']}/"
            dashboard = await DashboardPage.open(browser, url)

            points = await dashboard.wait_for_points(1, timeout_s=120)
            await dashboard.wait_for_points(points + 3, timeout_s=120)
            reasons = await reasons_of_an_approval(dashboard)
            assert len(reasons) > 3
            assert all(reason.rule and reason.text for reason in reasons)
            await dashboard.screenshot(pictures / "demo-desktop.png")

            assert await announced_after(dsn, 0) > 0, "orders must flow before the halt"
            await dashboard.press_halt("tester", "browser test")
            assert await dashboard.state() == "halted"
            assert "tester" in await dashboard.state_text()
            phone = await DashboardPage.open(browser, url, PHONE)
            await phone.screenshot(pictures / "demo-phone.png")

            await playing
            await run.outcome()
            assert await announced_after(dsn, await log_time_of_halt(dsn) + OBEYED_NS) == 0
            assert await refused_as_halted(dsn) > 0, "risk must have been asked after the halt"
            assert dashboard.problems == []
            assert phone.problems == []
