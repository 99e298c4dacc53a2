"""The whole exchange as bytes, and back.

Versioned and checked: a snapshot of another version, cut short or altered is refused, never read in
part. What happens after a restoration is what would have happened without it. Holds the engine's
state only: keys, heartbeats and sockets are the wire's. Called by the operator's calls and tests.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Final

import msgspec

from whaletrader.services.exchange.engine.book import Book
from whaletrader.services.exchange.engine.errors import BadInstruction, SnapshotError
from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.engine.ledger import Account, Flow, Ledger
from whaletrader.services.exchange.engine.model import (
    Acceptance,
    Activity,
    CloseReason,
    EngineSettings,
    LastPrint,
    Leg,
    Market,
    NegRiskEvent,
    NewOrder,
    Order,
    OrderStatus,
    Restriction,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.plans import SettlementPlan, SettlementWeather
from whaletrader.services.exchange.engine.position import Position
from whaletrader.services.exchange.engine.state import EngineState, Unsettled

MAGIC: Final = "whaletrader-exchange"
# Raise it with every change of what stands below: no version reads another's bytes.
VERSION: Final = 1


class _Envelope(msgspec.Struct, array_like=True):
    magic: str
    version: int
    sha256: bytes
    body: bytes


class _OrderRow(msgspec.Struct, array_like=True):
    terms: NewOrder
    condition_id: str
    index: int
    is_bid: bool
    price_micro: int
    book_price_micro: int
    size_micro: int
    arrival_ns: int
    seq: int
    budget_micro: int
    matched_micro: int
    spent_micro: int
    fee_micro: int
    status: OrderStatus
    close_reason: CloseReason | None
    is_tape_taker: bool
    reserved_micro: int
    trade_ids: list[str]


class _LegRow(msgspec.Struct, array_like=True):
    """Terms only where they are no order's: the tape's."""

    order_id: str
    terms: NewOrder | None
    index: int
    price_micro: int
    size_micro: int
    money_micro: int
    fee_micro: int


class _TradeRow(msgspec.Struct, array_like=True):
    trade_id: str
    condition_id: str
    legs: list[_LegRow]
    seq: int
    match_ns: int
    last_update_ns: int
    status: TradeStatus
    error: str


class _UnsettledRow(msgspec.Struct, array_like=True):
    trade_id: str
    flows: list[Flow]
    addresses: tuple[str, ...]
    plan: SettlementPlan
    retries_left: int
    due_ns: int


class _AccountRow(msgspec.Struct, array_like=True):
    address: str
    cash_micro: int
    reserved_cash_micro: int
    deposited_micro: int
    fees_paid_micro: int
    positions: dict[str, int]
    reserved_shares: dict[str, int]
    deposit_ids: list[str]
    pending_in: dict[str, int]
    pending_out: dict[str, int]
    unsettled: dict[str, dict[str, int]]


class _Body(msgspec.Struct):
    settings: EngineSettings
    now_ns: int
    seq: int
    window: int | None
    answer: dict[str, int]
    markets: list[Market]
    events: dict[str, NegRiskEvent]
    orders: list[_OrderRow]
    # Order ids by priority: what stands on each side of each book.
    books: dict[str, tuple[list[str], list[str]]]
    open_by_principal: dict[str, list[str]]
    trades: list[_TradeRow]
    unsettled: list[_UnsettledRow]
    activities: dict[str, list[Activity]]
    # Token id and the position's fields after the market, in their order.
    carried: dict[str, list[tuple[str, list[int]]]]
    carried_until: dict[str, int]
    accounts: list[_AccountRow]
    sets: dict[str, int]
    withdrawn_micro: int
    weather: SettlementWeather | None
    held_plans: dict[str, SettlementPlan]
    last_prints: dict[str, LastPrint]
    minutes: dict[str, list[int]]
    prices: dict[str, list[int]]
    # Ids of the trades that paid a fee, by day.
    fee_trades: dict[int, list[str]]
    paid_days: list[int]
    # Allowances reach 2**256 - 1: as text.
    allowances: dict[str, dict[str, tuple[str, bool]]]
    restrictions: dict[str, Restriction]
    accepting: Acceptance
    accepting_until_ns: int | None
    facts: dict[str, int]
    agenda: list[tuple[int, int, int, str]]


_CARRIED: Final = Position.__struct_fields__[2:]
_body_decoder = msgspec.msgpack.Decoder(_Body)
_envelope_decoder = msgspec.msgpack.Decoder(_Envelope)


def dump(exchange: Exchange) -> bytes:
    """Return the exchange as bytes. The events must have been taken: they are not part of it."""
    state = exchange.state
    if state.outbox:
        raise BadInstruction("take the events before the snapshot: it does not hold them")
    rebates = state.rebates
    body = _Body(
        settings=state.settings,
        now_ns=state.now_ns,
        seq=state.seq,
        window=exchange.window,
        answer=exchange.answer,
        markets=list(state.markets.values()),
        events=state.events,
        orders=[_order_row(order) for order in state.orders.values()],
        books={
            condition_id: (
                [order.order_id for order in book.bids.orders()],
                [order.order_id for order in book.asks.orders()],
            )
            for condition_id, book in state.books.items()
        },
        open_by_principal={p: list(orders) for p, orders in state.open_by_principal.items()},
        trades=[_trade_row(state, trade) for trade in state.trades.values()],
        unsettled=[_unsettled_row(item) for item in state.unsettled.values()],
        activities=state.activities,
        carried={
            account: [(p.token_id, [getattr(p, name) for name in _CARRIED]) for p in positions]
            for account, positions in state.carried_positions.items()
        },
        carried_until=state.carried_until,
        accounts=[_account_row(account) for account in state.ledger.all_accounts()],
        sets=state.ledger.all_sets(),
        withdrawn_micro=state.ledger.withdrawn_micro,
        weather=state.weather,
        held_plans=state.held_plans,
        last_prints=state.last_prints,
        minutes=state.prices.minutes,
        prices=state.prices.prices,
        fee_trades={day: [t.trade_id for t in found] for day, found in rebates.trades.items()},
        paid_days=sorted(rebates.paid_days),
        allowances={
            account: {spender: (str(c), s) for spender, (c, s) in limits.items()}
            for account, limits in state.allowances.items()
        },
        restrictions=state.restrictions,
        accepting=state.accepting,
        accepting_until_ns=state.accepting_until_ns,
        facts=state.facts,
        agenda=sorted(state.agenda),
    )
    data = msgspec.msgpack.encode(body)
    return msgspec.msgpack.encode(_Envelope(MAGIC, VERSION, _digest(data), data))


def load(data: bytes, settings: EngineSettings | None = None) -> Exchange:
    """Return the exchange that was dumped, under its own settings or others.

    Raises `SnapshotError` for bytes of another version, and for any that are damaged.
    """
    body = _opened(data)
    exchange = Exchange(settings or body.settings)
    exchange.window, exchange.answer = body.window, body.answer
    state = exchange.state
    try:
        _fill_catalogue(state, body)
        _fill_orders(state, body)
        _fill_trades(state, body)
    except KeyError as error:
        raise SnapshotError(f"the snapshot speaks of {error}, which is not in it") from error
    _fill_rest(state, body)
    state.ledger.check(state.markets)
    return exchange


def _opened(data: bytes) -> _Body:
    try:
        envelope = _envelope_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"these bytes are no snapshot of an exchange: {error}") from error
    if envelope.magic != MAGIC:
        raise SnapshotError(f"this is a snapshot of {envelope.magic!r}, not of {MAGIC!r}")
    if envelope.version != VERSION:
        raise SnapshotError(
            f"the snapshot has version {envelope.version}, this exchange reads {VERSION} only: "
            "start it empty, or with the version that wrote the snapshot"
        )
    if envelope.sha256 != _digest(envelope.body):
        raise SnapshotError("the snapshot is damaged: its digest does not match")
    try:
        return _body_decoder.decode(envelope.body)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"the snapshot's body cannot be read: {error}") from error


def _fill_catalogue(state: EngineState, body: _Body) -> None:
    for market in body.markets:
        state.markets[market.condition_id] = market
        state.books[market.condition_id] = Book()
        for token in market.tokens:
            state.market_of_token[token.token_id] = market
    state.events = body.events


def _fill_orders(state: EngineState, body: _Body) -> None:
    for row in body.orders:
        values = {name: getattr(row, name) for name in row.__struct_fields__}
        market = state.markets[values.pop("condition_id")]
        state.orders[row.terms.order_id] = Order(market=market, **values)
    for condition_id, (bids, asks) in body.books.items():
        book = state.books[condition_id]
        for order_id in bids:
            book.bids.add(state.orders[order_id])
        for order_id in asks:
            book.asks.add(state.orders[order_id])
    for principal, order_ids in body.open_by_principal.items():
        state.open_by_principal[principal] = {name: state.orders[name] for name in order_ids}


def _fill_trades(state: EngineState, body: _Body) -> None:
    state.carried_until = body.carried_until
    for row in body.trades:
        taker, *makers = (_leg(state, leg) for leg in row.legs)
        trade = Trade(
            row.trade_id,
            state.markets[row.condition_id],
            taker,
            tuple(makers),
            row.seq,
            row.match_ns,
            row.last_update_ns,
            row.status,
            row.error,
        )
        state.enter_trade(trade)
    for item in body.unsettled:
        state.unsettled[item.trade_id] = Unsettled(
            state.trades[item.trade_id],
            item.flows,
            item.addresses,
            item.plan,
            item.retries_left,
            item.due_ns,
        )


def _fill_rest(state: EngineState, body: _Body) -> None:
    state.now_ns, state.seq = body.now_ns, body.seq
    state.ledger = Ledger.restored(
        [_account(row) for row in body.accounts], body.sets, body.withdrawn_micro
    )
    state.activities = defaultdict(list, body.activities)
    for account, rows in body.carried.items():
        state.carried_positions[account] = [
            Position(token_id, state.market_of_token[token_id], *values)
            for token_id, values in rows
        ]
    state.weather, state.held_plans = body.weather, body.held_plans
    state.last_prints = body.last_prints
    state.prices.minutes, state.prices.prices = body.minutes, body.prices
    for day, trade_ids in body.fee_trades.items():
        state.rebates.trades[day] = [state.trades[trade_id] for trade_id in trade_ids]
    state.rebates.paid_days = set(body.paid_days)
    state.allowances = {
        account: {spender: (int(c), s) for spender, (c, s) in limits.items()}
        for account, limits in body.allowances.items()
    }
    state.restrictions = body.restrictions
    state.accepting, state.accepting_until_ns = body.accepting, body.accepting_until_ns
    state.facts = defaultdict(int, body.facts)
    # Sorted, it is a heap.
    state.agenda = body.agenda


def _order_row(order: Order) -> _OrderRow:
    values = {name: getattr(order, name) for name in order.__struct_fields__}
    return _OrderRow(condition_id=values.pop("market").condition_id, **values)


def _trade_row(state: EngineState, trade: Trade) -> _TradeRow:
    return _TradeRow(
        trade.trade_id,
        trade.market.condition_id,
        [_leg_row(state, leg) for leg in trade.legs],
        trade.seq,
        trade.match_ns,
        trade.last_update_ns,
        trade.status,
        trade.error,
    )


def _leg_row(state: EngineState, leg: Leg) -> _LegRow:
    terms = None if leg.order_id in state.orders else leg.terms
    money = leg.money_micro
    return _LegRow(
        leg.order_id, terms, leg.index, leg.price_micro, leg.size_micro, money, leg.fee_micro
    )


def _leg(state: EngineState, row: _LegRow) -> Leg:
    terms = row.terms or state.orders[row.order_id].terms
    return Leg(terms, row.index, row.price_micro, row.size_micro, row.money_micro, row.fee_micro)


def _unsettled_row(item: Unsettled) -> _UnsettledRow:
    return _UnsettledRow(
        item.trade.trade_id,
        item.flows,
        item.addresses,
        item.plan,
        item.retries_left,
        item.due_ns,
    )


def _account_row(account: Account) -> _AccountRow:
    values = {name: getattr(account, name) for name in _AccountRow.__struct_fields__}
    values["deposit_ids"] = sorted(account.deposit_ids)
    return _AccountRow(**values)


def _account(row: _AccountRow) -> Account:
    account = Account(row.address)
    for name in ("cash_micro", "reserved_cash_micro", "deposited_micro", "fees_paid_micro"):
        setattr(account, name, getattr(row, name))
    for name in ("positions", "reserved_shares", "pending_in", "pending_out"):
        setattr(account, name, defaultdict(int, getattr(row, name)))
    account.deposit_ids = set(row.deposit_ids)
    account.unsettled = row.unsettled
    return account


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
