"""What the engine tells the outside: facts in the order in which they happened.

With the values of that moment; the wire turns them into WebSocket frames when somebody listens.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from whaletrader.services.exchange.engine.model import Market, Order, Side, Trade, TradeStatus


class OrderEventKind(StrEnum):
    PLACEMENT = "PLACEMENT"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"


class OrderEvent(msgspec.Struct, frozen=True, eq=False, gc=False):
    """`status` is the venue's word, with the reason of a cancellation in it."""

    kind: OrderEventKind
    order: Order
    matched_micro: int
    status: str
    trade_ids: tuple[str, ...]
    at_ns: int


class TradeEvent(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A step of a trade's settlement. A repeated status is told without having happened."""

    trade: Trade
    status: TradeStatus
    at_ns: int


class LevelEvent(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The open size at a price of outcome 0's book changed to `size_micro`."""

    market: Market
    is_bid: bool
    book_price_micro: int
    size_micro: int
    at_ns: int


class LastTradeEvent(msgspec.Struct, frozen=True, eq=False, gc=False):
    market: Market
    token_id: str
    price_micro: int
    size_micro: int
    side: Side
    at_ns: int


class MarketListed(msgspec.Struct, frozen=True, eq=False, gc=False):
    market: Market
    at_ns: int


class TickChanged(msgspec.Struct, frozen=True, eq=False, gc=False):
    market: Market
    old_tick_micro: int
    new_tick_micro: int
    at_ns: int


class MarketResolved(msgspec.Struct, frozen=True, eq=False, gc=False):
    market: Market
    winning_index: int
    at_ns: int


EngineEvent = (
    OrderEvent
    | TradeEvent
    | LevelEvent
    | LastTradeEvent
    | MarketListed
    | TickChanged
    | MarketResolved
)
