"""Transactions on Kafka: blocking, one at a time, with every outcome named.

Owns a transactional producer. Until `commit_transaction` is called nothing can have happened;
after it, only a clear answer rules out that it did. Called in a lane by `logs.kafka_shard`
and `logs.kafka`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from whaletrader.runtime.log import CommitUncertain, Fenced, LogError, LogUnavailable, Record
from whaletrader.runtime.logs.deadline import Deadline, pause
from whaletrader.runtime.logs.kafka_errors import (
    error_of,
    is_fencing,
    is_stale_member,
    translated,
)
from whaletrader.runtime.logs.kafka_settings import (
    KafkaSettings,
    producer_config,
    transactional_config,
)

# A rebalance is over after a few of these; a member that is still unknown was thrown out.
_STALE_TRIES_MAX: Final = 40
_STALE_PAUSE_S: Final = 0.05

# What a call gets also when its deadline is (nearly) over: time to ask at all.
_LEAST_S: Final = 0.1
# A wait for deliveries ends with the first; this only bounds it.
_SLICE_S: Final = 0.05

Metadata = Callable[[], object]


class TransactionalWriter:
    """One transactional id, held by this process from `open` on."""

    def __init__(self, settings: KafkaSettings, transactional_id: str) -> None:
        self._settings = settings
        self._transactional_id = transactional_id
        self._producer: Producer | None = None
        self._must_abort = False
        self._undelivered: KafkaError | None = None
        self._pending = 0

    def open(self) -> None:
        """Fence every earlier holder and settle what it left open. Raises LogUnavailable."""
        config = transactional_config(self._settings, self._transactional_id)
        producer = Producer(config)
        deadline = Deadline(self._settings.request_s)
        while True:
            try:
                producer.init_transactions(deadline.left_s(_LEAST_S))
                break
            except KafkaException as error:
                if not error_of(error).retriable() or deadline.is_over:
                    raise translated(error_of(error)) from error
        self._producer = producer

    def write(
        self,
        records: Sequence[tuple[Record, int]],
        offsets: Sequence[TopicPartition],
        metadata: Metadata | None,
    ) -> None:
        """Append the records and move the offsets in one transaction.

        Raises Fenced, LogUnavailable, LogError (nothing happened), CommitUncertain.
        """
        for attempt in range(1, _STALE_TRIES_MAX + 1):
            deadline = Deadline(self._settings.commit_s)
            try:
                self._abort_leftover(deadline)
                self._fill(records, offsets, metadata, deadline)
            except KafkaException as error:
                reason = error_of(error)
                self._undo(reason, deadline)
                if not is_stale_member(reason):
                    raise translated(reason) from error
                if attempt == _STALE_TRIES_MAX:
                    raise Fenced(f"the group does not know this member: {reason}") from error
                pause(_STALE_PAUSE_S)
                continue
            self._commit(deadline)
            return

    def close(self) -> None:
        """Let the producer go. What is open stays open until the next `open` or its timeout."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            del producer

    def _opened(self) -> Producer:
        if self._producer is None:
            raise LogUnavailable("the writer is closed")
        return self._producer

    def _fill(
        self,
        records: Sequence[tuple[Record, int]],
        offsets: Sequence[TopicPartition],
        metadata: Metadata | None,
        deadline: Deadline,
    ) -> None:
        producer = self._opened()
        self._undelivered = None
        self._pending = 0
        producer.begin_transaction()
        self._must_abort = True
        for record, partition in records:
            self._produce(record, partition, deadline)
        if offsets and metadata is not None:
            producer.send_offsets_to_transaction(
                list(offsets), metadata(), deadline.left_s(_LEAST_S)
            )
        # Everything is at the broker before the end is asked for: an error so far is certain.
        # Not by flush(): confluent-kafka 2.16 breaks there when the producer is fenced.
        while self._pending:
            if deadline.is_over:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            producer.poll(_SLICE_S)
        if self._undelivered is not None:
            raise KafkaException(self._undelivered)

    def _produce(self, record: Record, partition: int, deadline: Deadline) -> None:
        producer = self._opened()
        headers: Any = [(name, value.encode()) for name, value in record.headers.items()]
        while True:
            try:
                producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key.encode(),
                    partition=partition,
                    headers=headers,
                    on_delivery=self._on_delivery,
                )
                self._pending += 1
                return
            except BufferError as error:
                if deadline.is_over:
                    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from error
                producer.poll(0.01)

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        self._pending -= 1
        if error is not None and self._undelivered is None:
            self._undelivered = error

    def _commit(self, deadline: Deadline) -> None:
        producer = self._opened()
        while True:
            try:
                producer.commit_transaction(deadline.left_s(_LEAST_S))
            except KafkaException as error:
                reason = error_of(error)
                if reason.txn_requires_abort():
                    self._undo(reason, deadline)
                    raise translated(reason) from error
                if reason.retriable() and not deadline.is_over:
                    continue
                raise CommitUncertain(f"no answer to a commit: {reason}") from error
            else:
                self._must_abort = False
                return

    def _undo(self, reason: KafkaError, deadline: Deadline) -> None:
        # Nothing was committed; whether the abort is heard now only decides how soon the
        # readers go on. What is not heard now is tried again before the next transaction.
        if is_fencing(reason) and reason.fatal():
            return
        try:
            self._abort_leftover(deadline.at_least(1.0))
        except KafkaException as error:
            if is_fencing(error_of(error)):
                raise Fenced(str(error_of(error))) from error

    def _abort_leftover(self, deadline: Deadline) -> None:
        if not self._must_abort:
            return
        producer = self._opened()
        while True:
            try:
                producer.abort_transaction(deadline.left_s(_LEAST_S))
            except KafkaException as error:
                if error_of(error).retriable() and not deadline.is_over:
                    continue
                raise
            else:
                self._must_abort = False
                return


class SingleWriter:
    """Single records outside transactions: atomic by themselves, ten times as fast."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Producer | None = None

    def open(self) -> Producer:
        """Begin to connect: a new producer takes half a second before its first record."""
        if self._producer is None:
            config = producer_config(self._settings)
            config["message.timeout.ms"] = int(self._settings.commit_s * 1000)
            self._producer = Producer(config)
        return self._producer

    def write(self, record: Record, partition: int) -> None:
        """Append one record and wait for it. Raises CommitUncertain, LogUnavailable, LogError."""
        producer = self.open()
        outcome: list[KafkaError | None] = []
        headers: Any = [(name, value.encode()) for name, value in record.headers.items()]
        try:
            producer.produce(
                record.topic,
                value=record.value,
                key=record.key.encode(),
                partition=partition,
                headers=headers,
                on_delivery=lambda error, _message: outcome.append(error),
            )
        except KafkaException as error:
            raise translated(error_of(error)) from error
        except BufferError as error:
            raise LogUnavailable(f"too much waits to be sent: {error}") from error
        deadline = Deadline(self._settings.commit_s + 1.0)
        while not outcome and not deadline.is_over:
            producer.poll(0.05)
        if not outcome:
            raise CommitUncertain("no answer to an append")
        failure = outcome[0]
        if failure is not None:
            if failure.fatal():
                self._producer = None
            raise self._failed(failure)

    def close(self) -> None:
        """Let the producer go. Idempotent."""
        self._producer = None

    def _failed(self, failure: KafkaError) -> LogError:
        meaning = translated(failure)
        if isinstance(meaning, LogUnavailable | Fenced):
            # The broker may have it and the answer was lost.
            return CommitUncertain(str(failure))
        return meaning
