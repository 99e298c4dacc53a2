"""Price points of a token over time: `/prices-history` and its batch form."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import MICRO, NS
from whaletrader.services.exchange.wire.answers import WireError, number, ok, read_json
from whaletrader.services.exchange.wire.books import last_of
from whaletrader.services.exchange.wire.venue import Venue, venue_of

# Length in seconds (0: everything) and the least fidelity in minutes that the venue allows.
INTERVALS = {
    "max": (0, 1),
    "all": (0, 1),
    "1m": (2_592_000, 10),
    "1w": (604_800, 5),
    "1d": (86_400, 1),
    "12h": (43_200, 1),
    "6h": (21_600, 1),
    "1h": (3_600, 1),
}
BATCH_MARKETS_MAX = 20
Point = tuple[int, int]


async def prices_history(request: Request) -> Response:
    query = request.query_params
    interval = query.get("interval", "")
    span = (number(request, "startTs", 0), number(request, "endTs", 0))
    if not interval and not (span[0] and span[1]):
        raise WireError(400, "interval, or both startTs and endTs, are required")
    fidelity = number(request, "fidelity", 0)
    venue = venue_of(request)
    points, _ = points_of(venue, query.get("market"), interval, span, fidelity)
    return ok({"history": [_row(point) for point in points]})


async def batch_prices_history(request: Request) -> Response:
    body: Any = await read_json(request)
    wanted = body.get("markets") if isinstance(body, dict) else None
    if not isinstance(wanted, list) or not 0 < len(wanted) <= BATCH_MARKETS_MAX:
        raise WireError(400, f"markets must name 1 to {BATCH_MARKETS_MAX} tokens")
    numbers = [body.get(name) or 0 for name in ("start_ts", "end_ts", "fidelity")]
    if not all(isinstance(n, int | float) and n >= 0 for n in numbers):
        raise WireError(400, "start_ts, end_ts and fidelity must be numbers")
    start, end, fidelity = (int(n) for n in numbers)
    venue = venue_of(request)
    interval = str(body.get("interval") or "")
    found = {
        str(token): points_of(venue, str(token), interval, (start, end), fidelity)[0]
        for token in wanted
    }
    history = {token: [_row(point) for point in points] for token, points in found.items()}
    return ok({"history": history})


def points_of(
    venue: Venue,
    token_id: str | None,
    interval: str,
    span: tuple[int, int],
    fidelity_min: int,
) -> tuple[list[Point], int]:
    """Return (unix seconds, micro-price) points and their step; the last one is now's."""
    market, index = venue.market_of_token(token_id)
    now_s = venue.now_ns // NS
    start, end = span[0], span[1] or now_s
    least = 1
    if interval:
        if interval not in INTERVALS:
            raise WireError(400, f"invalid interval, one of {', '.join(INTERVALS)}")
        length, least = INTERVALS[interval]
        start = max(start, now_s - length) if length else start
    if fidelity_min and fidelity_min < least:
        raise WireError(400, f"minimum 'fidelity' for '{interval}' range is {least}")
    step_s = (fidelity_min or least) * 60
    points = list(venue.exchange.price_history(token_id or "", start, end, step_s))
    last = last_of(venue, market, index)
    if last is not None:
        points.append((now_s, last))
    return points, step_s


def _row(point: Point) -> dict[str, Any]:
    return {"t": point[0], "p": point[1] / MICRO}
