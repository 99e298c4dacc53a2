"""Matching of accounts with each other: complementary, mint and merge.

An incoming order meets resting ones at their prices, best first. Called by the exchange when an
order arrives or its taker delay is over; posts the flows of the trade and returns it.
"""

from __future__ import annotations

import hashlib
from uuid import NAMESPACE_OID, UUID, uuid5

from whaletrader.services.exchange.engine import allowances, settlement
from whaletrader.services.exchange.engine.events import (
    LastTradeEvent,
    LevelEvent,
    OrderEvent,
    OrderEventKind,
)
from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.ledger import CASH, DUST, FEES, SETS, VAULT, Flow
from whaletrader.services.exchange.engine.model import (
    MICRO,
    LastPrint,
    Leg,
    Order,
    OrderStatus,
    Side,
    Trade,
)
from whaletrader.services.exchange.engine.state import EngineState

# Trade ids are derived from what caused them, so that the same history gives the same ids.
TRADE_NAMESPACE: UUID = uuid5(NAMESPACE_OID, "whaletrader.exchange.trade")
_NAMESPACE_BYTES = TRADE_NAMESPACE.bytes
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
BUY = Side.BUY
UPDATE = OrderEventKind.UPDATE
MATCHED = OrderStatus.MATCHED


def match(state: EngineState, taker: Order, meets: list[tuple[Order, int]]) -> Trade:
    """Fill the taker with whom the book says it meets, as one trade with many makers."""
    flows: list[Flow] = []
    legs = []
    size = notional = money = fee = 0
    market = taker.market
    for maker, part in meets:
        leg, taker_money = _swap(flows, taker, maker, part)
        legs.append(leg)
        price = maker.price_micro if maker.index == taker.index else MICRO - maker.price_micro
        size += part
        notional += part * price
        money += taker_money
        if market.fee_rate_micro:
            fee += taker_fee_micro(
                shares_micro=part,
                price_micro=price,
                rate_micro=market.fee_rate_micro,
                exponent=market.fee_exponent,
            )
    if fee:
        fee = charge(state, taker, fee, money, flows)
    state.ledger.post(flows)
    price = notional // size
    trade = Trade(
        trade_id=trade_id_of(f"{taker.terms.order_id}:{taker.seq}"),
        market=market,
        taker=Leg(taker.terms, taker.index, price, size, money, fee),
        makers=tuple(legs),
        seq=state.next_seq(),
        match_ns=state.now_ns,
        last_update_ns=state.now_ns,
    )
    # What an order had set aside is freed as it fills: the money has moved.
    for (maker, _), leg in zip(meets, legs, strict=True):
        fill_resting(state, maker, leg, trade.trade_id)
        market.volume_micro += leg.money_micro
    market.volume_micro += money
    _fill_taker(state, taker, trade)
    _tell_price(state, taker, meets[-1][0], price, size)
    settlement.begin(state, trade, flows)
    return trade


def trade_id_of(cause: str) -> str:
    """Return the UUID (version 5) that a cause gives its trade; `uuid5` written out for speed."""
    digest = hashlib.sha1(_NAMESPACE_BYTES + cause.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def fill_resting(state: EngineState, order: Order, leg: Leg, trade_id: str) -> None:
    """Count a fill on a resting order, tell it and the level; closes it when nothing remains."""
    terms = order.terms
    book = state.books[order.market.condition_id]
    level_micro = (book.bids if order.is_bid else book.asks).fill(order, leg.size_micro)
    order.spent_micro += leg.money_micro
    order.fee_micro += leg.fee_micro
    order.trade_ids.append(trade_id)
    if order.matched_micro >= order.size_micro:
        del state.open_by_principal[terms.principal][terms.order_id]
        order.status = MATCHED
    state.reserve(order)
    if state.allowances:
        allowances.spend(state, terms, order.market, leg.money_micro + leg.fee_micro)
    now_ns = state.now_ns
    ids = tuple(order.trade_ids)
    state.outbox += (
        OrderEvent(UPDATE, order, order.matched_micro, order.status, ids, now_ns),
        LevelEvent(order.market, order.is_bid, order.book_price_micro, level_micro, now_ns),
    )


def _fill_taker(state: EngineState, taker: Order, trade: Trade) -> None:
    leg = trade.taker
    taker.matched_micro += leg.size_micro
    taker.spent_micro += leg.money_micro
    taker.fee_micro += leg.fee_micro
    taker.trade_ids.append(trade.trade_id)
    if taker.budget_micro:
        # What it came to is its size: nominal shares mean nothing to an order in dollars.
        left = taker.budget_micro - taker.spent_micro
        taker.size_micro = taker.matched_micro + unspent_lots(taker, left)
    if taker.matched_micro >= taker.size_micro:
        taker.status = MATCHED
        state.reserve(taker)
    if state.allowances:
        allowances.spend(state, taker.terms, taker.market, leg.money_micro + leg.fee_micro)


def unspent_lots(taker: Order, left_micro: int) -> int:
    """Return how many shares, in whole lots, dollars left over would buy at the limit."""
    return left_micro * MICRO // taker.price_micro // 10_000 * 10_000


def _swap(flows: list[Flow], taker: Order, maker: Order, size: int) -> tuple[Leg, int]:
    """Add one maker's flows; return its leg and the taker's money."""
    taker_account, maker_account = taker.terms.account, maker.terms.account
    maker_token = maker.terms.token_id
    maker_money = size * maker.price_micro // MICRO
    leg = Leg(maker.terms, maker.index, maker.price_micro, size, maker_money)
    if taker.index == maker.index:
        if taker.terms.side is BUY:
            buyer, seller = taker_account, maker_account
        else:
            buyer, seller = maker_account, taker_account
        flows += (
            (buyer, CASH, -maker_money),
            (seller, CASH, maker_money),
            (seller, maker_token, -size),
            (buyer, maker_token, size),
        )
        return leg, maker_money
    taker_money = size * (MICRO - maker.price_micro) // MICRO
    # A mint pays in and gives shares, a merge the other way round.
    sign = 1 if taker.terms.side is BUY else -1
    dust = size - maker_money - taker_money
    flows += (
        (maker_account, CASH, -sign * maker_money),
        (taker_account, CASH, -sign * taker_money),
        (VAULT, CASH, sign * size),
        (SETS, maker.market.condition_id, sign * size),
        (maker_account, maker_token, sign * size),
        (taker_account, taker.terms.token_id, sign * size),
    )
    if dust:
        flows.append((DUST, CASH, -sign * dust))
    return leg, taker_money


def charge(state: EngineState, taker: Order, fee: int, money: int, flows: list[Flow]) -> int:
    """Add the fee to the flows of a trade, not posted yet; return how much of it is taken.

    Fees of partial fills are rounded one by one, so together they can exceed what was set aside by
    a few micro-units; nobody is charged into debt for that dust.
    """
    account = state.ledger.account(taker.terms.account)
    left = account.cash_micro + (-money if taker.terms.side is BUY else money)
    taken = min(fee, left) if left > 0 else 0
    flows += ((account.address, CASH, -taken), (FEES, CASH, taken))
    account.fees_paid_micro += taken
    return taken


def _tell_price(state: EngineState, taker: Order, last: Order, price: int, size: int) -> None:
    market, now_ns = taker.market, state.now_ns
    terms = taker.terms
    state.outbox.append(LastTradeEvent(market, terms.token_id, price, size, terms.side, now_ns))
    book_price = last.book_price_micro
    state.prices.note(market.condition_id, book_price, now_ns)
    if not state.settings.follows_tape:
        shown = book_price if taker.index == 0 else MICRO - book_price
        state.last_prints[market.condition_id] = LastPrint(
            book_price, terms.token_id, shown, terms.side, now_ns
        )
