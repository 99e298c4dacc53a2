"""Public market data: books, prices, market terms, time and version.

In tape mode the book holds accounts' orders only, so where one side of it is empty, prices fall
back on the last recorded trade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.arrival import taker_delay_ns
from whaletrader.services.exchange.engine.model import MICRO, NS, Market
from whaletrader.services.exchange.engine.rules import UNKNOWN_TOKEN, plain
from whaletrader.services.exchange.signing.contracts import is_position_id
from whaletrader.services.exchange.wire import render
from whaletrader.services.exchange.wire.answers import WireError, ok, page, read_json
from whaletrader.services.exchange.wire.chain import COLLATERAL
from whaletrader.services.exchange.wire.rewards import RewardTerms
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, venue_of

# The live host's listing pages.
MARKETS_PAGE_ROWS = 1_000
BATCH_TOKENS_MAX = 500
LEGACY_BASE_FEE = 1_000
NO_REWARDS = RewardTerms()


async def server_time(request: Request) -> Response:
    return ok(venue_of(request).wall_ns() // NS)


async def version(request: Request) -> Response:
    return ok({"version": 1 if venue_of(request).config.generation == 1 else 2})


async def book(request: Request) -> Response:
    return ok(book_of(venue_of(request), request.query_params.get("token_id")))


async def books(request: Request) -> Response:
    venue = venue_of(request)
    tokens = [item["token_id"] for item in await _items(request)]
    known = [t for t in tokens if t in venue.exchange.state.market_of_token]
    return ok([book_of(venue, token_id) for token_id in known])


async def midpoint(request: Request) -> Response:
    mid = midpoint_of(venue_of(request), request.query_params.get("token_id"))
    return ok({"mid": plain(mid)})


async def midpoints(request: Request) -> Response:
    venue = venue_of(request)
    items = await _items(request)
    return ok({i["token_id"]: plain(midpoint_of(venue, i["token_id"])) for i in items})


async def price(request: Request) -> Response:
    venue = venue_of(request)
    side = request.query_params.get("side", "").upper()
    if side not in ("BUY", "SELL"):
        raise WireError(400, "Invalid side")
    return ok({"price": plain(_best(venue, request.query_params.get("token_id"), side))})


async def prices(request: Request) -> Response:
    venue = venue_of(request)
    found: dict[str, dict[str, str]] = {}
    for item in await _items(request):
        side = str(item.get("side") or "SELL").upper()
        value = plain(_best(venue, item["token_id"], side))
        found.setdefault(item["token_id"], {})[side] = value
    return ok(found)


async def spread(request: Request) -> Response:
    return ok({"spread": plain(spread_of(venue_of(request), request.query_params.get("token_id")))})


async def spreads(request: Request) -> Response:
    venue = venue_of(request)
    items = await _items(request)
    return ok({i["token_id"]: plain(spread_of(venue, i["token_id"])) for i in items})


async def last_trade_price(request: Request) -> Response:
    return ok(_last_trade(venue_of(request), request.query_params.get("token_id")))


async def last_trades_prices(request: Request) -> Response:
    venue = venue_of(request)
    rows = [
        {"token_id": i["token_id"], **_last_trade(venue, i["token_id"])}
        for i in await _items(request)
    ]
    return ok(rows)


async def tick_size(request: Request) -> Response:
    market = _asked_market(request)
    return ok({"minimum_tick_size": market.tick_size_micro / MICRO})


async def neg_risk(request: Request) -> Response:
    return ok({"neg_risk": _asked_market(request).neg_risk})


async def fee_rate(request: Request) -> Response:
    return ok({"base_fee": LEGACY_BASE_FEE if _asked_market(request).fee_rate_micro else 0})


async def market_by_token(request: Request) -> Response:
    market = _asked_market(request)
    return ok(
        {
            "condition_id": market.condition_id,
            "primary_token_id": market.tokens[0].token_id,
            "secondary_token_id": market.tokens[1].token_id,
        }
    )


async def clob_market(request: Request) -> Response:
    venue = venue_of(request)
    market = _market(request)
    base_fee = LEGACY_BASE_FEE if market.fee_rate_micro else 0
    terms = venue.rewards.get(market.condition_id, NO_REWARDS)
    row: dict[str, Any] = {
        "c": market.condition_id,
        "t": [{"t": t.token_id, "o": t.outcome} for t in market.tokens],
        "mos": market.min_size_micro / MICRO,
        "mts": market.tick_size_micro / MICRO,
        "mbf": base_fee,
        "tbf": base_fee,
        "ao": market.winning_index is None,
        "aot": iso(market.listed_ns),
        "cbos": True,
        "r": {"mi": terms.min_size, "ma": terms.max_spread, "moas": terms.min_age_s},
        "fd": {"r": market.fee_rate_micro / MICRO, "e": market.fee_exponent, "to": True},
        "v": "v2" if is_position_id(market.tokens[0].token_id) else "v1",
    }
    if market.neg_risk:
        row["nr"] = True
    if taker_delay_ns(venue.exchange.state, market):
        row["itode"] = True
    return ok(row)


async def full_market(request: Request) -> Response:
    return ok(_full(venue_of(request), _market(request)))


async def markets(request: Request) -> Response:
    return _listing(request, _full)


async def simplified_markets(request: Request) -> Response:
    return _listing(request, _simplified)


async def sampling_markets(request: Request) -> Response:
    """Answer the markets that pay rewards, or where none does, all that take orders."""
    return _listing(request, _full, is_sample=True)


async def sampling_simplified_markets(request: Request) -> Response:
    return _listing(request, _simplified, is_sample=True)


def book_of(venue: Venue, token_id: str | None) -> dict[str, Any]:
    """Return a token's book as the REST read gives it."""
    market, index = venue.market_of_token(token_id)
    state = venue.exchange.state
    last = state.last_prints.get(market.condition_id)
    row: dict[str, Any] = render.book_row(
        market, index, state.books[market.condition_id], last, venue.now_ns
    )
    return row


def best_prices(venue: Venue, market: Market, index: int) -> tuple[int | None, int | None]:
    """Return (best bid, best ask) of an outcome in micro-units."""
    bids, asks = venue.exchange.state.books[market.condition_id].view(index)
    return (bids[0][0] if bids else None), (asks[0][0] if asks else None)


def last_of(venue: Venue, market: Market, index: int) -> int | None:
    last = venue.exchange.state.last_prints.get(market.condition_id)
    return render.last_price(last, index) if last else None


def midpoint_of(venue: Venue, token_id: str | None) -> int:
    market, index = venue.market_of_token(token_id)
    bid, ask = best_prices(venue, market, index)
    if bid is not None and ask is not None:
        return (bid + ask) // 2
    last = last_of(venue, market, index)
    if last is None:
        raise WireError(404, UNKNOWN_TOKEN)
    return last


def _best(venue: Venue, token_id: str | None, side: str) -> int:
    market, index = venue.market_of_token(token_id)
    bid, ask = best_prices(venue, market, index)
    found = bid if side == "BUY" else ask
    if found is None and venue.config.mode == "tape":
        found = last_of(venue, market, index)
    return found or 0


def spread_of(venue: Venue, token_id: str | None) -> int:
    market, index = venue.market_of_token(token_id)
    bid, ask = best_prices(venue, market, index)
    return (MICRO if ask is None else ask) - (bid or 0)


def _last_trade(venue: Venue, token_id: str | None) -> dict[str, str]:
    market, index = venue.market_of_token(token_id)
    last = venue.exchange.state.last_prints.get(market.condition_id)
    if last is None:
        return {"price": "0.5", "side": ""}
    side = last.side if last.token_id == token_id else last.side.opposite
    return {"price": plain(render.last_price(last, index)), "side": side.value}


def _asked_market(request: Request) -> Market:
    token_id = request.path_params.get("token_id") or request.query_params.get("token_id")
    return venue_of(request).market_of_token(token_id)[0]


def _market(request: Request) -> Market:
    wanted = request.path_params["condition_id"]
    found = venue_of(request).exchange.state.markets.get(wanted)
    if found is None:
        raise WireError(404, "market not found")
    return found


def _listing(
    request: Request,
    render_row: Callable[[Venue, Market], dict[str, Any]],
    *,
    is_sample: bool = False,
) -> Response:
    venue = venue_of(request)
    rows = list(venue.exchange.state.markets.values())
    if is_sample:
        rows = [m for m in rows if m.winning_index is None]
        rows = [m for m in rows if m.condition_id in venue.rewards] or rows
    cursor = request.query_params.get("next_cursor")
    return ok(page(rows, cursor, MARKETS_PAGE_ROWS, lambda m: render_row(venue, m)))


def _full(venue: Venue, market: Market) -> dict[str, Any]:
    base_fee = LEGACY_BASE_FEE if market.fee_rate_micro else 0
    return {
        "enable_order_book": True,
        "active": True,
        "closed": market.winning_index is not None,
        "archived": False,
        "accepting_orders": market.winning_index is None,
        "accepting_order_timestamp": iso(market.listed_ns),
        "minimum_order_size": market.min_size_micro / MICRO,
        "minimum_tick_size": market.tick_size_micro / MICRO,
        "condition_id": market.condition_id,
        "question_id": market.condition_id,
        "question": market.question,
        "description": market.question,
        "market_slug": market.slug,
        "end_date_iso": iso(market.end_ns),
        "game_start_time": None,
        "seconds_delay": 0,
        "fpmm": "",
        "maker_base_fee": base_fee,
        "taker_base_fee": base_fee,
        "notifications_enabled": False,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": market.neg_risk_event,
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "rewards": _rewards(venue, market),
        "is_50_50_outcome": False,
        "tokens": _tokens(venue, market),
        "tags": [market.category],
    }


def _simplified(venue: Venue, market: Market) -> dict[str, Any]:
    return {
        "condition_id": market.condition_id,
        "rewards": _rewards(venue, market),
        "tokens": _tokens(venue, market),
        "active": True,
        "closed": market.winning_index is not None,
        "archived": False,
        "accepting_orders": market.winning_index is None,
    }


def _rewards(venue: Venue, market: Market) -> dict[str, Any]:
    terms = venue.rewards.get(market.condition_id, NO_REWARDS)
    rates = [{"asset_address": COLLATERAL, "rewards_daily_rate": terms.daily_rate}]
    return {
        "rates": rates if terms.daily_rate else None,
        "min_size": terms.min_size,
        "max_spread": terms.max_spread,
    }


def _tokens(venue: Venue, market: Market) -> list[dict[str, Any]]:
    return [
        {
            "token_id": token.token_id,
            "outcome": token.outcome,
            "price": (last_of(venue, market, index) or 0) / MICRO,
            "winner": market.winning_index == index,
        }
        for index, token in enumerate(market.tokens)
    ]


async def _items(request: Request) -> list[dict[str, Any]]:
    body = await read_json(request)
    if not isinstance(body, list) or len(body) > BATCH_TOKENS_MAX:
        raise WireError(400, "Invalid payload")
    for item in body:
        if not isinstance(item, dict) or not isinstance(item.get("token_id"), str):
            raise WireError(400, "Invalid payload")
    return body
