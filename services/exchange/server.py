"""Runs the application on its own socket, bound first so that the port is known before use."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn

from whaletrader.runtime import clock
from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.wire.app import build
from whaletrader.services.exchange.wire.venue import Venue, WallClock

BACKLOG_CONNECTIONS = 512
STOP_S_MAX = 5
PING_S = 20.0
# Clients keep idle connections for about five seconds, as uvicorn does by default: a request that
# leaves while the server closes is lost. The server is to be the one that waits longer.
KEEP_ALIVE_S = 75
_WALL = clock.WallClock()


def bind(config: ExchangeConfig) -> tuple[socket.socket, str]:
    """Return a listening socket and its URL; port 0 picks a free one."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named; with it, each answer to a
    # kept-alive client waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG_CONNECTIONS)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    return listener, f"http://{shown}:{port}"


def server(config: ExchangeConfig, wall_ns: WallClock = _WALL.now_ns) -> uvicorn.Server:
    """Return a server that is not yet running."""
    settings = uvicorn.Config(
        build(config, wall_ns),
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_ping_interval=PING_S,
        # Some clients never answer a ping (the RTDS one of TypeScript); the venue keeps them.
        ws_ping_timeout=None,
        timeout_graceful_shutdown=STOP_S_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return uvicorn.Server(settings)


@contextlib.asynccontextmanager
async def running(
    config: ExchangeConfig, wall_ns: WallClock = _WALL.now_ns
) -> AsyncIterator[tuple[str, Venue]]:
    """Serve within this event loop; yield the URL and the exchange behind it."""
    listener, url = bind(config)
    serving = server(config, wall_ns)
    app = serving.config.app
    venue: Venue = app.state.venue  # type: ignore[union-attr]
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    try:
        while not serving.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield url, venue
    finally:
        serving.should_exit = True
        await task
        listener.close()
