"""The evidence report in Chromium: it fits, it sorts, and it asks no network for anything.

Screenshots are kept in the folder that EVIDENCE_SCREENSHOTS names, else in pytest's own.
"""

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page

from tests.browser.dashboard_page import DESKTOP, PHONE, chromium
from whaletrader.lab.evidence import StudyOptions, run

EXCERPT = Path(__file__).resolve().parents[1] / "resources" / "wallet-activity"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on six real wallets."""
    out = tmp_path_factory.mktemp("evidence")
    run(EXCERPT, out, StudyOptions(draws=100), lambda stage, done, of: None)
    return out / "report.html"


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("desktop", DESKTOP, "light"), ("desktop", DESKTOP, "dark"), ("phone", PHONE, "light")],
)
async def test_it_fits_and_asks_nobody(
    report: Path,
    tmp_path: Path,
    name: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
) -> None:
    asked: list[str] = []
    problems: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
        )
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: problems.append(said.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(report.as_uri())
        assert (await page.locator(".verdict").inner_text()).startswith("No:")
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0]
        shown = await page.locator("figure svg:visible").count()
        assert shown == await page.locator("figure").count()
        folder = Path(os.environ.get("EVIDENCE_SCREENSHOTS", tmp_path))
        await page.screenshot(path=folder / f"evidence-{name}-{scheme}.png", full_page=True)
    assert asked == [report.as_uri()]
    assert problems == []


async def test_a_heading_sorts_by_the_number_behind_the_text(report: Path) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(report.as_uri())
        heading = page.get_by_role("button", name="published", exact=True)
        await heading.click()
        rising = await _column(page)
        await heading.click()
        assert rising == sorted(rising)
        assert await _column(page) == rising[::-1]
        assert len(rising) == 6


async def _column(page: Page) -> list[float]:
    cells = page.locator("table").first.locator("tbody td:nth-child(2)")
    values = [await cell.get_attribute("data-value") for cell in await cells.all()]
    return [float(value) for value in values if value is not None]
