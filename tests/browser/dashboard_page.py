"""The dashboard as a person uses it: what they see, read and press, in Chromium.

Used by every browser test. Knows the page's elements; the tests know none of them.
"""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page, async_playwright, expect

from whaletrader.stack.testing import skip_or_fail

DESKTOP = (1440, 900)
PHONE = (390, 844)
# A page beside a busy stack on two cores may be slow; one that is broken stays so for longer.
WAIT_MS_MAX = 20_000
# Nothing but the page: no updates, no telemetry, no network of the browser's own.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


@dataclass(frozen=True)
class SeenReason:
    """One rule as it stands under a decision."""

    rule: str
    text: str
    passed: bool


@dataclass(frozen=True)
class SeenDecision:
    """One card of the feed."""

    id: str
    outcome: str
    what: str
    question: str
    why: str


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium, or skip the test in one line where there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if path is None:
        skip_or_fail("chromium", "install it, or name it in CHROMIUM")
    expect.set_options(timeout=WAIT_MS_MAX)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class DashboardPage:
    """One open dashboard. `problems` holds what the browser's console complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.set_default_timeout(WAIT_MS_MAX)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on(
            "console",
            lambda said: self.problems.append(said.text) if said.type == "error" else None,
        )

    @classmethod
    async def open(
        cls,
        browser: Browser,
        url: str,
        size: tuple[int, int] = DESKTOP,
        scheme: Literal["light", "dark"] = "light",
    ) -> "DashboardPage":
        """Open the dashboard and wait until it is told something."""
        page = await browser.new_page(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            device_scale_factor=1 if size == DESKTOP else 2,
            has_touch=size == PHONE,
        )
        dashboard = cls(page)
        await page.goto(url)
        await expect(page.locator("#link")).to_have_attribute("data-state", "live")
        return dashboard

    async def screenshot(self, path: Path, *, whole: bool = False) -> None:
        await self.page.screenshot(path=path, full_page=whole)

    async def profit_points(self) -> int:
        """Return how many points the profit curve has."""
        return int(await self.page.locator("#curve").get_attribute("data-points") or 0)

    async def last_profit_micro(self) -> int:
        """Return the last point of the curve in micro-dollars."""
        return int(await self.page.locator("#curve").get_attribute("data-last") or 0)

    async def profit_text(self) -> str:
        """Return the big number, such as "+$12.30"."""
        return (await self.page.locator("#n-profit").text_content() or "").strip()

    async def wait_for_points(self, more_than: int, timeout_s: float = 30) -> int:
        """Wait until the curve has more points; return how many."""
        await self.page.wait_for_function(
            "least => Number(document.getElementById('curve').dataset.points || 0) > least",
            arg=more_than,
            timeout=timeout_s * 1_000,
        )
        return await self.profit_points()

    async def decisions(self) -> list[SeenDecision]:
        """Return the decisions of the feed, latest first."""
        cards = await self.page.locator("#decisions > .card").all()
        found = []
        for card in cards:
            texts = [
                (await card.locator(name).text_content() or "").strip()
                for name in (".what", ".question", ".why")
            ]
            found.append(
                SeenDecision(
                    await card.get_attribute("data-key") or "",
                    await card.get_attribute("data-outcome") or "",
                    *texts,
                )
            )
        return found

    async def wait_for_decision(self, outcome: str = "", timeout_s: float = 30) -> SeenDecision:
        """Wait for the first decision (with this outcome) and return it; the feed is paused then,
        so that it is still there when it is to be unfolded."""
        which = f'#decisions > .card[data-outcome="{outcome}"]' if outcome else "#decisions > .card"
        await self.page.locator(which).first.wait_for(timeout=timeout_s * 1_000)
        await self.pause_feed()
        # It may have been pushed out in the moment before.
        await self.page.locator(which).first.wait_for(timeout=timeout_s * 1_000)
        return next(one for one in await self.decisions() if outcome in ("", one.outcome))

    async def pause_feed(self) -> None:
        """Make the feed stand still; it does so, too, while a decision is open."""
        button = self.page.locator("#decisions-follow")
        if await button.get_attribute("aria-pressed") != "true":
            await button.click()

    async def follow_feed(self) -> None:
        """Let it go on: open decisions are folded, what has waited comes."""
        button = self.page.locator("#decisions-follow")
        if await button.get_attribute("aria-pressed") == "true":
            await button.click()
        await self.page.mouse.move(0, 0)

    async def waiting_decisions(self) -> str:
        """Return what the feed's button says: "Pause", "Follow" or "Follow · 12 new"."""
        return (await self.page.locator("#decisions-follow").text_content() or "").strip()

    async def reasons(self, decision_id: str) -> list[SeenReason]:
        """Unfold a decision and return every rule that was held against it.

        It stays as long as the feed is paused: see wait_for_decision and pause_feed.
        """
        card = self.page.locator(f'#decisions > .card[data-key="{decision_id}"]')
        head = card.locator(".card-head")
        if await head.get_attribute("aria-expanded") != "true":
            await head.click()
        items = card.locator(".reason-group li")
        await items.first.wait_for()
        return [
            SeenReason(
                (await item.locator(".rule span").first.text_content() or "").strip(),
                (await item.locator(".held").text_content() or "").strip(),
                "passed" in (await item.get_attribute("class") or ""),
            )
            for item in await items.all()
        ]

    async def chain(self, decision_id: str) -> list[str]:
        """Open a decision's whole chain and return the titles of its steps."""
        await self.reasons(decision_id)
        card = self.page.locator(f'#decisions > .card[data-key="{decision_id}"]')
        await card.get_by_role("button", name="Show the whole chain").click()
        steps = self.page.locator("#chain-steps > .step h3")
        await steps.first.wait_for()
        return [text.strip() for text in await steps.all_text_contents()]

    async def close_chain(self) -> None:
        await self.page.keyboard.press("Escape")
        await expect(self.page.locator("#chain-dialog")).to_be_hidden()

    async def state(self) -> str:
        """Return "trading", "halted" or "unknown": what the control strip says."""
        return await self.page.locator("#control").get_attribute("data-state") or ""

    async def state_text(self) -> str:
        """Return the control strip's words: "Halted by ann at ... ", with the note."""
        return " ".join((await self.page.locator(".control-state").inner_text()).split())

    async def wait_for_state(self, state: str) -> None:
        await expect(self.page.locator("#control")).to_have_attribute(
            "data-state", state, timeout=WAIT_MS_MAX
        )

    async def press_halt(self, operator: str = "tester", note: str = "") -> None:
        """Press halt, confirm it, and wait until the page says that trading is halted."""
        await self._order("halt", operator, note)
        await self.wait_for_state("halted")

    async def press_resume(self, operator: str = "tester", note: str = "") -> None:
        await self._order("resume", operator, note)
        await self.wait_for_state("trading")

    async def press_flatten(
        self, operator: str = "tester", note: str = "", words: str = "sell everything"
    ) -> None:
        await self._order("flatten", operator, note, words)
        await self.wait_for_state("halted")

    async def order_ids(self) -> list[str]:
        """Return the ids of the orders in the table, latest first."""
        rows = await self.page.locator("#orders tbody tr").all()
        return [await row.get_attribute("data-key") or "" for row in rows]

    async def overflows(self) -> bool:
        """Say whether the page is wider than the screen."""
        return bool(
            await self.page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        )

    async def _order(self, action: str, operator: str, note: str, words: str = "") -> None:
        await self.page.locator(f"#{action}").click()
        await self.page.locator("#order-operator").fill(operator)
        await self.page.locator("#order-note").fill(note)
        if words:
            await self.page.locator("#order-confirm").fill(words)
        await self.page.locator("#order-send").click()
        await expect(self.page.locator("#order-dialog")).to_be_hidden()
