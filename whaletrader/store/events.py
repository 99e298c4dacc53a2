"""A row of the event store: made from a log record, hashed into its partition's chain.

Owns the columns, the canonical bytes that are hashed, and the reading of a row back into the
record it came from. Pure; called by the writer, the audit and the readers.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import Message

from whaletrader.runtime.codec import UnreadableMessage, decode
from whaletrader.runtime.log import Stored
from whaletrader.schemas import common_pb2

COLUMNS: Final = (
    "topic",
    "partition",
    "offset",
    "log_time_ns",
    "id",
    "type",
    "key",
    "source",
    "cause",
    "correlation",
    "event_time_ns",
    "headers",
    "payload",
    "prev_hash",
    "chain_hash",
)
# What a row says, without the chain: these columns are hashed, in this order.
FACTS: Final = COLUMNS[:-2]

_BIGINT_MAX: Final = 2**63 - 1
_JSON: Final = msgspec.json.Encoder(order="sorted")
_HEADERS: Final = msgspec.json.Decoder(dict[str, str])


class Recorded(NamedTuple):
    """What one row says of one event. Times are UTC epoch nanoseconds."""

    topic: str
    partition: int
    offset: int
    log_time_ns: int
    id: str
    type: str
    key: str
    source: str
    cause: str
    correlation: str
    event_time_ns: int
    headers: str
    payload: bytes


def recorded(stored: Stored) -> tuple[Recorded, Message | None]:
    """Return the row of a record and its message; None for bytes that nobody can read.

    What cannot be read is recorded all the same, with what its headers say.
    """
    headers = stored.headers
    kind = headers.get("ce_type", "")
    message = _read(kind, stored.value)
    meta = getattr(message, "meta", None)
    if isinstance(meta, common_pb2.Meta):
        event_id, cause, time_ns = meta.id, meta.cause, meta.event_time_ns
        correlation = meta.correlation or event_id
    else:
        # Journal entries carry no meta, and unreadable bytes nothing at all.
        event_id, cause, correlation = headers.get("ce_id", ""), "", _correlation(headers)
        time_ns = _time_ns(headers.get("ce_time", ""))
    row = Recorded(
        stored.topic,
        stored.partition,
        stored.offset,
        stored.timestamp_ns,
        _plain(event_id),
        _plain(kind),
        _plain(stored.key),
        _plain(headers.get("ce_source", "")),
        _plain(cause),
        _plain(correlation),
        time_ns,
        _JSON.encode(headers if type(headers) is dict else dict(headers)).decode(),
        stored.value,
    )
    return row, message


def genesis(topic: str, partition: int) -> bytes:
    """Return what the first row of a partition's chain is linked to."""
    return hashlib.sha256(f"whaletrader/{topic}/{partition}".encode()).digest()


def link(prev_hash: bytes, row: Recorded) -> bytes:
    """Return the chain hash of a row: SHA-256 over the hash before it and the canonical row.

    Canonical is the MessagePack array of the row's facts in column order: strings and bytes
    are length-prefixed and integers minimal, so that no two rows share their bytes.
    """
    return hashlib.sha256(prev_hash + _ENCODER.encode(row)).digest()


_ENCODER: Final = msgspec.msgpack.Encoder()


def row_of(record: Any) -> Recorded:
    """Return a row that was read from the table."""
    return Recorded(*(record[name] for name in FACTS))


def stored_of(row: Recorded) -> Stored:
    """Return the log record that the row was made from."""
    return Stored(
        row.topic,
        row.partition,
        row.offset,
        row.key,
        row.payload,
        headers_of(row.headers),
        row.log_time_ns,
    )


def headers_of(text: str) -> dict[str, str]:
    """Return a record's headers from the column's text."""
    return _HEADERS.decode(text)


def message_of(row: Recorded) -> Message | None:
    """Return the row's message, or None if nobody can read it."""
    return _read(row.type, row.payload)


def _read(kind: str, payload: bytes) -> Message | None:
    try:
        return decode(kind, payload)
    except UnreadableMessage:
        return None


def _correlation(headers: Mapping[str, str]) -> str:
    parts = headers.get("traceparent", "").split("-")
    return parts[1] if len(parts) == 4 else ""


def _time_ns(stated: str) -> int:
    if not (stated.isascii() and stated.isdecimal()):
        return 0
    return min(int(stated[:20]), _BIGINT_MAX)


def _plain(text: str) -> str:
    # PostgreSQL's text holds everything but this one character.
    return text.replace("\0", "\ufffd") if "\0" in text else text
