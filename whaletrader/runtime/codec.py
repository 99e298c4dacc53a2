"""Between protobuf events and log records.

The record's headers are the CloudEvents attributes and the W3C trace context; the value is the
message itself. The trace id is the correlation id of the chain and the span id the first half
of the event's id, so that one trace shows a whole chain without any state being kept.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from whaletrader.runtime.log import Record, Stored
from whaletrader.runtime.topics import BY_NAME, TOPICS
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    follow_pb2,
    order_pb2,
    risk_pb2,
    tape_pb2,
    whale_pb2,
)

# Messages that no topic carries: requests, effects and their outcomes, private events.
_OFF_TOPIC: Final[tuple[type[Message], ...]] = (
    risk_pb2.TradeProposal,
    risk_pb2.ExposureChanged,
    risk_pb2.PolicyCommand,
    risk_pb2.PolicyAnswered,
    risk_pb2.LeaderBarred,
    risk_pb2.PositionWatched,
    risk_pb2.BatchProposal,
    risk_pb2.BatchVerdict,
    risk_pb2.QuoteMandateProposal,
    risk_pb2.CheckProposal,
    risk_pb2.CheckAnswered,
    risk_pb2.RiskQuery,
    risk_pb2.RiskShown,
    order_pb2.SubmitOrder,
    order_pb2.CancelOrder,
    order_pb2.OrderPlacement,
    order_pb2.OrderCancellation,
    order_pb2.VenueTradeSeen,
    order_pb2.VenueOrderClosed,
    order_pb2.ResolveOrder,
    order_pb2.OrderResolved,
    order_pb2.ReadBook,
    order_pb2.BookRead,
    order_pb2.WorkAdvanced,
    order_pb2.HoldingsSeen,
    agent_pb2.SetTimer,
    agent_pb2.TimerFired,
    agent_pb2.NotifyPerson,
    agent_pb2.PersonNotified,
    agent_pb2.EffectFailed,
    follow_pb2.RosterGiven,
    follow_pb2.WalletHeard,
    follow_pb2.RosterAdopted,
    follow_pb2.WalletAsked,
    follow_pb2.ReadWallet,
    follow_pb2.WalletRead,
    follow_pb2.WalletReached,
    follow_pb2.DeedsHeld,
    follow_pb2.MarketsAsked,
    follow_pb2.LookUpMarkets,
    follow_pb2.MarketsFound,
    follow_pb2.MarketMet,
    follow_pb2.EndsAsked,
    follow_pb2.LookUpEnds,
    follow_pb2.EndsFound,
    follow_pb2.MarketDone,
    tape_pb2.WindowDue,
    tape_pb2.WindowOpened,
    tape_pb2.PlayWindow,
    tape_pb2.WindowPlayed,
    tape_pb2.WindowPublished,
    whale_pb2.RulesAdopted,
    whale_pb2.RoundAdvanced,
)

_CLASSES: Final[dict[str, type[Message]]] = {
    message.DESCRIPTOR.full_name: message
    for message in (*(m for topic in TOPICS for m in topic.messages), *_OFF_TOPIC)
}


class UnreadableMessage(ValueError):
    """The bytes are no message of the named type, or the type is not known."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way to a topic."""

    topic: str
    key: str
    message: Message


def type_name(message: Message | type[Message]) -> str:
    """Return the message's full protobuf name."""
    return str(message.DESCRIPTOR.full_name)


def encode(message: Message) -> bytes:
    """Return the canonical bytes: the same message always gives the same ones."""
    return message.SerializeToString(deterministic=True)


def decode(name: str, payload: bytes) -> Message:
    """Return the message of that type. Raises UnreadableMessage."""
    cls = _CLASSES.get(name)
    if cls is None:
        raise UnreadableMessage(f"no message type is called {name!r}")
    message = cls()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise UnreadableMessage(f"the bytes are no {name}: {error}") from error
    return message


def meta_of(message: Message) -> common_pb2.Meta:
    """Return the message's meta. Raises UnreadableMessage if its type carries none."""
    meta: Any = getattr(message, "meta", None)
    if not isinstance(meta, common_pb2.Meta):
        raise UnreadableMessage(f"{type_name(message)} carries no meta")
    return meta


def key_of(topic: str, message: Message) -> str:
    """Return the key that the topic table prescribes for the message.

    Order events carry theirs in the order that they are about.
    """
    field = BY_NAME[topic].key
    holder = message if hasattr(message, field) else getattr(message, "order", message)
    return str(getattr(holder, field))


def headers_of(message: Message) -> dict[str, str]:
    """Return CloudEvents attributes and traceparent of an event."""
    meta = meta_of(message)
    correlation = meta.correlation or meta.id
    return {
        "ce_specversion": "1.0",
        "ce_id": meta.id,
        "ce_type": type_name(message),
        "ce_source": meta.source,
        "ce_time": str(meta.event_time_ns),
        "traceparent": f"00-{correlation}-{meta.id[:16]}-01",
    }


def to_record(envelope: Envelope) -> Record:
    """Return the log record of an event."""
    return Record(
        envelope.topic, envelope.key, encode(envelope.message), headers_of(envelope.message)
    )


def from_stored(stored: Stored) -> Message:
    """Return the message in a record. Raises UnreadableMessage."""
    return decode(record_type(stored.headers), stored.value)


def record_type(headers: Mapping[str, str]) -> str:
    """Return the message type that the headers name, or the empty string."""
    return headers.get("ce_type", "")


def digest(payload: bytes) -> bytes:
    """Return the SHA-256 that journals compare outputs by."""
    return hashlib.sha256(payload).digest()
