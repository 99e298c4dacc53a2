"""The catalogue: listing markets and events, changing ticks, resolving.

Called by the exchange; changes markets and, at a resolution, closes orders and pays holders.
"""

from __future__ import annotations

import hashlib

import msgspec

from whaletrader.services.exchange.engine import holdings, rules
from whaletrader.services.exchange.engine.book import Book
from whaletrader.services.exchange.engine.errors import BadInstruction
from whaletrader.services.exchange.engine.events import MarketListed, MarketResolved, TickChanged
from whaletrader.services.exchange.engine.model import (
    MICRO,
    CloseReason,
    Market,
    NegRiskEvent,
    Order,
    OrderStatus,
    Resolution,
    Token,
)
from whaletrader.services.exchange.engine.state import EngineState

# A market's tick becomes this fine once its price is near an end.
FINE_TICK_MICRO = 1_000
FINE_ABOVE_MICRO = 960_000
FINE_BELOW_MICRO = 40_000

# What an operator may change of a listed market; the tick goes through `set_tick`.
_CHANGEABLE = (
    "question",
    "slug",
    "event_slug",
    "category",
    "min_size_micro",
    "fee_rate_micro",
    "neg_risk",
    "end_ns",
    "fee_exponent",
    "rebate_rate_micro",
    "taker_delay_ns",
)


def list_market(state: EngineState, market: Market) -> bool:
    """Add a market or update its changeable terms; return whether it is new."""
    if market.tick_size_micro not in rules.TICKS:
        raise BadInstruction(f"unknown tick size {market.tick_size_micro} (1e-6)")
    if market.tokens[0].token_id == market.tokens[1].token_id:
        raise BadInstruction(f"market {market.condition_id} names one token twice")
    known = state.markets.get(market.condition_id)
    for token in market.tokens:
        holder = state.market_of_token.get(token.token_id)
        if holder is not None and holder is not known:
            raise BadInstruction(f"token {token.token_id} is in {holder.condition_id}")
    if known is None:
        added = add_market(state, market)
        state.outbox.append(MarketListed(added, state.now_ns))
        return True
    if known.tokens != market.tokens:
        raise BadInstruction(f"the tokens of {market.condition_id} cannot change")
    set_tick(state, known, market.tick_size_micro)
    for name in _CHANGEABLE:
        setattr(known, name, getattr(market, name))
    return False


def add_market(state: EngineState, market: Market) -> Market:
    """Enter a market of which nothing is known yet."""
    own = msgspec.structs.replace(market, listed_ns=market.listed_ns or state.now_ns)
    state.markets[own.condition_id] = own
    state.books[own.condition_id] = Book()
    for token in own.tokens:
        state.market_of_token[token.token_id] = own
    return own


def list_event(state: EngineState, event: NegRiskEvent) -> bool:
    """Bind listed neg-risk markets into one event; return whether it is new.

    An augmented event gets an implicit market for the outcome that nobody named. Markets can be
    added to an event until one of its shares was converted, because a conversion covers them all.
    """
    known = state.events.get(event.event_id)
    for condition_id in event.condition_ids:
        market = state.markets.get(condition_id)
        if market is None:
            raise BadInstruction(f"market {condition_id} is not listed")
        if not market.neg_risk:
            raise BadInstruction(f"market {condition_id} is not a neg-risk market")
        if market.neg_risk_event not in ("", event.event_id):
            raise BadInstruction(f"market {condition_id} is in event {market.neg_risk_event}")
    if len(set(event.condition_ids)) != len(event.condition_ids) or len(event.condition_ids) < 2:
        raise BadInstruction(f"event {event.event_id} needs at least two different markets")
    whole = msgspec.structs.replace(event, condition_ids=_with_implicit(state, event))
    if known is not None:
        _check_event_change(state, known, whole)
    for condition_id in whole.condition_ids:
        state.markets[condition_id].neg_risk_event = event.event_id
    state.events[event.event_id] = whole
    return known is None


def set_tick(state: EngineState, market: Market, tick_micro: int) -> None:
    """Change a market's tick; resting orders stay, unless settings say off-grid ones go."""
    old = market.tick_size_micro
    if tick_micro not in rules.TICKS:
        raise BadInstruction(f"unknown tick size {tick_micro} (1e-6)")
    if old == tick_micro:
        return
    market.tick_size_micro = tick_micro
    state.outbox.append(TickChanged(market, old, tick_micro, state.now_ns))
    if not state.settings.drops_off_grid:
        return
    for order in _open_orders(state, market):
        price = order.price_micro
        if price % tick_micro or not tick_micro <= price <= MICRO - tick_micro:
            state.close(order, CloseReason.OFF_GRID)


def refine_tick(state: EngineState, market: Market) -> None:
    """Make the tick finer if the last trade was near an end of the prices, as the venue does."""
    prices = state.prices.prices.get(market.condition_id)
    if not prices or market.tick_size_micro <= FINE_TICK_MICRO:
        return
    if not FINE_BELOW_MICRO <= prices[-1] <= FINE_ABOVE_MICRO:
        set_tick(state, market, FINE_TICK_MICRO)


def check_resolution(state: EngineState, resolution: Resolution) -> None:
    """Raise `BadInstruction` for a resolution that cannot be."""
    market = state.markets.get(resolution.condition_id)
    if market is None:
        raise BadInstruction(f"resolution of unknown market {resolution.condition_id}")
    if market.winning_index not in (None, resolution.winning_index):
        raise BadInstruction(f"{resolution.condition_id} was resolved the other way")
    event = state.events.get(market.neg_risk_event)
    if event is None or resolution.winning_index != 0:
        return
    for condition_id in event.condition_ids:
        if condition_id != market.condition_id and state.markets[condition_id].winning_index == 0:
            raise BadInstruction(
                f"{condition_id} of event {event.event_id} was resolved YES already"
            )


def resolve(state: EngineState, resolution: Resolution) -> None:
    """Cancel what rests, close the market for good, pay; again does nothing."""
    check_resolution(state, resolution)
    market = state.markets[resolution.condition_id]
    if market.winning_index is not None:
        return
    _close_market(state, market, resolution.winning_index, resolution.ts_ns)
    event = state.events.get(market.neg_risk_event)
    if event is None or not event.is_augmented:
        return
    members = [state.markets[condition_id] for condition_id in event.condition_ids]
    implicit, named = members[-1], members[:-1]
    if implicit.winning_index is not None or not implicit.is_implicit:
        return
    if any(m.winning_index == 0 for m in named):
        _close_market(state, implicit, 1, resolution.ts_ns)
    elif all(m.winning_index == 1 for m in named):
        _close_market(state, implicit, 0, resolution.ts_ns)


def _close_market(state: EngineState, market: Market, winning_index: int, at_ns: int) -> None:
    for order in _open_orders(state, market):
        state.close(order, CloseReason.RESOLVED)
    market.winning_index = winning_index
    market.resolved_ns = at_ns
    holdings.redeem_all(state, market)
    if not market.is_implicit:
        state.outbox.append(MarketResolved(market, winning_index, at_ns))


def _open_orders(state: EngineState, market: Market) -> list[Order]:
    delayed = [
        order
        for orders in state.open_by_principal.values()
        for order in orders.values()
        if order.status is OrderStatus.DELAYED and order.market is market
    ]
    return [*state.books[market.condition_id].open_orders(), *delayed]


def _with_implicit(state: EngineState, event: NegRiskEvent) -> tuple[str, ...]:
    if not event.is_augmented:
        return event.condition_ids
    if state.markets[event.condition_ids[-1]].is_implicit:
        return event.condition_ids
    name = hashlib.sha256(f"other outcome of {event.event_id}".encode()).hexdigest()
    condition_id = "0x" + name
    if condition_id not in state.markets:
        like = state.markets[event.condition_ids[0]]
        yes, no = (
            str(int(hashlib.sha256(f"{name}:{index}".encode()).hexdigest(), 16)) for index in (0, 1)
        )
        add_market(
            state,
            msgspec.structs.replace(
                like,
                condition_id=condition_id,
                question="Other",
                slug=f"{like.event_slug}-other",
                tokens=(Token(yes, "Yes"), Token(no, "No")),
                winning_index=None,
                resolved_ns=None,
                is_implicit=True,
                volume_micro=0,
                listed_ns=state.now_ns,
            ),
        )
    return (*event.condition_ids, condition_id)


def _check_event_change(state: EngineState, known: NegRiskEvent, wanted: NegRiskEvent) -> None:
    if not set(known.condition_ids) <= set(wanted.condition_ids):
        raise BadInstruction(f"event {known.event_id} cannot lose markets")
    if known.is_augmented != wanted.is_augmented:
        raise BadInstruction(f"whether event {known.event_id} is augmented cannot change")
    has_conversions = any(
        activity.event_id == known.event_id and activity.kind == "CONVERSION"
        for activities in state.activities.values()
        for activity in activities
    )
    if has_conversions and set(known.condition_ids) != set(wanted.condition_ids):
        raise BadInstruction(f"event {known.event_id} has conversions and cannot gain markets")
