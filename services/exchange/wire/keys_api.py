"""The life of API keys: trading, read-only and builder ones."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import NS
from whaletrader.services.exchange.wire.answers import WireError, ok, read_json
from whaletrader.services.exchange.wire.credentials import (
    BUILDER,
    READ_ONLY,
    SignedRequest,
    check_builder,
)
from whaletrader.services.exchange.wire.venue import authorized, logged_in, venue_of


async def create(request: Request) -> Response:
    return ok(venue_of(request).keys.create(*logged_in(request)).answer())


async def derive(request: Request) -> Response:
    return ok(venue_of(request).keys.derive(*logged_in(request)).answer())


async def trading_keys(request: Request) -> Response:
    key = await authorized(request)
    return ok({"apiKeys": venue_of(request).keys.of(key.address)})


async def delete(request: Request) -> Response:
    venue_of(request).keys.delete(await authorized(request))
    return ok("OK")


async def create_read_only(request: Request) -> Response:
    key = await authorized(request)
    return ok(venue_of(request).keys.add(key.address, READ_ONLY).answer())


async def read_only_keys(request: Request) -> Response:
    key = await authorized(request)
    return ok(venue_of(request).keys.of(key.address, READ_ONLY))


async def delete_read_only(request: Request) -> Response:
    key = await authorized(request)
    body = await read_json(request)
    keys = venue_of(request).keys
    named = keys.find_by_id(str(body.get("key")) if isinstance(body, dict) else "")
    if named is None or named.address != key.address or named.kind != READ_ONLY:
        raise WireError(404, "api key not found")
    keys.delete(named)
    return ok("OK")


async def validate_read_only(request: Request) -> Response:
    """Say publicly whether a read-only key belongs to an address."""
    query = request.query_params
    named = venue_of(request).keys.find_by_id(query.get("key", ""))
    if named is None or named.kind != READ_ONLY:
        raise WireError(404, "api key not found")
    if named.address != query.get("address", "").lower():
        raise WireError(401, "Unauthorized/Invalid api key")
    return ok("OK")


async def create_builder(request: Request) -> Response:
    key = await authorized(request)
    made = venue_of(request).keys.add(key.address, BUILDER)
    return ok({"key": made.key, "secret": made.secret, "passphrase": made.passphrase})


async def builder_keys(request: Request) -> Response:
    key = await authorized(request)
    return ok([{"key": name} for name in venue_of(request).keys.of(key.address, BUILDER)])


async def revoke_builder(request: Request) -> Response:
    """Revoke the builder key that signed, or, of an ordinary login, every one of its address."""
    venue = venue_of(request)
    if "poly_builder_api_key" in request.headers:
        signed = SignedRequest(
            request.headers, request.method, request.url.path, await request.body()
        )
        now_s = venue.wall_ns() // NS
        venue.keys.delete(check_builder(venue.keys, signed, now_s, venue.config.auth_skew_s_max))
        return ok("OK")
    key = await authorized(request)
    for name in venue.keys.of(key.address, BUILDER):
        found = venue.keys.find_by_id(name)
        if found is not None:
            venue.keys.delete(found)
    return ok("OK")


async def closed_only(request: Request) -> Response:
    venue = venue_of(request)
    await authorized(request)
    return ok({"closed_only": venue.config.closed_only})
