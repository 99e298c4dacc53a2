"""The Data API's reads of what accounts did here: trades, activity and positions, v2 and v1.

Prices and sizes are JSON numbers there, as on the live host. Tape prints are not accounts' trades
and do not appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.ledger import cost_micro
from whaletrader.services.exchange.engine.model import MICRO, NS, Leg, Market, Side, Trade
from whaletrader.services.exchange.wire.answers import WireError, number, ok
from whaletrader.services.exchange.wire.gamma import stable_number
from whaletrader.services.exchange.wire.render import last_price, transaction_hash
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, venue_of

PAGE_ROWS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One account's part in one trade."""

    trade: Trade
    leg: Leg


async def trades(request: Request) -> Response:
    return _v2(request, [_trade_row(e) for e in _entries(request)])


async def activity(request: Request) -> Response:
    _required_user(request)
    kind = request.query_params.get("type", "TRADE")
    entries = _entries(request) if kind == "TRADE" else []
    return _v2(
        request, [{**_trade_row(e), "type": "TRADE", "usdc_size": _usdc(e)} for e in entries]
    )


async def positions(request: Request) -> Response:
    user = _required_user(request)
    rows = [_position_row(venue_of(request), user, *held) for held in _held(request, user)]
    return _v2(request, rows)


async def trades_v1(request: Request) -> Response:
    return _v1(request, [_camel(_trade_row(e)) for e in _entries(request)])


async def activity_v1(request: Request) -> Response:
    _required_user(request)
    rows = [
        {**_camel(_trade_row(e)), "type": "TRADE", "usdcSize": _usdc(e)} for e in _entries(request)
    ]
    return _v1(request, rows)


async def positions_v1(request: Request) -> Response:
    user = _required_user(request)
    venue = venue_of(request)
    return _v1(request, [_position_v1(venue, user, *held) for held in _held(request, user)])


async def value_v1(request: Request) -> Response:
    user = _required_user(request)
    venue = venue_of(request)
    worth = sum(
        cost_micro(size, _price(venue, market, index))
        for market, index, size in _held(request, user)
    )
    return ok([{"user": user, "value": worth / MICRO}])


def _required_user(request: Request) -> str:
    user = request.query_params.get("user", "").lower()
    if not user:
        raise WireError(400, "required query param 'user' not provided")
    return user


def _conditions(request: Request) -> set[str]:
    query = request.query_params
    names = ("condition", "condition_id", "conditionId", "market")
    return {part for name in names for part in query.get(name, "").split(",") if part}


def _entries(request: Request) -> list[Entry]:
    """Return accounts' parts in trades that fit the query, newest first."""
    query = request.query_params
    user = query.get("user", "").lower()
    conditions = _conditions(request)
    side = query.get("side", "").upper()
    start, end = number(request, "start", 0) * NS, number(request, "end", 1 << 40) * NS
    found = [
        entry
        for entry in _all_entries(venue_of(request))
        if (not user or entry.leg.account == user)
        and (not conditions or entry.trade.market.condition_id in conditions)
        and (not side or entry.leg.side.value == side)
        and start <= entry.trade.match_ns <= end
    ]
    is_ascending = query.get("sort_direction", "DESC").upper() == "ASC"
    found.sort(key=lambda e: e.trade.match_ns, reverse=not is_ascending)
    return found


def _all_entries(venue: Venue) -> Iterator[Entry]:
    for trade in venue.exchange.state.trades.values():
        for leg in trade.legs:
            if leg.principal:
                yield Entry(trade, leg)


def _trade_row(entry: Entry) -> dict[str, Any]:
    trade, leg = entry.trade, entry.leg
    market = trade.market
    return {
        "proxy_wallet": leg.account,
        "side": leg.side.value,
        "token_id": leg.token_id,
        "condition_id": market.condition_id,
        "size": leg.size_micro / MICRO,
        "price": leg.price_micro / MICRO,
        "timestamp": trade.match_ns // NS,
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "event_slug": market.event_slug,
        "outcome": market.tokens[leg.index].outcome,
        "outcome_index": leg.index,
        "name": "",
        "pseudonym": "",
        "bio": "",
        "profile_image": "",
        "transaction_hash": transaction_hash(trade, trade.status),
    }


def _usdc(entry: Entry) -> float:
    leg = entry.leg
    fee = leg.fee_micro if leg.side is Side.BUY else 0
    return (cost_micro(leg.size_micro, leg.price_micro) + fee) / MICRO


def _camel(row: dict[str, Any]) -> dict[str, Any]:
    renamed = {"token_id": "asset"}
    camel = {}
    for name, value in row.items():
        head, *tail = renamed.get(name, name).split("_")
        camel[head + "".join(part.capitalize() for part in tail)] = value
    return camel


def _held(request: Request, user: str) -> list[tuple[Market, int, int]]:
    """Return (market, outcome index, shares) of what an account holds."""
    state = venue_of(request).exchange.state
    account = state.ledger.find(user)
    conditions = _conditions(request)
    if account is None:
        return []
    held = []
    for token_id, size in sorted(account.positions.items()):
        market = state.market_of_token.get(token_id)
        if size > 0 and market and (not conditions or market.condition_id in conditions):
            held.append((market, market.index_of(token_id), size))
    return held


def _price(venue: Venue, market: Market, index: int) -> int:
    last = venue.exchange.state.last_prints.get(market.condition_id)
    return last_price(last, index) if last else MICRO // 2


@dataclass(slots=True)
class Entries:
    """What an account's purchases of one token came to, in micro-units, and when."""

    shares: int = 0
    paid: int = 0
    fees: int = 0
    first_ns: int = 0
    last_ns: int = 0


def _bought(venue: Venue, user: str, token_id: str) -> Entries:
    total = Entries()
    for entry in _all_entries(venue):
        leg = entry.leg
        if leg.account == user and leg.token_id == token_id and leg.side is Side.BUY:
            total.shares += leg.size_micro
            total.paid += cost_micro(leg.size_micro, leg.price_micro)
            total.fees += leg.fee_micro
            total.first_ns = total.first_ns or entry.trade.match_ns
            total.last_ns = entry.trade.match_ns
    return total


def _position_row(venue: Venue, user: str, market: Market, index: int, size: int) -> dict[str, Any]:
    token = market.tokens[index]
    bought = _bought(venue, user, token.token_id)
    average = bought.paid * MICRO // bought.shares if bought.shares else 0
    current = _price(venue, market, index)
    open_cost, open_value = cost_micro(size, average), cost_micro(size, current)
    percent = 100 * (open_value - open_cost) / open_cost if open_cost else 0.0
    return {
        "proxy_wallet": user,
        "token_id": token.token_id,
        "condition_id": market.condition_id,
        "current_size": size / MICRO,
        "avg_price": average / MICRO,
        "entry_cost_usdc": open_cost / MICRO,
        "entry_fees_usdc": bought.fees / MICRO,
        "total_cost_usdc": (bought.paid + bought.fees) / MICRO,
        "current_price": current / MICRO,
        "current_value": open_value / MICRO,
        "total_size": bought.shares / MICRO,
        "realized_pnl": 0.0,
        "unrealized_pnl": (open_value - open_cost) / MICRO,
        "total_pnl": (open_value - open_cost) / MICRO,
        "percent_pnl": percent,
        "percent_realized_pnl": percent,
        "status": "OPEN",
        "redeemable": False,
        "mergeable": False,
        "negative_risk": market.neg_risk,
        "archived": False,
        "title": market.question,
        "slug": market.slug,
        "icon": "",
        "event_id": stable_number(market.event_slug),
        "event_slug": market.event_slug,
        "outcome": token.outcome,
        "outcome_index": index,
        "opposite_outcome": market.tokens[1 - index].outcome,
        "opposite_token_id": market.tokens[1 - index].token_id,
        "end_date": iso(market.end_ns)[:10],
        "last_event_at": bought.last_ns // NS,
        "first_entry_at": bought.first_ns // NS,
        "name": "",
        "profile_image": "",
        "verified": False,
    }


def _position_v1(venue: Venue, user: str, market: Market, index: int, size: int) -> dict[str, Any]:
    row = _position_row(venue, user, market, index, size)
    return {
        "proxyWallet": user,
        "asset": row["token_id"],
        "conditionId": row["condition_id"],
        "size": row["current_size"],
        "avgPrice": row["avg_price"],
        "initialValue": row["entry_cost_usdc"],
        "currentValue": row["current_value"],
        "cashPnl": row["unrealized_pnl"],
        "percentPnl": row["percent_pnl"],
        "totalBought": row["total_size"],
        "realizedPnl": 0,
        "percentRealizedPnl": 0,
        "curPrice": row["current_price"],
        "redeemable": False,
        "mergeable": False,
        "title": row["title"],
        "slug": row["slug"],
        "icon": "",
        "eventSlug": row["event_slug"],
        "outcome": row["outcome"],
        "outcomeIndex": index,
        "oppositeOutcome": row["opposite_outcome"],
        "oppositeAsset": row["opposite_token_id"],
        "endDate": row["end_date"],
        "negativeRisk": row["negative_risk"],
    }


def _v2(request: Request, rows: list[dict[str, Any]]) -> Response:
    limit = min(number(request, "limit", 100), PAGE_ROWS_MAX)
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


def _v1(request: Request, rows: list[dict[str, Any]]) -> Response:
    limit = min(number(request, "limit", 100), PAGE_ROWS_MAX)
    offset = number(request, "offset", 0)
    return ok(rows[offset : offset + limit])
