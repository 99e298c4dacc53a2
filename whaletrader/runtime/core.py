"""The pure half of the shell: one agent, its inputs in, one commit out.

Production, the simulation and replay all drive agents through `Core.step`, so they cannot
drift apart. No I/O happens here. A step is computed before anything is durable; if its commit
fails, the core is thrown away and restored from the log.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id, id_prefix
from whaletrader.runtime.agent import Agent, Decision, Effect, routing_key, stamp
from whaletrader.runtime.codec import (
    Envelope,
    UnreadableMessage,
    decode,
    digest,
    encode,
    from_stored,
    meta_of,
    record_type,
    to_record,
    type_name,
)
from whaletrader.runtime.log import Position, Record, Stored, partition_of
from whaletrader.runtime.saved import SavedCore, SavedEffect, refill, shape_of
from whaletrader.runtime.topics import BY_NAME, DEAD_LETTERS, SNAPSHOTS, journal_topic
from whaletrader.schemas import agent_pb2

# How many ids of the latest inputs are remembered. A duplicate comes from a producer's retry,
# that is within seconds; this many inputs are several seconds at the highest rate we aim for.
RECENT_IDS_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Inline:
    """An input that did not come from the log: a request, a timer, an effect's outcome."""

    message: Message
    effect_id: str = ""


Input = Stored | Inline


@dataclass(slots=True)
class Step:
    """What one commit writes, and what follows once it is durable."""

    entry: agent_pb2.JournalEntry
    records: list[Record] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    # By index of the input that asked.
    replies: dict[int, Message] = field(default_factory=dict)
    # Every event in full, by index of its input: what replay compares.
    events: list[tuple[int, str, Message]] = field(default_factory=list)


class CorruptJournal(RuntimeError):
    """The journal skips an entry or belongs to another agent: a person must look."""


class Core:
    """One shard of one agent. `sequence` counts its journal entries, from 1."""

    def __init__(self, agent: Agent[Any, Any], shard: int = 0) -> None:
        self.agent = agent
        self.shard = shard
        self.sequence = 0
        # Announced effects without an outcome, oldest first.
        self.pending: OrderedDict[str, Effect] = OrderedDict()
        # How many records of each "topic:partition" were read and written, ever.
        self.consumed: Counter[str] = Counter()
        self.produced: Counter[str] = Counter()
        self._recent: OrderedDict[int, None] = OrderedDict()
        # Of the entry that is being made: its topics' places in it.
        self._topic_numbers: dict[str, int] = {}

    def step(self, inputs: Sequence[Input], now_ns: int) -> Step:
        """Decide each input in order and return the commit that makes it so."""
        self.agent.now_ns = now_ns
        self._topic_numbers.clear()
        step = Step(
            agent_pb2.JournalEntry(
                agent=self.agent.name,
                shard=self.shard,
                sequence=self.sequence + 1,
                now_ns=now_ns,
            )
        )
        for index, item in enumerate(inputs):
            noted = self._note_input(step.entry, item)
            self._handle(step, index, item, noted)
        self.sequence += 1
        step.positions = _positions_after(inputs)
        step.records.append(
            Record(
                journal_topic(self.agent.name),
                str(self.shard),
                encode(step.entry),
                {
                    "ce_id": derived_id(self.agent.name, self.shard, self.sequence),
                    "ce_type": type_name(step.entry),
                    "ce_source": self.agent.name,
                    "ce_time": str(self.agent.now_ns),
                },
                partition=self.shard,
            )
        )
        return step

    def follow(self, entry: agent_pb2.JournalEntry, inputs: Mapping[int, Stored]) -> None:
        """Redo a journal entry without deciding: fold its events, let the views follow.

        `inputs` holds the log records that can still be read, by index of the entry's input.
        """
        if entry.sequence != self.sequence + 1 or entry.agent != self.agent.name:
            raise CorruptJournal(
                f"expected entry {self.sequence + 1} of {self.agent.name}, "
                f"found {entry.sequence} of {entry.agent}"
            )
        self.agent.now_ns = entry.now_ns
        outputs: dict[int, list[agent_pb2.JournalOutput]] = {}
        for output in entry.outputs:
            outputs.setdefault(output.input, []).append(output)
        asked: dict[int, list[agent_pb2.JournalEffect]] = {}
        for effect in entry.effects:
            asked.setdefault(effect.input, []).append(effect)
        for index, noted in enumerate(entry.inputs):
            made = outputs.get(index, ())
            message = _noted_message(noted, inputs.get(index))
            is_new = self._remember(entry, noted)
            if is_new and message is not None:
                self._observe_again(message, any(it.topic == DEAD_LETTERS for it in made))
            for output in made:
                self._follow_output(output)
            # With its input: a later one of the same commit may hold its outcome already.
            for effect in asked.get(index, ()):
                self.pending[effect.effect_id] = Effect(
                    decode(effect.type, effect.payload),
                    effect.lane,
                    effect.effect_id,
                    effect.cause,
                    effect.correlation,
                )
        self.sequence = entry.sequence

    def snapshot(self, journal_offset: int) -> Record:
        """Return the record that restores this core without the journal so far."""
        saved = SavedCore(
            state=msgspec.msgpack.encode(self.agent.state),
            views=msgspec.msgpack.encode(self.agent.views),
            recent=list(self._recent),
            pending=[SavedEffect.of(effect) for effect in self.pending.values()],
            consumed=dict(self.consumed),
            produced=dict(self.produced),
            now_ns=self.agent.now_ns,
        )
        snapshot = agent_pb2.AgentSnapshot(
            agent=self.agent.name,
            shard=self.shard,
            sequence=self.sequence,
            shape=shape_of(self.agent),
            payload=msgspec.msgpack.encode(saved),
            journal_offset=journal_offset,
        )
        headers = {
            "ce_id": derived_id(self.agent.name, self.shard, self.sequence, "snapshot"),
            "ce_type": type_name(snapshot),
            "ce_source": self.agent.name,
            "ce_time": str(self.agent.now_ns),
        }
        return Record(SNAPSHOTS, f"{self.agent.name}/{self.shard}", encode(snapshot), headers)

    def load(self, snapshot: agent_pb2.AgentSnapshot) -> bool:
        """Take the state from a snapshot. False if it was made by another shape of state."""
        if snapshot.shape != shape_of(self.agent):
            return False
        saved = msgspec.msgpack.decode(snapshot.payload, type=SavedCore)
        refill(self.agent.state, saved.state)
        refill(self.agent.views, saved.views)
        self._recent = OrderedDict.fromkeys(saved.recent)
        self.pending = OrderedDict((it.id, it.effect()) for it in saved.pending)
        self.consumed = Counter(saved.consumed)
        self.produced = Counter(saved.produced)
        self.sequence = snapshot.sequence
        self.agent.now_ns = saved.now_ns
        return True

    def _handle(self, step: Step, index: int, item: Input, noted: agent_pb2.JournalInput) -> None:
        try:
            message = _checked(from_stored(item) if isinstance(item, Stored) else item.message)
            if isinstance(item, Stored):
                # What cannot be read is not noted by id: neither here nor after a restart.
                noted.id_prefix = id_prefix(meta_of(message).id)
            if self._is_repeated(item, noted.id_prefix):
                return
            self.agent.observe(message)
            decision = stamp(self.agent.decide(message), message, self.agent.name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is kept
            self._emit(step, index, DEAD_LETTERS, self._dead_letter(step, index, item, error))
            self._settle(item)
            return
        self._settle(item)
        self._carry_out(step, index, decision)

    def _carry_out(self, step: Step, index: int, decision: Decision) -> None:
        for emit in decision.events:
            # State moves before the next input is decided. An error here is a defect in the
            # agent, not in the message: it stops the process, and the journal is untouched.
            self.agent.evolve(emit.event)
            self._emit(step, index, emit.topic, emit.event, routing_key(emit) if emit.topic else "")
        for effect in decision.effects:
            self.pending[effect.id] = effect
            step.effects.append(effect)
            step.entry.effects.add(
                input=index,
                effect_id=effect.id,
                type=type_name(effect.message),
                payload=encode(effect.message),
                lane=effect.lane,
                cause=effect.cause,
                correlation=effect.correlation,
            )
        if decision.reply is not None:
            step.replies[index] = decision.reply

    def _emit(
        self, step: Step, index: int, topic: str, event: Message, key: str | None = None
    ) -> None:
        payload = encode(event)
        step.events.append((index, topic, event))
        routing = key if key is not None else str(getattr(event, "topic", ""))
        partition = partition_of(routing, BY_NAME[topic].partitions) if topic else 0
        step.entry.outputs.add(
            input=index,
            topic=topic,
            type=type_name(event),
            id=meta_of(event).id,
            digest=digest(payload),
            payload=payload if type(event) in self.agent.evolves else b"",
            partition=partition,
        )
        if topic:
            self.produced[place(topic, partition)] += 1
            step.records.append(to_record(Envelope(topic, routing, event)))

    def _follow_output(self, output: agent_pb2.JournalOutput) -> None:
        if output.payload:
            self.agent.evolve(decode(output.type, output.payload))
        if output.topic:
            self.produced[place(output.topic, output.partition)] += 1

    def _is_repeated(self, item: Input, prefix: int) -> bool:
        if isinstance(item, Inline):
            # Only the first outcome of an effect counts.
            return bool(item.effect_id) and item.effect_id not in self.pending
        return self._is_met(prefix)

    def _is_met(self, prefix: int) -> bool:
        """Whether a record's id was met lately; notes it if not. Without an id nothing was."""
        if not prefix:
            return False
        if prefix in self._recent:
            return True
        self._recent[prefix] = None
        if len(self._recent) > RECENT_IDS_MAX:
            self._recent.popitem(last=False)
        return False

    def _observe_again(self, message: Message, was_dead_lettered: bool) -> None:
        try:
            self.agent.observe(message)
        except Exception as error:
            # As when it was met: the views keep what they took of it before they failed.
            if not was_dead_lettered:
                raise CorruptJournal(f"{type_name(message)} was observed before") from error

    def _settle(self, item: Input) -> None:
        if isinstance(item, Inline):
            self.pending.pop(item.effect_id, None)

    def _note_input(self, entry: agent_pb2.JournalEntry, item: Input) -> agent_pb2.JournalInput:
        if isinstance(item, Inline):
            return entry.inputs.add(
                inline=agent_pb2.InlineInput(
                    type=type_name(item.message),
                    payload=encode(item.message),
                    effect_id=item.effect_id,
                )
            )
        number = self._topic_numbers.setdefault(item.topic, len(self._topic_numbers))
        if number == len(entry.topics):
            entry.topics.append(item.topic)
        self.consumed[place(item.topic, item.partition)] += 1
        return entry.inputs.add(
            topic=number,
            partition=item.partition,
            offset=item.offset,
        )

    def _remember(self, entry: agent_pb2.JournalEntry, noted: agent_pb2.JournalInput) -> bool:
        """Note an input as met; return whether the agent was shown it."""
        if noted.HasField("inline"):
            effect = noted.inline.effect_id
            return not effect or self.pending.pop(effect, None) is not None
        self.consumed[place(entry.topics[noted.topic], noted.partition)] += 1
        return not self._is_met(noted.id_prefix)

    def _dead_letter(
        self, step: Step, index: int, item: Input, error: Exception
    ) -> agent_pb2.DeadLettered:
        stored = item if isinstance(item, Stored) else None
        kind = record_type(stored.headers) if stored else type_name(item.message)  # type: ignore[union-attr]
        letter = agent_pb2.DeadLettered(
            agent=self.agent.name,
            topic=stored.topic if stored else "",
            partition=stored.partition if stored else -1,
            offset=stored.offset if stored else -1,
            type=kind,
            error=f"{type(error).__name__}: {error}",
            key=stored.key.encode() if stored else b"",
            payload=stored.value if stored else encode(item.message),  # type: ignore[union-attr]
        )
        letter.meta.id = derived_id(self.agent.name, self.shard, step.entry.sequence, index)
        letter.meta.source = self.agent.name
        letter.meta.event_time_ns = self.agent.now_ns
        return letter


def place(topic: str, partition: int) -> str:
    """Return the name under which records of a partition are counted."""
    return f"{topic}:{partition}"


def _positions_after(inputs: Iterable[Input]) -> list[Position]:
    after: dict[tuple[str, int], int] = {}
    for item in inputs:
        if isinstance(item, Stored):
            place = (item.topic, item.partition)
            after[place] = max(after.get(place, 0), item.offset + 1)
    return [Position(topic, number, offset) for (topic, number), offset in after.items()]


def _checked(message: Message) -> Message:
    """Return a message that an agent may be shown. Raises UnreadableMessage."""
    meta = meta_of(message)
    try:
        id_prefix(meta.id)
    except ValueError as error:
        raise UnreadableMessage(f"{meta.id!r} is no event id") from error
    return message


def _noted_message(noted: agent_pb2.JournalInput, stored: Stored | None) -> Message | None:
    try:
        if noted.HasField("inline"):
            return _checked(decode(noted.inline.type, noted.inline.payload))
        return _checked(from_stored(stored)) if stored is not None else None
    except UnreadableMessage:
        # It was dead-lettered when it was met; there is nothing for the views to follow.
        return None
