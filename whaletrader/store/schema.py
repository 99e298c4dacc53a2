"""Installs the event store and its read models in a database.

Owns the schemas `store` (numbered migrations, never dropped) and `read` (made from the table
list in `projections`, dropped and rebuilt at will) and the partitions of `store.events`. With
TimescaleDB the events are a hypertable, else a range-partitioned table. Called by the recorder
at start and by readers that must not guess whether it has run.
"""

import hashlib
from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING, Final

import asyncpg

from whaletrader.store.projections import TABLES
from whaletrader.store.tables import ddl

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

DAY_NS: Final = 86_400 * 1_000_000_000
# One advisory lock for all installations in a database; any constant will do.
_INSTALL_LOCK: Final = 7_461_902_341_019
_PARTITION_LOCK: Final = 7_461_902_341_020
# Raise it when a projection says something else of the same events: they are rebuilt then.
PROJECTIONS_VERSION: Final = 2


class SchemaMismatch(RuntimeError):
    """A migration that was applied here reads differently now: a person must look."""


async def install(connection: Connection) -> bool:
    """Apply what is missing, safely by many at once. True if read models must be rebuilt.

    Raises SchemaMismatch when an applied migration was changed afterwards.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _INSTALL_LOCK)
        await connection.execute(
            """
            CREATE SCHEMA IF NOT EXISTS store;
            CREATE TABLE IF NOT EXISTS store.migration (
                number integer PRIMARY KEY,
                digest text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            );
            CREATE TABLE IF NOT EXISTS store.read_models (shape text NOT NULL);
            """
        )
        await _migrate(connection)
        if await connection.fetchval("SELECT shape FROM store.read_models") == shape():
            return False
        await create_read_models(connection)
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM store.position)"))


async def create_read_models(connection: Connection) -> None:
    """Drop the read models and make them anew, empty. Call within a transaction."""
    await connection.execute("DROP SCHEMA IF EXISTS read CASCADE")
    await connection.execute("CREATE SCHEMA read")
    for table in TABLES:
        await connection.execute(ddl(table))
    await connection.execute("DELETE FROM store.read_models")
    await connection.execute("INSERT INTO store.read_models VALUES ($1)", shape())


def shape() -> str:
    """Return the fingerprint of the read models: tables and what fills them."""
    text = "\n".join([str(PROJECTIONS_VERSION), *(ddl(table) for table in TABLES)])
    return hashlib.sha256(text.encode()).hexdigest()


async def is_hypertable(connection: Connection) -> bool:
    """Say whether TimescaleDB keeps the events."""
    kind = await connection.fetchval(
        "SELECT relkind FROM pg_class WHERE oid = 'store.events'::regclass"
    )
    return bool(kind != b"p")


class Partitions:
    """Makes day partitions ahead of the rows. Nothing to do on a hypertable."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._is_hypertable: bool | None = None

    async def ensure(self, connection: Connection, times_ns: Iterable[int]) -> None:
        """Make the partitions of these times and of the day after the last one."""
        days = {time_ns // DAY_NS for time_ns in times_ns}
        if not days or days <= self._known:
            return
        if self._is_hypertable is None:
            self._is_hypertable = await is_hypertable(connection)
        if not self._is_hypertable:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _PARTITION_LOCK)
                for day in sorted((days | {max(days) + 1}) - self._known):
                    await connection.execute(
                        f"CREATE TABLE IF NOT EXISTS store.events_day_{day} "
                        f"PARTITION OF store.events "
                        f"FOR VALUES FROM ({day * DAY_NS}) TO ({(day + 1) * DAY_NS})"
                    )
        self._known |= days


async def _migrate(connection: Connection) -> None:
    rows = await connection.fetch("SELECT number, digest FROM store.migration")
    applied = {row["number"]: row["digest"] for row in rows}
    has_timescale = await _timescale(connection)
    for number, text in _migrations():
        digest = hashlib.sha256(text.encode()).hexdigest()
        if number in applied:
            if applied[number] != digest:
                raise SchemaMismatch(f"migration {number} was changed after it was applied")
            continue
        partitioning = "" if has_timescale else " PARTITION BY RANGE (log_time_ns)"
        await connection.execute(text.replace("{partitioning}", partitioning))
        if number == 1 and has_timescale:
            await connection.execute(
                "SELECT create_hypertable('store.events', 'log_time_ns', "
                f"chunk_time_interval => {DAY_NS}::bigint, create_default_indexes => false)"
            )
        await connection.execute("INSERT INTO store.migration VALUES ($1, $2)", number, digest)


def _migrations() -> list[tuple[int, str]]:
    folder = resources.files("whaletrader.store.migrations")
    found = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(int(name.split("_")[0]), (folder / name).read_text("utf-8")) for name in found]


async def _timescale(connection: Connection) -> bool:
    """Say whether TimescaleDB is to be used, and load it into the database where it can be."""
    loaded = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"
    if await connection.fetchval(loaded):
        return True
    offered = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')"
    preloaded = "SELECT current_setting('shared_preload_libraries', true) LIKE '%timescaledb%'"
    if not await connection.fetchval(offered) or not await connection.fetchval(preloaded):
        return False
    try:
        async with connection.transaction():
            await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True
