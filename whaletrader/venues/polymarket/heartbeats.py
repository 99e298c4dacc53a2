"""Heartbeats: after the first one, the venue cancels all our orders when they stop.

A chain of ids for each API key: what one is answered with is what the next one carries. When
credentials change, the older chain is kept up while the venue takes it, because orders placed
under it would be cancelled with it. Used by the adapter only.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
from polymarket.errors import (
    OrderHeartbeatMismatchError,
    PolymarketError,
    RequestRejectedError,
    TransportError,
)

from whaletrader.venues.polymarket.answers import is_unauthorized, of_placing
from whaletrader.venues.polymarket.credentials import ApiCredentials
from whaletrader.venues.polymarket.sessions import Session, Sessions
from whaletrader.venues.port import Heartbeat

_LOG = logging.getLogger(__name__)

_PATH: Final = "/v1/heartbeats"
_WRONG_ID: Final = "invalid heartbeat id"
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=10.0, write=10.0, pool=2.0)


@dataclass(frozen=True, slots=True)
class Asking:
    """What it takes to send a heartbeat without the client."""

    clob_url: str
    address: str
    now_ns: Callable[[], int]


class Heartbeats:
    """Sends one after the other."""

    def __init__(self, sessions: Sessions, asking: Asking) -> None:
        self._sessions = sessions
        self._asking = asking
        self._one_at_a_time = asyncio.Lock()

    async def beat(self) -> Heartbeat:
        """Send one. Raises VenueUnavailable, OutcomeUnknown, VenueStop: the next one heals it."""
        async with self._one_at_a_time:
            for older in self._sessions.retired:
                await self._keep_up(older)
            session = self._sessions.current
            try:
                return Heartbeat(await self._beat(session))
            except PolymarketError as error:
                if not is_unauthorized(error):
                    raise of_placing(error) from error
            await self._sessions.renew(session)
            try:
                return Heartbeat(await self._beat(self._sessions.current))
            except PolymarketError as error:
                raise of_placing(error) from error

    async def _keep_up(self, session: Session) -> None:
        if session.heartbeat_id is None:
            return
        try:
            await self._beat(session)
        except PolymarketError as error:
            if is_unauthorized(error):
                # The key is gone: nothing can be done for its orders any more.
                session.heartbeat_id = None
            _LOG.warning("a heartbeat under older API credentials failed: %s", error)

    async def _beat(self, session: Session) -> bool:
        """Send one; return whether the chain had lapsed. Raises PolymarketError."""
        known = session.heartbeat_id
        with session.used() as client:
            try:
                beat = await client.send_order_heartbeat(heartbeat_id=known or "")
            except OrderHeartbeatMismatchError as error:
                expected = error.heartbeat_id
            except RequestRejectedError as error:
                if error.status != 400 or _WRONG_ID not in str(error).lower():
                    raise
                expected = await self._expected(session.credentials, known or "")
            else:
                session.heartbeat_id = beat.heartbeat_id
                return False
            beat = await client.send_order_heartbeat(heartbeat_id=expected)
        session.heartbeat_id = beat.heartbeat_id
        # An empty id: the chain was over there, and with it our orders.
        return bool(known) and not expected

    async def _expected(self, credentials: ApiCredentials, wrong_id: str) -> str:
        """Return which id the venue expects, where it says so in words the client cannot read.

        The documented answer names it beside `error`, the one that the client knows beside
        `error_msg` (2026-11): the same heartbeat is sent again and read here.
        """
        asking = self._asking
        body = json.dumps({"heartbeat_id": wrong_id}, separators=(",", ":"))
        timestamp_s = asking.now_ns() // 1_000_000_000
        headers = _signed_headers(credentials, asking.address, timestamp_s, body)
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT) as http:
                answer = await http.post(asking.clob_url + _PATH, content=body, headers=headers)
            row: Any = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise TransportError(f"a heartbeat got no answer: {type(error).__name__}") from None
        found = row.get("heartbeat_id") if isinstance(row, dict) else None
        if not isinstance(found, str):
            raise TransportError("the venue does not say which heartbeat id it expects")
        return found


def _signed_headers(
    credentials: ApiCredentials, address: str, timestamp_s: int, body: str
) -> dict[str, str]:
    """Return the headers of a request with API credentials (HMAC over time, method, path, body)."""
    secret = credentials.secret.get_secret_value()
    key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    text = f"{timestamp_s}POST{_PATH}{body}".encode()
    signature = base64.urlsafe_b64encode(hmac.new(key, text, hashlib.sha256).digest())
    return {
        "Content-Type": "application/json",
        "POLY_ADDRESS": address,
        "POLY_API_KEY": credentials.key.get_secret_value(),
        "POLY_PASSPHRASE": credentials.passphrase.get_secret_value(),
        "POLY_SIGNATURE": signature.decode("ascii"),
        "POLY_TIMESTAMP": str(timestamp_s),
    }
