"""The dashboard in Chromium over a real gateway and a recorded story: what people see and press.

Screenshots are kept in the folder that DASHBOARD_SCREENSHOTS names, else in pytest's own.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, expect

from tests.browser import desk_story as story
from tests.browser.dashboard_page import DESKTOP, PHONE, DashboardPage, chromium
from tests.integration.gateway.gateway_desk import Story, gateway, recorded_story
from whaletrader.services.gateway.serving import Serving

TOKEN = "a-token-of-some-length"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("DASHBOARD_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.asynccontextmanager
async def desk(dsn: str, **settings: Any) -> AsyncIterator[tuple[Story, Serving, Browser]]:
    """A recorded story, a gateway over it, and a browser."""
    async with chromium() as browser:
        told = await recorded_story(dsn)
        async with gateway(dsn, **settings) as (running, _):
            yield told, running, browser


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        ("desktop", DESKTOP, "light"),
        ("desktop-dark", DESKTOP, "dark"),
        ("phone", PHONE, "light"),
        ("phone-dark", PHONE, "dark"),
    ],
)
async def test_the_numbers_of_the_books_are_on_the_page(
    postgres_dsn: str,
    pictures: Path,
    name: str,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
) -> None:
    async with desk(postgres_dsn) as (told, running, browser):
        page = await DashboardPage.open(browser, running.url, size, scheme)
        value = sum(size * mark // story.MICRO for size, _, mark in told.desk.held.values())
        cost = sum(cost for _, cost, _ in told.desk.held.values())
        profit = told.desk.realized - told.desk.fees + value - cost
        assert await page.last_profit_micro() == profit
        sign = "−" if profit < 0 else "+"
        assert await page.profit_text() == f"{sign}${abs(profit) / story.MICRO:,.2f}"
        assert await page.profit_points() > 50
        assert len(await page.decisions()) == 17
        assert len(await page.order_ids()) == 10
        await expect(page.page.locator("#positions tbody tr")).to_have_count(4)
        await expect(page.page.locator("#whales .whale")).to_have_count(5)
        assert await page.state() == "trading"
        assert not await page.overflows()
        await page.screenshot(pictures / f"{name}.png")
        await page.screenshot(pictures / f"{name}-whole.png", whole=True)
        assert page.problems == []


async def test_a_decision_unfolds_to_its_rules_and_to_the_whole_chain(
    postgres_dsn: str, pictures: Path
) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        page = await DashboardPage.open(browser, running.url)
        rejected = await page.wait_for_decision("rejected")
        reasons = await page.reasons(rejected.id)
        assert len(reasons) == 11
        assert [one.rule for one in reasons if not one.passed] == ["Halted"]
        over = next(one for one in await page.decisions() if "Total limit" in one.why)
        assert over.why == "Total limit: $2,140.00, limit $2,000.00"
        approved = await page.wait_for_decision("approved")
        titles = await page.chain(approved.id)
        assert titles[0] == "A watched wallet traded"
        assert titles.index("Approved by risk, signed") < titles.index("Order announced")
        assert titles.index("Order announced") < titles.index("Fill settled")
        await page.screenshot(pictures / "chain.png")
        await page.close_chain()
        assert page.problems == []


async def test_titles_of_markets_are_text_and_nothing_else(postgres_dsn: str) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        page = await DashboardPage.open(browser, running.url)
        questions = await page.page.locator("#positions .question").all_text_contents()
        assert story.HOSTILE_TITLE in questions
        assert story.HOSTILE_TITLE in {one.question for one in await page.decisions()}
        assert await page.page.locator("main img").count() == 0
        assert await page.page.title() == "Whale Trader"


async def test_what_happens_is_seen_without_reloading(postgres_dsn: str) -> None:
    async with desk(postgres_dsn) as (told, running, browser):
        page = await DashboardPage.open(browser, running.url)
        points, profit = await page.profit_points(), await page.profit_text()
        top = (await page.decisions())[0]
        held = next(iter(told.desk.held))
        told.desk.event_ns += 24 * story.HOUR_NS
        await story.price(told.desk, held, 0.93)
        made = await story.reject(told.desk, 0, 3)
        await story.value(told.desk)
        await told.catch_up()
        assert await page.wait_for_points(points) == points + 1
        assert await page.profit_text() != profit
        await page.page.locator(f'.card[data-key="{made.meta.id}"]').wait_for()
        assert (await page.decisions())[0].id == made.meta.id != top.id


async def test_a_decision_that_is_read_does_not_move_while_others_come(postgres_dsn: str) -> None:
    async with desk(postgres_dsn) as (told, running, browser):
        page = await DashboardPage.open(browser, running.url)
        kept = (await page.decisions())[0].id
        await page.reasons(kept)
        await page.page.mouse.move(0, 0)
        for _ in range(3):
            told.desk.event_ns += story.HOUR_NS
            made = await story.reject(told.desk, 0, 3)
        await told.catch_up()
        await expect(page.page.locator("#decisions-follow")).to_have_text("Follow · 3 new")
        assert (await page.decisions())[0].id == kept
        head = page.page.locator(f'.card[data-key="{kept}"] .card-head')
        assert await head.get_attribute("aria-expanded") == "true"
        await page.follow_feed()
        assert (await page.decisions())[0].id == made.meta.id
        assert await head.get_attribute("aria-expanded") == "false"
        assert await page.waiting_decisions() == "Pause"


async def test_a_paused_feed_waits_also_when_more_come_than_it_shows(postgres_dsn: str) -> None:
    async with desk(postgres_dsn) as (told, running, browser):
        page = await DashboardPage.open(browser, running.url)
        kept = await page.wait_for_decision("approved")
        for _ in range(90):
            told.desk.event_ns += story.HOUR_NS // 60
            await story.reject(told.desk, 0, 3)
            if told.desk.told % 5 == 0:
                await told.catch_up()
        await told.catch_up()
        await expect(page.page.locator("#decisions-follow")).to_contain_text("new")
        assert len(await page.reasons(kept.id)) == 11
        await page.follow_feed()
        await expect(page.page.locator(f'.card[data-key="{kept.id}"]')).to_have_count(0)


async def test_halt_and_resume_are_ordered_and_shown(postgres_dsn: str, pictures: Path) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        page = await DashboardPage.open(browser, running.url)
        other = await DashboardPage.open(browser, running.url, PHONE)
        await page.press_halt("ann", "too fast for me")
        text = await page.state_text()
        assert text.startswith("Halted by ann at ")
        assert "too fast for me" in text
        await other.wait_for_state("halted")
        await page.screenshot(pictures / "halted.png")
        await other.screenshot(pictures / "halted-phone.png")
        again = await DashboardPage.open(browser, running.url)
        assert await again.state() == "halted"
        assert await page.page.locator("#halt").is_disabled()
        await page.press_resume("bob")
        assert "Resumed by bob" in await page.state_text()
        assert running.ports.control.state().state == "trading"


async def test_flatten_needs_its_words(postgres_dsn: str, pictures: Path) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        page = await DashboardPage.open(browser, running.url)
        await page.page.locator("#flatten").click()
        await page.page.locator("#order-operator").fill("ann")
        await page.page.locator("#order-confirm").fill("yes")
        await page.page.locator("#order-send").click()
        await expect(page.page.locator("#order-problem")).to_contain_text("sell everything")
        await page.screenshot(pictures / "flatten.png")
        assert await page.state() == "trading"
        await page.page.locator("#order-cancel").click()
        await page.press_flatten("ann")
        assert (await page.state_text()).startswith("Flattened by ann")


async def test_an_order_that_fails_says_so_and_is_given_once_when_sent_again(
    postgres_dsn: str,
) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        page = await DashboardPage.open(browser, running.url)
        keys: list[str] = []

        async def lost_answer(route: Any) -> None:
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) == 1:
                # The order arrives, its answer does not.
                await route.fetch()
                await route.abort()
            else:
                await route.continue_()

        await page.page.route("**/api/control/halt", lost_answer)
        await page.page.locator("#halt").click()
        await page.page.locator("#order-operator").fill("ann")
        await page.page.locator("#order-send").click()
        await expect(page.page.locator("#order-problem")).to_contain_text("not be ordered twice")
        await page.page.locator("#order-send").click()
        await expect(page.page.locator("#order-dialog")).to_be_hidden()
        await page.wait_for_state("halted")
        assert len(keys) == 2
        assert len(set(keys)) == 1


async def test_the_curve_is_read_with_the_keyboard_and_in_words(postgres_dsn: str) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        page = await DashboardPage.open(browser, running.url)
        await page.page.locator("#curve svg").focus()
        await page.page.keyboard.press("End")
        tip = page.page.locator("#curve .tip")
        await expect(tip).to_be_visible()
        last = await tip.locator("strong").text_content()
        assert last == await page.profit_text()
        await page.page.keyboard.press("Home")
        assert await tip.locator("strong").text_content() != last
        assert "highest" in (await page.page.locator("#curve-text").text_content() or "")


async def test_everything_is_reached_and_named_without_a_mouse(postgres_dsn: str) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        page = await DashboardPage.open(browser, running.url)
        nameless = await page.page.evaluate(
            """[...document.querySelectorAll("button, a, input, [tabindex]")].filter(node =>
                !(node.textContent.trim() || node.getAttribute("aria-label")
                  || node.labels?.length)).map(node => node.outerHTML)"""
        )
        assert nameless == []
        card = page.page.locator(".card-head").first
        await card.focus()
        await page.page.keyboard.press("Enter")
        assert await card.get_attribute("aria-expanded") == "true"
        await page.page.locator("#halt").focus()
        await page.page.keyboard.press("Enter")
        await expect(page.page.locator("#order-dialog")).to_be_visible()
        await page.page.keyboard.press("Escape")
        await expect(page.page.locator("#order-dialog")).to_be_hidden()
        assert await page.page.evaluate("document.activeElement.id") == "halt"


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
async def test_nothing_moves_while_the_numbers_come(
    postgres_dsn: str, size: tuple[int, int]
) -> None:
    async with desk(postgres_dsn) as (_, running, browser):
        tab = await browser.new_page(viewport={"width": size[0], "height": size[1]})
        await tab.add_init_script(
            """window.shift = 0; new PerformanceObserver(list => {
                for (const one of list.getEntries()) window.shift += one.value;
            }).observe({type: "layout-shift", buffered: true});"""
        )
        await tab.goto(running.url)
        await tab.locator("#decisions .card").first.wait_for()
        await tab.wait_for_timeout(700)
        assert await tab.evaluate("window.shift") < 0.05


async def test_a_desk_where_nothing_happened_says_what_it_waits_for(
    postgres_dsn: str, pictures: Path
) -> None:
    await story.record(await story.new_desk(), postgres_dsn)
    async with chromium() as browser, gateway(postgres_dsn) as (running, _):
        for name, size in (("empty", DESKTOP), ("empty-phone", PHONE)):
            page = await DashboardPage.open(browser, running.url, size)
            for text in ("No decision yet", "No profit or loss yet", "Nothing is held"):
                await expect(page.page.get_by_text(text, exact=True)).to_be_visible()
            assert await page.profit_text() == "–"
            assert not await page.overflows()
            await page.screenshot(pictures / f"{name}.png")
            assert page.problems == []


async def test_a_store_that_is_away_is_told_on_the_page(pictures: Path) -> None:
    gone = "postgresql://nobody@127.0.0.1:1/none"
    async with chromium() as browser, gateway(gone) as (running, _):
        page = await DashboardPage.open(browser, running.url)
        await expect(page.page.locator("#notice")).to_contain_text("The store does not answer")
        assert await page.state() == "unknown"
        await page.screenshot(pictures / "away.png")


async def test_a_gateway_that_comes_back_is_found_again(postgres_dsn: str) -> None:
    await recorded_story(postgres_dsn)
    async with chromium() as browser:
        async with gateway(postgres_dsn) as (running, _):
            page = await DashboardPage.open(browser, running.url)
        await expect(page.page.locator("#link")).to_have_attribute("data-state", "connecting")
        port = int(running.url.rsplit(":", 1)[1])
        async with gateway(postgres_dsn, port=port):
            await expect(page.page.locator("#link")).to_have_attribute(
                "data-state", "live", timeout=20_000
            )
            assert await page.profit_points() > 50


async def test_a_desk_with_a_token_asks_for_it_once(postgres_dsn: str, pictures: Path) -> None:
    async with desk(postgres_dsn, token=TOKEN) as (_, running, browser):
        tab = await browser.new_page()
        await tab.goto(running.url)
        await expect(tab.locator("#token-dialog")).to_be_visible()
        await tab.locator("#token").fill("not-the-token-at-all")
        await tab.get_by_role("button", name="Open").click()
        await expect(tab.locator("#token-problem")).to_contain_text("not the token")
        await tab.screenshot(path=pictures / "token.png")
        await tab.locator("#token").fill(TOKEN)
        await tab.get_by_role("button", name="Open").click()
        await expect(tab.locator("#link")).to_have_attribute("data-state", "live")
        page = DashboardPage(tab)
        await page.press_halt("ann")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("usd('1234567890123456')", "$1,234,567,890.12"),
        ("usd('-5000')", "−$0.01"),
        ("usd('-4999', {sign: true})", "$0.00"),
        ("usd('9223372036854775807', {sign: true})", "+$9,223,372,036,854.78"),
        ("price('440000')", "$0.440"),
        ("price('-1234', {sign: true})", "−$0.0012"),
        ("shares('60500000')", "60.50"),
        ("percent('312000')", "31.2 %"),
        ("duration('1500000')", "1.5 ms"),
        ("duration('-90000000000')", "−90 s"),
        ("duration('0')", "0 s"),
        ("measured('1751400000000000001', 'nanoseconds')", "1 Jul 2025, 20:00 UTC"),
        ("measured('600000000000', 'nanoseconds')", "10 min"),
        ("measured('7', 'a_unit_of_tomorrow')", "7"),
        ("ruleName('discovery.edge_lower_min')", "Edge lower min"),
        ("tone('-4999')", "flat"),
    ],
)
async def test_integers_become_text_exactly(postgres_dsn: str, call: str, text: str) -> None:
    async with chromium() as browser, gateway(postgres_dsn) as (running, _):
        tab = await browser.new_page()
        await tab.goto(running.url)
        assert await tab.evaluate(f"import('/js/format.js').then(f => f.{call})") == text
