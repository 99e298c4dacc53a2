"""The wallet's user stream: reconnects, follows new credentials, and says when it may have missed
something. Reads are the truth; nothing here asks for them. Used by the adapter only.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from polymarket.errors import TransportError
from polymarket.streams import SubscriptionHandle, UserEvent, UserSpec

from whaletrader.venues.polymarket import translate
from whaletrader.venues.polymarket.client import stream_mark
from whaletrader.venues.polymarket.sessions import Session, Sessions
from whaletrader.venues.port import StreamEvent, StreamOpened

# The client reconnects within a second; looking more often than that misses nothing.
_LOOK_S: Final = 0.2
_RESUBSCRIBE_S: Final = 0.5


async def user_events(sessions: Sessions, wallet: str) -> AsyncGenerator[StreamEvent, None]:
    """Yield events for ever; StreamOpened after each connection and each change of credentials.

    Raises VenueUnavailable if nobody has logged in.
    """
    while True:
        session = sessions.current
        with session.used() as client:
            try:
                handle = await client.subscribe(UserSpec())
            except TransportError:
                await asyncio.sleep(_RESUBSCRIBE_S)
                continue
            try:
                async for event in _follow(sessions, session, handle, wallet):
                    yield event
            finally:
                await handle.close()


async def _follow(
    sessions: Sessions, session: Session, handle: SubscriptionHandle[UserEvent], wallet: str
) -> AsyncIterator[StreamEvent]:
    client = session.client
    owner = client.credentials.key
    mark = stream_mark(client, handle)
    yield StreamOpened()
    waiting: asyncio.Task[UserEvent] | None = None
    try:
        while sessions.is_current(session):
            if waiting is None:
                waiting = asyncio.ensure_future(anext(handle))
            done, _ = await asyncio.wait({waiting}, timeout=_LOOK_S)
            now = stream_mark(client, handle)
            if now != mark and now.socket is not None:
                mark = now
                yield StreamOpened()
            if done:
                event = waiting.result()
                waiting = None
                for translated in translate.events_of(event, wallet, owner):
                    yield translated
    except StopAsyncIteration:
        return
    finally:
        if waiting is not None:
            waiting.cancel()
