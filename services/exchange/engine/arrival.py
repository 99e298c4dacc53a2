"""An order from its arrival until it rests, is matched or is killed; taker delays included.

Called by the exchange when an order comes and when something that it waits for is due.
"""

from __future__ import annotations

from whaletrader.services.exchange.engine import admission, listing, rules, tape
from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.events import OrderEventKind
from whaletrader.services.exchange.engine.matching import match
from whaletrader.services.exchange.engine.model import (
    LOT_MICRO,
    MICRO,
    NS,
    CloseReason,
    Market,
    NewOrder,
    Order,
    OrderStatus,
    OrderType,
    Trade,
)
from whaletrader.services.exchange.engine.state import Due, EngineState

# Of the published categories only this one holds marketable orders back.
DELAYED_CATEGORY = "crypto"
GTC, GTD, FOK, FAK = OrderType.GTC, OrderType.GTD, OrderType.FOK, OrderType.FAK
LIVE, DELAYED = OrderStatus.LIVE, OrderStatus.DELAYED

# An order and whom it meets on the book, with sizes.
Meets = list[tuple[Order, int]]


def place(state: EngineState, new: NewOrder) -> tuple[Order, Trade | None]:
    """Check an order, then match it and let the rest of it rest, or hold it back.

    Raises `OrderRefused`; a killed FOK or FAK is refused too, but is on record as canceled.
    """
    order = admission.admitted(state, new)
    market = order.market
    meets = state.books[market.condition_id].plan(order)
    if state.settings.follows_tape and not order.budget_micro and new.order_type.rests:
        order.is_tape_taker = tape.is_marketable(state, order)
    admission.check_funds(state, order, meets)
    if new.post_only and (meets or order.is_tape_taker):
        raise OrderRefused(rules.POST_ONLY_CROSSES)
    state.orders[new.order_id] = order
    if meets and (state.settings.taker_delay_ns or market.taker_delay_ns > 0):
        delay_ns = taker_delay_ns(state, market)
        if delay_ns > 0:
            _hold_back(state, order, delay_ns)
            return order, None
    state.tell_order(OrderEventKind.PLACEMENT, order)
    return order, _meet(state, order, meets)


def due(state: EngineState, order_id: str, what: Due) -> None:
    """Expire an order, or let a delayed one meet the book as if it came now."""
    order = state.orders.get(order_id)
    if order is None:
        # Closed long ago and forgotten.
        return
    if what is Due.EXPIRY:
        if order.is_open:
            state.close(order, CloseReason.EXPIRED)
        return
    if order.status is not DELAYED:
        return
    state.unrest(order)
    _set_aside_nothing(state, order)
    order.status = LIVE
    order.seq = state.next_seq()
    meets = state.books[order.market.condition_id].plan(order)
    try:
        admission.check_funds(state, order, meets)
        _meet(state, order, meets)
    except OrderRefused as refused:
        # Nobody waits for this answer: the stream says it.
        if order.is_open:
            state.close(order, CloseReason.KILLED, f"CANCELED_{refused.text}")


def taker_delay_ns(state: EngineState, market: Market) -> int:
    """Return how long a marketable order waits in a market."""
    if market.taker_delay_ns >= 0:
        return market.taker_delay_ns
    is_delayed = market.category.lower() == DELAYED_CATEGORY
    return state.settings.taker_delay_ns if is_delayed else 0


def _meet(state: EngineState, order: Order, meets: Meets) -> Trade | None:
    """Match an order with whom it meets; what is left of it rests or is killed."""
    kind = order.terms.order_type
    if kind is FOK and not _fills(order, meets):
        raise _kill(state, order, rules.FOK_KILLED)
    if kind is FAK and not meets:
        raise _kill(state, order, rules.FAK_KILLED)
    trade = None
    if meets:
        trade = match(state, order, meets)
        state.tell_order(OrderEventKind.UPDATE, order)
        if state.settings.auto_tick:
            listing.refine_tick(state, order.market)
    if order.status is LIVE:
        if kind is GTC or kind is GTD:
            state.reserve(order)
            state.rest(order)
            if kind is GTD:
                drop_s = order.terms.expiration_s - state.settings.gtd_security_s
                state.remind(drop_s * NS, Due.EXPIRY, order.terms.order_id)
        else:
            state.close(order, CloseReason.KILLED, f"CANCELED_{rules.FAK_KILLED}")
    return trade


def _fills(order: Order, meets: Meets) -> bool:
    """Whether these fill the order wholly: all its shares, or its dollars to less than a lot."""
    if not order.budget_micro:
        return sum(size for _, size in meets) == order.size_micro
    if not meets:
        return False
    left = order.budget_micro
    price = MICRO
    for resting, size in meets:
        book_price = resting.book_price_micro
        price = book_price if order.index == 0 else MICRO - book_price
        left -= size * price // MICRO
    return left * MICRO // price < LOT_MICRO


def _hold_back(state: EngineState, order: Order, delay_ns: int) -> None:
    order.status = DELAYED
    state.reserve(order)
    state.open_by_principal[order.terms.principal][order.terms.order_id] = order
    state.tell_order(OrderEventKind.PLACEMENT, order)
    state.remind(state.now_ns + delay_ns, Due.TAKER_DELAY, order.terms.order_id)


def _set_aside_nothing(state: EngineState, order: Order) -> None:
    account = state.ledger.account(order.terms.account)
    if order.terms.side is admission.BUY:
        account.reserved_cash_micro -= order.reserved_micro
    else:
        account.reserved_shares[order.terms.token_id] -= order.reserved_micro
    order.reserved_micro = 0


def _kill(state: EngineState, order: Order, text: str) -> OrderRefused:
    state.close(order, CloseReason.KILLED, f"CANCELED_{text}")
    return OrderRefused(text)
