"""The application: which path leads to which handler, on one port for all the venue's hosts.

The CLOB stands at the root, its streams under `/ws`, Gamma under `/gamma`, the Data API under
`/data-api`, the relayer's one read under `/relayer`, the operator's calls under `/admin`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.wire import (
    account,
    admin,
    books,
    catalogue,
    data_api,
    gamma,
    orders,
    sockets,
)
from whaletrader.services.exchange.wire.answers import WireError, ok, on_wire_error
from whaletrader.services.exchange.wire.credentials import ApiKeys
from whaletrader.services.exchange.wire.hub import Hub
from whaletrader.services.exchange.wire.venue import Venue, WallClock, venue_of

# How often stopped heartbeats are looked for and, without a tape, time is let pass.
TICK_S = 1.0

Handler = Callable[[Request], Awaitable[Response]]


def build(config: ExchangeConfig, wall_ns: WallClock = time.time_ns) -> Starlette:
    """Return the application; `app.state.venue` is the running exchange."""
    venue = Venue(
        config=config,
        wall_ns=wall_ns,
        exchange=Exchange(config.engine_settings()),
        keys=ApiKeys(config.credential_seed.get_secret_value()),
        hub=Hub(
            lambda token_id: books.book_of(venue, token_id),
            reason_in_status=config.cancel_reason_in_status,
        ),
    )
    app = Starlette(
        routes=_routes(),
        exception_handlers={WireError: on_wire_error, 404: _not_found},
        lifespan=_lifespan,
    )
    app.add_middleware(BodyLimit, bytes_max=config.body_bytes_max)
    if config.lists_defaults:
        for market in catalogue.default_markets(wall_ns(), config.generation):
            venue.exchange.list_market(market)
        venue.publish()
    app.state.venue = venue
    return app


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
    ticker = asyncio.create_task(_tick(app.state.venue))
    try:
        yield
    finally:
        ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticker


async def _tick(venue: Venue) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        account.expire_heartbeats(venue)
        if venue.config.mode != "tape":
            venue.exchange.advance(venue.now_ns)
            venue.publish()


async def _not_found(_: Request, __: Exception) -> Response:
    return ok({"error": "not found"}, 404)


async def _ready(request: Request) -> Response:
    return ok({"status": "ready", "boot_id": venue_of(request).boot_id})


async def _geoblock(request: Request) -> Response:
    config = venue_of(request).config
    caller = request.client.host if request.client else ""
    return ok(
        {
            "blocked": config.geoblock_blocked,
            "ip": caller,
            "country": config.geoblock_country,
            "region": "",
        }
    )


async def _deployed(_: Request) -> Response:
    # Contract wallets need no deployment here: signatures are checked without a chain.
    return ok({"deployed": True})


async def _builder_fees(_: Request) -> Response:
    return ok({"builder_maker_fee_rate_bps": 0, "builder_taker_fee_rate_bps": 0})


def _routes() -> list[Route | WebSocketRoute | Mount]:
    return [
        *_get(
            {
                "/": books.alive,
                "/ok": books.alive,
                "/livez": books.alive,
                "/readyz": _ready,
                "/time": books.server_time,
                "/version": books.version,
                "/book": books.book,
                "/midpoint": books.midpoint,
                "/price": books.price,
                "/spread": books.spread,
                "/last-trade-price": books.last_trade_price,
                "/tick-size": books.tick_size,
                "/tick-size/{token_id}": books.tick_size,
                "/neg-risk": books.neg_risk,
                "/neg-risk/{token_id}": books.neg_risk,
                "/fee-rate": books.fee_rate,
                "/fee-rate/{token_id}": books.fee_rate,
                "/markets-by-token/{token_id}": books.market_by_token,
                "/clob-markets/{condition_id}": books.clob_market,
                "/markets": books.markets,
                "/sampling-markets": books.markets,
                "/simplified-markets": books.simplified_markets,
                "/sampling-simplified-markets": books.simplified_markets,
                "/markets/{condition_id}": books.full_market,
                "/fees/builder-fees/{code}": _builder_fees,
                "/api/geoblock": _geoblock,
            }
        ),
        *_post(
            {
                "/books": books.books,
                "/midpoints": books.midpoints,
                "/prices": books.prices,
                "/spreads": books.spreads,
                "/last-trades-prices": books.last_trades_prices,
            }
        ),
        *_account_routes(),
        WebSocketRoute("/ws/market", sockets.market_channel),
        WebSocketRoute("/ws/user", sockets.user_channel),
        Mount("/gamma", routes=_gamma_routes()),
        Mount("/data-api", routes=_data_routes()),
        Mount("/relayer", routes=_get({"/deployed": _deployed})),
        Mount("/admin", routes=_admin_routes()),
    ]


def _admin_routes() -> list[Route]:
    return [
        *_get({"/state": admin.state}),
        *_post(
            {
                "/accounts": admin.make_account,
                "/markets": admin.upsert_markets,
                "/tape": admin.play_tape,
            }
        ),
    ]


def _account_routes() -> list[Route]:
    return [
        *_get(
            {
                "/auth/derive-api-key": account.derive_api_key,
                "/auth/api-keys": account.api_keys,
                "/auth/ban-status/closed-only": account.closed_only,
                "/data/order/{order_id}": account.order,
                "/data/orders": account.open_orders,
                "/data/trades": account.trades,
                "/balance-allowance": account.balance_allowance,
                "/balance-allowance/update": account.balance_allowance,
                "/notifications": account.notifications,
                "/order-scoring": account.order_scoring,
            }
        ),
        *_post(
            {
                "/auth/api-key": account.create_api_key,
                "/order": orders.post_order,
                "/orders": orders.post_orders,
                "/orders-scoring": account.orders_scoring,
                "/v1/heartbeats": account.heartbeat,
                "/heartbeats": account.heartbeat,
            }
        ),
        *_delete(
            {
                "/auth/api-key": account.delete_api_key,
                "/order": orders.delete_order,
                "/orders": orders.delete_orders,
                "/cancel-all": orders.cancel_all,
                "/cancel-market-orders": orders.cancel_market_orders,
                "/notifications": account.drop_notifications,
            }
        ),
    ]


def _gamma_routes() -> list[Route]:
    return _get(
        {
            "/markets": gamma.markets,
            "/markets/keyset": gamma.markets_keyset,
            "/markets/slug/{slug}": gamma.market_by_slug,
            "/markets/{market_id}": gamma.market,
            "/events": gamma.events,
            "/events/keyset": gamma.events_keyset,
            "/events/slug/{event_id}": gamma.event,
            "/events/{event_id}": gamma.event,
        }
    )


def _data_routes() -> list[Route]:
    return _get(
        {
            "/v2/trades": data_api.trades,
            "/v2/activity": data_api.activity,
            "/v2/positions": data_api.positions,
            "/trades": data_api.trades_v1,
            "/activity": data_api.activity_v1,
            "/positions": data_api.positions_v1,
            "/value": data_api.value_v1,
        }
    )


def _get(table: dict[str, Handler]) -> list[Route]:
    return [Route(path, handler, methods=["GET"]) for path, handler in table.items()]


def _post(table: dict[str, Handler]) -> list[Route]:
    return [Route(path, handler, methods=["POST"]) for path, handler in table.items()]


def _delete(table: dict[str, Handler]) -> list[Route]:
    return [Route(path, handler, methods=["DELETE"]) for path, handler in table.items()]
