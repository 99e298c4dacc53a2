"""Membership of a group on Kafka: a consumer that subscribes to the shard topic, reading nothing.

Its assignment says which shards are this member's; its metadata goes into each commit, where
the broker checks it. Called by `logs.kafka`.
"""

import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from whaletrader.runtime.log import Fenced, LogError, LogUnavailable, Shard
from whaletrader.runtime.logs.deadline import Deadline
from whaletrader.runtime.logs.kafka_errors import error_of, is_fencing, is_passing, translated
from whaletrader.runtime.logs.kafka_lane import Lane
from whaletrader.runtime.logs.kafka_settings import KafkaSettings, member_config

# A blocked poll looks up this often, to see whether it is still wanted.
_SLICE_S: Final = 0.05
# Leaving gives the assignment back first; two rounds suffice.
_LEAVE_S_MAX: Final = 2.0
# How long a member that was never told its shards waits for that before it closes.
_SETTLE_S_MAX: Final = 2.0

Claim = Callable[["KafkaMembership", int, Sequence[str]], Awaitable[Shard]]


class KafkaMembership:
    """One member of a group. A second process under its name takes its place."""

    def __init__(
        self, settings: KafkaSettings, group: str, member: str, shard_topic: str, claim: Claim
    ) -> None:
        self.group = group
        self._member = member
        self.shard_topic = shard_topic
        self._claim = claim
        self._lane = Lane(f"member-{group}")
        self._consumer = Consumer(member_config(settings, group, member))
        self._metadata: object | None = None
        self._assigned: set[int] = set()
        self._returned: frozenset[int] = frozenset()
        self._is_answered = False
        self._unwanted = threading.Event()
        self._ended: LogError | None = None
        self._left = False

    async def enter(self) -> None:
        """Begin to be a member; the shards come with `owned`."""
        await self._lane.run(self._subscribe)

    async def owned(self, timeout_s: float) -> frozenset[int]:
        if self._left:
            return frozenset()
        if self._ended is not None:
            raise type(self._ended)(*self._ended.args)
        return await self._lane.run(lambda: self._owned(Deadline(timeout_s)))

    async def claim(self, shard: int, topics: Sequence[str]) -> Shard:
        if self._left:
            raise LogError(f"{self._member} is not a member of {self.group}")
        return await self._claim(self, shard, topics)

    async def leave(self) -> None:
        await self._close(self._depart)

    async def close(self) -> None:
        """Stop without leaving: within the session time it may come back as if never gone."""
        await self._close(self._stop)

    def metadata(self) -> object:
        """Return what a commit shows as its right to commit. Raises Fenced after leaving.

        It is the one that the last poll brought: asking the consumer itself would wait for the
        poll that another thread is in, for up to a second. An old one is refused by the broker,
        and the commit is tried again with the next.
        """
        if self._left or self._metadata is None:
            raise Fenced(f"{self._member} is not a member of {self.group}")
        return self._metadata

    async def _close(self, last: Callable[[], None]) -> None:
        if self._left:
            return
        self._left = True
        self._unwanted.set()
        await self._lane.close(last)

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            [self.shard_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def _owned(self, deadline: Deadline) -> frozenset[int]:
        while True:
            # What waits is taken without a pause, then a change is waited for.
            message = self._consumer.poll(0)
            if message is None and frozenset(self._assigned) == self._returned:
                message = self._consumer.poll(min(deadline.left_s(), _SLICE_S))
            if message is not None and (error := message.error()) is not None:
                self._look_at(error)
            self._metadata = self._consumer.consumer_group_metadata()
            owned = frozenset(self._assigned)
            if owned != self._returned or deadline.is_over or self._unwanted.is_set():
                self._returned = owned
                return owned

    def _look_at(self, error: KafkaError) -> None:
        if error.code() == KafkaError._MAX_POLL_EXCEEDED or is_passing(error):
            # The group takes us back at the next poll; what we had is revoked by then.
            return
        meaning = translated(error)
        if is_fencing(error):
            self._ended = Fenced(f"another process is {self._member} of {self.group}: {error}")
            raise Fenced(*self._ended.args)
        if not isinstance(meaning, LogUnavailable):
            raise meaning

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        # Only the assignment is wanted, never the records.
        consumer.pause(partitions)
        self._is_answered = True
        self._assigned.update(place.partition for place in partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned.difference_update(place.partition for place in partitions)
        consumer.incremental_unassign(partitions)

    def _stop(self) -> None:
        # librdkafka 2.16 hangs when an assignment arrives while it closes: so one that is
        # under way is let in first. The lane bounds what is left of that race.
        deadline = Deadline(_SETTLE_S_MAX)
        while not self._is_answered and not deadline.is_over:
            self._consumer.poll(_SLICE_S)
        while self._consumer.poll(0) is not None and not deadline.is_over:
            continue
        self._consumer.close()

    def _depart(self) -> None:
        # A static member that only closes would keep its shards until its session ends;
        # one that unsubscribes says that it leaves.
        deadline = Deadline(_LEAVE_S_MAX)
        try:
            self._consumer.unsubscribe()
            while self._assigned and not deadline.is_over:
                self._consumer.poll(_SLICE_S)
        except KafkaException as error:
            if not is_fencing(error_of(error)):
                raise translated(error_of(error)) from error
        finally:
            self._consumer.close()
