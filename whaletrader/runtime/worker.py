"""Runs one claimed shard of one agent: read, decide, commit, then act.

    records, requests, timers, outcomes ──► Core.step ──► commit ──► replies and effects

The worker never acts before the commit is durable, and never goes on after a commit that
failed: then it raises, and the shell claims the shard anew and restores it from the log.
Two subclasses say when inputs are taken: as they come (`FreeWorker`), or when the pacer says
so (`PacedWorker`, in paced.py).
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from whaletrader.runtime.agent import Agent, Effect
from whaletrader.runtime.cancelling import end_all
from whaletrader.runtime.clock import Clock, SetClock
from whaletrader.runtime.codec import meta_of
from whaletrader.runtime.core import Core, Inline, Input, Step
from whaletrader.runtime.effects import EffectRunner
from whaletrader.runtime.journal import restore
from whaletrader.runtime.log import Log, LogError, Record, Shard, Stored
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import journal_topic

_LOG = logging.getLogger(__name__)

# How long an idle worker waits for records before it looks at its timers again.
IDLE_POLL_S: Final = 0.2
# How long a worker that is told to stop waits for the snapshot that it is writing.
SAVE_GRACE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What every worker of a process shares."""

    log: Log
    clock: Clock
    settings: RuntimeSettings
    service: Service
    telemetry: Telemetry


class Worker(ABC):
    """Owns the core, the shard handle and the effects of one claim."""

    def __init__(self, tools: Tools, shard: Shard) -> None:
        self.tools = tools
        self.shard = shard
        self.core = Core(tools.service.make_agent(), shard.number)
        self.agent: Agent = self.core.agent  # type: ignore[type-arg]
        self.runner = EffectRunner(
            self.agent.name, tools.service.edges, tools.clock, self.put_inline
        )
        tools.telemetry.watch_effects(self.agent.name, lambda: self.runner.in_flight)
        self.wake = asyncio.Event()
        self._inbox: list[Inline] = []
        self._answers: dict[int, asyncio.Future[Message | None]] = {}
        self._since_snapshot = 0
        self._journal_offset = 0
        self._saving: asyncio.Task[None] | None = None

    async def restore(self) -> None:
        """Bring the core to the last commit and take up what was announced before it."""
        # Counted, or a process that restarts often would never take a snapshot.
        self._since_snapshot = await restore(self.tools.log, self.core)
        journal = journal_topic(self.agent.name)
        self._journal_offset = (await self.tools.log.end(journal))[self.shard.number]
        if self.tools.service.watcher is not None:
            self.tools.service.watcher.restored(self.core)
        for effect in list(self.core.pending.values()):
            self.start_effect(effect, again=True)

    @abstractmethod
    async def run(self, stopping: asyncio.Event) -> None:
        """Work until told to stop. Raises LogError when the shard must be claimed anew."""

    async def stop(self) -> None:
        """Cancel effects; those without an outcome are taken up again after a restart."""
        await self.runner.stop()
        for future in self._answers.values():
            future.cancel()
        if self._saving is not None:
            await asyncio.wait([self._saving], timeout=SAVE_GRACE_S)
            await end_all([self._saving])
        await self.shard.release()

    def put_inline(self, item: Inline) -> None:
        """Queue an input that does not come from the log."""
        self._inbox.append(item)
        self.wake.set()

    def put_fact(self, message: Message) -> None:
        """Queue a message that a source brought."""
        meta = meta_of(message)
        clock = self.tools.clock
        if isinstance(clock, SetClock):
            # What a replayed source tells moves replayed time.
            clock.set(meta.event_time_ns)
        meta.receive_time_ns = meta.receive_time_ns or clock.now_ns()
        self.put_inline(Inline(message))

    async def answer(self, request: Message) -> Message | None:
        """Queue a request and return the reply once its commit is durable."""
        item = Inline(request)
        future: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._answers[id(item)] = future
        self.put_inline(item)
        try:
            return await future
        except asyncio.CancelledError:
            if future.cancelled():
                return None
            raise
        finally:
            self._answers.pop(id(item), None)

    def start_effect(self, effect: Effect, again: bool) -> None:
        """Carry out a durable effect."""
        self.runner.start(effect, again)

    @property
    def waiting_inline(self) -> int:
        return len(self._inbox)

    def take_inline(self) -> list[Inline]:
        """Return and clear what is queued: outcomes in the order announced, then the rest."""
        items, self._inbox = self._inbox, []
        if len(items) < 2:
            return items
        announced = {effect: rank for rank, effect in enumerate(self.core.pending)}
        last = len(announced)
        return sorted(items, key=lambda item: announced.get(item.effect_id, last))

    async def step(self, inputs: list[Input]) -> Step:
        """Decide the inputs, make it durable, then answer and act."""
        with self.tools.telemetry.commit(self.agent.name, len(inputs)):
            step = self.core.step(inputs, self.tools.clock.now_ns())
            await self.shard.commit(step.records, step.positions)
        self.tools.telemetry.stepped(self.agent.name, inputs, step)
        if self.tools.service.watcher is not None:
            self.tools.service.watcher.committed(self.core, step)
        await self.before_answers()
        for index, item in enumerate(inputs):
            future = self._answers.get(id(item))
            if future is not None and not future.done():
                future.set_result(step.replies.get(index))
        for effect in step.effects:
            self.start_effect(effect, again=False)
        self._since_snapshot += len(inputs)
        if self._since_snapshot >= self.tools.settings.snapshot_inputs:
            self._save()
        return step

    async def before_answers(self) -> None:  # noqa: B027 - a hook, empty unless paced
        """Do what must precede the replies of a commit; nothing unless paced."""

    def _save(self) -> None:
        """Write a snapshot beside the work: nobody who asks waits for megabytes.

        It holds what is committed and nothing else. One that is late, lost, or older than a
        successor's costs a restart some reading of the journal, which is never trimmed.
        """
        if self._saving is not None and not self._saving.done():
            return
        self._since_snapshot = 0
        self._saving = asyncio.create_task(self._write(self.core.snapshot(self._journal_offset)))

    async def _write(self, snapshot: Record) -> None:
        log = self.tools.log
        try:
            await log.append([snapshot])
            ends = await log.end(journal_topic(self.agent.name))
        except LogError as error:
            _LOG.warning("a snapshot was not written; the next one will be: %s", error)
            return
        # Where the next snapshot's reader begins: all that stood here by now, it holds.
        self._journal_offset = ends[self.shard.number]


class FreeWorker(Worker):
    """Takes inputs as they come, batching what has arrived together."""

    async def run(self, stopping: asyncio.Event) -> None:
        polling: asyncio.Task[list[Stored]] | None = None
        try:
            while not stopping.is_set():
                if polling is None and self._may_read():
                    limit = self.tools.settings.batch_max
                    polling = asyncio.create_task(self.shard.poll(limit, IDLE_POLL_S))
                    polling.add_done_callback(lambda _: self.wake.set())
                records = await self._wait(polling)
                if records is not None:
                    polling = None
                inputs: list[Input] = [
                    *self.take_inline(),
                    *self.runner.timers.take_due(self.tools.clock.now_ns()),
                    *merged(records or [], self.agent.reads),
                ]
                if inputs:
                    await self.step(inputs)
        finally:
            if polling is not None:
                await end_all([polling])

    def _may_read(self) -> bool:
        # Back-pressure: with too much under way outside, what is on the log waits there.
        return self.runner.in_flight < self.tools.settings.effects_in_flight_max

    async def _wait(self, polling: asyncio.Task[list[Stored]] | None) -> list[Stored] | None:
        """Wait for records or an inline input; return records if they were polled."""
        self.wake.clear()
        if not self._inbox and not (polling is not None and polling.done()):
            # No task of its own for a wait that every request ends.
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_POLL_S):
                    await self.wake.wait()
        if polling is not None and polling.done():
            return polling.result()
        return None


def merged(records: Iterable[Stored], reads: tuple[str, ...]) -> list[Stored]:
    """Return records in event-time order, keeping the order within each partition.

    Ties are broken by the agent's order of topics, then by partition: the same records always
    come out in the same order.
    """
    rank = {topic: index for index, topic in enumerate(reads)}
    floor: dict[tuple[str, int], int] = {}
    keyed = []
    for record in records:
        place = (record.topic, record.partition)
        # An earlier time after a later one in a partition must not overtake it.
        time_ns = max(_event_time(record), floor.get(place, 0))
        floor[place] = time_ns
        keyed.append(
            (time_ns, rank.get(record.topic, len(rank)), record.partition, record.offset, record)
        )
    keyed.sort(key=lambda row: row[:4])
    return [row[4] for row in keyed]


def _event_time(record: Stored) -> int:
    stated = record.headers.get("ce_time", "")
    return int(stated) if stated.isdigit() else 0
