"""The chain of causes around one event: from the wallet's trade to the fill and its profit.

Reads `events` by id, correlation and cause. Two things are only in read models: inputs that
never were on the log (what the venue answered), and which events belong to an order or to the
work on an approved trade; what the venue tells of an order starts a chain of its own, and is hung
under the order here, and the orders, skips and figures of a work under its beginning. Called by
`whaletrader why` and the gateway.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from google.protobuf.message import Message

from whaletrader.runtime.codec import UnreadableMessage, decode
from whaletrader.schemas import common_pb2, decision_pb2, order_pb2

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

# Fewer characters would name too much.
PREFIX_MIN: Final = 4
# A chain is a trade and what followed from it: some dozen events. This bounds a broken one.
STEPS_MAX: Final = 5_000
ROUNDS_MAX: Final = 16
_CANDIDATES_MAX: Final = 6


class UnknownId(Exception):
    """Nothing that was recorded has this id."""


class AmbiguousId(Exception):
    """Several things begin with this; `found` names some of them."""

    def __init__(self, wanted: str, found: Sequence[str]) -> None:
        super().__init__(f"{wanted!r} is the beginning of several: {', '.join(found)}")
        self.found = tuple(found)


@dataclass(slots=True)
class Step:
    """One event of a chain with what followed from it. Times are UTC epoch nanoseconds."""

    id: str
    cause: str
    correlation: str
    # The agent that said it; for what came from outside, the agent that heard it.
    agent: str
    type: str
    topic: str
    event_time_ns: int
    log_time_ns: int
    message: Message | None
    effects: list["Step"] = field(default_factory=list)

    @property
    def reasons(self) -> Sequence[common_pb2.Reason]:
        """The rules that were held against it, passed or not."""
        return tuple(getattr(self.message, "reasons", ()))

    @property
    def order_id(self) -> str:
        """The venue's id of the order that it tells of, or the empty string."""
        order = getattr(self.message, "order", None)
        if order is not None and hasattr(order, "order_id"):
            return str(order.order_id)
        return str(getattr(self.message, "order_id", ""))

    @property
    def approval_id(self) -> str:
        """The approved trade whose work it is part of, or the empty string."""
        order = getattr(self.message, "order", None)
        if order is not None and hasattr(order, "approval_id"):
            return str(order.approval_id)
        return str(getattr(self.message, "approval_id", ""))


@dataclass(frozen=True, slots=True)
class Chain:
    """What was asked for, and the roots of its chain: almost always one."""

    kind: str
    id: str
    starts: frozenset[str]
    roots: tuple[Step, ...]


async def chain_of(connection: Connection, wanted: str) -> Chain:
    """Return the whole chain around an order, decision, approval, rejection or event.

    `wanted` is an id or the beginning of one. Raises UnknownId, AmbiguousId.
    """
    kind, found_id, starts = await _find(connection, wanted.strip().lower())
    steps = await _collected(connection, starts)
    return Chain(kind, found_id, frozenset(starts), _tree(steps, starts))


# What can be asked for: its kind, where its id stands, and the events it stands for.
_LOOKUPS: Final = (
    ("order", "SELECT order_id AS id, event_id AS event FROM read.order_events", "order_id"),
    ("approval", "SELECT approval_id AS id, id AS event FROM read.approvals", "approval_id"),
    ("decision", "SELECT id, id AS event FROM read.decisions", "id"),
    ("rejection", "SELECT id, id AS event FROM read.rejections", "id"),
    ("proposal", "SELECT proposal_id AS id, id AS event FROM read.decisions", "proposal_id"),
    ("proposal", "SELECT proposal_id AS id, id AS event FROM read.approvals", "proposal_id"),
    ("proposal", "SELECT proposal_id AS id, id AS event FROM read.rejections", "proposal_id"),
    (
        "fill",
        "SELECT f.trade_id AS id, e.event_id AS event FROM read.fills AS f "
        "JOIN read.order_events AS e USING (order_id)",
        "trade_id",
    ),
    ("event", "SELECT id, id AS event FROM store.events", "id"),
)


async def _find(connection: Connection, wanted: str) -> tuple[str, str, list[str]]:
    if len(wanted) < PREFIX_MIN:
        raise UnknownId(f"{wanted!r} is too short: {PREFIX_MIN} characters at least")
    kinds: dict[str, str] = {}
    events: dict[str, dict[str, None]] = {}
    for kind, query, column in _LOOKUPS:
        extra = " AND id <> ''" if kind == "event" else ""
        rows = await connection.fetch(
            f"{query} WHERE {column} >= $1 AND {column} < $2{extra} LIMIT $3",
            wanted,
            wanted + "\U0010ffff",
            STEPS_MAX,
        )
        for row in rows:
            kinds.setdefault(row["id"], kind)
            events.setdefault(row["id"], {})[row["event"]] = None
        if len(kinds) >= _CANDIDATES_MAX:
            break
    if not kinds:
        raise UnknownId(f"nothing that was recorded has an id that begins with {wanted!r}")
    if len(kinds) > 1 and wanted not in kinds:
        raise AmbiguousId(wanted, sorted(kinds)[:_CANDIDATES_MAX])
    found = wanted if wanted in kinds else next(iter(kinds))
    return kinds[found], found, list(events[found])


_EVENTS: Final = """
SELECT id, cause, correlation, source, type, topic, event_time_ns, log_time_ns, payload
FROM store.events WHERE id <> '' AND id = ANY($1::text[]) LIMIT $2
"""
# As the index has it; a root is its own correlation and is found by its id.
_OF_CHAINS: Final = """
SELECT id, cause, correlation, source, type, topic, event_time_ns, log_time_ns, payload
FROM store.events
WHERE correlation = ANY($1::text[]) AND correlation <> '' AND correlation <> id LIMIT $2
"""
_OUTSIDE: Final = """
SELECT id, cause, correlation, agent AS source, type, '' AS topic, event_time_ns, log_time_ns,
       payload
FROM read.inline_inputs WHERE correlation = ANY($1::text[]) OR id = ANY($2::text[]) LIMIT $3
"""
_OF_ORDERS: Final = """
SELECT DISTINCT event_id, correlation FROM read.order_events WHERE order_id = ANY($1::text[])
"""
_OF_WORKS: Final = """
SELECT event_id FROM read.work_events WHERE approval_id = ANY($1::text[])
"""
# What is told within a work, however many steps and news of the venue led to it.
_WITHIN_WORK: Final = (
    order_pb2.OrderAnnounced,
    order_pb2.ChildSkipped,
    order_pb2.WorkFinished,
)


async def _collected(connection: Connection, starts: Sequence[str]) -> dict[str, Step]:
    """Gather everything that hangs together with these events."""
    steps: dict[str, Step] = {}
    chains: set[str] = set()
    orders: set[str] = set()
    works: set[str] = set()
    wanted = set(starts)
    for _ in range(ROUNDS_MAX):
        rows = await connection.fetch(_EVENTS, sorted(wanted), STEPS_MAX)
        _include(steps, rows)
        fresh = {step.correlation for step in steps.values() if step.correlation} - chains
        chains |= fresh
        _include(steps, await connection.fetch(_OF_CHAINS, sorted(fresh), STEPS_MAX))
        outside = await connection.fetch(_OUTSIDE, sorted(fresh), sorted(wanted), STEPS_MAX)
        _include(steps, outside)
        told = {step.order_id for step in steps.values() if step.order_id} - orders
        orders |= told
        linked = await connection.fetch(_OF_ORDERS, sorted(told))
        missing = {row["event_id"] for row in linked}
        begun = {step.approval_id for step in steps.values() if step.approval_id} - works
        works |= begun
        parts = await connection.fetch(_OF_WORKS, sorted(begun))
        missing |= {row["event_id"] for row in parts}
        missing |= {step.cause for step in steps.values() if step.cause and not _is_root(step)}
        missing |= {chain for chain in chains if chain}
        missing -= steps.keys() | wanted
        if not missing or len(steps) > STEPS_MAX:
            break
        wanted |= missing
    return steps


def _include(steps: dict[str, Step], rows: Iterable[Any]) -> None:
    for row in rows:
        if row["id"] in steps:
            # On its topic and in the asker's journal: the first is the event itself.
            continue
        steps[row["id"]] = Step(
            row["id"],
            row["cause"],
            row["correlation"],
            row["source"],
            row["type"],
            row["topic"],
            row["event_time_ns"],
            row["log_time_ns"],
            _read(row["type"], row["payload"]),
        )


def _tree(steps: dict[str, Step], starts: Sequence[str]) -> tuple[Step, ...]:
    """Hang each step under its cause and return the roots that the starts belong to."""
    requests = {
        step.message.proposal.meta.id: step.id
        for step in steps.values()
        if isinstance(step.message, decision_pb2.DecisionMade) and step.message.proposal.meta.id
    }
    announced = {
        step.order_id: step.id for step in steps.values() if step.type.endswith(".OrderAnnounced")
    }
    works = {
        step.approval_id: step.id
        for step in steps.values()
        if isinstance(step.message, order_pb2.WorkStarted)
    }
    parents: dict[str, str] = {}
    for step in steps.values():
        parent = "" if _is_root(step) else step.cause
        if isinstance(step.message, _WITHIN_WORK):
            # The end of one order causes the next: told so, the fourth would hang under three.
            parent = works.get(step.approval_id, parent)
        if parent not in steps:
            # A request is in the decision that announced it; news of an order belong to it.
            parent = requests.get(step.cause) or announced.get(step.order_id, "")
        if parent and parent != step.id and not _is_above(parents, step.id, parent):
            parents[step.id] = parent
    for step in sorted(steps.values(), key=lambda it: (it.event_time_ns, it.log_time_ns)):
        if step.id in parents:
            steps[parents[step.id]].effects.append(step)
    roots = dict.fromkeys(_top(parents, start) for start in starts if start in steps)
    return tuple(steps[root] for root in roots)


def _is_root(step: Step) -> bool:
    """Whether the step begins a chain: what made its agent say it then is no part of it."""
    return step.correlation == step.id and bool(step.topic)


def _is_above(parents: dict[str, str], step: str, parent: str) -> bool:
    """Whether the step is already above its would-be parent: a chain has no circles."""
    above: str | None = parent
    while above is not None:
        if above == step:
            return True
        above = parents.get(above)
    return False


def _top(parents: dict[str, str], step: str) -> str:
    while step in parents:
        step = parents[step]
    return step


def _read(kind: str, payload: bytes) -> Message | None:
    try:
        return decode(kind, payload)
    except UnreadableMessage:
        return None
