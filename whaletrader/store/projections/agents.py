"""What agents say of themselves: health, progress, dead letters, and what reached them
outside the log. Pure.

Inputs that did not come from the log (answers, outcomes, timers) are only in the journals;
they are listed here so that a chain of causes has no holes.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from google.protobuf.message import Message

from whaletrader.runtime.codec import UnreadableMessage, decode, meta_of
from whaletrader.schemas import agent_pb2, common_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.reasons import plain, short_name
from whaletrader.store.tables import Change, Table, put

HEALTH: Final = Table(
    "agents_health",
    {"agent": "text", "member": "text"},
    {
        "status": "text",
        "shards": "jsonb",
        "pending_effects": "integer",
        "inputs_total": "bigint",
        "open_circuits": "jsonb",
        "event_time_ns": "bigint",
        "log_time_ns": "bigint",
    },
)

PROGRESS: Final = Table(
    "agent_progress",
    {"agent": "text", "shard": "integer"},
    {
        # The last journal entry, the agent's time then, and the log's.
        "sequence": "bigint",
        "now_ns": "bigint",
        "log_time_ns": "bigint",
        "inputs": "bigint",
        "events": "bigint",
        "effects": "bigint",
    },
)

DEAD_LETTERS: Final = Table(
    "dead_letters",
    {"id": "text"},
    {
        "agent": "text",
        "topic": "text",
        "partition": "integer",
        "record_offset": "bigint",
        "type": "text",
        "error": "text",
        "payload": "bytea",
        "event_time_ns": "bigint",
        "log_time_ns": "bigint",
    },
    ("log_time_ns",),
)

INLINE_INPUTS: Final = Table(
    "inline_inputs",
    {"id": "text", "agent": "text"},
    {
        "type": "text",
        "cause": "text",
        "correlation": "text",
        "effect_id": "text",
        "event_time_ns": "bigint",
        "log_time_ns": "bigint",
        "payload": "bytea",
    },
    ("correlation",),
)

TABLES: Final = (HEALTH, PROGRESS, DEAD_LETTERS, INLINE_INPUTS)


def inline_inputs(
    message: agent_pb2.JournalEntry,
) -> Iterable[tuple[agent_pb2.InlineInput, common_pb2.Meta]]:
    """Yield the entry's inputs that did not come from the log and have an identity."""
    for noted in message.inputs:
        if not noted.HasField("inline"):
            continue
        try:
            meta = meta_of(decode(noted.inline.type, noted.inline.payload))
        except UnreadableMessage:
            continue
        if meta.id:
            yield noted.inline, meta


def _journaled(event: Recorded, message: agent_pb2.JournalEntry) -> Iterable[Change]:
    yield Change(
        PROGRESS,
        (message.agent, message.shard),
        {
            "sequence": message.sequence,
            "now_ns": message.now_ns,
            "log_time_ns": event.log_time_ns,
        },
        {
            "inputs": len(message.inputs),
            "events": len(message.outputs),
            "effects": len(message.effects),
        },
    )
    for inline, meta in inline_inputs(message):
        yield put(
            INLINE_INPUTS,
            meta.id,
            message.agent,
            type=inline.type,
            cause=meta.cause,
            correlation=meta.correlation or meta.id,
            effect_id=inline.effect_id,
            event_time_ns=meta.event_time_ns,
            log_time_ns=event.log_time_ns,
            payload=inline.payload,
        )


def _reported(event: Recorded, message: agent_pb2.AgentHealth) -> Iterable[Change]:
    yield put(
        HEALTH,
        message.agent,
        message.member,
        status=short_name(agent_pb2.AgentStatus, "AGENT_STATUS_", message.status),
        shards=msgspec.json.encode(list(message.shards)).decode(),
        pending_effects=message.pending_effects,
        inputs_total=message.inputs_total,
        open_circuits=msgspec.json.encode([plain(name) for name in message.open_circuits]).decode(),
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
    )


def _buried(event: Recorded, message: agent_pb2.DeadLettered) -> Iterable[Change]:
    yield put(
        DEAD_LETTERS,
        event.id,
        agent=message.agent,
        topic=message.topic,
        partition=message.partition,
        record_offset=message.offset,
        type=plain(message.type),
        error=plain(message.error),
        payload=message.payload,
        event_time_ns=event.event_time_ns,
        log_time_ns=event.log_time_ns,
    )


PROJECTIONS: Final = {
    agent_pb2.JournalEntry: _journaled,
    agent_pb2.AgentHealth: _reported,
    agent_pb2.DeadLettered: _buried,
}

# Named for the type checker: a projection's message is always one of these.
MESSAGES: Final[tuple[type[Message], ...]] = tuple(PROJECTIONS)
