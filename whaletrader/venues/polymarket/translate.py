"""From the official client's models to the port's types. Pure; nothing else reads their fields.

A trade can fill one taker order at several makers' prices and several maker orders at once, and a
buy of one outcome can meet a buy of the other (mint) or a sell a sell (merge): then the
counterparty's price is the other outcome's, and ours is one minus it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from polymarket.models.clob.account import (
    BalanceAllowance,
    ClobTrade,
    MakerOrder,
    OpenOrder,
)
from polymarket.models.clob.cancel import CancelOrdersResponse
from polymarket.models.clob.order_book import OrderBook, OrderBookLevel
from polymarket.models.clob.user_events import (
    UserEvent,
    UserOrderEvent,
    UserOrderPayload,
    UserTradeMakerOrder,
    UserTradePayload,
)

from whaletrader.domain.money import MICRO
from whaletrader.venues import terms
from whaletrader.venues.port import (
    Cancellation,
    FillState,
    OrderPlaced,
    OrderState,
    StreamEvent,
    TradeChanged,
    VenueFill,
    VenueOrder,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATES: Final = {
    "MATCHED": FillState.PROVISIONAL,
    "MATCHED_NOT_BROADCASTED": FillState.PROVISIONAL,
    "MINED": FillState.MINED,
    "RETRYING": FillState.RETRYING,
    "CONFIRMED": FillState.CONFIRMED,
    "FAILED": FillState.FAILED,
}
_ENDED: Final = ("CANCEL", "INVALID")
_GONE_WORDS: Final = ("not found", "already canceled", "already matched", "canceled or matched")
_EXPIRED_WORDS: Final = ("CANCELED_EXPIRED_ORDER", "CANCELED_ORDER_TIMED_OUT")


def micro(value: Decimal) -> int:
    """Return a decimal of the wire in micro-units, rounded half to even below them."""
    return int((value * MICRO).to_integral_value(ROUND_HALF_EVEN))


def ns(moment: datetime | None) -> int:
    """Return UTC epoch nanoseconds, 0 for a moment that the venue does not tell."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000 if moment else 0


def book_of(book: OrderBook) -> terms.OrderBook:
    """Translate a book; the wire lists the worst price first."""
    return terms.OrderBook(
        token_id=str(book.asset_id),
        condition_id=str(book.condition_id),
        bids=_levels(book.bids, is_bid=True),
        asks=_levels(book.asks, is_bid=False),
        tick_micro=micro(book.tick_size),
        min_size_micro=micro(book.min_order_size),
        neg_risk=book.neg_risk,
        digest=book.hash,
        at_ns=ns(book.timestamp),
        last_price_micro=micro(book.last_trade_price or Decimal(0)),
    )


def collateral_of(found: BalanceAllowance) -> terms.Collateral:
    """Translate a balance, already in base units."""
    allowances = {spender.lower(): amount for spender, amount in found.allowances.items()}
    return terms.Collateral(found.balance, allowances)


def cancellation_of(answer: CancelOrdersResponse, order_id: str) -> Cancellation:
    """Translate the answer to the cancel of one order."""
    if order_id in answer.canceled:
        return Cancellation(order_id, True, "canceled")
    reasons = {str(name): reason for name, reason in answer.not_canceled.items()}
    reason = reasons.get(order_id, "the venue said neither yes nor no")
    return Cancellation(order_id, any(word in reason.lower() for word in _GONE_WORDS), reason)


def cancellations_of(answer: CancelOrdersResponse) -> list[Cancellation]:
    """Translate the answer to a cancel of many."""
    named = [*answer.canceled, *answer.not_canceled]
    return [cancellation_of(answer, str(order_id)) for order_id in named]


def _levels(levels: Sequence[OrderBookLevel], *, is_bid: bool) -> tuple[terms.BookLevel, ...]:
    # Sorted here too: to trust the order of a foreign list is to trade at its worst price.
    ordered = sorted(levels, key=lambda level: level.price, reverse=is_bid)
    return tuple(
        terms.BookLevel(micro(level.price), micro(level.size)) for level in ordered if level.size
    )


def order_of(order: OpenOrder) -> VenueOrder:
    """Translate an order as REST reads give it."""
    return VenueOrder(
        order.id,
        str(order.condition_id),
        state_of(order.status, order.size_matched),
        micro(order.size_matched),
        order.status,
    )


def state_of(word: str, matched: Decimal) -> OrderState:
    """Translate the venue's status word; the cancelled ones carry free text behind them.

    A word that nobody knows ends nothing: an order that is taken for gone and rests after all is
    bought twice, while one that is taken to rest is asked for and cancelled until it is gone.
    """
    word = word.upper().removeprefix("ORDER_STATUS_")
    if word == "MATCHED":
        return OrderState.FILLED
    if word in _EXPIRED_WORDS:
        return OrderState.EXPIRED
    if word == "INVALID" and not matched:
        return OrderState.REJECTED
    if word.startswith(_ENDED):
        return OrderState.CANCELLED
    return OrderState.OPEN


def fills_of_row(trade: ClobTrade, wallet: str, owner: str) -> list[VenueFill]:
    """Translate a trade as REST reads give it to our parts in it."""
    return _fills(trade, wallet, owner, is_taker=trade.trader_side == "TAKER")


def events_of(event: UserEvent, wallet: str, owner: str) -> list[StreamEvent]:
    """Translate one frame of the user stream."""
    if isinstance(event, UserOrderEvent):
        return _order_events(event.payload)
    trade = event.payload
    legs = trade.maker_orders or ()
    is_whole = sum(leg.matched_amount for leg in legs) == trade.size
    if trade.trader_side is None or not is_whole or trade.matched_at is None:
        # Too little to say which of our orders it filled at which price: REST says it.
        return [TradeChanged(trade.id)]
    return list(_fills(trade, wallet, owner, is_taker=trade.trader_side == "TAKER"))


def _order_events(order: UserOrderPayload) -> list[StreamEvent]:
    at_ns = ns(order.timestamp)
    if order.order_event_type == "PLACEMENT":
        return [OrderPlaced(order.id, at_ns)]
    if order.order_event_type == "UPDATE":
        # A growing match is told by its trades.
        return []
    word = str(order.status or "CANCELED")
    state = state_of(word, order.size_matched)
    if state in (OrderState.OPEN, OrderState.FILLED):
        # The event says that it is off the book, whatever the status word still says.
        state = OrderState.CANCELLED
    return [
        VenueOrder(order.id, str(order.condition_id), state, micro(order.size_matched), word, at_ns)
    ]


def _fills(
    trade: ClobTrade | UserTradePayload, wallet: str, owner: str, *, is_taker: bool
) -> list[VenueFill]:
    legs: Sequence[MakerOrder | UserTradeMakerOrder] = trade.maker_orders or ()
    fills: list[VenueFill] = []
    if is_taker:
        fills += _taker_fills(trade, legs)
    fills += [
        _fill(trade, leg.order_id, trade.id, (leg.price, leg.matched_amount), is_taker=False)
        for leg in legs
        if leg.owner == owner or (leg.maker_address or "").lower() == wallet
    ]
    return fills


def _taker_fills(
    trade: ClobTrade | UserTradePayload, legs: Sequence[MakerOrder | UserTradeMakerOrder]
) -> list[VenueFill]:
    ours = trade.taker_order_id
    is_whole = sum(leg.matched_amount for leg in legs) == trade.size
    if len(legs) <= 1 or not is_whole:
        return [_fill(trade, ours, trade.id, (trade.price, trade.size), is_taker=True)]
    # The trade's own price is a rounded mean: the money is in the legs.
    return [
        _fill(
            trade,
            ours,
            f"{trade.id}:{leg.order_id}",
            (leg.price if leg.asset_id == trade.asset_id else 1 - leg.price, leg.matched_amount),
            is_taker=True,
        )
        for leg in legs
    ]


def _fill(
    trade: ClobTrade | UserTradePayload,
    order_id: str,
    fill_id: str,
    price_and_size: tuple[Decimal, Decimal],
    *,
    is_taker: bool,
) -> VenueFill:
    price, size = price_and_size
    matched_ns = ns(trade.matched_at)
    return VenueFill(
        order_id=order_id,
        trade_id=trade.id,
        fill_id=fill_id,
        price_micro=micro(price),
        size_micro=micro(size),
        is_taker=is_taker,
        state=_STATES[trade.status],
        matched_ns=matched_ns,
        updated_ns=ns(trade.updated_at) or matched_ns,
    )
