"""The connection to the read models: read-only, bounded in time, patient with a store that is away.

Owns the pool. Called by the modules that read; nothing here knows a table.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Pool = asyncpg.Pool

_LOG = logging.getLogger(__name__)

# A few are enough: the live pushes share one reader and people click slowly.
CONNECTIONS_MAX = 4
CONNECT_S_MAX = 3.0

Row = asyncpg.Record


class StoreUnavailable(Exception):
    """The store cannot be reached now; retry later."""


class StoreNotReady(Exception):
    """The store is there, but the recorder has not made its read models yet; retry later."""


@dataclass(frozen=True, slots=True)
class Store:
    """Read-only queries. Every method raises StoreUnavailable or StoreNotReady."""

    pool: Pool
    query_s_max: float

    async def fetch(self, query: str, /, *args: Any) -> list[Row]:
        return await self._run("fetch", query, args)  # type: ignore[no-any-return]

    async def fetchrow(self, query: str, *args: object) -> Row | None:
        return await self._run("fetchrow", query, args)  # type: ignore[no-any-return]

    async def check(self) -> None:
        """Return if the store answers."""
        await self._run("fetchrow", "SELECT 1", ())

    async def close(self) -> None:
        self.pool.terminate()

    async def _run(self, method: str, query: str, args: tuple[object, ...]) -> Any:
        try:
            async with self.pool.acquire(timeout=self.query_s_max) as connection:
                return await getattr(connection, method)(query, *args, timeout=self.query_s_max)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise StoreNotReady("the recorder has not prepared the read models yet") from error
        except asyncpg.QueryCanceledError as error:
            raise StoreUnavailable("the store is too slow") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, OSError) as error:
            # Also a query that is wrong: whoever looks is told, and the pushes go on.
            _LOG.warning("the store does not answer: %r", error)
            raise StoreUnavailable(f"the store does not answer: {type(error).__name__}") from error


async def open_store(dsn: str, query_s_max: float) -> Store:
    """Return a store that connects when it is first asked. Raises ValueError for a bad DSN."""
    pool = await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=CONNECTIONS_MAX,
        timeout=CONNECT_S_MAX,
        # The read models are dropped and made anew when their shape changes: no plan outlives it.
        statement_cache_size=0,
        server_settings={
            "default_transaction_read_only": "on",
            "application_name": "whaletrader-gateway",
        },
    )
    return Store(pool, query_s_max)
