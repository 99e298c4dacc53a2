"""Reads of the book's host that belong to no other group: alive, geography, one market's life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.wire.answers import WireError, ok
from whaletrader.services.exchange.wire.venue import venue_of

Handler = Callable[[Request], Awaitable[Response]]


async def alive(_: Request) -> Response:
    return ok("OK")


async def ready(request: Request) -> Response:
    return ok({"status": "ready", "boot_id": venue_of(request).boot_id})


async def geoblock(request: Request) -> Response:
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


async def live_activity(request: Request) -> Response:
    """Answer the little that this read shows of a market."""
    found = venue_of(request).exchange.state.markets.get(request.path_params["condition_id"])
    if found is None:
        raise WireError(404, "market not found")
    return ok(
        {
            "condition_id": found.condition_id,
            "id": found.condition_id,
            "question": found.question,
            "market_slug": found.slug,
            "event_slug": found.event_slug,
            "series_slug": "",
            "icon": "",
            "image": "",
            "tags": [found.category],
        }
    )


def by_get(read: Handler) -> Handler:
    """Return a batch read by GET: refused as on the live host, unless what is asked is a body."""

    async def answer(request: Request) -> Response:
        if not await request.body():
            raise WireError(400, "Invalid payload")
        return await read(request)

    return answer
