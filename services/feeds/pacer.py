"""The pacer: plays one window after another, each when the one before has been worked off.

A source of feeds (it asks for windows) and the watcher of its commits (it sees them published).
What an agent still has to do, it reads off the agents' own counts: everything that anyone has
said must have been heard by everyone who reads it. See runtime/pacing.py for the other half.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from google.protobuf.message import Message
from nats.aio.client import Client

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import WallClock, monotonic_s
from whaletrader.runtime.core import Core, Step
from whaletrader.runtime.pacing import Go, PacerLine, Phase, Report
from whaletrader.runtime.requests import connect
from whaletrader.schemas import tape_pb2
from whaletrader.services.feeds.config import FeedsSettings
from whaletrader.services.feeds.tape_values import Window

_LOG = logging.getLogger(__name__)

PROGRESS: Final = "pace.progress"
# A chain from trade to fill takes six supersteps; one that has not ended after this many is a
# loop between agents, which is a defect.
SUPERSTEPS_MAX: Final = 200


class EndlessWindow(RuntimeError):
    """The agents keep each other busy without end in one window."""


class Progress(msgspec.Struct, frozen=True):
    """Published after each window, for progress bars and dashboards."""

    window: int
    windows: int
    now_ns: int
    trades: int
    supersteps: int


class Pacer:
    """Gives the demo its time."""

    def __init__(self, windows: Sequence[Window], settings: FeedsSettings) -> None:
        self._windows = windows
        self._settings = settings
        self._published = asyncio.Event()
        self._core: Core | None = None
        # Steps only grow, also over restarts of this process.
        self._step = WallClock().now_ns()
        self._supersteps = 0

    def restored(self, core: Core) -> None:
        self._core = core
        self._published.set()

    def committed(self, core: Core, step: Step) -> None:
        self._core = core
        if any(isinstance(event, tape_pb2.WindowPublished) for _, _, event in step.events):
            self._published.set()

    def facts(self) -> Mapping[str, int]:
        return {}

    async def run(self, put: Callable[[Message], None]) -> None:
        """Play what is left of the tape, then stay: the worker goes on without windows."""
        client = await connect(self._settings.nats_url.get_secret_value(), "pacer")
        try:
            line = PacerLine(client, self._settings.agents)
            await line.listen()
            trades = sum(len(window.trades) for window in self._windows[: self._done()])
            while True:
                # Also before the first window: whatever a crash left under way comes first.
                await self._work_off(line)
                await self._say(client, trades)
                if self._done() == len(self._windows):
                    break
                started_s = monotonic_s()
                number = self._done() + 1
                await self._play(number, put)
                trades += len(self._windows[number - 1].trades)
                left_s = self._settings.window_wall_s_min - (monotonic_s() - started_s)
                await asyncio.sleep(max(0.0, left_s))
            _LOG.info("the tape is played: %d windows", len(self._windows))
            while True:
                await asyncio.sleep(1)
                await self._work_off(line)
                await self._say(client, trades)
        finally:
            await client.close()

    async def _play(self, number: int, put: Callable[[Message], None]) -> None:
        self._published.clear()
        due = tape_pb2.WindowDue(window=number)
        due.meta.id = derived_id("window", number)
        due.meta.correlation = due.meta.id
        due.meta.event_time_ns = self._windows[number - 1].end_ns
        put(due)
        while self._done() < number:
            self._published.clear()
            await self._published.wait()

    async def _work_off(self, line: PacerLine) -> None:
        """Run supersteps until nobody has anything left to do."""
        if len(line.reports) < len(self._settings.agents):
            # From then on an agent's last word is what it has: it reports after every phase, when
            # it is restarted, and when somebody's order waits for it.
            await self._ask(line, Phase.REPORT, list(self._settings.agents))
        for _ in range(SUPERSTEPS_MAX):
            totals = self._totals(line.reports.values())
            deciding = [
                a for a in self._settings.agents if self._has_inputs(line.reports[a], totals)
            ]
            if deciding:
                await self._ask(line, Phase.DECIDE, deciding, totals)
            acting = [a for a in self._settings.agents if line.reports[a].held_effects]
            if acting:
                await self._ask(line, Phase.EFFECTS, acting)
            if not deciding and not acting:
                return
            self._supersteps += 1
        raise EndlessWindow(f"window {self._done()} is not worked off after {SUPERSTEPS_MAX} steps")

    async def _ask(
        self,
        line: PacerLine,
        phase: Phase,
        agents: list[str],
        totals: dict[str, int] | None = None,
    ) -> None:
        self._step += 1
        go = Go(self._step, phase, self._now_ns(), totals or {}, self._facts())
        await line.ask(go, agents, self._log_waiting(phase))

    def _log_waiting(self, phase: Phase) -> Callable[[list[str]], None]:
        started_s = monotonic_s()
        warned = False

        def waiting(agents: list[str]) -> None:
            nonlocal warned
            if not warned and monotonic_s() - started_s > 2:
                warned = True
                _LOG.warning("waiting for %s to %s", ", ".join(agents), phase)

        return waiting

    def _has_inputs(self, report: Report, totals: dict[str, int]) -> bool:
        behind = any(
            name.rpartition(":")[0] in report.reads and report.consumed.get(name, 0) < total
            for name, total in totals.items()
        )
        facts = self._facts()
        untold = any(count < facts.get(account, 0) for account, count in report.facts.items())
        timer_due = 0 <= report.next_timer_ns <= self._now_ns()
        return behind or untold or timer_due or report.waiting_inputs > 0

    def _totals(self, reports: Iterable[Report]) -> dict[str, int]:
        totals: Counter[str] = Counter(self._core.produced if self._core else {})
        for report in reports:
            totals.update(report.produced)
        return dict(totals)

    def _facts(self) -> dict[str, int]:
        return dict(self._core.agent.state.facts) if self._core else {}

    def _done(self) -> int:
        return int(self._core.agent.state.published) if self._core else 0

    def _now_ns(self) -> int:
        done = self._done()
        return self._windows[done - 1].end_ns if done else self._windows[0].start_ns

    async def _say(self, client: Client, trades: int) -> None:
        progress = Progress(
            self._done(), len(self._windows), self._now_ns(), trades, self._supersteps
        )
        await client.publish(PROGRESS, msgspec.json.encode(progress))
