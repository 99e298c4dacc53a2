"""The official client under the credentials of today, and its exchange for a new one in time.

Credentials change without a pause: the new ones are tried first, then every call goes their way,
and what was under way ends with the old ones. A refused call (401: nothing was taken) is made once
more if there are newer credentials. Must not know orders or books. Used by the adapter only.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from polymarket import AsyncSecureClient
from polymarket.errors import PolymarketError, RequestRejectedError

from whaletrader.venues.errors import CredentialsRefused, VenueStop, VenueUnavailable
from whaletrader.venues.polymarket.answers import of_reading
from whaletrader.venues.polymarket.credentials import ApiCredentials, CredentialSource

_LOG = logging.getLogger(__name__)

Answer = TypeVar("Answer")
OpenClient = Callable[[ApiCredentials], AsyncSecureClient]

UNAUTHORIZED: Final = 401
# More than this many changes while the oldest still has orders: it is let go.
RETIRED_MAX: Final = 3


@dataclass(slots=True)
class Session:
    """One client. `heartbeat_id` is None until the first heartbeat, which starts a chain."""

    client: AsyncSecureClient
    credentials: ApiCredentials
    users: int = 0
    heartbeat_id: str | None = None

    @contextlib.contextmanager
    def used(self) -> Iterator[AsyncSecureClient]:
        """Keep the client open meanwhile."""
        self.users += 1
        try:
            yield self.client
        finally:
            self.users -= 1


class Sessions:
    """Holds the current session, and those that are not done yet."""

    def __init__(self, open_client: OpenClient, source: CredentialSource) -> None:
        self._open = open_client
        self._source = source
        self._current: Session | None = None
        self._retired: list[Session] = []
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Log in. Idempotent. Raises VenueUnavailable, CredentialsRefused, VenueStop."""
        async with self._changing:
            if self._current is None:
                self._current = await self._accepted(await self._source.read())
                _LOG.info(
                    "API credentials %r from %s", self._current.credentials, self._source.name
                )

    async def close(self) -> None:
        """Close every client. Idempotent."""
        async with self._changing:
            everyone = [*self._retired, *([self._current] if self._current else [])]
            self._retired, self._current = [], None
            for session in everyone:
                await session.client.close()

    @property
    def current(self) -> Session:
        """The newest session. Raises VenueUnavailable before `start`."""
        if self._current is None:
            raise VenueUnavailable("not logged in at the venue")
        return self._current

    @property
    def retired(self) -> tuple[Session, ...]:
        """Those with older credentials that still have something to do."""
        return tuple(self._retired)

    def is_current(self, session: Session) -> bool:
        return session is self._current

    async def call(self, action: Callable[[AsyncSecureClient], Awaitable[Answer]]) -> Answer:
        """Do something with the client; once more after a 401, if that helps.

        Awaits nothing before the action. Raises what the action raises, VenueUnavailable,
        CredentialsRefused.
        """
        session = self.current
        try:
            with session.used() as client:
                return await action(client)
        except RequestRejectedError as error:
            if error.status != UNAUTHORIZED:
                raise
            await self.renew(session)
        with self.current.used() as client:
            return await action(client)

    async def refresh(self) -> bool:
        """Look for newer credentials, and close what is done. Return whether they changed.

        New ones that the venue does not take change nothing. Raises VenueUnavailable, VenueStop
        if the source cannot be read: the old ones stay in use.
        """
        await self._sweep()
        async with self._changing:
            old = self.current
            fresh = await self._source.read()
            if fresh == old.credentials:
                return False
            self._change(await self._accepted(fresh))
            return True

    async def watch(self, every_s: float) -> None:
        """Refresh for ever. A source that fails is asked again; the old credentials stay."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.refresh()
            except (VenueUnavailable, VenueStop) as error:
                _LOG.warning("the API credentials stay as they are: %s", error)

    async def renew(self, refused: Session) -> None:
        """Exchange a session that the venue refused (401) for one that it takes.

        Nothing to do if somebody else has. Raises VenueUnavailable, CredentialsRefused, VenueStop.
        """
        async with self._changing:
            if self._current is not refused:
                return
            _LOG.warning("the venue refuses API credentials %r", refused.credentials)
            self._change(await self._accepted(await self._source.read()))

    def _change(self, session: Session) -> None:
        """Nothing is awaited in here: a call meets the one or the other."""
        old, self._current = self._current, session
        _LOG.info("API credentials %r from %s", session.credentials, self._source.name)
        if old is not None:
            self._retired.append(old)

    async def _accepted(self, credentials: ApiCredentials) -> Session:
        """Return a session whose credentials the venue takes."""
        # Nine connection pools with their certificates: half a second that others need not wait.
        client = await asyncio.to_thread(self._open, credentials)
        try:
            await client.fetch_api_keys()
        except PolymarketError as error:
            await client.close()
            if isinstance(error, RequestRejectedError) and error.status == UNAUTHORIZED:
                raise CredentialsRefused(
                    f"the venue refuses the API credentials from {self._source.name}: "
                    "make new ones and put them there"
                ) from None
            raise of_reading(error) from error
        except BaseException:
            await client.close()
            raise
        return Session(client, credentials)

    async def _sweep(self) -> None:
        """Close sessions without users whose heartbeats, if they began, have ended."""
        excess = len(self._retired) - RETIRED_MAX
        for number, session in enumerate(list(self._retired)):
            is_done = session.users == 0 and session.heartbeat_id is None
            if is_done or number < excess:
                self._retired.remove(session)
                await session.client.close()
