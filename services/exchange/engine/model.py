"""Plain values of the exchange: markets, orders, trades.

Money and shares are integers in micro-units (1e-6), prices in micro-units of collateral a share,
times in UTC epoch nanoseconds. Nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MICRO = 1_000_000
NS = 1_000_000_000
# The venue's smallest order step: two decimals of a share.
LOT_MICRO = 10_000


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"

    @property
    def rests(self) -> bool:
        return self in (OrderType.GTC, OrderType.GTD)


class OrderStatus(StrEnum):
    LIVE = "LIVE"
    MATCHED = "MATCHED"
    CANCELED = "CANCELED"
    CANCELED_MARKET_RESOLVED = "CANCELED_MARKET_RESOLVED"


class CloseReason(StrEnum):
    """Why an order left the book without being fully matched."""

    USER = "user"
    EXPIRED = "expired"
    KILLED = "killed"
    RESOLVED = "resolved"
    HEARTBEAT = "heartbeat"


class TradeStatus(StrEnum):
    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"

    @property
    def is_final(self) -> bool:
        return self is TradeStatus.CONFIRMED


class Role(StrEnum):
    TAKER = "TAKER"
    MAKER = "MAKER"


@dataclass(frozen=True, slots=True)
class Token:
    token_id: str
    outcome: str


@dataclass(slots=True)
class Market:
    """One binary market. Index 0 is the outcome in whose price the book is kept."""

    condition_id: str
    question: str
    slug: str
    event_slug: str
    category: str
    tokens: tuple[Token, Token]
    tick_size_micro: int
    min_size_micro: int
    fee_rate_micro: int
    neg_risk: bool
    end_ns: int
    winning_index: int | None = None
    resolved_ns: int | None = None

    def index_of(self, token_id: str) -> int:
        return 0 if self.tokens[0].token_id == token_id else 1


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A verified order as it enters the engine.

    `account` is the wallet that pays (lower case), `principal` the address whose API key sent it.
    """

    order_id: str
    account: str
    principal: str
    owner: str
    maker_address: str
    token_id: str
    side: Side
    order_type: OrderType
    maker_amount: int
    taker_amount: int
    post_only: bool = False
    expiration_s: int = 0


@dataclass(slots=True)
class Order:
    """An order that the engine accepted; `matched_micro` and what follows it change."""

    terms: NewOrder
    market: Market
    index: int
    price_micro: int
    size_micro: int
    arrival_ns: int
    seq: int
    matched_micro: int = 0
    status: OrderStatus = OrderStatus.LIVE
    close_reason: CloseReason | None = None
    is_tape_taker: bool = False
    reserved_micro: int = 0
    trade_ids: list[str] = field(default_factory=list)

    @property
    def order_id(self) -> str:
        return self.terms.order_id

    @property
    def side(self) -> Side:
        return self.terms.side

    @property
    def remaining_micro(self) -> int:
        return self.size_micro - self.matched_micro

    @property
    def is_bid(self) -> bool:
        """Whether it pulls the price of outcome 0 up: buying it, or selling the other one."""
        return (self.side is Side.BUY) == (self.index == 0)

    @property
    def book_price_micro(self) -> int:
        """Its limit in terms of outcome 0; the books of both outcomes are mirrors."""
        return self.price_micro if self.index == 0 else MICRO - self.price_micro

    @property
    def is_open(self) -> bool:
        return self.status is OrderStatus.LIVE


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a trade. The tape's legs carry made-up order ids and no principal."""

    order_id: str
    account: str
    principal: str
    owner: str
    maker_address: str
    token_id: str
    index: int
    side: Side
    price_micro: int
    size_micro: int
    fee_micro: int


@dataclass(slots=True)
class Trade:
    """A match of one taker with one or more makers; only its status changes."""

    trade_id: str
    market: Market
    taker: Leg
    makers: tuple[Leg, ...]
    match_ns: int
    last_update_ns: int
    status: TradeStatus = TradeStatus.MATCHED

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (self.taker, *self.makers)


@dataclass(frozen=True, slots=True)
class Print:
    """A recorded trade of the real venue."""

    print_id: str
    token_id: str
    price_micro: int
    size_micro: int
    side: Side
    ts_ns: int


@dataclass(frozen=True, slots=True)
class LastPrint:
    """The newest trade seen in a market, its price in terms of outcome 0."""

    book_price_micro: int
    token_id: str
    price_micro: int
    side: Side
    ts_ns: int


@dataclass(frozen=True, slots=True)
class Resolution:
    condition_id: str
    winning_index: int
    ts_ns: int


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the operator decides about matching.

    `print_share_micro`: the part of a print that all our orders together may take (1e-6).
    `copy_latency_ns`: a print fills an order only if it is later than the arrival plus this.
    `gtd_security_s`: the venue drops a GTD order this long before its stated expiration.
    `follows_tape`: recorded prints fill orders, and equal arrivals are ranked by order id, so
    that the accident of which request came first within a window decides nothing.
    """

    follows_tape: bool = True
    print_share_micro: int = 100_000
    copy_latency_ns: int = 0
    gtd_security_s: int = 60
    min_marketable_buy_micro: int = MICRO
    settle_mined_ns: int = 0
    settle_confirmed_ns: int = 0
