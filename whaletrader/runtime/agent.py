"""What an agent is: a deterministic state machine beside a log.

Three pure functions, each a readable table from message type to handler:

    decides   message -> Decision    what it makes of a message, given its state and views
    evolves   event   -> None        how its own events change its state; nothing else does
    observes  message -> None        how volatile views follow the market

Handlers read no clock, draw no random number and do no I/O. Time is in the message's meta;
what must happen outside is returned as an effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import key_of, meta_of, type_name
from whaletrader.schemas import common_pb2

State = TypeVar("State", bound=msgspec.Struct)
Views = TypeVar("Views", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Emit:
    """An event to be said on a topic; an empty topic keeps it private to the agent."""

    topic: str
    event: Message


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to be done outside once the commit is durable.

    Effects of one lane run one after another in the order in which they were announced. The id
    is derived from the message that caused it; an effect carried out twice has the same id.
    """

    message: Message
    lane: str = ""
    id: str = ""
    cause: str = ""
    correlation: str = ""


@dataclass(slots=True)
class Decision:
    """What an agent makes of one message. The reply answers a request, if it was one."""

    events: list[Emit] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    reply: Message | None = None

    def emit(self, topic: str, event: Message) -> "Decision":
        self.events.append(Emit(topic, event))
        return self

    def keep(self, event: Message) -> "Decision":
        """Add an event that only the agent's own journal carries."""
        return self.emit("", event)

    def ask(self, message: Message, lane: str = "") -> "Decision":
        self.effects.append(Effect(message, lane))
        return self


Decide = Callable[[Any], Decision]
Follow = Callable[[Any], None]


class Agent(Generic[State, Views]):
    """Base of every agent. A subclass sets the tables and the names, and nothing else here.

    `state` is the fold of the agent's own events and is snapshotted. `views` hold what the
    agent has seen of the world; a restart restores them from the snapshot and the inputs since.
    `now_ns` is the time of the commit that is being decided: wall clock in production, the
    tape's time in a replayed demo. It is journaled, so a replay sees the same.
    """

    name: str
    # The topics it reads. The order breaks ties between events of the same time.
    reads: tuple[str, ...]

    def __init__(self, state: State, views: Views) -> None:
        self.state = state
        self.views = views
        self.now_ns = 0
        self.decides: Mapping[type[Message], Decide] = {}
        self.evolves: Mapping[type[Message], Follow] = {}
        self.observes: Mapping[type[Message], Follow] = {}

    def decide(self, message: Message) -> Decision:
        """Return what the agent makes of the message. Changes nothing."""
        handler = self.decides.get(type(message))
        return handler(message) if handler else Decision()

    def evolve(self, event: Message) -> None:
        """Fold one of the agent's own events into its state."""
        handler = self.evolves.get(type(event))
        if handler:
            handler(event)

    def observe(self, message: Message) -> None:
        """Let the views follow the message."""
        handler = self.observes.get(type(message))
        if handler:
            handler(message)


def stamp(decision: Decision, cause: Message, source: str) -> Decision:
    """Give every event and effect of a decision its identity, derived from the cause.

    The n-th event of a type gets the id of (cause, source, type, n). Fields of meta that the
    agent has set already (such as an id it refers to elsewhere) are kept.
    """
    origin = meta_of(cause)
    counts: dict[str, int] = {}
    for emit in decision.events:
        meta = meta_of(emit.event)
        kind = type_name(emit.event)
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        meta.id = meta.id or event_id(origin, source, kind, number)
        meta.cause = meta.cause or origin.id
        meta.correlation = meta.correlation or origin.correlation or origin.id
        meta.event_time_ns = meta.event_time_ns or origin.event_time_ns
        meta.source = source
    decision.effects = [
        Effect(
            effect.message,
            effect.lane,
            effect.id or derived_id(origin.id, source, "effect", type_name(effect.message), index),
            origin.id,
            origin.correlation or origin.id,
        )
        for index, effect in enumerate(decision.effects)
    ]
    return decision


def event_id(origin: common_pb2.Meta, source: str, kind: str, ordinal: int = 0) -> str:
    """Return the id that `stamp` gives to the n-th event of a type caused by a message."""
    return derived_id(origin.id, source, kind, ordinal)


def routing_key(emit: Emit) -> str:
    """Return the record key of an emitted event."""
    return key_of(emit.topic, emit.event)
