"""Requests on their way in and answers on their way out: slow, refused, lost, or too many.

A plain ASGI layer around the application. The operator's own calls and the health pages are never
struck. Without rules and limits a request passes with two comparisons.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whaletrader.services.exchange.engine.model import NS
from whaletrader.services.exchange.weather.rules import REQUEST_EFFECTS, Effect
from whaletrader.services.exchange.weather.sky import Occasion, Strike
from whaletrader.services.exchange.wire.answers import BAD_JSON, ok
from whaletrader.services.exchange.wire.orders import TOO_MANY
from whaletrader.services.exchange.wire.venue import Venue

EXEMPT: Final = ("/admin", "/livez", "/readyz")
RESTARTING = "matching engine is restarting, please retry later"
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
CANCEL_ONLY = (
    "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
)
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
ERROR_TEXTS: Final = {
    500: "could not insert order",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Storm:
    """Wraps the application of one venue."""

    def __init__(self, app: ASGIApp, venue: Venue) -> None:
        self._app = app
        self._venue = venue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        venue = self._venue
        is_calm = venue.limits is None and not REQUEST_EFFECTS & venue.sky.effects
        if is_calm or scope["type"] != "http" or scope["path"].startswith(EXEMPT):
            await self._app(scope, receive, send)
            return
        endpoint = f"{scope['method']} {scope['path']}"
        if venue.limits is not None:
            caller = scope["client"][0] if scope.get("client") else ""
            wait_ns = venue.limits.request(caller, endpoint, venue.wall_ns())
            if wait_ns:
                await too_many(wait_ns)(scope, receive, send)
                return
        body = await _body(receive)
        occasion = Occasion(
            now_ns=venue.wall_ns(),
            endpoint=endpoint,
            account=_header(scope, b"poly_address").lower(),
            markets=_markets(venue, scope, body),
            what=endpoint,
        )
        strikes = venue.sky.strikes(REQUEST_EFFECTS, occasion)
        again = _Again(body, receive)
        await self._through(strikes, body, (scope, again.receive, send))

    async def _through(
        self, strikes: list[Strike], body: bytes, asked: tuple[Scope, Receive, Send]
    ) -> None:
        scope, receive, send = asked
        for strike in strikes:
            if strike.rule.effect is Effect.LATENCY:
                await asyncio.sleep(strike.jittered_ms / 1_000)
        for strike in strikes:
            refusal = _refusal(strike, scope, body)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            if strike.rule.effect is Effect.TIMEOUT_BEFORE:
                await _hold(strike.rule.hold_ms, receive)
                await _cut(send)
                return
        after = next(
            (s for s in strikes if s.rule.effect in (Effect.ERROR_AFTER, Effect.TIMEOUT_AFTER)),
            None,
        )
        if after is None:
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _swallow)
        if after.rule.effect is Effect.ERROR_AFTER:
            await _error(after)(scope, receive, send)
        else:
            await _hold(after.rule.hold_ms, receive)
            await _cut(send)


def _refusal(strike: Strike, scope: Scope, body: bytes) -> Response | None:
    """Return the answer that takes the place of the application's, if any."""
    match strike.rule.effect:
        case Effect.ERROR:
            return _error(strike)
        case Effect.RATE_LIMIT:
            return too_many(strike.rule.retry_after_s * NS)
        case Effect.DISABLED:
            return ok({"error": DISABLED}, 503)
        case Effect.CANCEL_ONLY:
            return ok({"error": CANCEL_ONLY}, 503)
        case Effect.RESTART if not strike.is_after_restart:
            return ok({"error": RESTARTING}, 425)
        case Effect.RESTART | Effect.POST_ONLY:
            if scope["path"] in ("/order", "/orders") and scope["method"] == "POST":
                return _post_only(strike, body)
    return None


class _Again:
    """Hands a body that was read out once more; afterwards the connection's own messages."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body = body
        self._receive = receive
        self._is_read = False

    async def receive(self) -> Message:
        if self._is_read:
            return await self._receive()
        self._is_read = True
        return {"type": "http.request", "body": self._body, "more_body": False}


def too_many(wait_ns: int, headers: dict[str, str] | None = None) -> Response:
    """Refuse with 429 and say when to come back."""
    seconds = max(1, -(-wait_ns // NS))
    answer = ok({"error": TOO_MANY}, 429)
    answer.headers["Retry-After"] = str(seconds)
    answer.headers["Poly-RateLimit-Remaining"] = "0"
    answer.headers["Poly-RateLimit-Reset"] = str(seconds)
    for name, value in (headers or {}).items():
        answer.headers[name] = value
    return answer


def _error(strike: Strike) -> Response:
    rule = strike.rule
    return ok({"error": rule.text or ERROR_TEXTS.get(rule.status, "Error")}, rule.status)


def _post_only(strike: Strike, body: bytes) -> Response | None:
    """Refuse unless every order in the body is post-only."""
    try:
        sent = msgspec.json.decode(body)
    except BAD_JSON:
        return None
    orders = sent if isinstance(sent, list) else [sent]
    if all(isinstance(order, dict) and order.get("postOnly") is True for order in orders):
        return None
    lasts_ms = strike.rule.lasts_ms
    left_s = 1 if lasts_ms is None else max(1, -(-(lasts_ms - strike.elapsed_ms) // 1_000))
    extra = {"code": "post_only_mode", "retry_after_seconds": left_s}
    answer = ok({"error": POST_ONLY, **extra}, 503)
    answer.headers["Retry-After"] = str(left_s)
    return answer


async def _hold(hold_ms: int, receive: Receive) -> None:
    """Say nothing until the time is over or the client has left."""
    leaving = asyncio.create_task(_left(receive))
    await asyncio.wait({leaving}, timeout=hold_ms / 1_000)
    leaving.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(send: Send) -> None:
    """Break the connection off: an answer that is announced and never comes."""
    headers = [(b"content-length", b"1"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 504, "headers": headers})


async def _swallow(_: Message) -> None:
    return None


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _header(scope: Scope, name: bytes) -> str:
    found: bytes = next((value for key, value in scope["headers"] if key == name), b"")
    return found.decode("latin-1")


def _markets(venue: Venue, scope: Scope, body: bytes) -> frozenset[str]:
    """Return the markets that a request names, by token or condition, in query, path or body."""
    named = set(scope["query_string"].decode("latin-1").replace("=", "&").split("&"))
    named.update(scope["path"].split("/"))
    with contextlib.suppress(*BAD_JSON):
        _texts(msgspec.json.decode(body), named)
    state = venue.exchange.state
    tokens = named & state.market_of_token.keys()
    found = {state.market_of_token[name].condition_id for name in tokens}
    found |= named & state.markets.keys()
    for name in named & state.orders.keys():
        found.add(state.orders[name].market.condition_id)
    return frozenset(found)


def _texts(value: Any, found: set[str]) -> None:
    if isinstance(value, str):
        found.add(value)
    elif isinstance(value, list):
        for item in value:
            _texts(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _texts(item, found)
