"""The claim to a wallet as a PostgreSQL advisory lock, held by one session for as long as we run.

The server frees it when the session ends, however the process died. It is confirmed on that very
session before each send: an answer proves that the session lives, and so the lock is ours. A
process that was stopped for a while and goes on has an old confirmation, which counts for
nothing. What a lost claim could still send was announced before, has a known hash, and is refused
by the venue as a duplicate if the new holder has sent it: nothing can be placed twice.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import Any, Final

import asyncpg
from google.protobuf.message import Message

from whaletrader.runtime.clock import monotonic_s
from whaletrader.services.execution.claims import ClaimLost, ClaimRefused, ClaimUnconfirmed

_LOG = logging.getLogger(__name__)

# A confirmation older than this says nothing about now; a send follows it within milliseconds.
FRESH_S: Final = 2.0
_CONFIRM_TIMEOUT_S: Final = 2.0
_WATCH_S: Final = 1.0
# A server that is merely busy answers again, and until then nothing is sent; one that has been
# silent for so long has perhaps given the wallet to another.
PATIENCE_S: Final = 20.0
_RETRY_S: Final = 0.25

_HOLDER: Final = """
SELECT a.application_name AS name, coalesce(host(a.client_addr), 'this machine') AS host, a.pid
FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid::bigint = $1 AND l.objid::bigint = $2
"""
_OURS: Final = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid = pg_backend_pid()
  AND classid::bigint = $1 AND objid::bigint = $2
"""


class PostgresClaim:
    """One wallet's lock. `holder` is what another process is told of us."""

    def __init__(self, dsn: str, wallet: str, holder: str) -> None:
        self._dsn = dsn
        self._wallet = wallet
        self._holder = holder
        digest = hashlib.sha256(f"whaletrader wallet {wallet}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._parts = (int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big"))
        self._session: Any = None
        self._asking = asyncio.Lock()
        self._confirmed_s = -FRESH_S

    async def take(self, wait_s: float) -> None:
        """Take the lock, waiting a while for a holder that is just ending.

        Raises ClaimRefused, which says who has it.
        """
        self._session = await asyncpg.connect(
            self._dsn, server_settings={"application_name": self._holder[:63]}
        )
        deadline_s = monotonic_s() + wait_s
        while not await self._session.fetchval("SELECT pg_try_advisory_lock($1)", self._key):
            if monotonic_s() >= deadline_s:
                text = await self._rival()
                await self.release()
                raise ClaimRefused(text)
            await asyncio.sleep(_RETRY_S)
        self._confirmed_s = monotonic_s()
        _LOG.info("wallet %s is claimed by %s", self._wallet, self._holder)

    async def confirm(self) -> None:
        async with self._asking:
            session = self._session
            if session is None:
                raise ClaimLost(f"the claim to wallet {self._wallet} was lost")
            try:
                async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
                    held = await session.fetchval(_OURS, *self._parts)
            except TimeoutError as error:
                raise ClaimUnconfirmed(
                    f"the claim to wallet {self._wallet} was not confirmed in time"
                ) from error
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._drop()
                raise ClaimLost(f"the claim to wallet {self._wallet} is lost: {error}") from error
            if not held:
                self._drop()
                raise ClaimLost(f"the claim to wallet {self._wallet} was taken away")
            self._confirmed_s = monotonic_s()

    def require(self) -> None:
        if self._session is None or self._session.is_closed():
            raise ClaimLost(f"the claim to wallet {self._wallet} was lost")
        if monotonic_s() - self._confirmed_s > FRESH_S:
            raise ClaimLost(f"the claim to wallet {self._wallet} was confirmed too long ago")

    async def release(self) -> None:
        """Give the wallet up. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _drop(self) -> None:
        # Never taken again by this process: it must end, and start from the log.
        session, self._session = self._session, None
        if session is not None:
            session.terminate()

    async def _rival(self) -> str:
        row = await self._session.fetchrow(_HOLDER, *self._parts)
        who = f"{row['name']} (backend {row['pid']}, {row['host']})" if row else "nobody any more"
        return (
            f"wallet {self._wallet} is traded by {who}: one process may send its orders; "
            "stop that one first, or give this one another wallet"
        )


class ClaimWatch:
    """A source that brings nothing and ends the process when the claim is lost."""

    def __init__(self, claim: PostgresClaim, patience_s: float = PATIENCE_S) -> None:
        self._claim = claim
        self._patience_s = patience_s

    async def run(self, put: Callable[[Message], None]) -> None:  # noqa: ARG002 - brings nothing
        """Confirm the claim for as long as it is ours. Raises ClaimLost."""
        confirmed_s = monotonic_s()
        while True:
            try:
                await self._claim.confirm()
                confirmed_s = monotonic_s()
            except ClaimUnconfirmed as error:
                _LOG.warning("no order leaves: %s", error)
                if monotonic_s() - confirmed_s > self._patience_s:
                    raise
            await asyncio.sleep(_WATCH_S)

    def facts(self) -> dict[str, int]:
        return {}
