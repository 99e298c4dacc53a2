"""The Data API's boards and profit figures: who leads, who won most, what one account made."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.ledger import cost_micro
from whaletrader.services.exchange.engine.model import MICRO, NS
from whaletrader.services.exchange.wire.answers import WireError, number, ok
from whaletrader.services.exchange.wire.data_api import paged
from whaletrader.services.exchange.wire.data_rows import (
    all_entries,
    position_row,
    required_user,
)
from whaletrader.services.exchange.wire.gamma_rows import stable_number
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, venue_of

PERIODS_S = {"day": 86_400, "week": 604_800, "month": 2_592_000, "all": 0}


async def leaderboard(request: Request) -> Response:
    """Answer accounts by profit or volume, or with `user` where one of them stands."""
    rows = _board(request, "time_period")
    order = request.query_params.get("sort_by", "PNL").upper()
    if order not in ("PNL", "VOLUME"):
        raise WireError(400, "invalid sort_by")
    by_profit = sorted(rows, key=lambda row: -row["pnl"])
    by_volume = sorted(rows, key=lambda row: -row["volume"])
    user = request.query_params.get("user", "").lower()
    if user:
        mine = next((row for row in rows if row["user_id"] == user), None)
        if mine is None:
            return ok({"data": None})
        ranks = {"rank_pnl": by_profit.index(mine) + 1, "rank_volume": by_volume.index(mine) + 1}
        return ok({"data": {**mine, **ranks}})
    chosen = by_profit if order == "PNL" else by_volume
    return paged(request, [{"rank": n, **row} for n, row in enumerate(chosen, start=1)])


async def leaderboard_v1(request: Request) -> Response:
    rows = _board(request, "timePeriod")
    by_profit = request.query_params.get("orderBy", "PNL").upper() == "PNL"
    rows.sort(key=lambda row: -(row["pnl"] if by_profit else row["volume"]))
    limit = min(number(request, "limit", 25), 50)
    offset = number(request, "offset", 0)
    return ok(
        [
            {
                "rank": str(rank),
                "proxyWallet": row["user_id"],
                "userName": "",
                "vol": row["volume"],
                "pnl": row["pnl"],
                "profileImage": "",
                "xUsername": "",
                "verifiedBadge": False,
            }
            for rank, row in enumerate(rows, start=1)
        ][offset : offset + limit]
    )


async def user_stats(request: Request) -> Response:
    user = required_user(request)
    venue = venue_of(request)
    held = venue.exchange.positions(user)
    wins = [p.realized_micro for p in held]
    row = {
        "proxy_wallet": user,
        "trades": len({p.market.condition_id for p in held}),
        "biggest_win": max([0, *wins]) / MICRO,
        "views": 0,
        "join_date": None,
        "all_time_pnl": _pnl_point(venue, user),
    }
    return ok({"data": row})


async def user_pnl(request: Request) -> Response:
    """Answer the present sum as the one point of the series."""
    user = required_user(request)
    query = request.query_params
    fidelity = query.get("fidelity", "1d")
    row = {
        "proxy_wallet": user,
        "interval": query.get("interval", "all"),
        "fidelity": fidelity,
        "source_fidelity": fidelity,
        "points": [_pnl_point(venue_of(request), user)],
    }
    return ok({"data": row})


async def user_volume(request: Request) -> Response:
    user = required_user(request)
    start, end = number(request, "start", 0) * NS, number(request, "end", 1 << 40) * NS
    mine = [
        e
        for e in all_entries(venue_of(request))
        if e.leg.account == user and start <= e.trade.match_ns <= end
    ]
    row = {
        "volume": sum(e.leg.size_micro for e in mine) / MICRO,
        "volume_usdc": sum(cost_micro(e.leg.size_micro, e.leg.price_micro) for e in mine) / MICRO,
        "trade_count": len(mine),
    }
    return ok({"data": row})


async def biggest_winners(request: Request) -> Response:
    venue = venue_of(request)
    won = [
        (held.realized_micro, account.address, held)
        for account in venue.exchange.state.ledger.traders()
        for held in venue.exchange.positions(account.address)
        if held.realized_micro > 0 and held.market.resolved_ns is not None
    ]
    won.sort(key=lambda row: (-row[0], row[1]))
    rows = [
        {
            "win_rank": rank,
            "user_id": address,
            "pnl": profit / MICRO,
            "initial_value": held.bought_cost_micro / MICRO,
            "final_value": (held.bought_cost_micro + profit) / MICRO,
            "resolved_at": iso(held.market.resolved_ns or 0),
            "user_name": "",
            "profile_image": "",
            "event_title": held.market.question,
            "kind": "market",
            "condition_id": held.market.condition_id,
            "position_id": held.token_id,
            "event_id": stable_number(held.market.event_slug),
            "event_slug": held.market.event_slug,
        }
        for rank, (profit, address, held) in enumerate(won, start=1)
    ]
    return paged(request, rows)


def _board(request: Request, period_name: str) -> list[dict[str, Any]]:
    venue = venue_of(request)
    period = request.query_params.get(period_name, "day").lower()
    if period not in PERIODS_S:
        raise WireError(400, f"invalid {period_name}, one of {', '.join(PERIODS_S)}")
    since_ns = venue.now_ns - PERIODS_S[period] * NS if PERIODS_S[period] else 0
    volumes: dict[str, int] = defaultdict(int)
    for entry in all_entries(venue):
        if entry.trade.match_ns >= since_ns:
            volumes[entry.leg.account] += entry.leg.size_micro
    return [
        {
            "user_id": user,
            "pnl": _profit(venue, user),
            "volume": volume / MICRO,
            "user_name": "",
            "profile_image": "",
            "x_username": "",
            "verified": False,
        }
        for user, volume in sorted(volumes.items())
    ]


def _profit(venue: Venue, user: str) -> float:
    rows = [position_row(venue, user, p) for p in venue.exchange.positions(user)]
    total: float = sum(row["total_pnl"] for row in rows)
    return round(total, 6)


def _pnl_point(venue: Venue, user: str) -> dict[str, Any]:
    rows = [position_row(venue, user, p) for p in venue.exchange.positions(user)]
    mine = [e for e in all_entries(venue) if e.leg.account == user]
    realized = round(sum(row["realized_pnl"] for row in rows), 6)
    return {
        "timestamp": venue.now_ns // NS,
        "source_block": 0,
        "trade_count": len(mine),
        "realized_market_pnl": realized,
        "realized_lp_pnl": 0,
        "realized_combo_pnl": 0,
        "realized_pnl": realized,
        "unrealized_pnl": round(sum(row["unrealized_pnl"] for row in rows), 6),
        "volume": sum(e.leg.size_micro for e in mine) / MICRO,
        "volume_usdc": sum(cost_micro(e.leg.size_micro, e.leg.price_micro) for e in mine) / MICRO,
        "fees_paid": sum(e.leg.fee_micro for e in mine) / MICRO,
    }
