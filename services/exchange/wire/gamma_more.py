"""Gamma beside markets and events: tags, search, profiles; sports and comments stay empty."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.wire.answers import WireError, number, ok
from whaletrader.services.exchange.wire.gamma_rows import event_row, events_of, tag_row
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, venue_of

SEARCH_ROWS = 5
COMMENT_PARENTS = ("Event", "Series", "PerpsAsset")


async def tags(request: Request) -> Response:
    rows = _tags(venue_of(request))
    offset, limit = number(request, "offset", 0), number(request, "limit", 100)
    return ok(rows[offset : offset + limit])


async def tag(request: Request) -> Response:
    """Answer a tag by its id or slug."""
    wanted = request.path_params["tag_id"]
    for row in _tags(venue_of(request)):
        if wanted in (row["id"], row["slug"]):
            return ok(row)
    raise WireError(404, "tag not found")


async def nothing(_: Request) -> Response:
    """Answer an empty list: teams, series and sports are not played here."""
    return ok([])


async def sports_market_types(_: Request) -> Response:
    return ok({"marketTypes": []})


async def missing(_: Request) -> Response:
    raise WireError(404, "not found")


async def comments(request: Request) -> Response:
    """Answer no comments, once the query names what they would be about."""
    query = request.query_params
    parent_type = query.get("parent_entity_type")
    if parent_type not in COMMENT_PARENTS or not query.get("parent_entity_id"):
        raise WireError(422, "parent_entity_type and parent_entity_id are required")
    return ok([])


async def comments_by_id(_: Request) -> Response:
    """Answer no thread: nobody comments here."""
    return ok([])


async def related_tags(request: Request) -> Response:
    """Answer that a tag is related to no other; 404 for one that is not there."""
    await tag(request)
    return ok([])


async def comments_keyset(request: Request) -> Response:
    await comments(request)
    return ok({"comments": []})


async def search(request: Request) -> Response:
    """Answer events whose title, slug or markets hold all words of the query."""
    venue = venue_of(request)
    words = request.query_params.get("q", "").lower().split()
    if not words:
        raise WireError(422, "q is required")
    found = [slug for slug in events_of(venue) if _holds(venue, slug, words)]
    limit = number(request, "limit_per_type", SEARCH_ROWS)
    start = (max(1, number(request, "page", 1)) - 1) * limit
    rows = [event_row(venue, slug) for slug in found[start : start + limit]]
    marks = [row for row in _tags(venue) if any(word in row["slug"] for word in words)]
    pagination = {"hasMore": start + limit < len(found), "totalResults": len(found)}
    return ok({"events": rows, "tags": marks, "profiles": [], "pagination": pagination})


async def profile(request: Request) -> Response:
    """Answer the public profile of an address that has an account here."""
    venue = venue_of(request)
    address = request.query_params.get("address", "").lower()
    if not address:
        raise WireError(422, "address is required")
    if venue.exchange.state.ledger.find(address) is None:
        raise WireError(404, "profile not found")
    return ok(
        {
            "createdAt": iso(venue.wall_ns()),
            "proxyWallet": address,
            "profileImage": "",
            "displayUsernamePublic": False,
            "bio": "",
            "pseudonym": "",
            "name": "",
            "users": [],
            "xUsername": "",
            "verifiedBadge": False,
        }
    )


def _tags(venue: Venue) -> list[dict[str, str]]:
    names = {market.category for market in venue.exchange.state.markets.values()}
    return [tag_row(name) for name in sorted(names)]


def _holds(venue: Venue, slug: str, words: list[str]) -> bool:
    members: list[Any] = events_of(venue)[slug]
    text = " ".join((slug, *(f"{m.question} {m.slug}" for m in members))).lower()
    return all(word in text for word in words)
