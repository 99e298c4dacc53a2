"""A worker in lock step with a replayed tape: it works when the pacer says so.

See pacing.py for why. Requests are the exception: they are answered in any phase, because the
asking agent's effect is waiting for them.
"""

import asyncio
import logging
from collections import defaultdict, deque
from typing import Final

from google.protobuf.message import Message

from whaletrader.runtime.agent import Effect
from whaletrader.runtime.cancelling import end_all
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.clock import monotonic_s as now_s
from whaletrader.runtime.codec import meta_of
from whaletrader.runtime.core import Inline, Input, place
from whaletrader.runtime.log import Shard, Stored
from whaletrader.runtime.pacing import Go, PacedLine, Phase, Report
from whaletrader.runtime.worker import IDLE_POLL_S, Tools, Worker, merged
from whaletrader.schemas import agent_pb2

_LOG = logging.getLogger(__name__)

# Topics that people write to from outside: their records are not gated by the pacer's counts.
UNGATED: Final = frozenset({"control"})
# How long a phase may wait for its inputs before the log says what is missing.
PATIENCE_S: Final = 5.0


class PacedWorker(Worker):
    """Holds inputs and effects back until their phase."""

    def __init__(self, tools: Tools, shard: Shard, line: PacedLine) -> None:
        super().__init__(tools, shard)
        self._line = line
        self._held: list[tuple[Effect, bool]] = []
        self._buffer: defaultdict[str, deque[Stored]] = defaultdict(deque)
        self._last = Go(0, Phase.REPORT, 0)
        self._last_done = True

    def start_effect(self, effect: Effect, again: bool) -> None:
        if isinstance(effect.message, agent_pb2.SetTimer):
            self.runner.start(effect, again)
        else:
            self._held.append((effect, again))

    async def run(self, stopping: asyncio.Event) -> None:
        polling = asyncio.create_task(self._poll_on())
        # From here on the pacer learns that we are (back) here, and how far we are.
        await self._report()
        try:
            while not stopping.is_set():
                await self._next(polling)
                if self._answers:
                    await self._answer_requests()
                go = self._line.take()
                if go is not None:
                    await self._obey(go, polling)
        finally:
            await end_all([polling])

    def put_fact(self, message: Message) -> None:
        # The pacer gives the time, and a fact is received when it is taken: when it really came
        # is an accident.
        self.put_inline(Inline(message))

    def take_inline(self) -> list[Inline]:
        """Facts by time and id: in which order their messages came in must decide nothing."""

        def rank(item: Inline) -> tuple[int, int, str]:
            if item.effect_id:
                return 0, 0, ""
            meta = meta_of(item.message)
            return 1, meta.event_time_ns, meta.id

        items = sorted(super().take_inline(), key=rank)
        for item in items:
            if not item.effect_id and id(item) not in self._answers:
                meta = meta_of(item.message)
                meta.receive_time_ns = meta.receive_time_ns or self.tools.clock.now_ns()
        return items

    async def before_answers(self) -> None:
        # The pacer must know of a verdict's events before the asker can say that it has it.
        await self._report()

    async def _obey(self, go: Go, polling: "asyncio.Task[None]") -> None:
        if go.step == self._last.step and self._last_done:
            await self._report()
            return
        self._last, self._last_done = go, False
        clock = self.tools.clock
        if isinstance(clock, SetClock):
            clock.set(go.now_ns)
        if go.phase is Phase.DECIDE:
            await self._decide(go, polling)
        elif go.phase is Phase.EFFECTS:
            await self._act()
        self._last_done = True
        await self._report()

    async def _decide(self, go: Go, polling: "asyncio.Task[None]") -> None:
        deadline_s = now_s() + PATIENCE_S
        while missing := self._missing(go):
            await self._next(polling)
            if now_s() > deadline_s:
                _LOG.warning("%s still waits for %s", self.agent.name, missing)
                deadline_s = now_s() + PATIENCE_S
        inputs: list[Input] = [
            *self.take_inline(),
            *self.runner.timers.take_due(go.now_ns),
            *merged(self._take_gated(go), self.agent.reads),
        ]
        limit = self.tools.settings.batch_max
        for start in range(0, len(inputs), limit):
            await self.step(inputs[start : start + limit])

    async def _act(self) -> None:
        held, self._held = self._held, []
        for effect, again in held:
            self.runner.start(effect, again)
        await self.runner.wait_idle()

    async def _answer_requests(self) -> None:
        wanted = set(self._answers)
        requests = [item for item in self._inbox if id(item) in wanted]
        if requests:
            self._inbox = [item for item in self._inbox if id(item) not in wanted]
            await self.step(list(requests))

    def _missing(self, go: Go) -> list[str]:
        """Return what has not arrived yet of what this phase is to work on."""
        missing = [
            name
            for name, total in go.totals.items()
            if name.rpartition(":")[0] in self.agent.reads
            and self.core.consumed[name] + len(self._buffer[name]) < total
        ]
        known = self._facts()
        missing += [
            account for account, count in go.facts.items() if known.get(account, count) < count
        ]
        return missing

    def _take_gated(self, go: Go) -> list[Stored]:
        taken: list[Stored] = []
        for name, queue in self._buffer.items():
            count = len(queue)
            if name.rpartition(":")[0] not in UNGATED:
                count = min(count, go.totals.get(name, 0) - self.core.consumed[name])
            taken.extend(queue.popleft() for _ in range(count))
        return taken

    async def _poll_on(self) -> None:
        while True:
            records = await self.shard.poll(self.tools.settings.batch_max, IDLE_POLL_S)
            for record in records:
                self._buffer[place(record.topic, record.partition)].append(record)
            if records:
                self.wake.set()
            if any(record.topic in UNGATED for record in records):
                await self._report()

    async def _next(self, polling: "asyncio.Task[None]") -> None:
        """Wait until something happens: records, a request, a fact, the pacer's word."""
        woken = asyncio.create_task(self.wake.wait())
        await asyncio.wait(
            {woken, polling}, timeout=IDLE_POLL_S, return_when=asyncio.FIRST_COMPLETED
        )
        woken.cancel()
        self.wake.clear()
        if polling.done():
            polling.result()

    def _facts(self) -> dict[str, int]:
        return {
            account: count
            for source in self.tools.service.sources
            for account, count in source.facts().items()
        }

    async def _report(self) -> None:
        ungated = sum(
            len(queue) for name, queue in self._buffer.items() if name.rpartition(":")[0] in UNGATED
        )
        due_ns = self.runner.timers.next_due_ns
        await self._line.report(
            Report(
                agent=self.agent.name,
                step=self._last.step,
                produced=dict(self.core.produced),
                consumed=dict(self.core.consumed),
                reads=list(self.agent.reads),
                held_effects=len(self._held),
                waiting_inputs=self.waiting_inline + ungated,
                next_timer_ns=due_ns if due_ns is not None else -1,
                facts=self._facts(),
                done=self._last_done,
            )
        )
