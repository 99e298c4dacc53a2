"""The Log port: an ordered, partitioned, durable record of what was said.

Three adapters (`logs.memory`, `logs.postgres`, `logs.kafka`) pass one contract suite,
tests/contract/log. Where they could differ, Kafka's semantics win. Agents never see it; the
shell does.

Errors, by what the caller does:

    LogError
    ├── LogUnavailable     wait and retry; nothing was decided
    ├── Fenced             stop: another member owns the shard, our commit did not happen
    ├── CommitUncertain    drop the shard and claim it anew; the commit may have happened
    └── UnknownTopic       a programming error: the topic is not in the table
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from whaletrader.runtime.topics import Topic


class LogError(Exception):
    """Base of everything that a log raises."""


class LogUnavailable(LogError):
    """The log cannot be reached now. Retry later; nothing was written."""


class Fenced(LogError):
    """Another member has claimed the shard. This one must stop; nothing was written."""


class CommitUncertain(LogError):
    """The connection was lost during a commit: it happened wholly or not at all."""


class UnknownTopic(LogError):
    """The topic does not exist."""


@dataclass(frozen=True, slots=True)
class Record:
    """Something to be appended. Without a partition the key chooses it."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A committed record. `timestamp_ns` is the log's wall clock at the append."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]
    timestamp_ns: int


@dataclass(frozen=True, slots=True)
class Position:
    """A place in one partition: the offset of the next record to read."""

    topic: str
    partition: int
    offset: int


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: CRC-32 modulo the count, the same in every adapter."""
    return zlib.crc32(key.encode()) % partitions


@runtime_checkable
class Shard(Protocol):
    """A claimed shard: the one place from which its agent reads and commits.

    Shard `s` of `n` reads the partitions `p` with `p % n == s` of each topic it was claimed
    with, from the positions that the group last committed (or the beginning).
    """

    @property
    def number(self) -> int:
        """Which shard this is, from 0."""

    async def poll(self, max_records: int, timeout_s: float) -> list[Stored]:
        """Return up to `max_records` committed records, in order within each partition.

        Waits up to `timeout_s` for the first. Records of paused topics are not returned.
        Reading does not move the committed positions. Raises Fenced, LogUnavailable.
        """

    async def commit(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        """Append the records and move the group's positions, all or nothing.

        Raises Fenced (nothing happened), CommitUncertain (claim the shard anew and look),
        LogUnavailable (nothing happened).
        """

    def pause(self, topics: Sequence[str]) -> None:
        """Stop returning records of these topics; nothing is dropped."""

    def resume(self, topics: Sequence[str]) -> None:
        """Return them again, from where they stopped."""

    async def seek(self, position: Position) -> None:
        """Read on from this offset in a partition that the shard owns."""

    async def positions(self) -> list[Position]:
        """Return the positions that the group has committed for this shard's partitions."""

    async def release(self) -> None:
        """Give the shard up without committing anything. Idempotent."""


@runtime_checkable
class Membership(Protocol):
    """One member of a group. Shards are shared out among the live members.

    A member that stops calling `owned` for longer than the session time loses its shards.
    """

    async def owned(self, timeout_s: float) -> frozenset[int]:
        """Return the shards that are this member's now, waiting a little for a change.

        Raises LogUnavailable.
        """

    async def claim(self, shard: int, topics: Sequence[str]) -> Shard:
        """Take the shard over: from now on every older claim of it is Fenced.

        Raises LogUnavailable, UnknownTopic.
        """

    async def leave(self) -> None:
        """Leave the group, so that the others take over at once. Idempotent."""


@runtime_checkable
class Log(Protocol):
    """An ordered, partitioned log. One instance a process; safe for concurrent tasks."""

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        """Create what is missing. Raises LogError if one exists with other partitions."""

    async def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises UnknownTopic."""

    async def join(self, group: str, member: str, shard_topic: str) -> Membership:
        """Join a group whose shards are the partitions of `shard_topic`.

        A member that comes back under its old name gets its old shards back.
        """

    async def append(self, records: Sequence[Record]) -> None:
        """Append all of the records or none of them, outside any group.

        Raises LogUnavailable (nothing happened), CommitUncertain.
        """

    async def read(self, start: Position, limit: int) -> list[Stored]:
        """Return up to `limit` committed records of a partition from an offset on."""

    async def end(self, topic: str) -> dict[int, int]:
        """Return, by partition, the offset after the last committed record."""

    async def offset_at(self, topic: str, partition: int, time_ns: int) -> int:
        """Return the first offset whose timestamp is not before the time; the end if none."""

    async def close(self) -> None:
        """Release connections. Idempotent."""
