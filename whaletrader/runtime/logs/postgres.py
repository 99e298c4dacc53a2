"""The Log on PostgreSQL: for one machine, where Kafka would be too much.

Owns the topics' ids and the connections; tables and functions are in `postgres_schema`.
Opened by `logs.open_log`, used by the shell and by readers. A commit is one round trip; a
waiting poll is woken by NOTIFY.
"""

from collections.abc import Callable, Sequence

import asyncpg

from whaletrader.runtime.log import (
    LogError,
    Membership,
    Position,
    Record,
    Shard,
    Stored,
    UnknownTopic,
)
from whaletrader.runtime.logs.placement import placed
from whaletrader.runtime.logs.postgres_group import PostgresMembership
from whaletrader.runtime.logs.postgres_notices import Notices, Place
from whaletrader.runtime.logs.postgres_schema import (
    CHANNEL,
    FENCED_SQLSTATE,
    READ,
    UNKNOWN_TOPIC_SQLSTATE,
    install,
)
from whaletrader.runtime.logs.postgres_session import Connection, PostgresSettings, Session
from whaletrader.runtime.logs.postgres_shard import Appender, ClaimedShard, PostgresShard, stored
from whaletrader.runtime.topics import Topic


class PostgresLog:
    """Topics, groups and records in the schema `log` of a database."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._session = self._new_session()
        # Appends of others must not wait behind a long read of ours.
        self._reading = self._new_session()
        self._notices = Notices(settings)
        self._topics: dict[str, tuple[int, int]] = {}
        self._appender = Appender(self._located)
        self._shards: list[PostgresShard] = []

    @classmethod
    async def open(cls, settings: PostgresSettings) -> "PostgresLog":
        """Connect and install what is missing. Raises LogUnavailable, LogError."""
        log = cls(settings)
        try:
            await log._session.run(install)
            await log._notices.start()
        except BaseException:
            await log.close()
            raise
        return log

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        async def work(connection: Connection) -> None:
            async with connection.transaction():
                for topic in topics:
                    await _create_topic(connection, topic)

        await self._session.run(work)

    async def partitions(self, topic: str) -> int:
        return (await self._topic(topic))[1]

    async def join(self, group: str, member: str, shard_topic: str) -> Membership:
        shards = await self.partitions(shard_topic)
        lease_s = self._settings.lease_s
        membership = PostgresMembership(group, member, lease_s, self._session, self._notices)
        await membership.enter(shards, self._claim)
        return membership

    async def append(self, records: Sequence[Record]) -> None:
        if records:
            await self._appender.append(self._session, records, None, ())

    async def read(self, start: Position, limit: int) -> list[Stored]:
        topic_id = await self._partition(start.topic, start.partition)

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(READ, topic_id, start.partition, start.offset, limit)

        rows = await self._reading.run(work)
        return [stored(start.topic, start.partition, row) for row in rows]

    async def end(self, topic: str) -> dict[int, int]:
        topic_id, _ = await self._topic(topic)
        query = "SELECT number, next_offset FROM log.partition WHERE topic_id = $1 ORDER BY 1"

        async def work(connection: Connection) -> list[asyncpg.Record]:
            return await connection.fetch(query, topic_id)

        return {row["number"]: row["next_offset"] for row in await self._reading.run(work)}

    async def offset_at(self, topic: str, partition: int, time_ns: int) -> int:
        topic_id = await self._partition(topic, partition)

        async def work(connection: Connection) -> int:
            query = "SELECT log.offset_at($1, $2, $3)"
            return int(await connection.fetchval(query, topic_id, partition, time_ns))

        return await self._reading.run(work)

    async def close(self) -> None:
        for shard in self._shards:
            await shard.release()
        self._shards.clear()
        await self._notices.close()
        await self._session.close()
        await self._reading.close()

    def _new_session(self) -> Session:
        return Session(self._settings, fenced=FENCED_SQLSTATE, unknown=UNKNOWN_TOPIC_SQLSTATE)

    async def _claim(self, group: str, shard: int, topics: Sequence[str]) -> Shard:
        known = {name: await self._topic(name) for name in topics}
        session = self._new_session()
        try:
            epoch, shards = await session.run(lambda c: _raise_epoch(c, group, shard))
            claim = ClaimedShard(
                group,
                shard,
                epoch,
                {topic_id: name for name, (topic_id, _) in known.items()},
                tuple(
                    (topic_id, number)
                    for topic_id, count in known.values()
                    for number in range(count)
                    if number % shards == shard
                ),
            )
            look_again_s = self._settings.look_again_s
            claimed = PostgresShard(claim, session, self._notices, self._appender, look_again_s)
            await claimed.open()
        except BaseException:
            await session.close()
            raise
        self._shards.append(claimed)
        return claimed

    async def _topic(self, name: str) -> tuple[int, int]:
        known = self._topics.get(name)
        if known is None:
            query = "SELECT id, partitions FROM log.topic WHERE name = $1"
            row = await self._session.run(lambda c: c.fetchrow(query, name))
            if row is None:
                raise UnknownTopic(f"topic {name} was never created")
            known = self._topics[name] = (row["id"], row["partitions"])
        return known

    async def _partition(self, topic: str, partition: int) -> int:
        topic_id, count = await self._topic(topic)
        if not 0 <= partition < count:
            raise UnknownTopic(f"topic {topic} has no partition {partition}")
        return topic_id

    async def _located(self, records: Sequence[Record]) -> list[tuple[Record, Place]]:
        known = {name: await self._topic(name) for name in {r.topic for r in records}}
        count_of: Callable[[str], int] = lambda name: known[name][1]  # noqa: E731
        return [
            (record, (known[record.topic][0], number))
            for record, number in placed(records, count_of)
        ]


async def _create_topic(connection: Connection, topic: Topic) -> None:
    # A kept setting follows the table; the number of partitions cannot change.
    row = await connection.fetchrow(
        """
        INSERT INTO log.topic (name, partitions, retention_s, compacted)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE
        SET retention_s = excluded.retention_s, compacted = excluded.compacted
        RETURNING id, partitions
        """,
        topic.name,
        topic.partitions,
        topic.retention_s,
        topic.compacted,
    )
    if row is None:
        raise LogError(f"topic {topic.name} could not be made")
    if row["partitions"] != topic.partitions:
        raise LogError(
            f"topic {topic.name} has {row['partitions']} partitions, not {topic.partitions}"
        )
    await connection.execute(
        """
        INSERT INTO log.partition (topic_id, number) SELECT $1, generate_series(0, $2::int - 1)
        ON CONFLICT (topic_id, number) DO NOTHING
        """,
        row["id"],
        topic.partitions,
    )


async def _raise_epoch(connection: Connection, group: str, shard: int) -> tuple[int, int]:
    async with connection.transaction():
        shards = await connection.fetchval(
            "SELECT shards FROM log.consumer_group WHERE name = $1", group
        )
        # Waits for the commit that is under way, if one is: see log.append.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", group, shard
        )
        epoch = await connection.fetchval(
            """
            UPDATE log.shard SET epoch = epoch + 1 WHERE group_name = $1 AND number = $2
            RETURNING epoch
            """,
            group,
            shard,
        )
        if epoch is None:
            raise LogError(f"group {group} has {shards} shards; there is no {shard}")
        await connection.execute("SELECT pg_notify($1, 'c ' || $2)", CHANNEL, group)
    return int(epoch), int(shards)
