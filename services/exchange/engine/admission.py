"""Whether an order gets in: what the venue takes at the moment, from whom, and how it is paid.

Raises `OrderRefused` in the venue's words and changes nothing. Called by the exchange for every
order, before anything of it is stored.
"""

from __future__ import annotations

from whaletrader.services.exchange.engine import allowances, rules
from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.model import (
    MICRO,
    NS,
    Acceptance,
    Market,
    NewOrder,
    Order,
    Restriction,
    Side,
)
from whaletrader.services.exchange.engine.state import EngineState

BUY = Side.BUY


def admitted(state: EngineState, new: NewOrder) -> Order:
    """Return the order that a posted one makes, not yet matched or stored."""
    if new.order_id in state.orders:
        raise OrderRefused(f"order {new.order_id} is invalid. Duplicated.")
    market = state.market_of_token.get(new.token_id)
    if market is None:
        raise OrderRefused(rules.UNKNOWN_TOKEN)
    if market.winning_index is not None or market.is_implicit:
        raise OrderRefused(rules.NOT_READY)
    _check_acceptance(state, market, new)
    if state.restrictions:
        _check_restriction(state, new)
    price, size = rules.price_and_size(new, market)
    if new.expiration_s or new.order_type is rules.GTD:
        rules.check_expiration(new, state.now_ns, state.settings.gtd_security_s)
    index = 0 if market.tokens[0].token_id == new.token_id else 1
    is_buy = new.side is BUY
    rests = new.order_type is rules.GTC or new.order_type is rules.GTD
    state.seq += 1
    return Order(
        new,
        market,
        index,
        is_buy == (index == 0),
        price,
        price if index == 0 else MICRO - price,
        size,
        state.now_ns,
        state.seq,
        new.maker_amount if is_buy and not rests else 0,
    )


def check_funds(state: EngineState, order: Order, meets: list[tuple[Order, int]]) -> None:
    """Refuse an order that its account's free balance or allowance does not cover.

    A taker must afford the fee on top; a marketable BUY must be worth the venue's minimum.
    """
    is_taker = bool(meets) or order.is_tape_taker
    if is_taker:
        cost = order.budget_micro or order.size_micro * order.price_micro // MICRO
        minimum = state.settings.min_marketable_buy_micro
        rules.check_marketable_buy(order.terms, cost, minimum)
    needed = state.exposure(order, as_taker=is_taker)
    if order.budget_micro:
        needed += _fee_of(order, meets)
    available = state.free(order)
    if needed > available:
        raise rules.not_enough(available, needed)
    if state.allowances or not state.settings.allowances_unlimited:
        allowances.check(state, order, needed)


def _fee_of(order: Order, meets: list[tuple[Order, int]]) -> int:
    market = order.market
    return sum(
        taker_fee_micro(
            shares_micro=size,
            price_micro=resting.book_price_micro,
            rate_micro=market.fee_rate_micro,
            exponent=market.fee_exponent,
        )
        for resting, size in meets
    )


def accepting(state: EngineState, market: Market) -> tuple[Acceptance, int | None]:
    """Return what a market takes now, and until when if that is known; the exchange comes first."""
    for holder in (state, market):
        until_ns = holder.accepting_until_ns
        if holder.accepting is Acceptance.NORMAL:
            continue
        if until_ns is not None and until_ns <= state.now_ns:
            holder.accepting, holder.accepting_until_ns = Acceptance.NORMAL, None
            continue
        return holder.accepting, until_ns
    return Acceptance.NORMAL, None


def _check_acceptance(state: EngineState, market: Market, new: NewOrder) -> None:
    normal = Acceptance.NORMAL
    if state.accepting is normal and market.accepting is normal:
        return
    mode, until_ns = accepting(state, market)
    if mode is Acceptance.DISABLED:
        raise OrderRefused(rules.TRADING_DISABLED, 503)
    if mode is Acceptance.CANCEL_ONLY:
        raise OrderRefused(rules.CANCEL_ONLY, 503)
    if mode is Acceptance.POST_ONLY and not new.post_only:
        wait_s = None if until_ns is None else -(-(until_ns - state.now_ns) // NS)
        raise OrderRefused(rules.POST_ONLY_MODE, 503, code="post_only_mode", retry_after_s=wait_s)
    if mode is Acceptance.CLOSED_ONLY and new.side is BUY:
        raise OrderRefused(rules.closed_only(new.account))


def _check_restriction(state: EngineState, new: NewOrder) -> None:
    for address in (new.account, new.principal):
        restriction = state.restrictions.get(address, Restriction.NONE)
        if restriction is Restriction.BANNED:
            raise OrderRefused(f"'{address}' address banned")
        if restriction is Restriction.CLOSED_ONLY and new.side is BUY:
            raise OrderRefused(rules.closed_only(address))
