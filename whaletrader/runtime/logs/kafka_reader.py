"""Reads of any partition from any offset, outside groups: blocking, a page at a time.

Owns a few idle consumers. One that stands where the next page begins goes on from there, so
paging through a topic is as fast as consuming it. Called in a lane by `logs.kafka`.
"""

from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from whaletrader.runtime.log import LogUnavailable, Position, Stored
from whaletrader.runtime.logs.deadline import Deadline, pause
from whaletrader.runtime.logs.kafka_errors import error_of, is_passing, translated
from whaletrader.runtime.logs.kafka_settings import KafkaSettings, consumer_config

_IDLE_MAX: Final = 4
# A leader that has just changed, or a topic that has just been made, settles soon.
_RETRY_S: Final = 0.02
_BATCH_MAX: Final = 10_000
# Never joined and never committed to; a consumer must have one.
_NO_GROUP: Final = "whaletrader-readers"


@dataclass(slots=True)
class _Reader:
    """A consumer, where its next page begins, and up to where nothing follows that."""

    consumer: Consumer
    at: Position
    nothing_before: int = 0


class Readers:
    """Consumers that stand somewhere."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._idle: list[_Reader] = []

    def read(self, start: Position, limit: int) -> list[Stored]:
        """Return up to `limit` committed records; empty only if none follows `start` now.

        Control records and aborted ones take offsets too: the end is where the broker says
        that nothing more is readable, not where an offset is reached. Raises LogUnavailable.
        """
        reader = self._standing_at(start)
        try:
            records = self._page(reader, limit)
        except BaseException:
            reader.consumer.close()
            raise
        self._idle.append(reader)
        if len(self._idle) > _IDLE_MAX:
            self._idle.pop(0).consumer.close()
        return records

    def close(self) -> None:
        """Close the consumers. Idempotent."""
        while self._idle:
            self._idle.pop().consumer.close()

    def _standing_at(self, start: Position) -> _Reader:
        for index, reader in enumerate(self._idle):
            if reader.at == start:
                return self._idle.pop(index)
        reader = self._idle.pop(0) if len(self._idle) == _IDLE_MAX else self._new(start)
        reader.at = start
        reader.nothing_before = 0
        reader.consumer.assign([TopicPartition(start.topic, start.partition, start.offset)])
        return reader

    def _new(self, start: Position) -> _Reader:
        config = consumer_config(self._settings, _NO_GROUP) | {
            "enable.partition.eof": True,
            # The answer "nothing more" is worth no wait.
            "fetch.wait.max.ms": 5,
        }
        return _Reader(Consumer(config), start)

    def _page(self, reader: _Reader, limit: int) -> list[Stored]:
        deadline = Deadline(self._settings.request_s)
        end = self._end(reader, deadline)
        records: list[Stored] = []
        while len(records) < limit and max(reader.at.offset, reader.nothing_before) < end:
            message = reader.consumer.poll(min(deadline.left_s(), 0.5))
            if message is None:
                if deadline.is_over:
                    raise LogUnavailable(f"no answer to a read of {reader.at}")
                continue
            wanted = min(limit - len(records) - 1, _BATCH_MAX)
            more = reader.consumer.consume(wanted, 0) if wanted else []
            for each in (message, *more):
                _take(reader, each, records)
        return records

    def _end(self, reader: _Reader, deadline: Deadline) -> int:
        place = TopicPartition(reader.at.topic, reader.at.partition)
        while True:
            try:
                marks = reader.consumer.get_watermark_offsets(place, deadline.left_s(0.1))
            except KafkaException as error:
                if not is_passing(error_of(error)) or deadline.is_over:
                    raise translated(error_of(error)) from error
                pause(_RETRY_S)
                continue
            if marks is None:
                raise LogUnavailable(f"no answer about the end of {place}")
            return int(marks[1])


def _take(reader: _Reader, message: Message, records: list[Stored]) -> None:
    topic, partition = reader.at.topic, reader.at.partition
    if (message.topic(), message.partition()) != (topic, partition):
        # Left over from where the consumer stood before.
        return
    error = message.error()
    if error is None:
        records.append(stored(message))
        reader.at = Position(topic, partition, records[-1].offset + 1)
    elif error.code() == KafkaError._PARTITION_EOF:
        # Said once only, and for the offset where it looked, which markers may have moved.
        reader.nothing_before = int(message.offset() or 0)
    elif not is_passing(error):
        raise translated(error)


def stored(message: Message) -> Stored:
    """Return a consumed message as the port has it."""
    _, timestamp_ms = message.timestamp()
    # Always pairs when consumed; the driver's types also allow what may be produced.
    headers: Any = message.headers() or ()
    return Stored(
        str(message.topic()),
        int(message.partition() or 0),
        int(message.offset() or 0),
        _text(message.key()),
        _bytes(message.value()),
        {name: _text(value) for name, value in headers},
        timestamp_ms * 1_000_000,
    )


def _bytes(raw: object) -> bytes:
    if raw is None:
        return b""
    if isinstance(raw, bytes):
        return raw
    return str(raw).encode()


def _text(raw: object) -> str:
    # A foreign producer may write any bytes; what is not UTF-8 is shown, not refused.
    return _bytes(raw).decode(errors="backslashreplace")
