"""Everything the exchange remembers, and the few steps that every rule shares.

Matching, the tape, settlement and order closing all change the same state; they do it through these
methods, so that reservations, indexes, facts and events cannot drift apart.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from enum import IntEnum

import msgspec

from whaletrader.services.exchange.engine.book import Book
from whaletrader.services.exchange.engine.events import (
    EngineEvent,
    LevelEvent,
    OrderEvent,
    OrderEventKind,
)
from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.ledger import Flow, Ledger
from whaletrader.services.exchange.engine.model import (
    Acceptance,
    Activity,
    CloseReason,
    EngineSettings,
    LastPrint,
    Market,
    NegRiskEvent,
    Order,
    OrderStatus,
    Restriction,
    Side,
    Trade,
)
from whaletrader.services.exchange.engine.plans import SettlementPlan, SettlementWeather
from whaletrader.services.exchange.engine.position import Position
from whaletrader.services.exchange.engine.prices import PriceHistory
from whaletrader.services.exchange.engine.rebates import Rebates
from whaletrader.services.exchange.engine.units import MICRO

BUY = Side.BUY

# The word a cancellation carries in its event, by reason; a user's own cancel has none.
CANCEL_WORDS = {
    CloseReason.USER: "CANCELED",
    CloseReason.HEARTBEAT: "CANCELED",
    CloseReason.REVERSED: "CANCELED",
    CloseReason.OFF_GRID: "CANCELED",
    CloseReason.EXPIRED: "CANCELED_EXPIRED_ORDER",
    CloseReason.RESOLVED: "CANCELED_MARKET_RESOLVED",
    CloseReason.NOT_FUNDED: "CANCELED_NOT_ENOUGH_BALANCE",
}


class Due(IntEnum):
    """What waits for its time."""

    EXPIRY = 0
    SETTLEMENT = 1
    TAKER_DELAY = 2
    REBATES = 3


class Unsettled(msgspec.Struct, eq=False):
    """A trade on its way to the chain: what undoing it takes, and what happens when.

    `due_ns` tells the agenda's entry that counts from one that a new plan has overtaken.
    """

    trade: Trade
    flows: list[Flow]
    addresses: tuple[str, ...]
    plan: SettlementPlan
    retries_left: int
    due_ns: int


class EngineState:
    """Indexes over markets, orders and trades, with the ledger they draw on."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.ledger = Ledger()
        self.now_ns = 0
        self.markets: dict[str, Market] = {}
        self.market_of_token: dict[str, Market] = {}
        self.events: dict[str, NegRiskEvent] = {}
        self.books: dict[str, Book] = {}
        self.orders: dict[str, Order] = {}
        self.open_by_principal: dict[str, dict[str, Order]] = defaultdict(dict)
        self.trades: dict[str, Trade] = {}
        self.trades_by_principal: dict[str, list[Trade]] = defaultdict(list)
        self.trades_by_account: dict[str, list[Trade]] = defaultdict(list)
        self.activities: dict[str, list[Activity]] = defaultdict(list)
        # What came of trades and operations that were forgotten, by account.
        self.carried_positions: dict[str, list[Position]] = {}
        self.carried_until: dict[str, int] = {}
        self.unsettled: dict[str, Unsettled] = {}
        self.weather: SettlementWeather | None = None
        # Plans that wait for the next trade of a principal.
        self.held_plans: dict[str, SettlementPlan] = {}
        self.last_prints: dict[str, LastPrint] = {}
        self.prices = PriceHistory(settings.price_points_max)
        self.rebates = Rebates()
        # allowances[account][spender]: collateral and whether shares may be moved.
        self.allowances: dict[str, dict[str, tuple[int, bool]]] = {}
        self.restrictions: dict[str, Restriction] = {}
        self.accepting = Acceptance.NORMAL
        self.accepting_until_ns: int | None = None
        self.facts: dict[str, int] = defaultdict(int)
        self.outbox: list[EngineEvent] = []
        self.agenda: list[tuple[int, int, int, str]] = []
        self.seq = 0

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def remind(self, due_ns: int, what: Due, name: str) -> None:
        """Put something on the agenda; equal times keep the order in which they were put."""
        self.seq += 1
        heapq.heappush(self.agenda, (due_ns, self.seq, int(what), name))

    def reserve(self, order: Order) -> None:
        """Set aside what the open part of an order can cost, in place of what was before."""
        status = order.status
        is_open = status is OrderStatus.LIVE or status is OrderStatus.DELAYED
        wanted = self.exposure(order) if is_open else 0
        change = wanted - order.reserved_micro
        if change == 0:
            return
        account = self.ledger.account(order.terms.account)
        if order.terms.side is BUY:
            account.reserved_cash_micro += change
        else:
            account.reserved_shares[order.terms.token_id] += change
        order.reserved_micro = wanted

    def exposure(self, order: Order, *, as_taker: bool = False) -> int:
        """Return collateral (BUY, fee included for a taker) or shares (SELL) at stake.

        Price plus fee grows with the price while the rate is below 1, so the limit is the worst.
        A market BUY stakes its budget; the fee on top depends on whom it meets.
        """
        remaining = order.size_micro - order.matched_micro
        if order.terms.side is not BUY:
            return remaining
        if order.budget_micro:
            return order.budget_micro - order.spent_micro
        cost = remaining * order.price_micro // MICRO
        if as_taker or order.is_tape_taker or order.status is OrderStatus.DELAYED:
            cost += taker_fee_micro(
                shares_micro=remaining,
                price_micro=order.price_micro,
                rate_micro=order.market.fee_rate_micro,
                exponent=order.market.fee_exponent,
            )
        return cost

    def free(self, order: Order) -> int:
        account = self.ledger.account(order.terms.account)
        if order.terms.side is BUY:
            return account.cash_micro - account.reserved_cash_micro
        return account.free_shares_micro(order.terms.token_id)

    def rest(self, order: Order) -> None:
        """Put an order on the book."""
        book = self.books[order.market.condition_id]
        ladder = book.bids if order.is_bid else book.asks
        level_micro = ladder.add(order)
        self.open_by_principal[order.terms.principal][order.terms.order_id] = order
        self.outbox.append(
            LevelEvent(order.market, order.is_bid, order.book_price_micro, level_micro, self.now_ns)
        )

    def unrest(self, order: Order) -> bool:
        """Take an order off the book; return whether it stood there."""
        terms = order.terms
        if self.open_by_principal[terms.principal].pop(terms.order_id, None) is None:
            return False
        if order.status is OrderStatus.DELAYED:
            return False
        self.books[order.market.condition_id].side_of(order).remove(order)
        return True

    def close(self, order: Order, reason: CloseReason, word: str | None = None) -> None:
        """Take an order out for a reason other than being matched; counts as one fact."""
        rested = self.unrest(order)
        order.status = (
            OrderStatus.CANCELED_MARKET_RESOLVED
            if reason is CloseReason.RESOLVED
            else OrderStatus.CANCELED
        )
        order.close_reason = reason
        self.reserve(order)
        self.facts[order.terms.account] += 1
        self.tell_order(OrderEventKind.CANCELLATION, order, word or CANCEL_WORDS[reason])
        if rested:
            self.tell_level(order)

    def enter_trade(self, trade: Trade) -> tuple[str, ...]:
        """Put a trade into all indexes; return the accounts in it, the house apart.

        Indexes of accounts that have forgotten it are left alone: a restoration comes by here too.
        """
        self.trades[trade.trade_id] = trade
        accounts: dict[str, None] = {}
        principals: dict[str, None] = {}
        for leg in (trade.taker, *trade.makers):
            terms = leg.terms
            if terms.principal:
                principals[terms.principal] = None
                accounts[terms.account] = None
        until = self.carried_until
        for principal in principals:
            if trade.seq >= until.get(principal, 0):
                self.trades_by_principal[principal].append(trade)
        for account in accounts:
            if trade.seq >= until.get(account, 0):
                self.trades_by_account[account].append(trade)
        return tuple(accounts)

    def tell_order(self, kind: OrderEventKind, order: Order, word: str | None = None) -> None:
        self.outbox.append(
            OrderEvent(
                kind,
                order,
                order.matched_micro,
                word or order.status,
                tuple(order.trade_ids),
                self.now_ns,
            )
        )

    def tell_level(self, order: Order) -> None:
        ladder = self.books[order.market.condition_id].side_of(order)
        price = order.book_price_micro
        self.outbox.append(
            LevelEvent(order.market, order.is_bid, price, ladder.size_at(price), self.now_ns)
        )

    def open_orders_of(self, account: str) -> list[Order]:
        """Return an account's open orders, newest first. Walks all open orders: for rare steps."""
        found = [
            order
            for orders in self.open_by_principal.values()
            for order in orders.values()
            if order.terms.account == account
        ]
        return sorted(found, key=lambda order: -order.seq)
