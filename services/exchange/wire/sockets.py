"""The CLOB's two WebSocket channels, market and user, and the loop that all channels share.

A text `PING` is answered with `PONG`; protocol pings are answered by the server library. A client
that does not read its frames is closed, never skipped over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from whaletrader.services.exchange.wire import render
from whaletrader.services.exchange.wire.answers import BAD_JSON
from whaletrader.services.exchange.wire.books import book_of
from whaletrader.services.exchange.wire.frame_weather import About
from whaletrader.services.exchange.wire.subscribers import (
    Close,
    MarketSubscriber,
    Subscriber,
    UserSubscriber,
)
from whaletrader.services.exchange.wire.venue import Venue, venue_of

CLOSE_POLICY = 1008
# Beyond this many tokens a connection gets no first books, as on the live host.
FIRST_BOOKS_MAX = 500


async def market_channel(socket: WebSocket) -> None:
    venue = venue_of(socket)
    await socket.accept()
    subscriber = MarketSubscriber(venue.config.socket_backlog_frames_max)
    venue.hub.market_subscribers.add(subscriber)
    try:
        await serve(
            venue, socket, subscriber, lambda text: _market_frame(venue, subscriber, _decoded(text))
        )
    finally:
        venue.hub.market_subscribers.discard(subscriber)


async def user_channel(socket: WebSocket) -> None:
    venue = venue_of(socket)
    await socket.accept()
    try:
        first = await _first_frame(socket)
    except WebSocketDisconnect:
        return
    auth = first.get("auth")
    parts = auth if isinstance(auth, dict) else {}
    names = ("apiKey", "secret", "passphrase")
    key = venue.keys.find(*(str(parts.get(name)) for name in names))
    if key is None:
        await socket.close(CLOSE_POLICY, "invalid credentials")
        return
    subscriber = UserSubscriber(venue.config.socket_backlog_frames_max, key.address)
    if "markets" in first:
        subscriber.markets = {market.lower() for market in _texts(first, "markets")} or None
    venue.hub.user_subscribers.add(subscriber)
    try:
        await serve(venue, socket, subscriber, lambda text: _user_frame(subscriber, _decoded(text)))
    finally:
        venue.hub.user_subscribers.discard(subscriber)


async def sports_channel(socket: WebSocket) -> None:
    """Accept and stay quiet: nothing is played here."""
    await socket.accept()
    subscriber = Subscriber(1)
    subscriber.channel = "sports"
    await serve(venue_of(socket), socket, subscriber, lambda _: None)


async def serve(
    venue: Venue, socket: WebSocket, subscriber: Subscriber, on_text: Callable[[str], None]
) -> None:
    """Read and write until the client leaves, falls behind or is dropped."""
    venue.sockets.add(subscriber)
    writer = asyncio.create_task(_write(socket, subscriber))
    try:
        while True:
            text = await _receive(socket)
            if text.upper() != "PING":
                on_text(text)
            elif subscriber.answers_ping:
                venue.frames.pong(subscriber)
    except (WebSocketDisconnect, RuntimeError):
        # Left, or closed from here meanwhile.
        return
    finally:
        venue.sockets.discard(subscriber)
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await writer


async def _receive(socket: WebSocket) -> str:
    """Return the next frame's text; some clients send it as a binary frame."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
    text: str | None = message.get("text")
    if text is not None:
        return text
    raw: bytes = message["bytes"]
    return raw.decode(errors="replace")


async def _first_frame(socket: WebSocket) -> dict[str, Any]:
    """Return the login; pings before it are answered."""
    while True:
        text = await _receive(socket)
        if text.upper() == "PING":
            await socket.send_text("PONG")
            continue
        return _decoded(text)


async def _write(socket: WebSocket, subscriber: Subscriber) -> None:
    while not isinstance(frame := await subscriber.queue.get(), Close):
        await socket.send_text(frame.decode())
    await socket.close(frame.code, frame.reason)


def _market_frame(venue: Venue, subscriber: MarketSubscriber, frame: dict[str, Any]) -> None:
    tokens = _texts(frame, "assets_ids")
    if frame.get("operation") == "unsubscribe":
        subscriber.tokens -= tokens
        return
    if "custom_feature_enabled" in frame:
        subscriber.wants_news = frame["custom_feature_enabled"] is True
    fresh = tokens - subscriber.tokens
    subscriber.tokens |= tokens
    if not fresh and frame.get("type") != "market":
        return
    known = sorted(t for t in fresh if t in venue.exchange.state.market_of_token)
    if len(subscriber.tokens) > FIRST_BOOKS_MAX:
        known = []
    books = [render.book_event(book_of(venue, token)) for token in known]
    venue.frames.deliver(subscriber, books, About(what="first books"))


def _user_frame(subscriber: UserSubscriber, frame: dict[str, Any]) -> None:
    markets = {market.lower() for market in _texts(frame, "markets")}
    if frame.get("operation") == "subscribe" and subscriber.markets is not None:
        subscriber.markets |= markets
    elif frame.get("operation") == "unsubscribe" and subscriber.markets is not None:
        subscriber.markets -= markets


def _decoded(text: str) -> dict[str, Any]:
    """Return a frame as an object; what is none counts as an empty one, as on the live host."""
    try:
        frame = msgspec.json.decode(text)
    except BAD_JSON:
        return {}
    return frame if isinstance(frame, dict) else {}


def _texts(frame: dict[str, Any], name: str) -> set[str]:
    values = frame.get(name)
    return {v for v in values if isinstance(v, str)} if isinstance(values, list) else set()
