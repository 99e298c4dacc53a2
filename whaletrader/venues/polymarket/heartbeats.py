"""Heartbeats: after the first one, the venue cancels all our orders when they stop.

A chain of ids for each API key: what one is answered with is what the next one carries. When
credentials change, the older chain is kept up while the venue takes it, because orders placed
under it would be cancelled with it. Used by the adapter only.
"""

import asyncio
import logging

from polymarket.errors import OrderHeartbeatMismatchError, PolymarketError

from whaletrader.venues.polymarket.answers import is_unauthorized, of_placing
from whaletrader.venues.polymarket.sessions import Session, Sessions
from whaletrader.venues.port import Heartbeat

_LOG = logging.getLogger(__name__)


class Heartbeats:
    """Sends one after the other."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._one_at_a_time = asyncio.Lock()

    async def beat(self) -> Heartbeat:
        """Send one. Raises VenueUnavailable, OutcomeUnknown, VenueStop: the next one heals it."""
        async with self._one_at_a_time:
            for older in self._sessions.retired:
                await _keep_up(older)
            session = self._sessions.current
            try:
                return Heartbeat(await _beat(session))
            except PolymarketError as error:
                if not is_unauthorized(error):
                    raise of_placing(error) from error
            await self._sessions.renew(session)
            try:
                return Heartbeat(await _beat(self._sessions.current))
            except PolymarketError as error:
                raise of_placing(error) from error


async def _keep_up(session: Session) -> None:
    if session.heartbeat_id is None:
        return
    try:
        await _beat(session)
    except PolymarketError as error:
        if is_unauthorized(error):
            # The key is gone: nothing can be done for its orders any more.
            session.heartbeat_id = None
        _LOG.warning("a heartbeat under older API credentials failed: %s", error)


async def _beat(session: Session) -> bool:
    """Send one; return whether the chain had lapsed. Raises PolymarketError."""
    known = session.heartbeat_id
    has_lapsed = False
    with session.used() as client:
        try:
            beat = await client.send_order_heartbeat(heartbeat_id=known or "")
        except OrderHeartbeatMismatchError as error:
            # An empty id: the chain is over there, and with it our orders.
            has_lapsed = bool(known) and not error.heartbeat_id
            beat = await client.send_order_heartbeat(heartbeat_id=error.heartbeat_id)
    session.heartbeat_id = beat.heartbeat_id
    return has_lapsed
