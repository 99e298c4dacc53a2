"""Orders, trades and books in the venue's own field names, order and units. Pure.

Key order matters where a hash covers the text (books); amounts are decimal strings in whole units.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from whaletrader.services.exchange.engine.book import Book
from whaletrader.services.exchange.engine.events import OrderEvent, TradeEvent
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    LastPrint,
    Leg,
    Market,
    Order,
    Role,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.rules import plain
from whaletrader.services.exchange.signing.contracts import is_position_id


def order_row(order: Order, *, prefixed: bool = False) -> dict[str, Any]:
    """Render an order as the REST reads give it; `prefixed` says ORDER_STATUS_LIVE."""
    terms = order.terms
    return {
        "id": terms.order_id,
        "status": f"ORDER_STATUS_{order.status.value}" if prefixed else order.status.value,
        "owner": terms.owner,
        "maker_address": terms.maker_address,
        "market": order.market.condition_id,
        "asset_id": terms.token_id,
        "side": terms.side.value,
        "original_size": plain(order.size_micro),
        "size_matched": plain(order.matched_micro),
        "price": plain(order.price_micro),
        "outcome": order.market.tokens[order.index].outcome,
        "expiration": str(terms.expiration_s),
        "order_type": terms.order_type.value,
        "associate_trades": list(order.trade_ids),
        "created_at": order.arrival_ns // NS,
    }


def order_event(event: OrderEvent, *, reason_in_status: bool) -> dict[str, Any]:
    """Render an order's change as the user stream gives it."""
    order = event.order
    terms = order.terms
    status = event.status if reason_in_status else event.status.partition("_")[0]
    return {
        "event_type": "order",
        "id": terms.order_id,
        "owner": terms.owner,
        "order_owner": terms.owner,
        "market": order.market.condition_id,
        "asset_id": terms.token_id,
        "side": terms.side.value,
        "original_size": plain(order.size_micro),
        "size_matched": plain(event.matched_micro),
        "price": plain(order.price_micro),
        "associate_trades": list(event.trade_ids) or None,
        "outcome": order.market.tokens[order.index].outcome,
        "type": event.kind.value,
        "created_at": str(order.arrival_ns // NS),
        "expiration": str(terms.expiration_s),
        "order_type": terms.order_type.value,
        "status": status,
        "maker_address": terms.maker_address,
        "timestamp": str(event.at_ns // 1_000_000),
    }


def trade_row(
    trade: Trade, principal: str, status: TradeStatus | None = None, *, prefixed: bool = False
) -> dict[str, Any]:
    """Render a trade for one of its parties; the outer fields are always the taker's."""
    taker = trade.taker
    word = (status or trade.status).value
    role = Role.TAKER if taker.principal == principal else Role.MAKER
    return {
        "id": trade.trade_id,
        "taker_order_id": taker.order_id,
        "market": trade.market.condition_id,
        "asset_id": taker.token_id,
        "side": taker.side.value,
        "size": plain(taker.size_micro),
        "fee_rate_bps": _fee_bps(trade),
        "price": plain(taker.price_micro),
        "status": f"TRADE_STATUS_{word}" if prefixed else word,
        "match_time": str(trade.match_ns // NS),
        "last_update": str(trade.last_update_ns // NS),
        "outcome": trade.market.tokens[taker.index].outcome,
        "bucket_index": 0,
        "owner": taker.owner,
        "maker_address": taker.maker_address,
        "transaction_hash": transaction_hash(trade, status or trade.status),
        "trader_side": role.value,
        "maker_orders": [_maker_row(leg, trade.market) for leg in trade.makers],
    }


def trade_event(event: TradeEvent, principal: str) -> dict[str, Any]:
    """Render a step of a trade's settlement as the user stream gives it."""
    row = trade_row(event.trade, principal, event.status)
    return {
        "event_type": "trade",
        "type": "TRADE",
        **row,
        "last_update": str(event.at_ns // NS),
        "trade_owner": row["owner"],
        "timestamp": str(event.at_ns // 1_000_000),
    }


def transaction_hash(trade: Trade, status: TradeStatus) -> str:
    """Return a made-up but stable hash once the trade is mined."""
    if status not in (TradeStatus.MINED, TradeStatus.CONFIRMED):
        return ""
    return "0x" + hashlib.sha256(trade.trade_id.encode()).hexdigest()


def book_row(market: Market, index: int, book: Book, last: LastPrint | None, at_ns: int) -> Any:
    """Render a book as the REST read gives it; the hash covers this very text with none in it."""
    bids, asks = book.view(index)
    row: dict[str, Any] = {
        "market": market.condition_id,
        "asset_id": market.tokens[index].token_id,
        "timestamp": str(at_ns // 1_000_000),
        "hash": "",
        # Worst first: the best price is the last element of each side.
        "bids": [_level(*level) for level in reversed(bids)],
        "asks": [_level(*level) for level in reversed(asks)],
        "min_order_size": plain(market.min_size_micro),
        "tick_size": plain(market.tick_size_micro),
        "neg_risk": market.neg_risk,
        "last_trade_price": plain(last_price(last, index)) if last else "",
    }
    if is_position_id(market.tokens[index].token_id):
        row["version"] = "v2"
    row["hash"] = text_hash(row)
    return row


def book_event(row: dict[str, Any]) -> dict[str, Any]:
    """Render a book as the market stream gives it, under its own hash."""
    event: dict[str, Any] = {
        "market": row["market"],
        "asset_id": row["asset_id"],
        "timestamp": row["timestamp"],
        "hash": "",
        "bids": row["bids"],
        "asks": row["asks"],
        "tick_size": row["tick_size"],
        "event_type": "book",
        "last_trade_price": row["last_trade_price"],
    }
    if "version" in row:
        event["version"] = row["version"]
    event["hash"] = text_hash({**event, "hash": ""})
    return event


def text_hash(row: dict[str, Any]) -> str:
    """Return the SHA-1 of compact JSON in the row's key order."""
    return hashlib.sha1(msgspec.json.encode(row), usedforsecurity=False).hexdigest()


def last_price(last: LastPrint, index: int) -> int:
    """Return the last trade's price in terms of one outcome, in micro-units."""
    return last.book_price_micro if index == 0 else MICRO - last.book_price_micro


def _level(price: int, size: int) -> dict[str, str]:
    return {"price": plain(price), "size": plain(size)}


def _fee_bps(trade: Trade) -> str:
    # Only a taker that is an account pays; fills as a maker against the tape are free.
    return str(trade.market.fee_rate_micro // 100) if trade.taker.fee_micro else "0"


def _maker_row(leg: Leg, market: Market) -> dict[str, Any]:
    return {
        "order_id": leg.order_id,
        "owner": leg.owner,
        "maker_address": leg.maker_address,
        "matched_amount": plain(leg.size_micro),
        "price": plain(leg.price_micro),
        "fee_rate_bps": "0",
        "asset_id": leg.token_id,
        "outcome": market.tokens[leg.index].outcome,
        "side": leg.side.value,
    }
