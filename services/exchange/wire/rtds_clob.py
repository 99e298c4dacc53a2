"""The CLOB's own topics on the live-data stream: the user's orders and trades, books, markets.

The same facts as on the CLOB's channels, in this stream's envelope and under its names. A book
topic needs a filter of tokens; without one it says nothing, as on the live host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from whaletrader.services.exchange.engine.events import (
    EngineEvent,
    LastTradeEvent,
    LevelEvent,
    MarketListed,
    MarketResolved,
    OrderEvent,
    TickChanged,
    TradeEvent,
)
from whaletrader.services.exchange.engine.model import Market
from whaletrader.services.exchange.engine.rules import plain
from whaletrader.services.exchange.wire import market_frames, render
from whaletrader.services.exchange.wire.books import book_of
from whaletrader.services.exchange.wire.subscribers import LiveSubscriber, Wish
from whaletrader.services.exchange.wire.venue import Venue

TOPICS: Final = ("clob_user", "clob_market")
_SHORT: Final = {
    "asset_id": "a",
    "hash": "h",
    "price": "p",
    "side": "si",
    "size": "s",
    "best_bid": "bb",
    "best_ask": "ba",
}
_BOOK_NAMES: Final = (
    *("asks", "asset_id", "bids", "hash", "market", "min_order_size", "neg_risk", "tick_size"),
    "timestamp",
)


def tell(venue: Venue, subscribers: Iterable[LiveSubscriber], event: EngineEvent) -> None:
    """Tell one event of the engine to whoever wishes to hear it."""
    heard = [(s, w) for s in subscribers for w in s.wishes if w.topic in TOPICS]
    if not heard:
        return
    if isinstance(event, OrderEvent | TradeEvent):
        _tell_user(venue, heard, event)
        return
    for subscriber, wish in heard:
        if wish.topic == "clob_market":
            for kind, payload in _market_frames(venue, wish, event):
                subscriber.tell("clob_market", kind, event.at_ns // 1_000_000, payload)


def snapshot(venue: Venue, subscriber: LiveSubscriber, wish: Wish) -> None:
    """Tell the books of a new subscription to them."""
    if wish.topic == "clob_market" and wish.takes_kind("agg_orderbook"):
        known = venue.exchange.state.market_of_token
        for token_id in _tokens(wish):
            if token_id in known:
                at_ms = venue.now_ns // 1_000_000
                subscriber.tell("clob_market", "agg_orderbook", at_ms, _book(venue, token_id))


def _tell_user(
    venue: Venue, heard: list[tuple[LiveSubscriber, Wish]], event: OrderEvent | TradeEvent
) -> None:
    for subscriber, wish in heard:
        if wish.topic != "clob_user":
            continue
        if isinstance(event, OrderEvent):
            if wish.takes_kind("order") and event.order.terms.principal == wish.principal:
                in_status = venue.config.cancel_reason_in_status
                payload = render.order_event(event, reason_in_status=in_status)
                subscriber.tell("clob_user", "order", event.at_ns // 1_000_000, payload)
        elif wish.takes_kind("trade") and wish.principal in {
            leg.principal for leg in event.trade.legs
        }:
            payload = render.trade_event(event, wish.principal)
            subscriber.tell("clob_user", "trade", event.at_ns // 1_000_000, payload)


def _market_frames(venue: Venue, wish: Wish, event: EngineEvent) -> list[tuple[str, Any]]:
    if isinstance(event, MarketListed | MarketResolved):
        kind = "market_created" if isinstance(event, MarketListed) else "market_resolved"
        return [(kind, _terms(event.market))] if wish.takes_kind(kind) else []
    if isinstance(event, OrderEvent | TradeEvent):
        return []
    tokens = [t.token_id for t in event.market.tokens if t.token_id in _tokens(wish)]
    frames: list[tuple[str, Any]] = []
    if isinstance(event, LevelEvent):
        if tokens and wish.takes_kind("price_change"):
            frames.append(("price_change", _levels(venue, event)))
        if wish.takes_kind("agg_orderbook"):
            frames += [("agg_orderbook", _book(venue, token)) for token in tokens]
    elif isinstance(event, LastTradeEvent):
        if wish.takes_kind("last_trade_price") and event.token_id in tokens:
            frames.append(("last_trade_price", market_frames.last_trade(event)))
    elif isinstance(event, TickChanged) and wish.takes_kind("tick_size_change"):
        frames += [("tick_size_change", market_frames.tick_change(event, t)) for t in tokens]
    return frames


def _levels(venue: Venue, event: LevelEvent) -> dict[str, Any]:
    books = [book_of(venue, token.token_id) for token in event.market.tokens]
    frame = market_frames.price_change([event], books)
    changes = [
        {short: change[name] for name, short in _SHORT.items()} for change in frame["price_changes"]
    ]
    return {"m": frame["market"], "t": frame["timestamp"], "pc": changes}


def _book(venue: Venue, token_id: str) -> dict[str, Any]:
    book = book_of(venue, token_id)
    return {name: book[name] for name in _BOOK_NAMES}


def _terms(market: Market) -> dict[str, Any]:
    return {
        "market": market.condition_id,
        "asset_ids": [token.token_id for token in market.tokens],
        "min_order_size": plain(market.min_size_micro),
        "tick_size": plain(market.tick_size_micro),
        "neg_risk": market.neg_risk,
    }


def _tokens(wish: Wish) -> list[str]:
    return [str(token) for token in wish.filters] if isinstance(wish.filters, list) else []
