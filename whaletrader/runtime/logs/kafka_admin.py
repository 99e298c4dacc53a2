"""Topics on Kafka: making them, counting their partitions, finding offsets. Blocking.

Called in a lane by `logs.kafka`.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    NewTopic,
    OffsetSpec,
)

from whaletrader.runtime.log import LogError, LogUnavailable, UnknownTopic
from whaletrader.runtime.logs.deadline import Deadline, pause
from whaletrader.runtime.logs.kafka_errors import error_of, is_passing, translated
from whaletrader.runtime.logs.kafka_settings import (
    MESSAGE_BYTES_MAX,
    KafkaSettings,
    client_config,
)
from whaletrader.runtime.topics import Topic

# A new topic is known to the controller before the brokers tell of it.
_TELL_PAUSE_S: Final = 0.02


class Admin:
    """The administrative client."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._open: AdminClient | None = AdminClient(client_config(settings))

    @property
    def _client(self) -> AdminClient:
        if self._open is None:
            raise LogUnavailable("the log was closed")
        return self._open

    def close(self) -> None:
        """Let the client go; it ends with its last reference. Idempotent."""
        self._open = None

    def create(self, topics: Sequence[Topic]) -> None:
        """Create what is missing and wait until it can be used.

        Raises LogError if a topic exists with other partitions, LogUnavailable.
        """
        deadline = Deadline(self._settings.request_s)
        known = self._known(deadline)
        _check_counts(topics, known)
        missing = [topic for topic in topics if topic.name not in known]
        if not missing:
            return
        made = self._client.create_topics(
            [self._new(topic) for topic in missing], request_timeout=deadline.left_s(0.1)
        )
        for future in made.values():
            try:
                future.result(deadline.left_s(0.1))
            except KafkaException as error:
                if error_of(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise translated(error_of(error)) from error
            except TimeoutError as error:
                raise LogUnavailable("no answer to the making of topics") from error
        names = {topic.name for topic in missing}
        while not names <= (known := self._known(deadline)).keys():
            if deadline.is_over:
                raise LogUnavailable(f"new topics do not appear: {sorted(names - known.keys())}")
            pause(_TELL_PAUSE_S)
        _check_counts(missing, known)

    def partitions(self, topic: str) -> int:
        """Return the number of partitions. Raises UnknownTopic, LogUnavailable."""
        try:
            found = self._client.list_topics(topic, timeout=self._settings.request_s)
        except KafkaException as error:
            raise translated(error_of(error)) from error
        entry = found.topics.get(topic)
        if entry is None or not entry.partitions:
            if entry is not None and entry.error is not None and entry.error.retriable():
                code = entry.error.code()
                if code != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise translated(entry.error)
            raise UnknownTopic(f"topic {topic} was never created")
        return len(entry.partitions)

    def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return by partition where nothing readable follows."""
        return self._offsets(topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def offset_at(self, topic: str, partition: int, time_ns: int) -> int:
        """Return the first offset not before the time (Kafka counts milliseconds)."""
        time_ms = -(-time_ns // 1_000_000)
        end = self.ends(topic, (partition,))[partition]
        spec = OffsetSpec.for_timestamp(max(time_ms, 0))
        found = self._offsets(topic, (partition,), spec)[partition]
        return end if found < 0 else min(found, end)

    def _offsets(self, topic: str, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic, number): spec for number in partitions}
        deadline = Deadline(self._settings.request_s)
        while True:
            try:
                return self._asked(asked, deadline)
            except KafkaException as error:
                # A leader that has just changed, or a topic that has just been made.
                if not is_passing(error_of(error)) or deadline.is_over:
                    raise translated(error_of(error)) from error
                pause(_TELL_PAUSE_S)
            except TimeoutError as error:
                raise LogUnavailable(f"no answer about the offsets of {topic}") from error

    def _asked(self, asked: dict[TopicPartition, OffsetSpec], deadline: Deadline) -> dict[int, int]:
        answers: dict[TopicPartition, Future[Any]] = self._client.list_offsets(
            asked,
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=deadline.left_s(0.1),
        )
        return {
            place.partition: int(answer.result(deadline.left_s(0.1) + 1).offset)
            for place, answer in answers.items()
        }

    def _known(self, deadline: Deadline) -> dict[str, int]:
        try:
            found = self._client.list_topics(timeout=deadline.left_s(0.1))
        except KafkaException as error:
            raise translated(error_of(error)) from error
        return {name: len(entry.partitions) for name, entry in found.topics.items()}

    def _new(self, topic: Topic) -> NewTopic:
        config = {
            "cleanup.policy": "compact" if topic.compacted else "delete",
            "retention.ms": str(topic.retention_s * 1000 if topic.retention_s >= 0 else -1),
            # The log's clock stamps a record, not the writer's.
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
        }
        return NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=self._settings.replication,
            config=config,
        )


def _check_counts(topics: Sequence[Topic], known: dict[str, int]) -> None:
    for topic in topics:
        count = known.get(topic.name, topic.partitions)
        if count != topic.partitions:
            raise LogError(f"topic {topic.name} has {count} partitions, not {topic.partitions}")
