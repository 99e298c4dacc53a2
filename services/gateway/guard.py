"""Who may talk to the gateway: the first thing that every request and socket meets.

- Host must be a name that we were given: a foreign name that resolves to this machine (DNS
  rebinding) is refused. Where others may reach us, addresses are fine: nobody can rebind those.
- Origin must be the page that we served ourselves, for sockets and for everything that writes.
- The bearer token, where one is set, on everything but the page itself and the health probes.
- Bodies are small.

No CORS header is ever sent, so other pages can read nothing.
"""

import base64
import binascii
import hmac
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whaletrader.services.gateway.config import GatewaySettings

BODY_BYTES_MAX: Final = 16_384
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A browser cannot set headers on a socket: the token comes as a second subprotocol.
SUBPROTOCOL: Final = "whaletrader.v1"
TOKEN_SUBPROTOCOL: Final = "token."
# What is told to anyone: the page without data, and the probes.
GUARDED: Final = ("/api/", "/ws", "/metrics")

_SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY_VIOLATION: Final = 1008


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    code: str
    message: str


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings) -> None:
        self._app = app
        self._hosts = settings.hosts
        self._is_local = settings.is_local
        self._token = settings.token.get_secret_value()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await _refuse_socket(refusal, receive, send)
            return
        if refusal is not None:
            await _answer(refusal, _with_security(send))
            return
        await self._app(scope, _Bounded(receive), _with_security(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if not self._is_our_name(host):
            return Refusal(421, "unknown_host", f"this server is not called {host[:100]!r}")
        is_socket = scope["type"] == "websocket"
        if (is_socket or scope["method"] not in SAFE_METHODS) and not _is_our_page(headers, host):
            return Refusal(403, "cross_origin", "only this server's own page may do that")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            return Refusal(413, "too_large", f"a body has at most {BODY_BYTES_MAX} bytes")
        if scope["path"].startswith(GUARDED) and not self._is_known(headers):
            return Refusal(401, "token_needed", "show the bearer token")
        return None

    def _is_our_name(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name.lower() in self._hosts:
            return True
        if self._is_local:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_known(self, headers: Headers) -> bool:
        if not self._token:
            return True
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            shown = _token_of_socket(headers)
        return hmac.compare_digest(shown.strip().encode(), self._token.encode())


def _token_of_socket(headers: Headers) -> str:
    for name in headers.get("sec-websocket-protocol", "").split(","):
        if name.strip().startswith(TOKEN_SUBPROTOCOL):
            raw = name.strip().removeprefix(TOKEN_SUBPROTOCOL)
            try:
                return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode()
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""


def _is_our_page(headers: Headers, host: str) -> bool:
    """Say whether the request comes from our own page, or from no page at all (curl, a script).

    Browsers send Origin with every write and every socket, and Sec-Fetch-Site on top.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


class _Bounded:
    """Receives the body; ends it as a disconnect once it is larger than it may be."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = BODY_BYTES_MAX

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return message


def _with_security(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending


async def _answer(refusal: Refusal, send: Send) -> None:
    body = json.dumps({"error": {"code": refusal.code, "message": refusal.message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="whaletrader"'))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse_socket(refusal: Refusal, receive: Receive, send: Send) -> None:
    """Close before accepting, which the browser sees as a failed handshake (403)."""
    await receive()
    await send(
        {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": refusal.message[:100]}
    )
