"""Placing and cancelling: `/order`, `/orders`, `/cancel-all`, `/cancel-market-orders`."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.exchange import Placed
from whaletrader.services.exchange.engine.model import NS, Market, Side, TradeStatus
from whaletrader.services.exchange.engine.rules import INVALID_PAYLOAD, plain
from whaletrader.services.exchange.weather.rules import Effect
from whaletrader.services.exchange.weather.sky import Occasion
from whaletrader.services.exchange.wire.answers import BAD_JSON, WireError, ok, read_json
from whaletrader.services.exchange.wire.credentials import ApiKey
from whaletrader.services.exchange.wire.order_body import OrderBody, verified
from whaletrader.services.exchange.wire.render import transaction_hash
from whaletrader.services.exchange.wire.venue import Venue, authorized, venue_of

TOO_MANY = "Too Many Requests"

_one = msgspec.json.Decoder(OrderBody)
_many = msgspec.json.Decoder(list[OrderBody])


async def post_order(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    _within_limits(venue, key, orders=1)
    try:
        body = _one.decode(await request.body())
    except BAD_JSON as error:
        raise WireError(400, INVALID_PAYLOAD) from error
    try:
        placed = _place(venue, key, body)
    except OrderRefused as refused:
        raise _refusal(refused) from refused
    return ok(_accepted(venue, placed))


async def post_orders(request: Request) -> Response:
    """Place a batch, leg by leg; a refused leg says so and leaves the others alone."""
    venue = venue_of(request)
    key = await authorized(request)
    try:
        bodies = _many.decode(await request.body())
    except BAD_JSON as error:
        raise WireError(400, INVALID_PAYLOAD) from error
    limit = venue.config.batch_orders_max
    if len(bodies) > limit:
        text = f"Too many orders in payload: {len(bodies)}, max allowed: {limit}"
        raise WireError(400, text)
    _within_limits(venue, key, orders=len(bodies))
    answers = []
    for body in bodies:
        try:
            answers.append(_accepted(venue, _place(venue, key, body)))
        except OrderRefused as refused:
            answers.append(_refused_leg(refused.text))
    return ok(answers)


async def delete_order(request: Request) -> Response:
    key = await authorized(request)
    _within_limits(venue_of(request), key, cancels=1)
    body = await read_json(request)
    order_id = body.get("orderID") if isinstance(body, dict) else None
    if not isinstance(order_id, str):
        raise WireError(400, "Invalid orderID")
    return _cancel(venue_of(request), key, [order_id])


async def delete_orders(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    body = await read_json(request)
    if not isinstance(body, list) or not all(isinstance(item, str) for item in body):
        raise WireError(400, "Invalid order payload")
    if len(body) > venue.config.cancel_ids_max:
        limit = venue.config.cancel_ids_max
        raise WireError(400, f"Too many orders in payload: {len(body)}, max allowed: {limit}")
    _within_limits(venue, key, cancels=len(body))
    return _cancel(venue, key, body)


async def cancel_all(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    # It costs one and one for each order that it meets.
    _within_limits(venue, key, cancels=1 + len(venue.exchange.state.open_by_principal[key.address]))
    return _canceled(venue, venue.exchange.cancel_open(key.address, venue.now_ns))


async def cancel_market_orders(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    body = await read_json(request)
    if not isinstance(body, dict):
        raise WireError(400, "Invalid payload")
    # An empty text means the same as a missing key.
    market, token = body.get("market") or None, body.get("asset_id") or None
    if market is None and token is None:
        raise WireError(400, "Invalid payload")
    _within_limits(venue, key, cancels=1)
    canceled = venue.exchange.cancel_open(
        key.address, venue.now_ns, condition_id=market, token_id=token
    )
    return _canceled(venue, canceled)


def _place(venue: Venue, key: ApiKey, body: OrderBody) -> Placed:
    if venue.config.closed_only and body.order.side == "BUY":
        raise OrderRefused(f"'{body.order.maker}' address in closed only mode")
    new = verified(venue, key, body)
    market = venue.exchange.state.market_of_token[new.token_id]
    delay_ms = _weather_delay_ms(venue, key, market)
    own_delay_ns = market.taker_delay_ns
    if delay_ms:
        market.taker_delay_ns = delay_ms * 1_000_000
    try:
        return venue.exchange.place(new, venue.now_ns)
    finally:
        market.taker_delay_ns = own_delay_ns
        venue.wake()
        venue.publish()


def _weather_delay_ms(venue: Venue, key: ApiKey, market: Market) -> int:
    """Return how long the weather makes a marketable order wait, 0 for not at all."""
    if Effect.DELAYED not in venue.sky.effects:
        return 0
    occasion = Occasion(
        now_ns=venue.wall_ns(),
        account=key.address,
        markets=frozenset((market.condition_id,)),
        what="order",
    )
    strike = venue.sky.strike(Effect.DELAYED, occasion)
    return strike.rule.delay_ms if strike is not None else 0


def _within_limits(venue: Venue, key: ApiKey, *, orders: int = 0, cancels: int = 0) -> None:
    """Raise 429 when the signer's bucket does not hold enough tokens; nothing is placed then."""
    if venue.limits is None:
        return
    now_ns = venue.wall_ns()
    wait_ns = venue.limits.orders(key.address, orders, now_ns) if orders else 0
    wait_ns = wait_ns or (venue.limits.cancels(key.address, cancels, now_ns) if cancels else 0)
    if wait_ns:
        seconds = str(max(1, -(-wait_ns // NS)))
        refusal = WireError(429, TOO_MANY)
        refusal.headers = {
            "Retry-After": seconds,
            "Poly-RateLimit-Remaining": str(venue.limits.remaining(key.address, now_ns)),
            "Poly-RateLimit-Reset": seconds,
            "Poly-RateLimit-Tier": venue.limits.tier,
        }
        raise refusal


def _refusal(refused: OrderRefused) -> WireError:
    extra: dict[str, Any] = {}
    if refused.code:
        extra = {"code": refused.code, "retry_after_seconds": refused.retry_after_s}
    made = WireError(refused.status, refused.text, **extra)
    if refused.retry_after_s:
        made.headers = {"Retry-After": str(refused.retry_after_s)}
    return made


def _cancel(venue: Venue, key: ApiKey, order_ids: list[str]) -> Response:
    canceled, refused = [], {}
    for order_id in dict.fromkeys(order_ids):
        reason = venue.exchange.cancel(key.address, order_id, venue.now_ns)
        if reason is None:
            canceled.append(order_id)
        else:
            refused[order_id] = reason
    venue.publish()
    return ok({"canceled": canceled, "not_canceled": refused})


def _canceled(venue: Venue, order_ids: list[str]) -> Response:
    venue.publish()
    return ok({"canceled": order_ids, "not_canceled": {}})


def _accepted(venue: Venue, placed: Placed) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "errorMsg": "",
        "orderID": placed.order.order_id,
        "takingAmount": "",
        "makingAmount": "",
        "status": "delayed" if placed.is_delayed else "live",
        "success": True,
    }
    trade = placed.trade
    if trade is not None:
        paid, shares = plain(placed.paid_micro), plain(placed.shares_micro)
        is_buy = trade.taker.side is Side.BUY
        answer["makingAmount"] = paid if is_buy else shares
        answer["takingAmount"] = shares if is_buy else paid
        answer["status"] = "matched"
        answer["tradeIDs"] = [trade.trade_id]
        if venue.config.hashes_in_answer:
            answer["transactionsHashes"] = [transaction_hash(trade, TradeStatus.MINED)]
    return answer


def _refused_leg(text: str) -> dict[str, Any]:
    # `success` stays true for a refused leg: so does the live venue.
    return {
        "errorMsg": text,
        "orderID": "",
        "takingAmount": "",
        "makingAmount": "",
        "status": "",
        "success": True,
    }
