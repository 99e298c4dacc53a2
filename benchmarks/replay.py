"""Full replay of a recorded run: every agent decides its recorded inputs again."""

import asyncio
import time
from typing import Final

from benchmarks.figures import Better, Figure, Section, rate_per_s
from benchmarks.recording import Recorded, record
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from whaletrader.runtime.log import Log, Position
from whaletrader.runtime.logs import open_log
from whaletrader.runtime.topics import journal_topic
from whaletrader.schemas import agent_pb2
from whaletrader.store.replay import Outcome, Span, replay

_PAGE: Final = 200
_RATE_AIM: Final = 20_000


class NotIdentical(RuntimeError):
    """The replay decided something else: its speed means nothing."""


def run(servers: Servers, sizes: Sizes) -> list[Section]:
    """Record on a fresh PostgreSQL log, then replay."""
    return [asyncio.run(_measure(servers.database(), sizes))]


async def _measure(dsn: str, sizes: Sizes) -> Section:
    log = await open_log("postgres", postgres_dsn=dsn, now_ns=time.time_ns)
    try:
        recorded = await record(log, sizes.replay_events)
        ours_ns = floor_ns = 0
        outcomes: list[Outcome] = []
        for _ in range(sizes.replay_blocks):
            floor_ns += await _decode_journals(log, recorded)
            started_ns = time.perf_counter_ns()
            outcomes += [await _replayed(log, recorded, number) for number in _agents(recorded)]
            ours_ns += time.perf_counter_ns() - started_ns
    finally:
        await log.close()
    decisions = sum(outcome.decisions for outcome in outcomes)
    return _section(recorded, outcomes, rate_per_s(decisions, ours_ns), decisions, floor_ns)


def _agents(recorded: Recorded) -> range:
    return range(len(recorded.agents))


async def _replayed(log: Log, recorded: Recorded, number: int) -> Outcome:
    outcome = await replay(recorded.agents[number], [log], Span())
    if outcome.difference is not None:
        raise NotIdentical(f"{outcome.difference}")
    return outcome


async def _decode_journals(log: Log, recorded: Recorded) -> int:
    """Read the same journals and parse their entries, and nothing else."""
    started_ns = time.perf_counter_ns()
    for make in recorded.agents:
        topic, offset = journal_topic(make().name), 0
        while page := await log.read(Position(topic, 0, offset), _PAGE):
            for stored in page:
                agent_pb2.JournalEntry.FromString(stored.value)
            offset = page[-1].offset + 1
    return time.perf_counter_ns() - started_ns


def _section(
    recorded: Recorded, outcomes: list[Outcome], rate: float, decisions: int, floor_ns: int
) -> Section:
    section = Section(
        "Full replay",
        'How long "what would it have done" takes: every recorded decision is made again and '
        "compared byte for byte.",
        "The beginning of the shipped tape was played through discovery, intelligence, "
        "orchestrator, risk and attribution on PostgreSQL; then `whaletrader replay`'s own code "
        "reads journals and inputs back and decides. The floor only reads and decodes the same "
        "journal entries. An event here is one input of one agent.",
        [
            Figure(
                "inputs decided, all agents together",
                rate,
                "/s",
                rate_per_s(decisions, floor_ns),
                Better.HIGHER,
                value_aim=_RATE_AIM,
            )
        ],
    )
    by_agent: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_agent.setdefault(outcome.agent, []).append(outcome)
    section.notes.append(f"{recorded.events:,} events of the tape")
    for name, runs in by_agent.items():
        inputs = sum(it.decisions for it in runs)
        seconds = sum(it.seconds for it in runs)
        section.notes.append(
            f"{name}: {inputs / seconds:,.0f} inputs/s "
            f"({runs[0].decisions:,} inputs in {runs[0].entries:,} commits)"
        )
    return section
