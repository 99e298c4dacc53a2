"""What the engine tells the outside: facts in the order in which they happened.

Immutable, with the values of that moment; the wire turns them into WebSocket frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from whaletrader.services.exchange.engine.model import Market, Order, Side, Trade, TradeStatus


class OrderEventKind(StrEnum):
    PLACEMENT = "PLACEMENT"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """`status` is the venue's word, with the reason of a cancellation in it."""

    kind: OrderEventKind
    order: Order
    matched_micro: int
    status: str
    trade_ids: tuple[str, ...]
    at_ns: int


@dataclass(frozen=True, slots=True)
class TradeEvent:
    trade: Trade
    status: TradeStatus
    at_ns: int


@dataclass(frozen=True, slots=True)
class LevelEvent:
    """The open size at a price of outcome 0's book changed to `size_micro`."""

    market: Market
    is_bid: bool
    book_price_micro: int
    size_micro: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class LastTradeEvent:
    market: Market
    token_id: str
    price_micro: int
    size_micro: int
    side: Side
    at_ns: int


@dataclass(frozen=True, slots=True)
class MarketListed:
    market: Market
    at_ns: int


@dataclass(frozen=True, slots=True)
class TickChanged:
    market: Market
    old_tick_micro: int
    new_tick_micro: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class MarketResolved:
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
