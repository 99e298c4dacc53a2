"""Membership of a group in PostgreSQL: leases by the server's clock, shards by agreement.

Each member renews its lease and deals with its own shards in one transaction under the
group's row, so two members never hold one shard, and a rebalance moves only what must move.
Called by `logs.postgres`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from whaletrader.runtime.log import Fenced, LogError, Shard
from whaletrader.runtime.logs.dealing import ShardState, deal
from whaletrader.runtime.logs.postgres_notices import Notice, Notices
from whaletrader.runtime.logs.postgres_schema import CHANNEL
from whaletrader.runtime.logs.postgres_session import Connection, Session

# A lease is renewed when a third of it is over: two renewals may fail.
_RENEWALS_A_LEASE: Final = 3

Claim = Callable[[str, int, Sequence[str]], Awaitable[Shard]]


@dataclass(frozen=True, slots=True)
class _View:
    """What a renewal found: our shards, and when the next other lease may end."""

    owned: frozenset[int]
    look_again_s: float


class PostgresMembership:
    """One member of a group. A second process under its name takes its place."""

    def __init__(
        self, group: str, member: str, lease_s: float, session: Session, notices: Notices
    ) -> None:
        self._group = group
        self._member = member
        self._lease_s = lease_s
        self._session = session
        self._notices = notices
        self._incarnation = 0
        self._returned: frozenset[int] = frozenset()
        self._owned: frozenset[int] = frozenset()
        self._renew_at = 0.0
        self._news = asyncio.Event()
        self._left = False
        self._claim: Claim | None = None

    async def enter(self, shards: int, claim: Claim) -> None:
        """Become a member; `claim` opens a shard. Called once, by the log's `join`."""
        self._claim = claim

        async def work(connection: Connection) -> int:
            async with connection.transaction():
                await _make_group(connection, self._group, shards)
                incarnation = await connection.fetchval(
                    """
                    INSERT INTO log.member AS m (group_name, member, incarnation, lease_until)
                    VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
                    ON CONFLICT (group_name, member) DO UPDATE
                    SET incarnation = m.incarnation + 1, lease_until = excluded.lease_until
                    RETURNING incarnation
                    """,
                    self._group,
                    self._member,
                    self._lease_s,
                )
                await _notify(connection, self._group)
                return int(incarnation)

        self._incarnation = await self._session.run(work)
        self._notices.add(self)

    def on_notice(self, notice: Notice) -> None:
        if notice.places is None or notice.group == self._group:
            self._news.set()

    async def owned(self, timeout_s: float) -> frozenset[int]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            if self._left:
                return frozenset()
            if self._news.is_set() or loop.time() >= self._renew_at:
                self._news.clear()
                view = await self._session.run(self._renew)
                self._owned = view.owned
                self._renew_at = loop.time() + view.look_again_s
            if self._owned != self._returned or loop.time() >= deadline:
                self._returned = self._owned
                return self._owned
            wait_s = min(deadline, self._renew_at) - loop.time()
            try:
                await asyncio.wait_for(self._news.wait(), max(wait_s, 0.0))
            except TimeoutError:
                continue

    async def claim(self, shard: int, topics: Sequence[str]) -> Shard:
        if self._claim is None or self._left:
            raise LogError(f"{self._member} is not a member of {self._group}")
        return await self._claim(self._group, shard, topics)

    async def leave(self) -> None:
        if self._left:
            return
        self._left = True
        self._notices.remove(self)
        self._news.set()
        await self._session.run(self._depart)

    async def _renew(self, connection: Connection) -> _View:
        async with connection.transaction():
            await _lock_group(connection, self._group)
            renewed = await connection.fetchval(
                """
                UPDATE log.member SET lease_until = clock_timestamp() + make_interval(secs => $4)
                WHERE group_name = $1 AND member = $2 AND incarnation = $3 RETURNING true
                """,
                self._group,
                self._member,
                self._incarnation,
                self._lease_s,
            )
            if not renewed:
                raise Fenced(f"another process is {self._member} of {self._group} now")
            others_s = await self._leases_of_others(connection)
            owned = await self._deal(connection, frozenset(others_s) | {self._member})
        soonest_s = min(others_s.values(), default=self._lease_s)
        return _View(owned, min(soonest_s + 0.001, self._lease_s / _RENEWALS_A_LEASE))

    async def _leases_of_others(self, connection: Connection) -> dict[str, float]:
        rows = await connection.fetch(
            """
            SELECT member, extract(epoch FROM lease_until - clock_timestamp())::float8 AS left_s
            FROM log.member
            WHERE group_name = $1 AND member <> $2 AND lease_until > clock_timestamp()
            """,
            self._group,
            self._member,
        )
        return {row["member"]: row["left_s"] for row in rows}

    async def _deal(self, connection: Connection, live: frozenset[str]) -> frozenset[int]:
        rows = await connection.fetch(
            "SELECT number, owner, home FROM log.shard WHERE group_name = $1 ORDER BY number",
            self._group,
        )
        shards = [ShardState(row["number"], row["owner"], row["home"]) for row in rows]
        mine = deal(shards, live, self._member)
        if mine.give:
            # Given up for balance: it is at home elsewhere from now on.
            await connection.execute(
                """
                UPDATE log.shard SET owner = NULL, home = nullif(home, $2)
                WHERE group_name = $1 AND number = ANY($3::int[])
                """,
                self._group,
                self._member,
                sorted(mine.give),
            )
        if mine.take:
            await connection.execute(
                """
                UPDATE log.shard SET owner = $2, home = coalesce(home, $2)
                WHERE group_name = $1 AND number = ANY($3::int[])
                """,
                self._group,
                self._member,
                sorted(mine.take),
            )
        if mine.give or mine.take:
            await _notify(connection, self._group)
        held = {shard.number for shard in shards if shard.owner == self._member}
        return frozenset(held - mine.give | mine.take)

    async def _depart(self, connection: Connection) -> None:
        async with connection.transaction():
            await _lock_group(connection, self._group)
            gone = await connection.fetchval(
                """
                UPDATE log.member SET lease_until = '-infinity'
                WHERE group_name = $1 AND member = $2 AND incarnation = $3 RETURNING true
                """,
                self._group,
                self._member,
                self._incarnation,
            )
            if gone:
                await connection.execute(
                    "UPDATE log.shard SET owner = NULL WHERE group_name = $1 AND owner = $2",
                    self._group,
                    self._member,
                )
                await _notify(connection, self._group)


async def _make_group(connection: Connection, group: str, shards: int) -> None:
    await connection.execute(
        "INSERT INTO log.consumer_group VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        group,
        shards,
    )
    existing = await _lock_group(connection, group)
    if existing != shards:
        raise LogError(f"group {group} has {existing} shards, not {shards}")
    await connection.execute(
        """
        INSERT INTO log.shard (group_name, number) SELECT $1, generate_series(0, $2::int - 1)
        ON CONFLICT (group_name, number) DO NOTHING
        """,
        group,
        shards,
    )


async def _lock_group(connection: Connection, group: str) -> int:
    shards = await connection.fetchval(
        "SELECT shards FROM log.consumer_group WHERE name = $1 FOR UPDATE", group
    )
    return int(shards)


async def _notify(connection: Connection, group: str) -> None:
    await connection.execute("SELECT pg_notify($1, 'g ' || $2)", CHANNEL, group)
