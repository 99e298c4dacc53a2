"""Placing and cancelling: `/order`, `/orders`, `/cancel-all`, `/cancel-market-orders`."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.exchange import Placed
from whaletrader.services.exchange.engine.ledger import cost_micro
from whaletrader.services.exchange.engine.model import Side
from whaletrader.services.exchange.engine.rules import INVALID_PAYLOAD, plain
from whaletrader.services.exchange.wire.answers import WireError, ok, read_json
from whaletrader.services.exchange.wire.credentials import ApiKey
from whaletrader.services.exchange.wire.order_body import OrderBody, verified
from whaletrader.services.exchange.wire.venue import Venue, authorized, venue_of

_one = msgspec.json.Decoder(OrderBody)
_many = msgspec.json.Decoder(list[OrderBody])


async def post_order(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
    try:
        body = _one.decode(await request.body())
    except msgspec.DecodeError as error:
        raise WireError(400, INVALID_PAYLOAD) from error
    try:
        placed = _place(venue, key, body)
    except OrderRefused as refused:
        raise WireError(refused.status, refused.text) from refused
    return ok(_accepted(placed))


async def post_orders(request: Request) -> Response:
    """Place a batch, leg by leg; a refused leg says so and leaves the others alone."""
    venue = venue_of(request)
    key = await authorized(request)
    try:
        bodies = _many.decode(await request.body())
    except msgspec.DecodeError as error:
        raise WireError(400, INVALID_PAYLOAD) from error
    limit = venue.config.batch_orders_max
    if len(bodies) > limit:
        text = f"Too many orders in payload: {len(bodies)}, max allowed: {limit}"
        raise WireError(400, text)
    answers = []
    for body in bodies:
        try:
            answers.append(_accepted(_place(venue, key, body)))
        except OrderRefused as refused:
            answers.append(_refused_leg(refused.text))
    return ok(answers)


async def delete_order(request: Request) -> Response:
    key = await authorized(request)
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
    return _cancel(venue, key, body)


async def cancel_all(request: Request) -> Response:
    venue = venue_of(request)
    key = await authorized(request)
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
    canceled = venue.exchange.cancel_open(
        key.address, venue.now_ns, condition_id=market, token_id=token
    )
    return _canceled(venue, canceled)


def _place(venue: Venue, key: ApiKey, body: OrderBody) -> Placed:
    new = verified(venue, key, body)
    try:
        return venue.exchange.place(new, venue.now_ns)
    finally:
        venue.publish()


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


def _accepted(placed: Placed) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "errorMsg": "",
        "orderID": placed.order.order_id,
        "takingAmount": "",
        "makingAmount": "",
        "status": "live",
        "success": True,
    }
    if placed.trade is not None:
        taker = placed.trade.taker
        money = sum(
            cost_micro(leg.size_micro, leg.price_micro)
            if leg.index == taker.index
            else leg.size_micro - cost_micro(leg.size_micro, leg.price_micro)
            for leg in placed.trade.makers
        )
        is_buy = taker.side is Side.BUY
        answer["makingAmount"] = plain(money if is_buy else taker.size_micro)
        answer["takingAmount"] = plain(taker.size_micro if is_buy else money)
        answer["status"] = "matched"
        answer["tradeIDs"] = [placed.trade.trade_id]
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
