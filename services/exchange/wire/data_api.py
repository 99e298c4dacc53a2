"""The Data API's reads of trades, activity, positions and value: v2, and v1 beside it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.wire.answers import WireError, number, ok
from whaletrader.services.exchange.wire.data_rows import (
    activity_rows,
    all_entries,
    camel,
    conditions_of,
    entries_of,
    position_row,
    positions_of,
    required_user,
    trade_row,
)
from whaletrader.services.exchange.wire.venue import venue_of

PAGE_ROWS_MAX = 1_000
V1_OFFSET_MAX = 10_000
ACTIVITY_KINDS = frozenset(
    (
        *("TRADE", "SPLIT", "MERGE", "REDEEM", "REWARD", "CONVERSION", "MIGRATION", "DEPOSIT"),
        *("WITHDRAWAL", "YIELD", "MAKER_REBATE", "TAKER_REBATE", "REFERRAL_REWARD", "TIP"),
    )
)
# The older API knew no others, and its TypeScript client fails on them.
ACTIVITY_KINDS_V1 = ACTIVITY_KINDS - {"MIGRATION", "DEPOSIT", "WITHDRAWAL", "TAKER_REBATE", "TIP"}
STATUSES = ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED")
SORT_KEYS = {
    "CURRENT_VALUE": "current_value",
    "PRICE": "current_price",
    "TOKENS": "current_size",
    "UNREALIZED_PNL": "unrealized_pnl",
    "REALIZED_PNL": "realized_pnl",
    "TOTAL_PNL": "total_pnl",
    "TIMESTAMP": "last_event_at",
}
_V1_SORT_KEYS = {
    "TOKENS": "size",
    "CURRENT": "currentValue",
    "INITIAL": "initialValue",
    "CASHPNL": "cashPnl",
    "PERCENTPNL": "percentPnl",
    "PRICE": "curPrice",
    "AVGPRICE": "avgPrice",
    "TITLE": "title",
}


async def trades(request: Request) -> Response:
    return paged(request, [trade_row(e) for e in entries_of(request)])


async def activity(request: Request) -> Response:
    return paged(request, activity_rows(request, _kinds(request)))


async def positions(request: Request) -> Response:
    """Answer a user's positions, or everybody's in exactly one market."""
    query = request.query_params
    wanted = query.get("status", "OPEN").upper()
    if wanted not in STATUSES:
        raise WireError(400, f"invalid status, one of {', '.join(STATUSES)}")
    users = [required_user(request)] if query.get("user") else _holders_of_one(request)
    venue = venue_of(request)
    rows = [position_row(venue, user, p) for user in users for p in positions_of(request, user)]
    if wanted == "MERGEABLE":
        rows = [row for row in rows if row["mergeable"]]
    else:
        rows = [row for row in rows if row["status"] == wanted]
    order = query.get("sort_by", "CURRENT_VALUE").upper()
    if order not in SORT_KEYS:
        raise WireError(400, f"invalid sort_by, one of {', '.join(SORT_KEYS)}")
    is_ascending = query.get("sort_direction", "DESC").upper() == "ASC"
    rows.sort(key=lambda row: row[SORT_KEYS[order]], reverse=not is_ascending)
    return paged(request, rows)


async def value(request: Request) -> Response:
    user = required_user(request)
    return ok({"data": {"proxy_wallet": user, "value": _worth(request, user)}})


async def no_rows(request: Request) -> Response:
    """Answer an empty page: combos and builders' boards have no rows here."""
    return paged(request, [])


async def trades_v1(request: Request) -> Response:
    return v1_page(request, [camel(trade_row(e)) for e in entries_of(request)])


async def activity_v1(request: Request) -> Response:
    kinds = (_kinds(request) or set(ACTIVITY_KINDS)) & ACTIVITY_KINDS_V1
    rows = activity_rows(request, kinds) if kinds else []
    return v1_page(request, [camel(row) for row in rows])


async def positions_v1(request: Request) -> Response:
    """Answer open positions of at least `sizeThreshold` shares."""
    query = request.query_params
    user = required_user(request)
    venue = venue_of(request)
    least = number(request, "sizeThreshold", 1)
    rows = [
        position_v1(position_row(venue, user, p))
        for p in positions_of(request, user)
        if p.size_micro > 0
    ]
    rows = [row for row in rows if row["size"] >= least]
    for name in ("redeemable", "mergeable"):
        if query.get(name, "").lower() == "true":
            rows = [row for row in rows if row[name]]
    return v1_page(request, _sorted_v1(request, rows, "TOKENS"))


async def closed_positions_v1(request: Request) -> Response:
    user = required_user(request)
    venue = venue_of(request)
    rows = [
        position_v1(position_row(venue, user, p))
        for p in positions_of(request, user)
        if p.size_micro == 0
    ]
    rows.sort(key=lambda row: row["realizedPnl"], reverse=True)
    return v1_page(request, rows)


async def value_v1(request: Request) -> Response:
    user = required_user(request)
    return ok([{"user": user, "value": _worth(request, user)}])


async def traded_v1(request: Request) -> Response:
    user = required_user(request)
    venue = venue_of(request)
    count = {e.trade.market.condition_id for e in all_entries(venue) if e.leg.account == user}
    return ok({"user": user, "traded": len(count)})


def paged(request: Request, rows: list[dict[str, Any]]) -> Response:
    """Answer one page in the newer envelope."""
    limit = max(1, min(number(request, "limit", 100), PAGE_ROWS_MAX))
    start = number(request, "cursor", 0)
    if request.query_params.get("offset"):
        raise WireError(400, "offset is not supported; use cursor")
    end = start + limit
    has_more = end < len(rows)
    pagination = {
        "limit": limit,
        "offset": start,
        "has_more": has_more,
        "next_cursor": str(end) if has_more else None,
    }
    return ok({"data": rows[start:end], "pagination": pagination})


def _kinds(request: Request) -> set[str]:
    named = request.query_params.getlist("type")
    kinds = {part.upper() for value in named for part in value.split(",") if part}
    if unknown := kinds - ACTIVITY_KINDS:
        raise WireError(400, f"invalid type {sorted(unknown)[0]}")
    return kinds


def _holders_of_one(request: Request) -> list[str]:
    conditions = conditions_of(request)
    if len(conditions) != 1:
        raise WireError(400, "user or exactly one condition is required")
    return [account.address for account in venue_of(request).exchange.state.ledger.traders()]


def _worth(request: Request, user: str) -> float:
    venue = venue_of(request)
    rows = [position_row(venue, user, p) for p in positions_of(request, user)]
    total: float = sum(row["current_value"] for row in rows)
    return round(total, 6)


def position_v1(row: dict[str, Any]) -> dict[str, Any]:
    """Return a position's row under the older API's names."""
    return {
        "proxyWallet": row["proxy_wallet"],
        "asset": row["token_id"],
        "conditionId": row["condition_id"],
        "size": row["current_size"],
        "avgPrice": row["avg_price"],
        "initialValue": row["entry_cost_usdc"],
        "currentValue": row["current_value"],
        "cashPnl": row["unrealized_pnl"],
        "percentPnl": row["percent_pnl"],
        "totalBought": row["total_size"],
        "realizedPnl": row["realized_pnl"],
        "percentRealizedPnl": row["percent_realized_pnl"],
        "curPrice": row["current_price"],
        "redeemable": row["redeemable"],
        "mergeable": row["mergeable"],
        "title": row["title"],
        "slug": row["slug"],
        "icon": "",
        "eventSlug": row["event_slug"],
        "outcome": row["outcome"],
        "outcomeIndex": row["outcome_index"],
        "oppositeOutcome": row["opposite_outcome"],
        "oppositeAsset": row["opposite_token_id"],
        "endDate": row["end_date"],
        "negativeRisk": row["negative_risk"],
    }


def _sorted_v1(request: Request, rows: list[dict[str, Any]], usual: str) -> list[dict[str, Any]]:
    order = request.query_params.get("sortBy", usual).upper()
    if order not in _V1_SORT_KEYS:
        raise WireError(400, "invalid sortBy")
    is_ascending = request.query_params.get("sortDirection", "DESC").upper() == "ASC"
    return sorted(rows, key=lambda row: row[_V1_SORT_KEYS[order]], reverse=not is_ascending)


def v1_page(request: Request, rows: list[dict[str, Any]]) -> Response:
    """Answer one page as the older API does: a bare array."""
    limit = min(number(request, "limit", 100), PAGE_ROWS_MAX)
    offset = number(request, "offset", 0)
    if offset > V1_OFFSET_MAX:
        raise WireError(400, f"max historical trades offset of {V1_OFFSET_MAX} exceeded")
    return ok(rows[offset : offset + limit])
