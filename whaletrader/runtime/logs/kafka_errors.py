"""What Kafka's errors mean for the caller of the Log port.

Pure: looks at an error and names the reaction. Called by the other `logs.kafka` modules.
"""

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from whaletrader.runtime.log import Fenced, LogError, LogUnavailable, UnknownTopic

_FENCED_CODES: Final = frozenset(
    {
        KafkaError._FENCED,
        KafkaError._FATAL,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
_STALE_MEMBER_CODES: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)
_UNKNOWN_TOPIC_CODES: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
# Over after a moment: a leader that has changed, a topic that was just made, a lost link.
_PASSING_CODES: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
    }
)
# Wrong however often it is tried.
_HOPELESS_CODES: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_CONFIG,
        KafkaError._INVALID_ARG,
    }
)


def error_of(error: KafkaException) -> KafkaError:
    """Return the error inside an exception."""
    inner = error.args[0]
    if not isinstance(inner, KafkaError):
        raise TypeError(f"an exception of Kafka without an error: {error!r}")
    return inner


def is_fencing(error: KafkaError) -> bool:
    """Return whether another producer or member has taken this one's place."""
    return error.fatal() or error.code() in _FENCED_CODES


def is_stale_member(error: KafkaError) -> bool:
    """Return whether the group has moved on; a look at the group may put it right."""
    return error.code() in _STALE_MEMBER_CODES


def is_passing(error: KafkaError) -> bool:
    """Return whether the same call may succeed in a moment.

    The driver fills `retriable` in for transactions only; elsewhere the code has to tell.
    """
    return error.retriable() or error.code() in _PASSING_CODES


def translated(error: KafkaError) -> LogError:
    """Return the port's error for one that left nothing behind."""
    if is_fencing(error):
        return Fenced(str(error))
    if error.code() in _UNKNOWN_TOPIC_CODES:
        return UnknownTopic(str(error))
    if error.code() in _HOPELESS_CODES:
        return LogError(str(error))
    return LogUnavailable(str(error))
