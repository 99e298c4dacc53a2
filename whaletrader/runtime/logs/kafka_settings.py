"""How to reach Kafka, how long to wait for what, and the clients' settings that follow.

Called by the other `logs.kafka` modules; holds no connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from whaletrader.runtime.logs.placement import VALUE_BYTES_MAX

# Beside the value a message has a key and headers.
MESSAGE_BYTES_MAX: Final = VALUE_BYTES_MAX + 256 * 1024

# What waits in a producer; more than the largest commit, so that one never blocks on itself.
_QUEUE_MESSAGES_MAX: Final = 500_000
_QUEUE_KIB_MAX: Final = 512 * 1024
_FETCH_BYTES_MAX: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Addresses and deadlines.

    `session_s`: a member that is silent for so long loses its shards; the broker's
    group.min.session.timeout.ms bounds it from below, by 6 s unless it was set. A standby
    takes over within 10 s: the silence, the assignment, and what it has to read.
    `transaction_s`: an open transaction of a process that died holds its partitions' readers
    up for so long, or until its shard is claimed again.
    `commit_s`: after so long a commit without an answer counts as uncertain.
    `replication`: copies of a new topic; -1 is the broker's default.
    `extra`: settings for every client, as librdkafka names them (security, for one).
    """

    bootstrap: str
    session_s: float = 6.0
    transaction_s: float = 10.0
    commit_s: float = 8.0
    request_s: float = 10.0
    replication: int = -1
    extra: Mapping[str, Any] = field(default_factory=dict)


def client_config(settings: KafkaSettings) -> dict[str, Any]:
    """Return what every client has in common."""
    return {
        "bootstrap.servers": settings.bootstrap,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 500,
        "socket.keepalive.enable": True,
        "log.connection.close": False,
        "log_level": 3,
        **settings.extra,
    }


def producer_config(settings: KafkaSettings) -> dict[str, Any]:
    """Return the settings of a producer; add a transactional.id for a transactional one."""
    return client_config(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "queue.buffering.max.messages": _QUEUE_MESSAGES_MAX,
        "queue.buffering.max.kbytes": _QUEUE_KIB_MAX,
        # A commit flushes, so waiting for more to come would only delay it.
        "linger.ms": 0,
        # With librdkafka's 100 ms the next transaction often waits that long for the markers
        # of the one before.
        "retry.backoff.ms": 2,
        "retry.backoff.max.ms": 10,
    }


def transactional_config(settings: KafkaSettings, transactional_id: str) -> dict[str, Any]:
    """Return the settings of a transactional producer."""
    return producer_config(settings) | {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(settings.transaction_s * 1000),
    }


def consumer_config(settings: KafkaSettings, group: str) -> dict[str, Any]:
    """Return the settings of a consumer that sees committed records only."""
    return client_config(settings) | {
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        # From one partition at a time, so that a busy one cannot hold the others up for long;
        # a larger record comes alone.
        "fetch.message.max.bytes": _FETCH_BYTES_MAX,
        "fetch.wait.max.ms": 100,
        # A partition that had nothing is asked again at once, not after 500 or 1000 ms.
        "fetch.error.backoff.ms": 20,
        "fetch.queue.backoff.ms": 10,
        "allow.auto.create.topics": False,
    }


def member_config(settings: KafkaSettings, group: str, member: str) -> dict[str, Any]:
    """Return the settings of the consumer that only keeps a membership."""
    session_ms = int(settings.session_s * 1000)
    return consumer_config(settings, group) | {
        "partition.assignment.strategy": "cooperative-sticky",
        "group.instance.id": member,
        "session.timeout.ms": session_ms,
        "heartbeat.interval.ms": max(session_ms // 5, 100),
        # A member that does not ask what it owns is as good as dead.
        "max.poll.interval.ms": session_ms,
    }
