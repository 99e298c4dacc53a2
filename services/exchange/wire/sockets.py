"""The CLOB's two WebSocket channels, market and user.

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
from whaletrader.services.exchange.wire.books import book_of
from whaletrader.services.exchange.wire.hub import MarketSubscriber, Subscriber, UserSubscriber
from whaletrader.services.exchange.wire.venue import Venue, venue_of

CLOSE_POLICY = 1008
CLOSE_OVERRUN = 1013


async def market_channel(socket: WebSocket) -> None:
    venue = venue_of(socket)
    await socket.accept()
    subscriber = MarketSubscriber(venue.config.socket_backlog_frames_max)
    venue.hub.market_subscribers.add(subscriber)
    try:
        await _serve(socket, subscriber, lambda frame: _market_frame(venue, subscriber, frame))
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
    key = venue.keys.find(
        str(parts.get("apiKey")), str(parts.get("secret")), str(parts.get("passphrase"))
    )
    if key is None:
        await socket.close(CLOSE_POLICY, "invalid credentials")
        return
    subscriber = UserSubscriber(venue.config.socket_backlog_frames_max, key.address)
    if "markets" in first:
        subscriber.markets = _texts(first, "markets") or None
    venue.hub.user_subscribers.add(subscriber)
    try:
        await _serve(socket, subscriber, lambda frame: _user_frame(subscriber, frame))
    finally:
        venue.hub.user_subscribers.discard(subscriber)


async def _first_frame(socket: WebSocket) -> dict[str, Any]:
    """Return the login; pings before it are answered."""
    while True:
        text = await socket.receive_text()
        if text.upper() == "PING":
            await socket.send_text("PONG")
            continue
        return _decoded(text)


async def _serve(
    socket: WebSocket, subscriber: Subscriber, on_frame: Callable[[dict[str, Any]], None]
) -> None:
    """Read and write until the client leaves or falls behind."""
    writer = asyncio.create_task(_write(socket, subscriber))
    try:
        while True:
            text = await socket.receive_text()
            if text.upper() == "PING":
                subscriber.send(b"PONG")
            else:
                on_frame(_decoded(text))
    except WebSocketDisconnect:
        return
    finally:
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await writer


async def _write(socket: WebSocket, subscriber: Subscriber) -> None:
    while (frame := await subscriber.queue.get()) is not None:
        await socket.send_text(frame.decode())
    await socket.close(CLOSE_OVERRUN, "too slow")


def _market_frame(venue: Venue, subscriber: MarketSubscriber, frame: dict[str, Any]) -> None:
    tokens = _texts(frame, "assets_ids")
    if frame.get("operation") == "unsubscribe":
        subscriber.tokens -= tokens
        return
    if "custom_feature_enabled" in frame:
        subscriber.wants_news = frame["custom_feature_enabled"] is True
    fresh = tokens - subscriber.tokens
    subscriber.tokens |= tokens
    known = sorted(t for t in fresh if t in venue.exchange.state.market_of_token)
    if fresh or frame.get("type") == "market":
        subscriber.send([render.book_event(book_of(venue, token)) for token in known])


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
    except msgspec.DecodeError:
        return {}
    return frame if isinstance(frame, dict) else {}


def _texts(frame: dict[str, Any], name: str) -> set[str]:
    values = frame.get(name)
    return {v for v in values if isinstance(v, str)} if isinstance(values, list) else set()
