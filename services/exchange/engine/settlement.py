"""The life of a trade after its match: mined and confirmed, or reversed.

At its match a trade changes the venue's balances at once; on the chain it exists only once it is
mined. Trades of one account settle in the order in which one pays from what another brought: the
later waits (RETRYING). If that never comes, because the earlier failed or a chain operation spent
the money, whatever cannot be paid any more fails too, so that no balance ever becomes negative.
A reversal gives back cash, shares and fee and takes the fill off the orders.
Called by matching and the tape (`begin`) and by the exchange's agenda (`step`).
"""

from __future__ import annotations

from whaletrader.services.exchange.engine import holdings
from whaletrader.services.exchange.engine.errors import BadInstruction, InvariantBroken
from whaletrader.services.exchange.engine.events import OrderEventKind, TradeEvent
from whaletrader.services.exchange.engine.ledger import HOUSE, Flow
from whaletrader.services.exchange.engine.model import (
    CloseReason,
    Leg,
    Order,
    OrderStatus,
    OrderType,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.plans import NOT_COVERED, SettlementPlan
from whaletrader.services.exchange.engine.state import Due, EngineState, Unsettled
from whaletrader.services.exchange.engine.units import NS

MATCHED, MINED, CONFIRMED = TradeStatus.MATCHED, TradeStatus.MINED, TradeStatus.CONFIRMED


def begin(state: EngineState, trade: Trade, flows: list[Flow]) -> None:
    """Remember a trade whose flows were posted, and settle it as far as its plan allows now."""
    accounts = state.enter_trade(trade)
    state.outbox.append(TradeEvent(trade, MATCHED, trade.match_ns))
    plan = _plan(state, trade)
    if plan is None and not _anything_unsettled(state, accounts):
        trade.status = CONFIRMED
        at_ns = trade.match_ns
        state.outbox.append(TradeEvent(trade, MINED, at_ns))
        state.outbox.append(TradeEvent(trade, CONFIRMED, at_ns))
        _finish(state, trade, accounts)
        return
    plan = plan or SettlementPlan()
    state.ledger.pend(trade.trade_id, flows)
    item = Unsettled(trade, flows, accounts, plan, plan.retries, 0)
    state.unsettled[trade.trade_id] = item
    _next(state, item, trade.match_ns + plan.mined_ns)


def schedule(state: EngineState, trade_id: str, plan: SettlementPlan) -> None:
    """Replace the plan of a trade that is not mined yet; delays count from its match."""
    item = state.unsettled.get(trade_id)
    if item is None or item.trade.status.is_on_chain:
        found = state.trades.get(trade_id)
        what = "unknown" if found is None else found.status.value
        raise BadInstruction(
            f"trade {trade_id} is {what}: only a trade not yet mined can be changed"
        )
    item.plan = plan
    item.retries_left = plan.retries
    _next(state, item, max(state.now_ns, item.trade.match_ns + plan.mined_ns))


def step(state: EngineState, trade_id: str, due_ns: int) -> None:
    """Do what is due for a trade; an overtaken reminder does nothing."""
    item = state.unsettled.get(trade_id)
    if item is None or item.due_ns != due_ns:
        return
    trade, plan = item.trade, item.plan
    if trade.status is MINED:
        del state.unsettled[trade_id]
        _tell(state, trade, CONFIRMED, due_ns)
        _finish(state, trade, item.addresses)
        if plan.repeats_matched:
            state.outbox.append(TradeEvent(trade, MATCHED, due_ns))
    elif item.retries_left > 0:
        item.retries_left -= 1
        _tell(state, trade, TradeStatus.RETRYING, due_ns)
        _next(state, item, due_ns + plan.retry_ns)
    elif plan.fails:
        fail(state, trade_id, plan.error, due_ns)
    elif not state.ledger.can_be_mined(trade_id, item.addresses):
        if trade.status is not TradeStatus.RETRYING:
            _tell(state, trade, TradeStatus.RETRYING, due_ns)
        _next(state, item, due_ns + state.settings.settle_retry_ns)
    else:
        state.ledger.unpend(trade_id, item.addresses)
        _tell(state, trade, MINED, due_ns)
        _next(state, item, due_ns + plan.confirmed_ns)


def fail(state: EngineState, trade_id: str, error: str, at_ns: int) -> None:
    """Reverse a trade that is not mined, and every trade that was paid from what it brought."""
    failing = [(trade_id, error)]
    touched: dict[str, None] = {}
    failed: list[Unsettled] = []
    while failing:
        name, text = failing.pop()
        item = state.unsettled.pop(name, None)
        if item is None:
            continue
        if item.trade.status.is_on_chain:
            raise InvariantBroken(f"trade {name} is on chain and cannot fail")
        state.ledger.unpost(item.flows)
        state.ledger.unpend(name, item.addresses)
        item.trade.error = text
        failed.append(item)
        for address in item.addresses:
            touched[address] = None
            uncovered = state.ledger.first_uncovered(address)
            if uncovered is not None:
                failing.append((uncovered, NOT_COVERED))
    for item in failed:
        _reverse(state, item, at_ns)
    for address in touched:
        holdings.drop_unfunded(state, address)
    for item in failed:
        holdings.redeem_if_resolved(state, item.trade.market, item.addresses)


def fail_uncovered(state: EngineState, address: str) -> None:
    """After a chain operation of an account: fail what it can no longer pay, drop its orders."""
    uncovered = state.ledger.first_uncovered(address)
    while uncovered is not None:
        fail(state, uncovered, NOT_COVERED, state.now_ns)
        uncovered = state.ledger.first_uncovered(address)
    holdings.drop_unfunded(state, address)


def repeat(state: EngineState, trade_id: str, status: TradeStatus) -> None:
    """Tell a status of a trade again, whether or not it has it: the live stream does."""
    trade = state.trades.get(trade_id)
    if trade is None:
        raise BadInstruction(f"trade {trade_id} is unknown")
    state.outbox.append(TradeEvent(trade, status, state.now_ns))


def _anything_unsettled(state: EngineState, accounts: tuple[str, ...]) -> bool:
    if not state.unsettled:
        return False
    return any(state.ledger.account(address).unsettled for address in accounts)


def _plan(state: EngineState, trade: Trade) -> SettlementPlan | None:
    """Return the trade's plan; None for one that settles at once."""
    if state.held_plans:
        for leg in trade.legs:
            held = state.held_plans.pop(leg.principal, None)
            if held is not None:
                return held
    settings = state.settings
    if state.weather is None and not (settings.settle_mined_ns or settings.settle_confirmed_ns):
        return None
    plain = SettlementPlan(settings.settle_mined_ns, settings.settle_confirmed_ns)
    return plain if state.weather is None else state.weather.plan(trade.trade_id, plain)


def _next(state: EngineState, item: Unsettled, due_ns: int) -> None:
    """Do the next step now if its time has come, else put it on the agenda."""
    item.due_ns = due_ns
    if due_ns <= state.now_ns:
        step(state, item.trade.trade_id, due_ns)
    else:
        state.remind(due_ns, Due.SETTLEMENT, item.trade.trade_id)


def _tell(state: EngineState, trade: Trade, status: TradeStatus, at_ns: int) -> None:
    trade.status = status
    trade.last_update_ns = at_ns
    state.outbox.append(TradeEvent(trade, status, at_ns))


def _finish(state: EngineState, trade: Trade, addresses: tuple[str, ...]) -> None:
    """Count a confirmed trade."""
    for address in addresses:
        state.facts[address] += 1
    if trade.taker.fee_micro:
        state.rebates.note(trade)
    if trade.market.winning_index is not None:
        holdings.redeem_if_resolved(state, trade.market, addresses)


def _reverse(state: EngineState, item: Unsettled, at_ns: int) -> None:
    """Tell a failure and take its fills off the orders."""
    trade = item.trade
    _tell(state, trade, TradeStatus.FAILED, at_ns)
    for address in item.addresses:
        state.facts[address] += 1
    if trade.taker.fee_micro:
        state.ledger.account(trade.taker.account).fees_paid_micro -= trade.taker.fee_micro
    for leg in trade.legs:
        if leg.account not in HOUSE:
            trade.market.volume_micro -= leg.money_micro
            _unfill(state, leg)


def _unfill(state: EngineState, leg: Leg) -> None:
    order = state.orders[leg.order_id]
    was = order.status
    order.matched_micro -= leg.size_micro
    order.spent_micro -= leg.money_micro
    order.fee_micro -= leg.fee_micro
    if order.matched_micro < 0:
        raise InvariantBroken(f"order {order.order_id} would be matched below nothing")
    if was is OrderStatus.LIVE:
        state.books[order.market.condition_id].side_of(order).grow(order, leg.size_micro)
    restores = state.settings.after_failure == "restore"
    if was is OrderStatus.LIVE and restores:
        state.reserve(order)
        state.tell_order(OrderEventKind.UPDATE, order)
        state.tell_level(order)
    elif was is OrderStatus.MATCHED and restores and _may_rest_again(state, order):
        order.status = OrderStatus.LIVE
        order.seq = state.next_seq()
        state.reserve(order)
        state.rest(order)
        state.tell_order(OrderEventKind.UPDATE, order)
    elif was in (OrderStatus.LIVE, OrderStatus.MATCHED):
        state.close(order, CloseReason.REVERSED)
    else:
        state.tell_order(OrderEventKind.UPDATE, order)


def _may_rest_again(state: EngineState, order: Order) -> bool:
    if not order.terms.order_type.rests or order.market.winning_index is not None:
        return False
    if order.terms.order_type is OrderType.GTD:
        drop_s = order.terms.expiration_s - state.settings.gtd_security_s
        if drop_s * NS <= state.now_ns:
            return False
    is_funded = state.exposure(order) <= state.free(order)
    return is_funded and not state.books[order.market.condition_id].plan(order)
