"""The application: the parts of a venue put together, and what happens by itself as time passes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.weather.limits import RateLimits
from whaletrader.services.exchange.weather.sky import Sky
from whaletrader.services.exchange.wire import books, life
from whaletrader.services.exchange.wire.answers import WireError, ok, on_trouble, on_wire_error
from whaletrader.services.exchange.wire.credentials import ApiKeys
from whaletrader.services.exchange.wire.frame_weather import FrameWeather
from whaletrader.services.exchange.wire.hub import Hub, HubOptions
from whaletrader.services.exchange.wire.polybolt import PriceFeed
from whaletrader.services.exchange.wire.routes import routes
from whaletrader.services.exchange.wire.rtds import LiveFeed
from whaletrader.services.exchange.wire.spot import Spot
from whaletrader.services.exchange.wire.storm import Storm
from whaletrader.services.exchange.wire.venue import Venue, WallClock

NS = 1_000_000_000


def build(config: ExchangeConfig, wall_ns: WallClock = time.time_ns) -> Starlette:
    """Return the application; `app.state.venue` is the running exchange."""
    venue = new_venue(config, wall_ns)
    life.begin(venue)
    app = Starlette(
        routes=routes(),
        exception_handlers={
            WireError: on_wire_error,
            404: _not_found,
            405: _not_found,
            500: on_trouble,
        },
        lifespan=_lifespan,
    )
    # A redirect would be no JSON, and clients that sign a path do not follow it.
    app.router.redirect_slashes = False
    app.add_middleware(Storm, venue=venue)
    app.add_middleware(BodyLimit, bytes_max=config.body_bytes_max)
    app.state.venue = venue
    return app


def new_venue(config: ExchangeConfig, wall_ns: WallClock) -> Venue:
    """Return a venue with nothing in it."""
    sky = Sky(config.seed)
    frames = FrameWeather(sky, wall_ns)
    options = HubOptions(config.cancel_reason_in_status, config.market_keepalive_s * NS)
    venue = Venue(
        config=config,
        wall_ns=wall_ns,
        exchange=Exchange(config.engine_settings()),
        keys=ApiKeys(config.credential_seed.get_secret_value()),
        hub=Hub(lambda token_id: books.book_of(venue, token_id), frames, options),
        sky=sky,
        frames=frames,
        live=LiveFeed(),
        prices=PriceFeed(),
        spot=Spot(config.seed),
        limits=RateLimits(config.rate_tier) if config.rate_limits else None,
    )
    return venue


class BodyLimit:
    """Refuses bodies that are announced as larger than the limit, before reading them."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"content-length" and int(value) > self._bytes_max:
                    await ok({"error": "Payload Too Large"}, 413)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    venue: Venue = app.state.venue
    tasks = [asyncio.create_task(task) for task in life.tasks(venue)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        life.end(venue)


async def _not_found(_: Request, __: Exception) -> Response:
    return ok({"error": "not found"}, 404)
