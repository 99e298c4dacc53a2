"""What only the older Data API has: a market's positions, combos, builders, the snapshot."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import MICRO
from whaletrader.services.exchange.wire.answers import WireError, number, ok
from whaletrader.services.exchange.wire.data_api import position_v1
from whaletrader.services.exchange.wire.data_rows import position_row, required_user
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import venue_of

PAGE_ROWS_MAX = 500
POSITION_STATUSES = ("OPEN", "CLOSED", "ALL")
# The files' names are documented, the columns' are not: these are the API's own words.
POSITION_COLUMNS = ("conditionId", "asset", "size", "curPrice", "valuationTime")
EQUITY_COLUMNS = ("cashBalance", "positionsValue", "equity", "valuationTime")
_NO_COMBOS = {"limit": 0, "offset": 0, "has_more": False, "next_cursor": None}


async def health(_: Request) -> Response:
    return ok({"data": "OK"})


async def market_positions(request: Request) -> Response:
    """Answer everybody's positions in one market, an entry an outcome, the largest first."""
    venue = venue_of(request)
    query = request.query_params
    market = venue.exchange.state.markets.get(query.get("market", ""))
    if market is None:
        raise WireError(400, "required query param 'market' not provided or unknown")
    status = query.get("status", "OPEN").upper()
    if status not in POSITION_STATUSES:
        raise WireError(400, "invalid status: OPEN, CLOSED or ALL")
    limit = min(number(request, "limit", 50), PAGE_ROWS_MAX)
    offset = number(request, "offset", 0)
    rows: tuple[list[dict[str, Any]], ...] = ([], [])
    for account in venue.exchange.state.ledger.traders():
        for held in venue.exchange.positions(account.address):
            is_asked = status == "ALL" or (status == "OPEN") == (held.size_micro > 0)
            if held.market.condition_id == market.condition_id and is_asked:
                row = position_row(venue, account.address, held)
                rows[held.index].append(_market_position(row))
    for side in rows:
        side.sort(key=lambda row: row["size"], reverse=True)
    return ok(
        [
            {"token": token.token_id, "positions": side[offset : offset + limit]}
            for token, side in zip(market.tokens, rows, strict=True)
        ]
    )


async def combo_positions(request: Request) -> Response:
    """Answer none: combos are not traded here."""
    required_user(request)
    return ok({"combos": [], "pagination": _NO_COMBOS})


async def combo_activity(request: Request) -> Response:
    """Answer none: combos are not traded here."""
    required_user(request)
    return ok({"activity": [], "pagination": _NO_COMBOS})


async def builders(_: Request) -> Response:
    """Answer none: no builder is ranked here."""
    return ok([])


async def accounting_snapshot(request: Request) -> Response:
    """Answer a ZIP of an account's positions and equity as of now."""
    venue = venue_of(request)
    user = required_user(request)
    at = iso(venue.now_ns)
    held = [p for p in venue.exchange.positions(user) if p.size_micro > 0]
    rows = [position_v1(position_row(venue, user, p)) for p in held]
    account = venue.exchange.state.ledger.find(user)
    cash = account.cash_micro / MICRO if account else 0.0
    worth = sum(row["currentValue"] for row in rows)
    positions = [(r["conditionId"], r["asset"], r["size"], r["curPrice"], at) for r in rows]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("positions.csv", _csv(POSITION_COLUMNS, positions))
        equity = (cash, worth, round(cash + worth, 6), at)
        file.writestr("equity.csv", _csv(EQUITY_COLUMNS, [equity]))
    return Response(archive.getvalue(), media_type="application/zip")


def _market_position(row: dict[str, Any]) -> dict[str, Any]:
    old = position_v1(row)
    same = ("proxyWallet", "asset", "conditionId", "avgPrice", "size", "currentValue", "cashPnl")
    more = ("totalBought", "realizedPnl", "outcome", "outcomeIndex")
    return {
        **{name: old[name] for name in (*same, *more)},
        "name": "",
        "profileImage": "",
        "verified": False,
        "currPrice": old["curPrice"],
        "totalPnl": row["total_pnl"],
    }


def _csv(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    return text.getvalue()
