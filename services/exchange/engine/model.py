"""Plain values of the exchange: markets, orders, trades, prints.

Money and shares are integers in micro-units (1e-6), prices in micro-units of collateral a share,
times in UTC epoch nanoseconds. Nothing here decides anything. msgspec structs, because they are
made for every order: copy them with `msgspec.structs.replace`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from whaletrader.services.exchange.engine.schedules import FeeSchedule, schedule_of
from whaletrader.services.exchange.engine.settings import EngineSettings
from whaletrader.services.exchange.engine.units import LOT_MICRO, MICRO, NS


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
    """DELAYED: taken, but held back by the market's taker delay before it may match."""

    LIVE = "LIVE"
    DELAYED = "DELAYED"
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
    # The balance or allowance behind a resting order is gone.
    NOT_FUNDED = "not_funded"
    # A trade of the order failed to settle, and the order is not offered again.
    REVERSED = "reversed"
    # The tick became coarser and the price is no longer on the grid.
    OFF_GRID = "off_grid"


class TradeStatus(StrEnum):
    """MATCHED, perhaps RETRYING, MINED, CONFIRMED; or FAILED before it was mined."""

    MATCHED = "MATCHED"
    RETRYING = "RETRYING"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        return self in (TradeStatus.CONFIRMED, TradeStatus.FAILED)

    @property
    def is_on_chain(self) -> bool:
        return self in (TradeStatus.MINED, TradeStatus.CONFIRMED)


class Role(StrEnum):
    TAKER = "TAKER"
    MAKER = "MAKER"


class Acceptance(StrEnum):
    """What a market, or the whole exchange, takes at the moment."""

    NORMAL = "normal"
    POST_ONLY = "post_only"
    CANCEL_ONLY = "cancel_only"
    # Positions may be reduced, not opened.
    CLOSED_ONLY = "closed_only"
    # Neither orders nor cancels: the engine restarts, or trading is off.
    DISABLED = "disabled"


class Restriction(StrEnum):
    """What an account may not do."""

    NONE = "none"
    CLOSED_ONLY = "closed_only"
    BANNED = "banned"


class Token(msgspec.Struct, frozen=True):
    token_id: str
    outcome: str


class Market(msgspec.Struct, eq=False):
    """One binary market. Index 0 is the outcome in whose price the book is kept.

    `neg_risk_event` is the id of the event whose markets exclude each other, empty for none.
    `rebate_rate_micro` and `taker_delay_ns` of -1 mean what the category has. An implicit market
    is the unnamed other outcome of an augmented event: it pays out but takes no orders.
    """

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
    neg_risk_event: str = ""
    fee_exponent: int = 1
    rebate_rate_micro: int = -1
    taker_delay_ns: int = -1
    is_implicit: bool = False
    accepting: Acceptance = Acceptance.NORMAL
    accepting_until_ns: int | None = None
    volume_micro: int = 0
    listed_ns: int = 0

    @property
    def schedule(self) -> FeeSchedule:
        """Its own rate and exponent, and its category's rebate unless it has its own."""
        rebate = self.rebate_rate_micro
        if rebate < 0:
            rebate = schedule_of(self.category).rebate_micro if self.fee_rate_micro else 0
        return FeeSchedule(self.fee_rate_micro, rebate, self.fee_exponent)

    def index_of(self, token_id: str) -> int:
        return 0 if self.tokens[0].token_id == token_id else 1


class NegRiskEvent(msgspec.Struct, frozen=True):
    """Markets of which at most one can turn out YES; exactly one if the event is augmented."""

    event_id: str
    condition_ids: tuple[str, ...]
    is_augmented: bool = False


class NewOrder(msgspec.Struct, frozen=True, gc=False):
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
    builder: str = ""
    generation: int = 2


class Order(msgspec.Struct, eq=False, gc=False):
    """An order that the engine accepted; `matched_micro` and what follows it change.

    `is_bid`: whether it pulls the price of outcome 0 up, by buying it or selling the other one.
    `book_price_micro`: its limit in terms of outcome 0; the books of both outcomes are mirrors.
    `budget_micro`: dollars that a market BUY spends, 0 for an order of a number of shares; such
    an order's size is what it came to, once that is known.
    """

    terms: NewOrder
    market: Market
    index: int
    is_bid: bool
    price_micro: int
    book_price_micro: int
    size_micro: int
    arrival_ns: int
    seq: int
    budget_micro: int = 0
    matched_micro: int = 0
    spent_micro: int = 0
    fee_micro: int = 0
    status: OrderStatus = OrderStatus.LIVE
    close_reason: CloseReason | None = None
    is_tape_taker: bool = False
    reserved_micro: int = 0
    trade_ids: list[str] = []

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
    def is_open(self) -> bool:
        return self.status is OrderStatus.LIVE or self.status is OrderStatus.DELAYED


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One order's side of a trade; the tape's legs carry made-up orders and no principal.

    `money_micro` is what the order paid or got for the shares, the fee apart.
    """

    terms: NewOrder
    index: int
    price_micro: int
    size_micro: int
    money_micro: int
    fee_micro: int = 0

    @property
    def order_id(self) -> str:
        return self.terms.order_id

    @property
    def account(self) -> str:
        return self.terms.account

    @property
    def principal(self) -> str:
        return self.terms.principal

    @property
    def owner(self) -> str:
        return self.terms.owner

    @property
    def maker_address(self) -> str:
        return self.terms.maker_address

    @property
    def token_id(self) -> str:
        return self.terms.token_id

    @property
    def side(self) -> Side:
        return self.terms.side


class Trade(msgspec.Struct, eq=False, gc=False):
    """A match of one taker with one or more makers; only what follows `match_ns` changes."""

    trade_id: str
    market: Market
    taker: Leg
    makers: tuple[Leg, ...]
    seq: int
    match_ns: int
    last_update_ns: int
    status: TradeStatus = TradeStatus.MATCHED
    error: str = ""

    @property
    def legs(self) -> tuple[Leg, ...]:
        return (self.taker, *self.makers)


class Print(msgspec.Struct, frozen=True):
    """A recorded trade of the real venue."""

    print_id: str
    token_id: str
    price_micro: int
    size_micro: int
    side: Side
    ts_ns: int


class LastPrint(msgspec.Struct, frozen=True, gc=False):
    """The newest trade seen in a market, its price in terms of outcome 0."""

    book_price_micro: int
    token_id: str
    price_micro: int
    side: Side
    ts_ns: int


class Resolution(msgspec.Struct, frozen=True):
    condition_id: str
    winning_index: int
    ts_ns: int


class ActivityKind(StrEnum):
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    CONVERSION = "CONVERSION"
    REDEEM = "REDEEM"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    MAKER_REBATE = "MAKER_REBATE"


class Activity(msgspec.Struct, frozen=True):
    """Something an account did on the chain, or that was done to it there, besides trading.

    `shares_micro` pairs token ids with the change of the account's shares.
    """

    activity_id: str
    seq: int
    kind: ActivityKind
    account: str
    at_ns: int
    usdc_micro: int
    amount_micro: int = 0
    condition_id: str = ""
    event_id: str = ""
    shares_micro: tuple[tuple[str, int], ...] = ()


__all__ = [
    "LOT_MICRO",
    "MICRO",
    "NS",
    "Acceptance",
    "Activity",
    "ActivityKind",
    "CloseReason",
    "EngineSettings",
    "LastPrint",
    "Leg",
    "Market",
    "NegRiskEvent",
    "NewOrder",
    "Order",
    "OrderStatus",
    "OrderType",
    "Print",
    "Resolution",
    "Restriction",
    "Role",
    "Side",
    "Token",
    "Trade",
    "TradeStatus",
]
