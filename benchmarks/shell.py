"""The shell with a no-op agent: events a second, beside raw transactions of the same batches."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal

from benchmarks import batches, noop
from benchmarks.batches import Batch
from benchmarks.figures import Better, Figure, Section, rate_per_s
from benchmarks.members import member
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.core import Core, Step
from whaletrader.runtime.log import Log, Membership
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import TOPICS
from whaletrader.runtime.worker import FreeWorker, Tools

_APPEND: Final = 2_000
_BLOCK_S_MAX: Final = 60.0
# The last batch of a block may reach beyond it.
_SPARE: Final = 2_000

Kind = Literal["memory", "postgres", "kafka"]


def run(servers: Servers, sizes: Sizes, kind: Kind) -> list[Section]:
    """Measure on a fresh log."""
    dsn = servers.database() if kind == "postgres" else ""
    bootstrap = servers.kafka_bootstrap() if kind == "kafka" else ""
    return [asyncio.run(_measure(kind, dsn, bootstrap, sizes))]


async def _measure(kind: Kind, dsn: str, bootstrap: str, sizes: Sizes) -> Section:
    log = await open_log(kind, postgres_dsn=dsn, kafka_bootstrap=bootstrap, now_ns=time.time_ns)
    try:
        await _fill(log, (sizes.shell_blocks + 1) * (sizes.shell_block + _SPARE))
        raw = await batches.raw_batches(kind, log, dsn or bootstrap)
        try:
            return await _alternate(kind, log, raw, sizes)
        finally:
            await raw.close()
    finally:
        await log.close()


async def _fill(log: Log, count: int) -> None:
    await log.create_topics((*TOPICS, *noop.TOPICS, *batches.TOPICS))
    records = noop.inputs(count, time.time_ns())
    while chunk := list(islice(records, _APPEND)):
        await log.append(chunk)


async def _alternate(kind: Kind, log: Log, raw: batches.RawBatches, sizes: Sizes) -> Section:
    ours_ns = floor_ns = events = commits = 0
    async with member(log, noop.NAME) as membership:
        for block in range(sizes.shell_blocks + 1):
            counted = await _work(log, membership, sizes.shell_block)
            raw_ns = await raw.run(counted.batches)
            # The first block warms both up; the first batch of a block is before its clock starts.
            if block:
                ours_ns, floor_ns = ours_ns + counted.taken_ns, floor_ns + raw_ns
                events += sum(batch.inputs for batch in counted.batches[1:])
                commits += len(counted.batches) - 1
    return Section(
        f"Shell with a no-op agent, on {kind}",
        "How fast an agent that is behind can catch up at best; what the shell itself costs.",
        "FreeWorker reads a full topic in this process: poll, decode, duplicates, journal entry, "
        "commit with positions, a snapshot every 5,000 inputs. The floor reads as many records a "
        "transaction, writes the same journal bytes and its position"
        + (": the memory log's own poll and commit, and protobuf." if kind == "memory" else "."),
        [
            Figure(
                "events",
                rate_per_s(events, ours_ns),
                "/s",
                rate_per_s(events, floor_ns),
                Better.HIGHER,
            )
        ],
        [f"{events:,} events in {commits} commits, {events / commits:,.0f} a commit"],
    )


@dataclass(slots=True)
class _Counted:
    """Watches a worker: what each commit read and wrote, and when the first and last ended."""

    wanted: int
    stopping: asyncio.Event
    batches: list[Batch] = field(default_factory=list)
    first_ns: int = 0
    last_ns: int = 0
    seen: int = 0

    def restored(self, core: Core) -> None:
        """Nothing to note: what was before this block is not counted."""

    def committed(self, core: Core, step: Step) -> None:
        del core
        self.last_ns = time.perf_counter_ns()
        self.first_ns = self.first_ns or self.last_ns
        self.batches.append(Batch(len(step.entry.inputs), step.records[-1].value))
        self.seen += len(step.entry.inputs)
        if self.seen >= self.wanted:
            self.stopping.set()

    @property
    def taken_ns(self) -> int:
        return self.last_ns - self.first_ns


async def _work(log: Log, membership: Membership, wanted: int) -> _Counted:
    """Claim the shard, let a worker read a block, and give it back."""
    stopping = asyncio.Event()
    counted = _Counted(wanted, stopping)
    service = Service(make_agent=noop.NoopAgent, watcher=counted)
    settings = RuntimeSettings(_env_file=None)  # type: ignore[call-arg]
    tools = Tools(log, WallClock(), settings, service, Telemetry(noop.NAME))
    worker = FreeWorker(tools, await membership.claim(0, [noop.INPUT]))
    try:
        await worker.restore()
        async with asyncio.timeout(_BLOCK_S_MAX):
            await worker.run(stopping)
    finally:
        await worker.stop()
    return counted
