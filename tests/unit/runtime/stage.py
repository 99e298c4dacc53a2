"""A stage for worker and shell: a counting agent over a log in memory that can be made to fail."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.unit.runtime.counting import CountingAgent
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.codec import decode
from whaletrader.runtime.core import Core
from whaletrader.runtime.health import Health
from whaletrader.runtime.journal import restore
from whaletrader.runtime.log import Position, Record, Shard, Stored
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.shell import Shell
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import TOPICS, journal_topic
from whaletrader.runtime.worker import FreeWorker, Tools
from whaletrader.schemas import agent_pb2

AGENT = "discovery"
WAIT_S = 30.0


class FailingShard:
    """A shard whose commits go through `commits` first: what it raises the committer sees."""

    def __init__(self, shard: Shard, stage: "Stage") -> None:
        self._shard = shard
        self._stage = stage
        self.number = shard.number

    async def commit(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        self._stage.commits += 1
        before = self._stage.before_commit
        if before is not None:
            await before(self._stage.commits)
        await self._shard.commit(records, positions)
        after = self._stage.after_commit
        if after is not None:
            await after(self._stage.commits)

    async def poll(self, max_records: int, timeout_s: float) -> list[Stored]:
        return await self._shard.poll(max_records, timeout_s)

    async def release(self) -> None:
        self._stage.released += 1
        await self._shard.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shard, name)


Hook = Callable[[int], Awaitable[None]]


class Stage:
    """The log with its topics, and shells on it."""

    def __init__(self, service: Service | None = None, **settings: Any) -> None:
        self.log = MemoryLog(lambda: 0)
        self.service = service or Service(make_agent=CountingAgent)
        self.settings = RuntimeSettings(**settings)
        self.telemetry = Telemetry(AGENT)
        self.tools = Tools(self.log, SetClock(1), self.settings, self.service, self.telemetry)
        self.workers: list[FreeWorker] = []
        self.commits = 0
        self.released = 0
        self.before_commit: Hook | None = None
        self.after_commit: Hook | None = None

    async def open(self) -> "Stage":
        await self.log.create_topics(TOPICS)
        return self

    def make_worker(self, tools: Tools, shard: Shard) -> FreeWorker:
        worker = FreeWorker(tools, FailingShard(shard, self))
        self.workers.append(worker)
        return worker

    def shell(self, member: str = "one") -> tuple[Shell, Health]:
        health = Health()
        return Shell(self.tools, AGENT, member, self.make_worker, health), health

    async def worker(self) -> FreeWorker:
        """Claim the shard and return a restored worker that does not run yet."""
        membership = await self.log.join(AGENT, "one", journal_topic(AGENT))
        worker = self.make_worker(self.tools, await membership.claim(0, CountingAgent.reads))
        await worker.restore()
        return worker

    async def entries(self) -> list[agent_pb2.JournalEntry]:
        records = await self.log.read(Position(journal_topic(AGENT), 0, 0), 10_000)
        return [agent_pb2.JournalEntry.FromString(record.value) for record in records]

    async def said(self, topic: str) -> list[Any]:
        """Return every message of a topic."""
        return [
            decode(record.headers["ce_type"], record.value)
            for partition in range(await self.log.partitions(topic))
            for record in await self.log.read(Position(topic, partition, 0), 10_000)
        ]

    async def counted(self) -> int:
        """Return how many trades the log says were counted."""
        core = Core(CountingAgent())
        await restore(self.log, core)
        return int(core.agent.state.trades)


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until it holds. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_S):
        while True:
            held = condition()
            if await held if not isinstance(held, bool) else held:
                return
            await asyncio.sleep(0.005)
