"""The whales page in Chromium, wide and narrow: what is shown, and a ban that reaches the log."""

import pytest
from playwright.async_api import expect

from tests.browser.dashboard_page import DESKTOP, PHONE, chromium
from tests.integration.discovery.test_whales_page import GOOD, recorded
from tests.integration.gateway.gateway_desk import gateway
from tests.unit.services.discovery.discovery_world import World, play_skilled


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
async def test_a_wallet_is_found_read_and_banned(
    postgres_dsn: str, size: tuple[int, int], scheme: str
) -> None:
    world = World()
    play_skilled(world, 40)
    async with chromium() as browser:
        await recorded(world, postgres_dsn)
        async with gateway(postgres_dsn) as (running, _):
            page = await browser.new_page(
                viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
            )
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            await page.goto(f"{running.url.rstrip('/')}/whales")
            await expect(page.locator("#board tbody tr")).to_have_count(12)
            await page.locator(f'#board a[href="/whales/{GOOD}"]').click()
            await expect(page.locator("#who")).to_have_text(GOOD)
            await expect(page.locator("#calibration circle.point")).to_have_count(1)
            await expect(page.locator("#markets tbody tr")).to_have_count(40)
            await expect(page.locator("#why li")).to_have_count(7)
            wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not await page.evaluate(wide)
            await page.locator("#ban").click()
            await page.locator("#rule-operator").fill("ann")
            await page.locator("#rule-send").click()
            await expect(page.locator("#notice")).to_contain_text("on the log")
            assert problems == []
