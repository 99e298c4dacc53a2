"""The catalogue as Gamma serves it: markets and events, by id, slug, token or page."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import MICRO, Market
from whaletrader.services.exchange.engine.rules import plain
from whaletrader.services.exchange.signing.contracts import is_position_id
from whaletrader.services.exchange.wire.answers import WireError, number, ok
from whaletrader.services.exchange.wire.books import best_prices
from whaletrader.services.exchange.wire.render import last_price
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, venue_of

Row = TypeVar("Row")

PAGE_ROWS_MAX = 100


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
    for slug in _events(venue):
        if wanted in (stable_number(slug), slug):
            return ok(event_row(venue, slug))
    raise WireError(404, "id not found")


def market_id(market: Market) -> str:
    """Return a short stable number, as Gamma's ids are."""
    return stable_number(market.condition_id)


def market_row(venue: Venue, market: Market) -> dict[str, Any]:
    """Render a market; arrays inside strings are the venue's way."""
    bid, ask = best_prices(venue, market, 0)
    last = venue.exchange.state.last_prints.get(market.condition_id)
    is_closed = market.winning_index is not None
    tokens = [token.token_id for token in market.tokens]
    row: dict[str, Any] = {
        "id": market_id(market),
        "question": market.question,
        "conditionId": market.condition_id,
        "questionID": market.condition_id,
        "slug": market.slug,
        "category": market.category,
        "description": market.question,
        "outcomes": json.dumps([token.outcome for token in market.tokens]),
        "outcomePrices": json.dumps(_outcome_prices(venue, market)),
        "clobTokenIds": json.dumps(tokens),
        "version": "v2" if is_position_id(tokens[0]) else "v1",
        "marketMakerAddress": "",
        "active": True,
        "closed": is_closed,
        "archived": False,
        "acceptingOrders": not is_closed,
        "enableOrderBook": True,
        "orderPriceMinTickSize": market.tick_size_micro / MICRO,
        "orderMinSize": market.min_size_micro / MICRO,
        "negRisk": market.neg_risk,
        "endDate": iso(market.end_ns),
        "endDateIso": iso(market.end_ns)[:10],
        "umaResolutionStatuses": "[]",
        "volume": "0",
        "volumeNum": 0,
        "liquidity": "0",
        "liquidityNum": 0,
        "feesEnabled": market.fee_rate_micro > 0,
        "feeSchedule": {
            "exponent": 1,
            "rate": market.fee_rate_micro / MICRO,
            "takerOnly": True,
            "rebateRate": 0,
        },
        "bestBid": (bid or 0) / MICRO,
        "bestAsk": (MICRO if ask is None else ask) / MICRO,
        "spread": ((MICRO if ask is None else ask) - (bid or 0)) / MICRO,
        "lastTradePrice": last_price(last, 0) / MICRO if last else 0,
    }
    if row["version"] == "v2":
        row["positionIds"] = tokens
    if market.resolved_ns is not None:
        row["closedTime"] = iso(market.resolved_ns).replace("T", " ").replace("Z", "+00")
        row["umaResolutionStatus"] = "resolved"
    return row


def event_row(venue: Venue, slug: str) -> dict[str, Any]:
    members = _events(venue)[slug]
    is_closed = all(market.winning_index is not None for market in members)
    return {
        "id": stable_number(slug),
        "ticker": slug,
        "slug": slug,
        "title": members[0].question,
        "description": members[0].question,
        "endDate": iso(max(market.end_ns for market in members)),
        "active": True,
        "closed": is_closed,
        "archived": False,
        "negRisk": any(market.neg_risk for market in members),
        "volume": 0,
        "liquidity": 0,
        "tags": [
            {
                "id": stable_number(members[0].category),
                "label": members[0].category,
                "slug": members[0].category,
            }
        ],
        "markets": [market_row(venue, market) for market in members],
    }


def _outcome_prices(venue: Venue, market: Market) -> list[str]:
    if market.winning_index is not None:
        return ["1", "0"] if market.winning_index == 0 else ["0", "1"]
    last = venue.exchange.state.last_prints.get(market.condition_id)
    if last is None:
        return ["0.5", "0.5"]
    return [plain(last_price(last, index)) for index in (0, 1)]


def stable_number(text: str) -> str:
    """Return a number in text that always stands for the same name."""
    # 48 bits keep ids short and collisions out of reach of one catalogue.
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big"))


def _events(venue: Venue) -> dict[str, list[Market]]:
    grouped: dict[str, list[Market]] = {}
    for found in venue.exchange.state.markets.values():
        grouped.setdefault(found.event_slug, []).append(found)
    return grouped


def _asked(request: Request, name: str) -> set[str]:
    values = request.query_params.getlist(name) + request.query_params.getlist(f"{name}[]")
    return {part for value in values for part in value.split(",") if part}


def _closed_filter(request: Request) -> bool | None:
    text = request.query_params.get("closed")
    return None if text is None else text.lower() == "true"


def _chosen_markets(request: Request) -> list[Market]:
    conditions = _asked(request, "condition_ids")
    tokens = _asked(request, "clob_token_ids") | _asked(request, "position_ids")
    slugs = _asked(request, "slug")
    ids = _asked(request, "id")
    closed = _closed_filter(request)
    return [
        m
        for m in venue_of(request).exchange.state.markets.values()
        if (not conditions or m.condition_id in conditions)
        and (not tokens or tokens & {t.token_id for t in m.tokens})
        and (not slugs or m.slug in slugs)
        and (not ids or market_id(m) in ids)
        and (closed is None or closed == (m.winning_index is not None))
    ]


def _chosen_events(request: Request) -> list[str]:
    slugs = _asked(request, "slug")
    ids = _asked(request, "id")
    closed = _closed_filter(request)
    return [
        slug
        for slug, members in _events(venue_of(request)).items()
        if (not slugs or slug in slugs)
        and (not ids or stable_number(slug) in ids)
        and (closed is None or closed == all(m.winning_index is not None for m in members))
    ]


def _page(request: Request, rows: list[Row]) -> tuple[list[Row], dict[str, str]]:
    limit = min(number(request, "limit", 20), PAGE_ROWS_MAX)
    cursor = request.query_params.get("after_cursor")
    if cursor is not None and not cursor.isdecimal():
        raise WireError(400, "invalid after_cursor")
    offset = int(cursor) if cursor else number(request, "offset", 0)
    end = offset + limit
    # On the last page the key is absent: clients loop on null and on "".
    following = {"next_cursor": str(end)} if end < len(rows) else {}
    return rows[offset:end], following
