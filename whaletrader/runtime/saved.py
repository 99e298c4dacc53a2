"""What a snapshot of a core holds, and how an agent is filled from it.

A snapshot is read only by the same shape of state: after a change of an agent's types its
journal is folded from the beginning instead. Used by `core`.
"""

from functools import cache
from typing import Any

import msgspec

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Agent, Effect
from whaletrader.runtime.codec import decode, encode, type_name


class SavedEffect(msgspec.Struct, frozen=True):
    """An announced effect without an outcome."""

    id: str
    lane: str
    type: str
    payload: bytes
    cause: str
    correlation: str

    @classmethod
    def of(cls, effect: Effect) -> "SavedEffect":
        return cls(
            effect.id,
            effect.lane,
            type_name(effect.message),
            encode(effect.message),
            effect.cause,
            effect.correlation,
        )

    def effect(self) -> Effect:
        return Effect(
            decode(self.type, self.payload), self.lane, self.id, self.cause, self.correlation
        )


class SavedCore(msgspec.Struct, frozen=True):
    """The content of a snapshot."""

    state: bytes
    views: bytes
    recent: list[int]
    pending: list[SavedEffect]
    consumed: dict[str, int]
    produced: dict[str, int]
    now_ns: int


def shape_of(agent: Agent[Any, Any]) -> str:
    """Return a fingerprint of the types of an agent's state and views."""
    return _shape_of(type(agent.state), type(agent.views))  # type: ignore[arg-type]


@cache
def _shape_of(state: type[msgspec.Struct], views: type[msgspec.Struct]) -> str:
    # Takes milliseconds, and every snapshot and restart asks for it.
    schema = msgspec.json.schema_components([state, views])
    return derived_id(msgspec.json.encode(schema, order="sorted").decode())


def refill(target: msgspec.Struct, payload: bytes) -> None:
    # In place, because the agent's tables hold bound methods of its state and views.
    saved = msgspec.msgpack.decode(payload, type=type(target))
    for name in target.__struct_fields__:
        setattr(target, name, getattr(saved, name))
