"""Rewards, scoring, rebates and builder reads, as the book's host serves them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.model import MICRO, NS, Leg, Market, Trade
from whaletrader.services.exchange.engine.rules import plain
from whaletrader.services.exchange.wire.answers import WireError, number, ok, page, read_json
from whaletrader.services.exchange.wire.books import midpoint_of, spread_of
from whaletrader.services.exchange.wire.chain import COLLATERAL
from whaletrader.services.exchange.wire.gamma_rows import market_id, stable_number
from whaletrader.services.exchange.wire.rewards import RewardTerms, is_scoring
from whaletrader.services.exchange.wire.times import iso
from whaletrader.services.exchange.wire.venue import Venue, authorized, venue_of

PAGE_ROWS = 100
# Rewards run from the venue's first day on; their end is open.
START_DATE = "2026-01-01"
NO_BUILDER = "0x" + "00" * 32


async def order_scoring(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    order_id = request.query_params.get("order_id") or request.query_params.get("orderId") or ""
    return ok({"scoring": _scores(venue, key.address, order_id)})


async def orders_scoring(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    body = await read_json(request)
    if not isinstance(body, list) or not all(isinstance(item, str) for item in body):
        raise WireError(400, "Invalid payload")
    return ok({order_id: _scores(venue, key.address, order_id) for order_id in body})


async def current(request: Request) -> Response:
    """Answer the markets that pay rewards."""
    venue = venue_of(request)
    return _paged(request, [_current_row(venue, m) for m in _paying(venue)])


async def of_market(request: Request) -> Response:
    venue = venue_of(request)
    wanted = request.path_params["condition_id"]
    rows = [_market_row(venue, m) for m in _paying(venue) if m.condition_id == wanted]
    return _paged(request, rows)


async def multi(request: Request) -> Response:
    """Answer paying markets with what discovery shows of them."""
    venue = venue_of(request)
    rows = [_multi_row(venue, market) for market in _paying(venue)]
    return _paged(request, rows, number(request, "page_size", PAGE_ROWS))


async def earnings(request: Request) -> Response:
    await authorized(request)
    _day(request)
    return _paged(request, [])


async def total_earnings(request: Request) -> Response:
    await authorized(request)
    _day(request)
    return ok([])


async def percentages(request: Request) -> Response:
    """Answer the caller's share of each market's scoring size, in percent."""
    venue = venue_of(request)
    key = await authorized(request)
    return ok({m.condition_id: _share(venue, key.address, m) for m in _paying(venue)})


async def user_markets(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    rows = [
        {
            **_market_row(venue, market),
            "earning_percentage": _share(venue, key.address, market),
            "earnings": [],
            "maker_address": key.address,
        }
        for market in _paying(venue)
    ]
    return _paged(request, rows, number(request, "page_size", PAGE_ROWS))


async def rebates(request: Request) -> Response:
    """Answer what makers get back of one day's taker fees; null when there is nothing."""
    venue = venue_of(request)
    day = _day(request)
    maker = request.query_params.get("maker_address", "").lower()
    if not maker:
        raise WireError(400, "maker_address is required")
    rows = [
        {
            "date": day,
            "condition_id": rebate.condition_id,
            "asset_address": COLLATERAL,
            "maker_address": rebate.maker,
            "rebated_fees_usdc": plain(rebate.amount_micro),
        }
        for rebate in venue.exchange.rebates(day, maker)
    ]
    return ok(rows or None)


async def builder_fees(_: Request) -> Response:
    return ok({"builder_maker_fee_rate_bps": 0, "builder_taker_fee_rate_bps": 0})


async def builder_trades(request: Request) -> Response:
    """Answer the fills of orders that carry a builder's code."""
    venue = venue_of(request)
    code = request.query_params.get("builder_code", "").lower()
    if len(code) != 66 or code == NO_BUILDER:
        raise WireError(400, "builder_code must be 32 bytes of hex and not zero")
    rows = [
        _builder_row(trade, leg, code)
        for trade in venue.exchange.state.trades.values()
        for leg in trade.legs
        if _builder_of(venue, leg) == code
    ]
    return _paged(request, rows)


def _scores(venue: Venue, principal: str, order_id: str) -> bool:
    order = venue.exchange.state.orders.get(order_id)
    if order is None or order.terms.principal != principal or not order.is_open:
        return False
    if order.market.condition_id not in venue.rewards:
        return False
    middle = midpoint_of(venue, order.terms.token_id)
    return is_scoring(order, venue.rewards.get(order.market.condition_id), middle, venue.now_ns)


def _share(venue: Venue, principal: str, market: Market) -> float:
    own = every = 0
    for order in venue.exchange.state.books[market.condition_id].open_orders():
        if _scores(venue, order.terms.principal, order.order_id):
            every += order.remaining_micro
            own += order.remaining_micro if order.terms.principal == principal else 0
    return 100 * own / every if every else 0.0


def _paying(venue: Venue) -> list[Market]:
    markets = venue.exchange.state.markets
    found = [markets[name] for name in venue.rewards if name in markets]
    return [
        m for m in found if m.winning_index is None and venue.rewards[m.condition_id].daily_rate
    ]


def _day(request: Request) -> str:
    day = request.query_params.get("date", "")
    parts = day.split("-")
    if [len(p) for p in parts] != [4, 2, 2] or not all(p.isdecimal() for p in parts):
        raise WireError(400, "date must be YYYY-MM-DD")
    return day


def _paged(request: Request, rows: list[dict[str, Any]], limit: int = PAGE_ROWS) -> Response:
    limit = max(1, min(limit, 500))
    return ok(page(rows, request.query_params.get("next_cursor"), limit, lambda row: row))


def _config(market: Market, terms: RewardTerms, *, with_id: bool = False) -> list[dict[str, Any]]:
    config: dict[str, Any] = {
        "asset_address": COLLATERAL,
        "start_date": START_DATE,
        "end_date": iso(market.end_ns)[:10],
        "rate_per_day": terms.daily_rate,
        "total_rewards": 0,
    }
    return [{"id": 1, **config}] if with_id else [config]


def _current_row(venue: Venue, market: Market) -> dict[str, Any]:
    terms = venue.rewards[market.condition_id]
    return {
        "condition_id": market.condition_id,
        "rewards_config": _config(market, terms, with_id=True),
        "rewards_max_spread": terms.max_spread,
        "rewards_min_size": terms.min_size,
        "native_daily_rate": terms.daily_rate,
        "sponsored_daily_rate": 0,
        "sponsors_count": 0,
        "total_daily_rate": terms.daily_rate,
    }


def _market_row(venue: Venue, market: Market) -> dict[str, Any]:
    terms = venue.rewards[market.condition_id]
    return {
        "condition_id": market.condition_id,
        "question": market.question,
        "market_slug": market.slug,
        "event_slug": market.event_slug,
        "image": "",
        "rewards_max_spread": terms.max_spread,
        "rewards_min_size": terms.min_size,
        "market_competitiveness": 0,
        "tokens": [
            {
                "token_id": token.token_id,
                "outcome": token.outcome,
                "price": midpoint_of(venue, token.token_id) / MICRO,
            }
            for token in market.tokens
        ],
        "rewards_config": _config(market, terms),
    }


def _multi_row(venue: Venue, market: Market) -> dict[str, Any]:
    terms = venue.rewards[market.condition_id]
    return {
        **_market_row(venue, market),
        "market_id": market_id(market),
        "rewards_config": _config(market, terms, with_id=True),
        "spread": spread_of(venue, market.tokens[0].token_id) / MICRO,
        "group_item_title": "",
        "volume_24hr": 0,
        "event_id": stable_number(market.event_slug),
        "created_at": START_DATE + "T00:00:00Z",
        "end_date": iso(market.end_ns),
        "one_day_price_change": 0,
    }


def _builder_of(venue: Venue, leg: Leg) -> str:
    order = venue.exchange.state.orders.get(leg.order_id)
    return order.terms.builder.lower() if order is not None else ""


def _builder_row(trade: Trade, leg: Leg, code: str) -> dict[str, Any]:
    usd = leg.size_micro * leg.price_micro // MICRO
    return {
        "id": trade.trade_id,
        "tradeType": "TAKER" if leg is trade.taker else "MAKER",
        "takerOrderHash": trade.taker.order_id,
        "builder": code,
        "builderCode": code,
        "market": trade.market.condition_id,
        "assetId": leg.token_id,
        "side": leg.side.value,
        "size": plain(leg.size_micro),
        "sizeUsdc": plain(usd),
        "price": plain(leg.price_micro),
        "status": trade.status.value,
        "outcome": trade.market.tokens[leg.index].outcome,
        "outcomeIndex": leg.index,
        "owner": leg.owner,
        "maker": leg.maker_address,
        "transactionHash": "",
        "matchTime": str(trade.match_ns // NS),
        "bucketIndex": 0,
        "fee": plain(leg.fee_micro),
        "feeUsdc": plain(leg.fee_micro),
        "err_msg": None,
        "createdAt": iso(trade.match_ns),
        "updatedAt": iso(trade.last_update_ns),
    }
