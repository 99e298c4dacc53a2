"""Frames of the market stream, from engine events. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from whaletrader.services.exchange.engine.events import (
    LastTradeEvent,
    LevelEvent,
    MarketListed,
    MarketResolved,
    TickChanged,
)
from whaletrader.services.exchange.engine.model import MICRO
from whaletrader.services.exchange.engine.rules import plain


def price_change(events: Sequence[LevelEvent], books: list[dict[str, Any]]) -> dict[str, Any]:
    """Render a market's changed levels for both outcomes: a bid on one is an ask on the other.

    `books` are those after all of the changes, and so are the best prices and hashes of each.
    """
    changes = []
    for event, (index, book) in itertools.product(events, enumerate(books)):
        is_bid = event.is_bid == (index == 0)
        price = event.book_price_micro if index == 0 else MICRO - event.book_price_micro
        changes.append(
            {
                "asset_id": book["asset_id"],
                "price": plain(price),
                "size": plain(event.size_micro),
                "side": "BUY" if is_bid else "SELL",
                "hash": book["hash"],
                "best_bid": book["bids"][-1]["price"] if book["bids"] else "0",
                "best_ask": book["asks"][-1]["price"] if book["asks"] else "1",
            }
        )
    return {
        "market": events[-1].market.condition_id,
        "price_changes": changes,
        "timestamp": _ms(events[-1].at_ns),
        "event_type": "price_change",
    }


def best_bid_ask(event: LevelEvent, change: dict[str, str]) -> dict[str, Any]:
    """Render a token's best prices from its part of a `price_change`."""
    spread = round((float(change["best_ask"]) - float(change["best_bid"])) * MICRO)
    return {
        "event_type": "best_bid_ask",
        "market": event.market.condition_id,
        "asset_id": change["asset_id"],
        "best_bid": change["best_bid"],
        "best_ask": change["best_ask"],
        "spread": plain(spread),
        "timestamp": _ms(event.at_ns),
    }


def last_trade(event: LastTradeEvent) -> dict[str, Any]:
    return {
        "asset_id": event.token_id,
        "event_type": "last_trade_price",
        "fee_rate_bps": str(event.market.fee_rate_micro // 100),
        "market": event.market.condition_id,
        "price": plain(event.price_micro),
        "side": event.side.value,
        "size": plain(event.size_micro),
        "timestamp": _ms(event.at_ns),
    }


def tick_change(event: TickChanged, token_id: str) -> dict[str, Any]:
    return {
        "event_type": "tick_size_change",
        "asset_id": token_id,
        "market": event.market.condition_id,
        "old_tick_size": plain(event.old_tick_micro),
        "new_tick_size": plain(event.new_tick_micro),
        "timestamp": _ms(event.at_ns),
    }


def new_market(event: MarketListed) -> dict[str, Any]:
    market = event.market
    tokens = [token.token_id for token in market.tokens]
    return {
        "event_type": "new_market",
        "id": market.condition_id,
        "question": market.question,
        "market": market.condition_id,
        "slug": market.slug,
        "description": market.question,
        "assets_ids": tokens,
        "outcomes": [token.outcome for token in market.tokens],
        "event_message": {
            "id": market.event_slug,
            "ticker": market.event_slug,
            "slug": market.event_slug,
            "title": market.question,
            "description": market.question,
        },
        "timestamp": _ms(event.at_ns),
        "tags": [market.category],
        "condition_id": market.condition_id,
        "active": True,
        "clob_token_ids": tokens,
        "sports_market_type": "",
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": plain(market.tick_size_micro),
        "group_item_title": "",
        "taker_base_fee": "1000" if market.fee_rate_micro else "0",
        "fees_enabled": market.fee_rate_micro > 0,
        "fee_schedule": {
            "exponent": "1",
            "rate": plain(market.fee_rate_micro),
            "taker_only": True,
            "rebate_rate": "0",
        },
    }


def market_resolved(event: MarketResolved) -> dict[str, Any]:
    market = event.market
    winner = market.tokens[event.winning_index]
    return {
        "event_type": "market_resolved",
        "id": market.condition_id,
        "market": market.condition_id,
        "assets_ids": [token.token_id for token in market.tokens],
        "winning_asset_id": winner.token_id,
        "winning_outcome": winner.outcome,
        "timestamp": _ms(event.at_ns),
        "tags": [market.category],
    }


def _ms(at_ns: int) -> str:
    return str(at_ns // 1_000_000)
