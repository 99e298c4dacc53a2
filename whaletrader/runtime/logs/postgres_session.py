"""One connection to PostgreSQL that comes back after a loss, and what its errors mean.

Owns connecting, the settings of a connection and the translation of driver and server errors
into the errors of the Log port. Knows no tables. Called by the other `logs.postgres` modules.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg

from whaletrader.runtime.log import (
    CommitUncertain,
    Fenced,
    LogError,
    LogUnavailable,
    UnknownTopic,
)

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

Result = TypeVar("Result")

# Two appends that the server could not order are simply run again.
_CONFLICT_RETRIES_MAX: Final = 5
_CONFLICT_SQLSTATES: Final = frozenset({"40001", "40P01"})

# The server refused before it did anything (out of connections, memory or disk; a lock or a
# statement timed out; read-only while it recovers): a later try may succeed.
_LATER_SQLSTATES: Final = frozenset({"55P03", "57014", "25006"})
_LATER_CLASSES: Final = frozenset({"53", "58"})

# The server ended the connection, perhaps after it had committed.
_LOST_CLASSES: Final = frozenset({"08", "57"})

# What the driver raises by itself when its connection breaks under it, whatever it was doing.
DRIVER_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# Every statement of the log is a walk along a primary key. Statistics of a table that grows
# by thousands of rows a second are always wrong, so the planner is not asked for an opinion.
_SERVER_SETTINGS: Final = {
    "application_name": "whaletrader-log",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "idle_in_transaction_session_timeout": "60000",
    # Dead clients let go of their locks soon: 5 s idle, then 3 probes a second apart.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
}


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """How to reach PostgreSQL and how long to wait for what.

    `lease_s`: a member that is silent for so long loses its shards; a standby takes over
    within 10 s, with what it has to read.
    `reconnect_s`: how long one call keeps trying to connect before it raises LogUnavailable.
    `statement_s`: after so long a statement counts as lost.
    `look_again_s`: how often a waiting poll looks without having been told to.
    """

    dsn: str
    lease_s: float = 6.0
    reconnect_s: float = 1.0
    statement_s: float = 30.0
    look_again_s: float = 1.0


class Session:
    """One connection, opened when first used and again after a loss; one caller at a time."""

    def __init__(
        self, settings: PostgresSettings, fenced: str = "WT001", unknown: str = "WT002"
    ) -> None:
        self._settings = settings
        self._fenced_sqlstate = fenced
        self._unknown_sqlstate = unknown
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def run(
        self, work: Callable[[Connection], Awaitable[Result]], *, commits: bool = False
    ) -> Result:
        """Do the work on the connection; `commits` says that a loss leaves it uncertain.

        The work is one statement or one transaction: it may be run again after a conflict.
        Raises LogUnavailable, CommitUncertain (only if `commits`), Fenced, UnknownTopic.
        """
        async with self._turn:
            for _ in range(_CONFLICT_RETRIES_MAX):
                connection = await self._connected()
                try:
                    return await work(connection)
                except asyncpg.PostgresError as error:
                    if (error.sqlstate or "") not in _CONFLICT_SQLSTATES:
                        raise self._translated(error, commits) from error
                except DRIVER_ERRORS as error:
                    self._drop()
                    raise _lost(error, commits) from error
                except asyncio.CancelledError:
                    # The statement may be half-way; nothing else may use the connection.
                    self._drop()
                    raise
            raise LogUnavailable(f"still in conflict after {_CONFLICT_RETRIES_MAX} tries")

    async def close(self) -> None:
        """Close the connection for good. Idempotent."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=1.0)
            except (asyncpg.PostgresError, *DRIVER_ERRORS):
                connection.terminate()

    async def _connected(self) -> Connection:
        if self._closed:
            raise LogUnavailable("the log was closed")
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._settings)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _translated(self, error: asyncpg.PostgresError, commits: bool) -> LogError:
        code = error.sqlstate or ""
        if code == self._fenced_sqlstate:
            return Fenced(str(error))
        if code == self._unknown_sqlstate:
            return UnknownTopic(str(error))
        if code in _LATER_SQLSTATES or code[:2] in _LATER_CLASSES:
            return LogUnavailable(str(error))
        if code[:2] in _LOST_CLASSES:
            self._drop()
            return _lost(error, commits)
        return LogError(f"{code}: {error}")


async def connect(settings: PostgresSettings) -> Connection:
    """Open a connection, trying for up to `reconnect_s`. Raises LogUnavailable, LogError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.reconnect_s
    pause_s = 0.02
    while True:
        remaining_s = max(deadline - loop.time(), 0.1)
        try:
            return await asyncpg.connect(
                settings.dsn,
                timeout=remaining_s,
                command_timeout=settings.statement_s,
                server_settings=_SERVER_SETTINGS,
            )
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "")[:2] not in _LATER_CLASSES | _LOST_CLASSES:
                # A wrong password or database does not mend itself.
                raise LogError(f"cannot use PostgreSQL: {error}") from error
            reason: Exception = error
        except DRIVER_ERRORS as error:
            reason = error
        if loop.time() + pause_s > deadline:
            raise LogUnavailable(f"cannot reach PostgreSQL: {reason!r}") from reason
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.5)


def _lost(error: Exception, commits: bool) -> LogError:
    if commits:
        return CommitUncertain(f"the connection was lost during a commit: {error!r}")
    return LogUnavailable(f"the connection was lost: {error!r}")
