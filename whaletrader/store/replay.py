"""Runs recorded inputs through an agent again and holds the outcome against its journal.

The journal is folded up to the range that is asked for (from a snapshot that is old enough, or
from its beginning); within the range each entry's inputs are decided anew, at the entry's own
time and in its order. Identical means byte for byte. Writes nothing and carries out no effect.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from whaletrader.runtime.agent import Agent
from whaletrader.runtime.clock import monotonic_s
from whaletrader.runtime.codec import UnreadableMessage, decode, record_type
from whaletrader.runtime.core import Core, Input, Step
from whaletrader.runtime.log import Log, Position, Stored
from whaletrader.runtime.topics import BY_NAME, SNAPSHOTS, journal_topic
from whaletrader.schemas import agent_pb2
from whaletrader.store.inputs import RecordedInputs, Source

MakeAgent = Callable[[], Agent[Any, Any]]

# Entries read at once: one may hold two thousand inputs.
JOURNAL_PAGE: Final = 200
FOREVER_NS: Final = 2**63 - 1
# The records of one commit have almost one time; brokers' clocks differ by less than this.
_NEAR_NS: Final = 5_000_000_000
_NEAR_PAGES_MAX: Final = 100


class JournalGap(Exception):
    """The journal cannot be read without a hole: what came after cannot be replayed."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which entries are decided anew, by the agent's own time; both ends belong to it."""

    from_ns: int = 0
    to_ns: int = FOREVER_NS
    # Counts decisions about this topic only; empty counts all.
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """One event or effect of a decision. The message is None where only its digest is known."""

    is_effect: bool
    topic: str
    partition: int
    type: str
    id: str
    message: Message | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that was said then and not now, or now and not then."""

    agent: str
    shard: int
    sequence: int
    now_ns: int
    # When the log had the entry.
    log_time_ns: int
    # The input that it answers; None if it was unreadable then, too.
    input: Message | None
    recorded: Said | None
    replayed: Said | None


@dataclass(slots=True)
class Outcome:
    """What a replay of one agent came to."""

    agent: str
    entries: int = 0
    decisions: int = 0
    events: int = 0
    followed: int = 0
    seconds: float = 0.0
    difference: Difference | None = None


async def replay(make_agent: MakeAgent, sources: Sequence[Source], span: Span) -> Outcome:
    """Replay every shard of one agent, up to the first difference.

    `sources` are tried in order for each record. Raises InputGone, JournalGap.
    """
    started_s = monotonic_s()
    agent = make_agent()
    outcome = Outcome(agent.name)
    for shard in range(BY_NAME[journal_topic(agent.name)].partitions):
        run = _Run(make_agent, sources, span, outcome)
        await run.shard(shard)
        if outcome.difference is not None:
            break
    outcome.seconds = monotonic_s() - started_s
    return outcome


class _Run:
    """One shard from the start of its journal to the end of the span."""

    def __init__(
        self, make_agent: MakeAgent, sources: Sequence[Source], span: Span, outcome: Outcome
    ) -> None:
        self._make_agent = make_agent
        self._sources = sources
        self._span = span
        self._outcome = outcome
        self._inputs = RecordedInputs(sources)

    async def shard(self, shard: int) -> None:
        core, start = await self._restored(shard)
        async for entry, record in self._journal(core, start):
            if entry.now_ns > self._span.to_ns:
                return
            if entry.now_ns < self._span.from_ns:
                core.follow(entry, await self._inputs.stored(entry))
                self._outcome.followed += 1
                continue
            inputs = await self._inputs.all_of(entry)
            step = core.step(inputs, entry.now_ns)
            self._count(entry)
            # The last record of a step is its journal entry.
            if step.records[-1].value != record.value:
                self._outcome.difference = _difference(entry, step, inputs, record.timestamp_ns)
                if self._outcome.difference is not None:
                    return

    async def _restored(self, shard: int) -> tuple[Core, int]:
        """Return a core as it was before the span, or new, and where its journal goes on."""
        if self._span.from_ns <= 0:
            return Core(self._make_agent(), shard), 0
        name = self._outcome.agent
        found = [
            snapshot
            for partition in range(BY_NAME[SNAPSHOTS].partitions)
            async for snapshot in self._snapshots(partition)
            if (snapshot.agent, snapshot.shard) == (name, shard)
        ]
        for snapshot in sorted(found, key=lambda it: it.sequence, reverse=True):
            core = Core(self._make_agent(), shard)
            if core.load(snapshot) and core.agent.now_ns < self._span.from_ns:
                return core, snapshot.journal_offset
        return Core(self._make_agent(), shard), 0

    async def _snapshots(self, partition: int) -> AsyncIterator[agent_pb2.AgentSnapshot]:
        offset = 0
        while page := await self._sources[0].read(
            Position(SNAPSHOTS, partition, offset), JOURNAL_PAGE
        ):
            for record in page:
                yield agent_pb2.AgentSnapshot.FromString(record.value)
            offset = page[-1].offset + 1

    async def _journal(
        self, core: Core, start: int
    ) -> AsyncIterator[tuple[agent_pb2.JournalEntry, Stored]]:
        """Yield the entries after the core's, each with its record, without a hole."""
        topic, offset = journal_topic(core.agent.name), start
        while True:
            page = await self._page(core, Position(topic, core.shard, offset))
            if not page:
                return
            for entry, record in page:
                offset = record.offset + 1
                if entry.sequence > core.sequence:
                    yield entry, record

    async def _page(
        self, core: Core, position: Position
    ) -> list[tuple[agent_pb2.JournalEntry, Stored]]:
        """Return a page from the first source that goes on where the core is."""
        later: int | None = None
        for source in self._sources:
            page = [
                (agent_pb2.JournalEntry.FromString(record.value), record)
                for record in await source.read(position, JOURNAL_PAGE)
            ]
            if page and page[0][0].sequence <= core.sequence + 1:
                return page
            later = later or (page[0][0].sequence if page else None)
        if later is not None:
            raise JournalGap(
                f"the journal of {core.agent.name} goes on at entry {later}, after {core.sequence}"
            )
        return []

    def _count(self, entry: agent_pb2.JournalEntry) -> None:
        self._outcome.entries += 1
        self._outcome.events += len(entry.outputs)
        if not self._span.topic:
            self._outcome.decisions += len(entry.inputs)
            return
        if self._span.topic in entry.topics:
            number = list(entry.topics).index(self._span.topic)
            self._outcome.decisions += sum(
                noted.topic == number and not noted.HasField("inline") for noted in entry.inputs
            )


def _difference(
    entry: agent_pb2.JournalEntry, step: Step, inputs: Sequence[Input], log_time_ns: int
) -> Difference | None:
    """Return the first difference; None if only fields differ that this version added."""
    then = [_output_key(output) for output in entry.outputs]
    now = [_output_key(output) for output in step.entry.outputs]
    index = _first_unequal(then, now)
    effects_then = [_effect_key(effect) for effect in entry.effects]
    effects_now = [_effect_key(effect) for effect in step.entry.effects]
    effect = _first_unequal(effects_then, effects_now)
    if index is not None:
        recorded = _recorded_event(entry.outputs[index]) if index < len(then) else None
        replayed = _replayed_event(step, index) if index < len(now) else None
        number = (entry if index < len(then) else step.entry).outputs[index].input
    elif effect is not None:
        recorded = _effect(entry.effects[effect]) if effect < len(effects_then) else None
        replayed = _effect(step.entry.effects[effect]) if effect < len(effects_now) else None
        number = (entry if effect < len(effects_then) else step.entry).effects[effect].input
    else:
        return None
    return Difference(
        entry.agent,
        entry.shard,
        entry.sequence,
        entry.now_ns,
        log_time_ns,
        _message(inputs[number]),
        recorded,
        replayed,
    )


def _first_unequal(then: Sequence[object], now: Sequence[object]) -> int | None:
    for index in range(max(len(then), len(now))):
        if index >= len(then) or index >= len(now) or then[index] != now[index]:
            return index
    return None


def _output_key(output: agent_pb2.JournalOutput) -> tuple[object, ...]:
    return (output.input, output.topic, output.type, output.id, output.digest)


def _effect_key(effect: agent_pb2.JournalEffect) -> tuple[object, ...]:
    return (effect.input, effect.effect_id, effect.type, effect.payload, effect.lane)


def _recorded_event(output: agent_pb2.JournalOutput) -> Said:
    message = _read(output.type, output.payload) if output.payload else None
    return Said(False, output.topic, output.partition, output.type, output.id, message)


def _replayed_event(step: Step, index: int) -> Said:
    output = step.entry.outputs[index]
    message = step.events[index][2]
    return Said(False, output.topic, output.partition, output.type, output.id, message)


def _effect(effect: agent_pb2.JournalEffect) -> Said:
    message = _read(effect.type, effect.payload)
    return Said(True, "", 0, effect.type, effect.effect_id, message)


def _message(item: Input) -> Message | None:
    if isinstance(item, Stored):
        return _read(record_type(item.headers), item.value)
    return item.message


def _read(kind: str, payload: bytes) -> Message | None:
    try:
        return decode(kind, payload)
    except UnreadableMessage:
        return None


async def find_in_log(log: Log, said: Said, near_ns: int) -> Message | None:
    """Return the message that was said on a topic at about this time, by its id, or None."""
    offset = await log.offset_at(said.topic, said.partition, near_ns - _NEAR_NS)
    for _ in range(_NEAR_PAGES_MAX):
        page = await log.read(Position(said.topic, said.partition, offset), JOURNAL_PAGE)
        for record in page:
            if record.headers.get("ce_id") == said.id:
                return _read(record_type(record.headers), record.value)
        if not page:
            return None
        offset = page[-1].offset + 1
    return None
