"""Matching of accounts with each other: complementary, mint and merge.

An incoming order meets resting ones at their prices, best first. Called by the exchange when an
order arrives; moves shares and collateral through the ledger and returns the trade.
"""

from __future__ import annotations

from uuid import NAMESPACE_OID, UUID, uuid5

from whaletrader.services.exchange.engine.events import LastTradeEvent, OrderEventKind
from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.ledger import DUST, VAULT, Ledger, cost_micro
from whaletrader.services.exchange.engine.model import MICRO, Leg, Order, Side, Trade
from whaletrader.services.exchange.engine.state import EngineState

# Trade ids are derived from what caused them, so that the same history gives the same ids.
TRADE_NAMESPACE: UUID = uuid5(NAMESPACE_OID, "whaletrader.exchange.trade")


def fillable_micro(state: EngineState, order: Order) -> int:
    """Return how much of an order the resting book would fill now."""
    open_micro = 0
    for resting in state.books[order.market.condition_id].crosses(order):
        open_micro += resting.remaining_micro
        if open_micro >= order.remaining_micro:
            return order.remaining_micro
    return open_micro


def match(state: EngineState, taker: Order) -> Trade | None:
    """Fill the taker from the book as far as it goes, as one trade with many makers."""
    makers: list[tuple[Order, int]] = []
    wanted = taker.remaining_micro
    for resting in state.books[taker.market.condition_id].crosses(taker):
        size = min(wanted, resting.remaining_micro)
        makers.append((resting, size))
        wanted -= size
        if wanted == 0:
            break
    if not makers:
        return None
    # Reservations end before money moves: what the fills cost was set aside for them.
    maker_legs = tuple(_swap(state, taker, maker, size) for maker, size in makers)
    taker_leg = _taker_leg(state, taker, maker_legs)
    trade = Trade(
        trade_id=str(uuid5(TRADE_NAMESPACE, f"{taker.order_id}:{taker.seq}")),
        market=taker.market,
        taker=taker_leg,
        makers=maker_legs,
        match_ns=state.now_ns,
        last_update_ns=state.now_ns,
    )
    for maker, size in makers:
        state.fill(maker, size, trade)
        state.tell_order(OrderEventKind.UPDATE, maker)
        state.tell_level(maker)
    state.fill(taker, taker_leg.size_micro, trade)
    state.outbox.append(
        LastTradeEvent(
            market=taker.market,
            token_id=taker.terms.token_id,
            price_micro=taker_leg.price_micro,
            size_micro=taker_leg.size_micro,
            side=taker.side,
            at_ns=state.now_ns,
        )
    )
    state.record_trade(trade)
    return trade


def leg_of(order: Order, price_micro: int, size_micro: int, fee_micro: int = 0) -> Leg:
    """Describe one order's part in a trade."""
    terms = order.terms
    return Leg(
        order_id=terms.order_id,
        account=terms.account,
        principal=terms.principal,
        owner=terms.owner,
        maker_address=terms.maker_address,
        token_id=terms.token_id,
        index=order.index,
        side=terms.side,
        price_micro=price_micro,
        size_micro=size_micro,
        fee_micro=fee_micro,
    )


def _swap(state: EngineState, taker: Order, maker: Order, size: int) -> Leg:
    ledger = state.ledger
    same_token = taker.index == maker.index
    if same_token:
        _exchange(ledger, taker, maker, size)
    elif taker.side is Side.BUY:
        _mint(ledger, taker, maker, size)
    else:
        _merge(ledger, taker, maker, size)
    return leg_of(maker, maker.price_micro, size)


def _exchange(ledger: Ledger, taker: Order, maker: Order, size: int) -> None:
    buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
    ledger.pay(buyer.terms.account, seller.terms.account, cost_micro(size, maker.price_micro))
    ledger.give_shares(seller.terms.account, buyer.terms.account, maker.terms.token_id, size)


def _mint(ledger: Ledger, taker: Order, maker: Order, size: int) -> None:
    maker_cost = cost_micro(size, maker.price_micro)
    taker_cost = cost_micro(size, MICRO - maker.price_micro)
    ledger.pay(maker.terms.account, VAULT, maker_cost)
    ledger.pay(taker.terms.account, VAULT, taker_cost)
    ledger.pay(DUST, VAULT, size - maker_cost - taker_cost)
    ledger.mint(maker.market, _owners(taker, maker), size)


def _merge(ledger: Ledger, taker: Order, maker: Order, size: int) -> None:
    maker_proceeds = cost_micro(size, maker.price_micro)
    taker_proceeds = cost_micro(size, MICRO - maker.price_micro)
    ledger.burn(maker.market, _owners(taker, maker), size)
    ledger.pay(VAULT, maker.terms.account, maker_proceeds)
    ledger.pay(VAULT, taker.terms.account, taker_proceeds)
    ledger.pay(VAULT, DUST, size - maker_proceeds - taker_proceeds)


def _owners(taker: Order, maker: Order) -> tuple[str, str]:
    first, second = (taker, maker) if taker.index == 0 else (maker, taker)
    return first.terms.account, second.terms.account


def _taker_leg(state: EngineState, taker: Order, makers: tuple[Leg, ...]) -> Leg:
    """Sum the taker's side; the fee follows each maker's price, the stated price is the mean."""
    size = fee = notional = 0
    for leg in makers:
        price = leg.price_micro if leg.index == taker.index else MICRO - leg.price_micro
        size += leg.size_micro
        notional += leg.size_micro * price
        fee += taker_fee_micro(
            shares_micro=leg.size_micro,
            price_micro=price,
            rate_micro=taker.market.fee_rate_micro,
        )
    paid = state.ledger.charge_fee(taker.terms.account, fee)
    return leg_of(taker, notional // size, size, paid)
