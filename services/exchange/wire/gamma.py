"""The catalogue as Gamma serves it: markets and events, by id, slug, token or page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import MICRO, Market
from whaletrader.services.exchange.wire.answers import WireError, is_whole, number, ok, read_json
from whaletrader.services.exchange.wire.gamma_rows import (
    event_row,
    events_of,
    market_id,
    market_row,
    stable_number,
    tag_row,
)
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import venue_of

Row = TypeVar("Row")

PAGE_ROWS_MAX = 100
OFFSET_MAX = 2_000


async def markets(request: Request) -> Response:
    venue = venue_of(request)
    rows, _ = _page(request, _chosen_markets(request))
    return ok([market_row(venue, market) for market in rows])


async def markets_keyset(request: Request) -> Response:
    venue = venue_of(request)
    rows, following = _page(request, _chosen_markets(request))
    return ok({"markets": [market_row(venue, m) for m in rows], **following})


async def market(request: Request) -> Response:
    wanted = request.path_params["market_id"]
    for found in venue_of(request).exchange.state.markets.values():
        if wanted in (market_id(found), found.condition_id):
            return ok(market_row(venue_of(request), found))
    raise WireError(404, "id not found")


async def market_by_slug(request: Request) -> Response:
    for found in venue_of(request).exchange.state.markets.values():
        if found.slug == request.path_params["slug"]:
            return ok(market_row(venue_of(request), found))
    raise WireError(404, "slug not found")


async def events(request: Request) -> Response:
    venue = venue_of(request)
    rows, _ = _page(request, _chosen_events(request))
    return ok([event_row(venue, slug) for slug in rows])


async def events_keyset(request: Request) -> Response:
    venue = venue_of(request)
    rows, following = _page(request, _chosen_events(request))
    return ok({"events": [event_row(venue, slug) for slug in rows], **following})


async def event(request: Request) -> Response:
    venue = venue_of(request)
    wanted = request.path_params["event_id"]
    for slug in events_of(venue):
        if wanted in (stable_number(slug), slug):
            return ok(event_row(venue, slug))
    raise WireError(404, "id not found")


async def market_tags(request: Request) -> Response:
    wanted = request.path_params["market_id"]
    for found in venue_of(request).exchange.state.markets.values():
        if wanted in (market_id(found), found.condition_id):
            return ok([tag_row(found.category)])
    raise WireError(404, "id not found")


async def event_tags(request: Request) -> Response:
    for slug, members in events_of(venue_of(request)).items():
        if request.path_params["event_id"] == stable_number(slug):
            return ok([tag_row(members[0].category)])
    raise WireError(404, "id not found")


async def information(request: Request) -> Response:
    """Answer the markets whose ids, slugs, conditions or tokens the body names."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise WireError(400, "invalid body")
    venue = venue_of(request)
    wanted = {str(item) for value in body.values() if isinstance(value, list) for item in value}
    rows = [
        market_row(venue, m)
        for m in venue.exchange.state.markets.values()
        if wanted & {market_id(m), m.slug, m.condition_id, *(t.token_id for t in m.tokens)}
    ]
    return ok(rows)


def asked(request: Request, name: str) -> set[str]:
    values = request.query_params.getlist(name) + request.query_params.getlist(f"{name}[]")
    return {part for value in values for part in value.split(",") if part}


def flag(request: Request, name: str) -> bool | None:
    text = request.query_params.get(name)
    return None if not text else text.lower() == "true"


def _chosen_markets(request: Request) -> list[Market]:
    venue = venue_of(request)
    wanted = {
        "condition_id": asked(request, "condition_ids"),
        "slug": asked(request, "slug"),
        "id": asked(request, "id"),
    }
    tokens = asked(request, "clob_token_ids") | asked(request, "position_ids")
    names = any(wanted.values()) or bool(tokens)
    rows = [
        m
        for m in venue.exchange.state.markets.values()
        if (not wanted["condition_id"] or m.condition_id in wanted["condition_id"])
        and (not tokens or tokens & {t.token_id for t in m.tokens})
        and (not wanted["slug"] or m.slug in wanted["slug"])
        and (not wanted["id"] or market_id(m) in wanted["id"])
        and _passes(request, [m], names=names)
    ]
    return _ordered(request, rows, lambda m: _market_key(request, m))


def _chosen_events(request: Request) -> list[str]:
    slugs, ids = asked(request, "slug"), asked(request, "id")
    grouped = events_of(venue_of(request))
    rows = [
        slug
        for slug, members in grouped.items()
        if (not slugs or slug in slugs)
        and (not ids or stable_number(slug) in ids)
        and _passes(request, members, names=bool(slugs or ids))
    ]
    return _ordered(request, rows, lambda slug: _market_key(request, grouped[slug][0]))


def _passes(request: Request, members: list[Market], *, names: bool) -> bool:
    """Whether markets pass the filters that events share; `closed` is false unless said or named.

    What is asked for by name is found whether closed or not when `closed` is not said.
    """
    closed = flag(request, "closed")
    is_closed = all(m.winning_index is not None for m in members)
    if closed is not None and closed != is_closed:
        return False
    if closed is None and is_closed and not names:
        return False
    if flag(request, "active") is False or flag(request, "archived") is True:
        return False
    tags = asked(request, "tag_id") | asked(request, "tag_slug")
    marks = {value for m in members for value in (tag_row(m.category)["id"], m.category)}
    if tags and not tags & marks:
        return False
    volume = sum(m.volume_micro for m in members) / MICRO
    if not _between(request, "volume_num", volume) or not _between(request, "volume", volume):
        return False
    end = iso(max(m.end_ns for m in members))
    earliest, latest = (request.query_params.get(f"end_date_{name}") for name in ("min", "max"))
    return (not earliest or end >= earliest) and (not latest or end <= latest)


def _between(request: Request, name: str, value: float) -> bool:
    for suffix, sign in (("min", 1), ("max", -1)):
        text = request.query_params.get(f"{name}_{suffix}")
        if text:
            try:
                limit = float(text)
            except ValueError as error:
                raise WireError(422, f"invalid {name}_{suffix}") from error
            if sign * value < sign * limit:
                return False
    return True


def _market_key(request: Request, market: Market) -> Any:
    keys: dict[str, Any] = {
        "id": int(market_id(market)),
        "volumeNum": market.volume_micro,
        "volume": market.volume_micro,
        "volume24hr": market.volume_micro,
        "liquidityNum": 0,
        "liquidity": 0,
        "startDate": market.listed_ns,
        "createdAt": market.listed_ns,
        "endDate": market.end_ns,
    }
    order = request.query_params.get("order", "").split(",")[0]
    if order not in keys:
        raise WireError(422, "order fields are not valid")
    return keys[order]


def _ordered(request: Request, rows: list[Row], key: Callable[[Row], Any]) -> list[Row]:
    if not request.query_params.get("order"):
        return rows
    is_ascending = flag(request, "ascending")
    return sorted(rows, key=key, reverse=is_ascending is False)


def _page(request: Request, rows: list[Row]) -> tuple[list[Row], dict[str, str]]:
    limit = min(number(request, "limit", 20), PAGE_ROWS_MAX)
    cursor = request.query_params.get("after_cursor")
    if cursor is not None and not is_whole(cursor):
        raise WireError(400, "invalid after_cursor")
    offset = int(cursor) if cursor else number(request, "offset", 0)
    if offset > OFFSET_MAX and cursor is None:
        raise WireError(422, f"offset must be at most {OFFSET_MAX}; use the keyset form")
    end = offset + limit
    # On the last page the key is absent: clients loop on null and on "".
    following = {"next_cursor": str(end)} if end < len(rows) else {}
    return rows[offset:end], following
