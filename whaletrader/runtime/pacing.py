"""Lock step for replayed tapes: the pacer says when, each agent reports when it is done.

A window of the tape is worked in supersteps. In a *decide* phase an agent takes exactly the
records that existed when the phase began, in one deterministic order, and commits; in an
*effects* phase the effects that were announced are carried out. The next window starts when
nobody has anything left. So the outcome does not depend on how fast anyone was, nor on who was
killed and restarted meanwhile. Paper and live trading run without all this.

The pacer's half is in services/feeds; this module holds the agents' half and what both say.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

REPORTS: Final = "pace.report"


class Phase(StrEnum):
    """What an agent is to do now."""

    REPORT = "report"
    DECIDE = "decide"
    EFFECTS = "effects"


class Go(msgspec.Struct, frozen=True):
    """From the pacer to one agent. Sent again until it is reported; idempotent by step."""

    step: int
    phase: Phase
    now_ns: int
    # "topic:partition" -> how many records there are to be consumed.
    totals: dict[str, int] = {}
    # Account -> how many final facts the venue has told.
    facts: dict[str, int] = {}


class Report(msgspec.Struct, frozen=True):
    """From an agent to the pacer: how far it is. Cumulative, so that a lost one does no harm."""

    agent: str
    step: int
    produced: dict[str, int]
    consumed: dict[str, int]
    reads: list[str]
    # Announced effects that wait for an effects phase, and inputs that wait for a decide phase.
    held_effects: int
    waiting_inputs: int
    next_timer_ns: int
    facts: dict[str, int]
    # The step whose phase is being reported is complete.
    done: bool


def go_subject(agent: str) -> str:
    """Return the subject on which an agent hears the pacer."""
    return f"pace.go.{agent}"


class PacedLine:
    """The agent's end of the line to the pacer."""

    def __init__(self, client: Client, agent: str) -> None:
        self._client = client
        self._agent = agent
        self._go: asyncio.Queue[Go] = asyncio.Queue()

    async def listen(self, heard: Callable[[], None]) -> None:
        """Subscribe; `heard` is called whenever the pacer has spoken."""

        async def on_go(raw: Msg) -> None:
            self._go.put_nowait(msgspec.json.decode(raw.data, type=Go))
            heard()

        await self._client.subscribe(go_subject(self._agent), cb=on_go)

    def take(self) -> Go | None:
        """Return the pacer's latest word, if there is a new one; repeats collapse into it."""
        latest = None
        while not self._go.empty():
            latest = self._go.get_nowait()
        return latest

    async def report(self, report: Report) -> None:
        await self._client.publish(REPORTS, msgspec.json.encode(report))


class PacerLine:
    """The pacer's end: tells agents to go and waits for all their reports."""

    def __init__(self, client: Client, agents: tuple[str, ...], resend_s: float = 0.25) -> None:
        self._client = client
        self._resend_s = resend_s
        self._agents = agents
        self._changed = asyncio.Event()
        self.reports: dict[str, Report] = {}

    async def listen(self) -> None:
        async def on_report(raw: Msg) -> None:
            report = msgspec.json.decode(raw.data, type=Report)
            if report.agent in self._agents:
                self.reports[report.agent] = report
                self._changed.set()

        await self._client.subscribe(REPORTS, cb=on_report)

    async def ask(self, go: Go, agents: list[str], waiting: Callable[[list[str]], None]) -> None:
        """Send `go` and return when each of the agents has reported it done.

        An agent that is being restarted hears it again every `resend_s`; `waiting` is told who
        is missing, as often.
        """
        left = list(agents)
        while left:
            for agent in left:
                await self._client.publish(go_subject(agent), msgspec.json.encode(go))
            left = await self._collect(go, left)
            if left:
                waiting(left)

    async def _collect(self, go: Go, left: list[str]) -> list[str]:
        try:
            async with asyncio.timeout(self._resend_s):
                while left := [a for a in left if not self._is_done(a, go.step)]:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return left

    def _is_done(self, agent: str, step: int) -> bool:
        report = self.reports.get(agent)
        return report is not None and report.done and report.step == step
