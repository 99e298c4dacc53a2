"""Keeps one agent's process at work: membership, claims, restarts of workers.

A worker that loses its log or its claim is thrown away, and the shard is claimed and restored
anew: the log knows what was committed, memory does not. A defect in an agent (an error while
folding its own event) ends the process; its supervisor decides what then.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import Message

from whaletrader.runtime.cancelling import end_all
from whaletrader.runtime.health import Health
from whaletrader.runtime.log import CommitUncertain, Fenced, LogUnavailable, Membership, Shard
from whaletrader.runtime.topics import journal_topic
from whaletrader.runtime.worker import Tools, Worker

_LOG = logging.getLogger(__name__)

MEMBERSHIP_POLL_S: Final = 0.5
# After a lost log or claim: doubled from the first to the last of these.
RECLAIM_FIRST_S: Final = 0.1
RECLAIM_MAX_S: Final = 5.0
# How long a worker may finish the commit it is in when the process is told to stop.
STOP_GRACE_S: Final = 3.0

MakeWorker = Callable[[Tools, Shard], Worker]
# Told True once there is a worker, False once there is none: who is asked must be at work.
OnWork = Callable[[bool], Awaitable[None]]


class Shell:
    """Runs the workers of the shards that this member owns."""

    def __init__(
        self, tools: Tools, agent: str, member: str, make_worker: MakeWorker, health: Health
    ) -> None:
        self._tools = tools
        self._agent = agent
        self._member = member
        self._make_worker = make_worker
        self._health = health
        self._stopping = asyncio.Event()
        self._workers: dict[int, Worker] = {}
        self._reads = tools.service.make_agent().reads
        self.on_work: OnWork | None = None
        self._is_at_work = False

    @property
    def workers(self) -> list[Worker]:
        """The workers that are at work now."""
        return list(self._workers.values())

    def stop(self) -> None:
        """Finish the commits under way and leave. Idempotent; safe in a signal handler."""
        self._stopping.set()
        self.wake()

    def wake(self) -> None:
        """Make the workers look up: something was said to them outside the log."""
        for worker in self._workers.values():
            worker.wake.set()

    async def answer(self, request: Message) -> Message | None:
        """Hand a request to the worker; no answer while there is none."""
        for worker in list(self._workers.values()):
            return await worker.answer(request)
        return None

    async def run(self) -> None:
        """Work until stopped. Raises whatever an agent's defect raises."""
        membership = await self._join()
        if membership is None:
            return
        tasks: dict[int, asyncio.Task[None]] = {}
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                owned = await self._owned(membership, frozenset(tasks))
                for shard in owned - tasks.keys():
                    tasks[shard] = asyncio.create_task(self._keep(membership, shard))
                for shard in tasks.keys() - owned:
                    tasks[shard].cancel()
                await self._reap(tasks, stopped)
                if not self._workers:
                    self._health.problem = "" if not owned else "restoring"
        except Fenced as error:
            await self._stand_aside(error, tasks)
        finally:
            stopped.cancel()
            await self._end(membership, tasks)

    async def _join(self) -> Membership | None:
        pause_s = RECLAIM_FIRST_S
        while not self._stopping.is_set():
            try:
                return await self._tools.log.join(
                    self._agent, self._member, journal_topic(self._agent)
                )
            except LogUnavailable as error:
                _LOG.warning("the log cannot be reached: %s", error)
                await self._pause(pause_s)
                pause_s = min(pause_s * 2, RECLAIM_MAX_S)
        return None

    async def _owned(self, membership: Membership, held: frozenset[int]) -> frozenset[int]:
        try:
            return await membership.owned(MEMBERSHIP_POLL_S)
        except LogUnavailable as error:
            # The claims say who may commit; until the log is back nobody can.
            _LOG.warning("membership cannot be renewed: %s", error)
            await self._pause(MEMBERSHIP_POLL_S)
            return held

    async def _reap(
        self, tasks: dict[int, asyncio.Task[None]], stopped: "asyncio.Task[bool]"
    ) -> None:
        for shard, task in list(tasks.items()):
            if task.done():
                del tasks[shard]
                if not task.cancelled():
                    task.result()
        # A membership that answers at once must not make this a busy loop.
        await asyncio.wait(
            [stopped, *tasks.values()],
            timeout=MEMBERSHIP_POLL_S,
            return_when=asyncio.FIRST_COMPLETED,
        )

    async def _stand_aside(self, error: Fenced, tasks: dict[int, asyncio.Task[None]]) -> None:
        """Another process has this member's name: joining again would only fence it in turn."""
        _LOG.error("standing aside: %s", error)
        await end_all(tasks.values())
        self._health.problem = f"standing aside: {error}"
        await self._stopping.wait()

    async def _end(self, membership: Membership, tasks: dict[int, asyncio.Task[None]]) -> None:
        if tasks and self._stopping.is_set():
            await asyncio.wait(tasks.values(), timeout=STOP_GRACE_S)
        await end_all(tasks.values())
        try:
            await membership.leave()
        except LogUnavailable as error:
            _LOG.warning("could not say goodbye, the lease will end: %s", error)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _keep(self, membership: Membership, shard: int) -> None:
        """Claim the shard and work it; after a lost log or claim, again."""
        pause_s = RECLAIM_FIRST_S
        while not self._stopping.is_set():
            try:
                claimed = await membership.claim(shard, self._reads)
                await self._work(claimed)
                pause_s = RECLAIM_FIRST_S
            except Fenced:
                _LOG.warning("shard %d is another member's now", shard)
                return
            except (LogUnavailable, CommitUncertain) as error:
                self._health.problem = f"log: {error}"
                _LOG.warning("claiming shard %d anew in %.1f s: %s", shard, pause_s, error)
                await self._pause(pause_s)
                pause_s = min(pause_s * 2, RECLAIM_MAX_S)

    async def _work(self, claimed: Shard) -> None:
        worker = self._make_worker(self._tools, claimed)
        sources: list[asyncio.Task[None]] = []
        try:
            await worker.restore()
            self._workers[claimed.number] = worker
            await self._say_at_work()
            self._health.started = True
            self._health.problem = ""
            _LOG.info("shard %d works from entry %d on", claimed.number, worker.core.sequence)
            sources = [
                asyncio.create_task(source.run(worker.put_fact))
                for source in self._tools.service.sources
            ]
            working = asyncio.create_task(worker.run(self._stopping))
            await _first_end(working, sources)
        finally:
            self._workers.pop(claimed.number, None)
            await self._say_at_work()
            await end_all(sources)
            await worker.stop()

    async def _say_at_work(self) -> None:
        is_at_work = bool(self._workers)
        if self.on_work is not None and is_at_work != self._is_at_work:
            self._is_at_work = is_at_work
            await self.on_work(is_at_work)


async def _first_end(working: asyncio.Task[None], sources: list[asyncio.Task[None]]) -> None:
    """Wait for the worker; a source that fails takes it along, one that ends does not."""
    waits = {working, *sources}
    try:
        while not working.done():
            done, waits = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        await end_all([working])
