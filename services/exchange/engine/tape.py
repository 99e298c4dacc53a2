"""Fills from recorded trades: no fill comes from nothing.

A print fills a resting order only if it is at or through the order's limit and later than the
order's arrival plus the copy latency, and all fills from one print take at most a set share of its
size. The counterparty is the tape's house account. A print of one outcome at p is one of the other
at 1 - p. Called by the exchange as it plays a window; moves money through the ledger.
"""

from __future__ import annotations

import hashlib
from uuid import uuid5

from whaletrader.services.exchange.engine import settlement
from whaletrader.services.exchange.engine.events import LastTradeEvent
from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.ledger import CASH, SETS, TAPE, VAULT, Flow
from whaletrader.services.exchange.engine.matching import TRADE_NAMESPACE, charge, fill_resting
from whaletrader.services.exchange.engine.model import (
    LOT_MICRO,
    MICRO,
    LastPrint,
    Leg,
    Market,
    NewOrder,
    Order,
    OrderType,
    Print,
    Side,
    Trade,
)
from whaletrader.services.exchange.engine.state import EngineState

# Who stands on the other side of a tape fill, on the wire.
TAPE_OWNER = "00000000-0000-0000-0000-000000000000"
TAPE_ADDRESS = "0x0000000000000000000000000000000000000000"


def is_marketable(state: EngineState, order: Order) -> bool:
    """Whether the last print was at or through the limit: then the order is a taker."""
    last = state.last_prints.get(order.market.condition_id)
    return last is not None and _reaches(order, last.book_price_micro)


def apply_print(state: EngineState, recorded: Print) -> None:
    """Let one print fill whom it may, then make it the market's last price."""
    market = state.market_of_token[recorded.token_id]
    index = market.index_of(recorded.token_id)
    book_price = recorded.price_micro if index == 0 else MICRO - recorded.price_micro
    left = recorded.size_micro * state.settings.print_share_micro // MICRO
    for order in _eligible(state, market, book_price, recorded.ts_ns):
        left -= _fill(state, order, recorded, left)
        if left < LOT_MICRO:
            break
    state.last_prints[market.condition_id] = LastPrint(
        book_price, recorded.token_id, recorded.price_micro, recorded.side, recorded.ts_ns
    )
    state.prices.note(market.condition_id, book_price, recorded.ts_ns)
    state.outbox.append(
        LastTradeEvent(
            market=market,
            token_id=recorded.token_id,
            price_micro=recorded.price_micro,
            size_micro=recorded.size_micro,
            side=recorded.side,
            at_ns=recorded.ts_ns,
        )
    )


def _reaches(order: Order, book_price: int) -> bool:
    limit = order.book_price_micro
    return book_price <= limit if order.is_bid else book_price >= limit


def _eligible(state: EngineState, market: Market, book_price: int, ts_ns: int) -> list[Order]:
    """Return who the print reaches: furthest through first, then earliest, then by order id."""
    latency = state.settings.copy_latency_ns
    reached = [
        order
        for order in state.books[market.condition_id].open_orders()
        if _reaches(order, book_price) and ts_ns > order.arrival_ns + latency
    ]
    reached.sort(key=lambda o: (-abs(o.book_price_micro - book_price), o.arrival_ns, o.order_id))
    return reached


def _fill(state: EngineState, order: Order, recorded: Print, left: int) -> int:
    size = min(left, order.remaining_micro) // LOT_MICRO * LOT_MICRO
    trade_id = str(uuid5(TRADE_NAMESPACE, f"{recorded.print_id}:{order.order_id}"))
    if size == 0 or trade_id in state.trades:
        return 0
    same = recorded.token_id == order.terms.token_id
    print_price = recorded.price_micro if same else MICRO - recorded.price_micro
    price = print_price if order.is_tape_taker else order.price_micro
    flows, money = _flows(order, size, price)
    fee = _fee(state, order, size, price, money, flows) if order.is_tape_taker else 0
    state.ledger.post(flows)
    own = Leg(order.terms, order.index, price, size, money, fee)
    tape = _tape_leg(recorded, own)
    taker, makers = (own, (tape,)) if order.is_tape_taker else (tape, (own,))
    trade = Trade(
        trade_id=trade_id,
        market=order.market,
        taker=taker,
        makers=makers,
        seq=state.next_seq(),
        match_ns=recorded.ts_ns,
        last_update_ns=recorded.ts_ns,
    )
    order.market.volume_micro += money
    fill_resting(state, order, own, trade_id)
    settlement.begin(state, trade, flows)
    return size


def _flows(order: Order, size: int, price: int) -> tuple[list[Flow], int]:
    """Swap with the tape; return the flows and what the order paid or got.

    A fraction of a micro-unit goes to the tape.
    """
    account, token = order.terms.account, order.terms.token_id
    if order.side is Side.SELL:
        money = size * price // MICRO
        return [
            (TAPE, CASH, -money),
            (account, CASH, money),
            (account, token, -size),
            (TAPE, token, size),
        ], money
    # The tape makes the set, so that shares stay backed, and keeps the other outcome.
    money = -(-size * price // MICRO)
    other = order.market.tokens[1 - order.index].token_id
    return [
        (account, CASH, -money),
        (TAPE, CASH, money - size),
        (VAULT, CASH, size),
        (SETS, order.market.condition_id, size),
        (account, token, size),
        (TAPE, other, size),
    ], money


def _fee(
    state: EngineState, order: Order, size: int, price: int, money: int, flows: list[Flow]
) -> int:
    fee = taker_fee_micro(
        shares_micro=size,
        price_micro=price,
        rate_micro=order.market.fee_rate_micro,
        exponent=order.market.fee_exponent,
    )
    return charge(state, order, fee, money, flows)


def _tape_leg(recorded: Print, own: Leg) -> Leg:
    made_up = NewOrder(
        order_id="0x" + hashlib.sha256(recorded.print_id.encode()).hexdigest(),
        account=TAPE,
        principal="",
        owner=TAPE_OWNER,
        maker_address=TAPE_ADDRESS,
        token_id=own.token_id,
        side=own.side.opposite,
        order_type=OrderType.GTC,
        maker_amount=0,
        taker_amount=0,
    )
    return Leg(made_up, own.index, own.price_micro, own.size_micro, own.money_micro)
