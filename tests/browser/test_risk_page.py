"""The risk page in Chromium, over a gateway and a risk agent at work: what people see and press.

Screenshots are kept in the folder that DASHBOARD_SCREENSHOTS names, else in pytest's own.
"""

import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.dashboard_page import DESKTOP, PHONE, WAIT_MS_MAX, chromium
from tests.browser.desk_stage import new_desk, record
from tests.browser.desk_story import Desk
from tests.integration.gateway.gateway_desk import gateway
from tests.integration.risk.risk_pair import MARKETS, furnish
from tests.integration.risk.risk_stand import WHALE, Stand, stand
from tests.unit.runtime.stage import until
from tests.unit.services.risk.risk_room import yes
from whaletrader.runtime.log import Position
from whaletrader.runtime.topics import BY_NAME
from whaletrader.schemas import control_pb2, risk_pb2

HOSTILE = "Will <img src=x onerror=\"document.title='owned'\"> & <b>friends</b> win?"


@dataclass
class Scene:
    risk: Stand
    desk: Desk
    url: str
    browser: Browser
    problems: list[str]

    async def open(
        self,
        size: tuple[int, int] = DESKTOP,
        scheme: Literal["light", "dark"] = "light",
        path: str = "/risk",
    ) -> Page:
        page = await self.browser.new_page(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            device_scale_factor=1 if size == DESKTOP else 2,
        )
        page.set_default_timeout(WAIT_MS_MAX)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "console",
            lambda said: self.problems.append(said.text) if said.type == "error" else None,
        )
        await page.goto(self.url + path)
        return page


@contextlib.asynccontextmanager
async def scene(dsn: str, nats_url: str) -> AsyncIterator[Scene]:
    """A risk agent with two holdings, one refusal and something set aside, behind a gateway."""
    async with chromium() as browser, stand(nats_url) as risk:
        desk = await new_desk()
        await furnish(risk.log)
        # The read models know the same markets, one of them by a stranger's title.
        await furnish(desk.log)
        await _retitle(desk)
        await record(desk, dsn)
        await until(lambda: len(_views(risk)) == len(MARKETS))
        await risk.buy(0)
        await risk.buy(1)
        await risk.ask(risk.proposal(2))
        refused = await risk.ask(risk.proposal(3, fair_value_micro=400_000))
        assert isinstance(refused, risk_pb2.RejectedTrade)
        async with gateway(dsn, nats_url) as (running, _):
            yield Scene(risk, desk, running.url, browser, [])


def _views(risk: Stand) -> dict[str, object]:
    (worker,) = risk.shell.workers
    prices: dict[str, object] = worker.core.agent.views.prices
    return prices


async def _retitle(desk: Desk) -> None:
    from tests.unit.services.risk.risk_room import listing

    listed = listing(MARKETS[0], question=HOSTILE, slug="friends")
    listed.meta.event_time_ns = time.time_ns()
    await desk.say("market.catalog", listed, "feeds")


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        ("risk-desktop", DESKTOP, "light"),
        ("risk-desktop-dark", DESKTOP, "dark"),
        ("risk-phone", PHONE, "light"),
        ("risk-phone-dark", PHONE, "dark"),
    ],
)
async def test_limits_exposures_and_verdicts_are_those_of_the_book(
    postgres_dsn: str,
    nats_url: str,
    tmp_path: Path,
    name: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
) -> None:
    pictures = Path(os.environ.get("DASHBOARD_SCREENSHOTS", tmp_path))
    async with scene(postgres_dsn, nats_url) as found:
        page = await found.open(size, scheme)
        await expect(page.locator("#banner")).to_have_attribute("data-state", "normal")
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        await expect(page.locator("#exposures > li")).to_have_count(3)
        market = page.locator('#limits > li[data-rule="market-limit"]')
        book = max(found.risk.state.by_market.values())
        assert f"${book / 1e6:,.2f} of $750.00" in await market.inner_text()
        meter = market.locator('[role="meter"]')
        assert await meter.get_attribute("aria-valuenow") == str(round(book / 7_500_000))
        await expect(page.locator("#verdicts > li")).to_have_count(4)
        first = page.locator("#verdicts > li").first
        assert "Refused" in await first.inner_text()
        assert "Edge" in await first.inner_text()
        await first.locator("summary").click()
        await expect(first.locator(".reason-group li.failed").first).to_be_visible()
        # It stays open while the page goes on asking.
        await page.wait_for_timeout(2_000)
        await expect(first.locator(".reason-group li.failed").first).to_be_visible()
        await page.locator('#exposure-kinds [data-kind="leader-limit"]').click()
        await expect(page.locator("#exposures > li")).to_have_count(1)
        assert WHALE[:6] in await page.locator("#exposures > li").inner_text()
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await page.evaluate(wide)
        await first.locator("summary").click()
        await page.evaluate("window.scrollTo(0, 0)")
        await page.screenshot(path=pictures / f"{name}.png", full_page=True)
        assert found.problems == []


async def test_a_stop_shows_its_cause_and_its_end_and_is_resumed_on_purpose(
    postgres_dsn: str, nats_url: str, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("DASHBOARD_SCREENSHOTS", tmp_path))
    async with scene(postgres_dsn, nats_url) as found:
        page = await found.open()
        await expect(page.locator("#banner")).to_have_attribute("data-state", "normal")
        assert await page.locator("#resume").is_hidden()
        await found.risk.control(control_pb2.CONTROL_ACTION_HALT)
        await expect(page.locator("#banner")).to_have_attribute("data-state", "halt")
        await expect(page.locator("#state-cause")).to_contain_text("operator halt")
        await expect(page.locator("#state-exit")).to_contain_text("a person resumes")
        await page.screenshot(path=pictures / "risk-halted.png")
        await page.locator("#resume").click()
        await page.locator("#order-operator").fill("ann")
        await page.locator("#order-note").fill("looked at it")
        await page.locator("#order-send").click()
        await expect(page.locator("#order-dialog")).to_be_hidden()
        orders = await _resumes(found, postgres_dsn)
        assert [(one.operator, one.note) for one in orders] == [("ann", "looked at it")]
        await found.risk.control(control_pb2.CONTROL_ACTION_RESUME)
        await expect(page.locator("#banner")).to_have_attribute("data-state", "normal")
        await expect(page.locator("#resume")).to_be_hidden()
        assert found.problems == []


async def _resumes(found: Scene, dsn: str) -> list[control_pb2.ControlOrdered]:
    """Return what the gateway put on its own log, that of the database."""
    from whaletrader.runtime.codec import from_stored
    from whaletrader.runtime.logs import open_log

    log = await open_log("postgres", postgres_dsn=dsn, now_ns=time.time_ns)
    try:
        assert BY_NAME["control"].partitions == 1
        messages = [from_stored(one) for one in await log.read(Position("control", 0, 0), 100)]
    finally:
        await log.close()
    return [one for one in messages if isinstance(one, control_pb2.ControlOrdered)]


async def test_what_if_tells_every_rule_and_sets_nothing_aside(
    postgres_dsn: str, nats_url: str, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("DASHBOARD_SCREENSHOTS", tmp_path))
    async with scene(postgres_dsn, nats_url) as found:
        page = await found.open()
        before = dict(found.risk.state.by_market)
        verdicts = len(found.risk.state.verdicts)
        form = page.locator("#check-form")
        await form.locator('[name="market"]').fill("friends")
        await form.locator('[name="price"]').fill("0.51")
        await form.locator('[name="size"]').fill("20")
        await page.locator("#check-send").click()
        await expect(page.locator("#check-answer .said.yes")).to_contain_text("20 shares")
        assert await page.locator("#check-answer .reason-group li").count() > 20
        # The title is a stranger's: text and nothing else.
        assert HOSTILE in await page.locator("#check-answer").inner_text()
        assert await page.title() == "Risk · Whale Trader"
        await page.screenshot(path=pictures / "risk-check.png", full_page=True)
        await form.locator('[name="fair"]').fill("0.40")
        await page.locator("#check-send").click()
        await expect(page.locator("#check-answer .said.no")).to_contain_text("edge")
        await form.locator('[name="market"]').fill("nowhere")
        await page.locator("#check-send").click()
        await expect(page.locator("#check-problem")).to_contain_text("no market is known")
        assert found.risk.state.by_market == before
        assert len(found.risk.state.verdicts) == verdicts
        # The refusal of an unknown market is an answer of 404, which the console notes.
        assert [one for one in found.problems if "404" not in one] == []


async def test_without_risk_the_page_says_so_and_shows_the_last_measures(
    postgres_dsn: str, nats_url: str
) -> None:
    problems: list[str] = []
    async with chromium() as browser:
        desk = await new_desk()
        measured = risk_pb2.RiskMeasured(
            portfolio="main",
            state=risk_pb2.DESK_STATE_NORMAL,
            equity_micro=12_345_000_000,
            policy_digest="abc",
        )
        await desk.say("risk.alert", measured, "risk")
        await record(desk, postgres_dsn)
        async with gateway(postgres_dsn, nats_url) as (running, _):
            page = await Scene(None, desk, running.url, browser, problems).open()  # type: ignore[arg-type]
            await expect(page.locator("#notice")).to_contain_text("what it measured last")
            await expect(page.locator("#numbers")).to_contain_text("$12,345.00")
            await expect(page.locator("#banner")).to_have_attribute("data-state", "unspecified")
            await expect(page.locator("#state-title")).to_contain_text("Last known")
            assert await page.locator("#resume").is_hidden()
            await page.locator('[name="market"]').fill(yes("x"))
            await page.locator('[name="price"]').fill("0.51")
            await page.locator('[name="size"]').fill("20")
            await page.locator("#check-send").click()
            await expect(page.locator("#check-problem")).to_contain_text("no market is known")


async def test_the_dashboard_leads_to_the_risk_page(postgres_dsn: str, nats_url: str) -> None:
    async with scene(postgres_dsn, nats_url) as found:
        page = await found.open(path="/")
        await page.get_by_role("link", name="Risk", exact=True).click()
        await expect(page.locator("#banner")).to_have_attribute("data-state", "normal")
        await page.get_by_role("link", name="Dashboard", exact=True).click()
        await expect(page.locator("#n-profit")).to_be_visible()
