"""Everything the exchange remembers, and the few steps that every rule shares.

Matching, the tape and order closing all change the same state; they do it through these methods,
so that reservations, indexes, facts and events cannot drift apart.
"""

from __future__ import annotations

from collections import defaultdict, deque

from whaletrader.services.exchange.engine.book import Book
from whaletrader.services.exchange.engine.events import (
    EngineEvent,
    LevelEvent,
    OrderEvent,
    OrderEventKind,
    TradeEvent,
)
from whaletrader.services.exchange.engine.fees import taker_fee_micro
from whaletrader.services.exchange.engine.ledger import Ledger, cost_micro
from whaletrader.services.exchange.engine.model import (
    CloseReason,
    EngineSettings,
    LastPrint,
    Market,
    Order,
    OrderStatus,
    Side,
    Trade,
    TradeStatus,
)

# The word a cancellation carries in its event, by reason; a user's own cancel has none.
CANCEL_WORDS = {
    CloseReason.USER: "CANCELED",
    CloseReason.HEARTBEAT: "CANCELED",
    CloseReason.EXPIRED: "CANCELED_EXPIRED_ORDER",
    CloseReason.RESOLVED: "CANCELED_MARKET_RESOLVED",
}


class EngineState:
    """Indexes over markets, orders and trades, with the ledger they draw on."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.ledger = Ledger()
        self.now_ns = 0
        self.markets: dict[str, Market] = {}
        self.market_of_token: dict[str, Market] = {}
        self.books: dict[str, Book] = {}
        self.orders: dict[str, Order] = {}
        self.open_by_principal: dict[str, dict[str, Order]] = defaultdict(dict)
        self.trades: dict[str, Trade] = {}
        self.trades_by_principal: dict[str, list[Trade]] = defaultdict(list)
        self.unsettled: deque[Trade] = deque()
        self.last_prints: dict[str, LastPrint] = {}
        self.facts: dict[str, int] = defaultdict(int)
        self.outbox: list[EngineEvent] = []
        self._seq = 0

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def reserve(self, order: Order) -> None:
        """Set aside what the open part of an order can cost, in place of what was before."""
        account = self.ledger.account(order.terms.account)
        wanted = self.exposure(order) if order.is_open else 0
        change = wanted - order.reserved_micro
        if order.side is Side.BUY:
            account.reserved_cash_micro += change
        else:
            account.reserved_shares[order.terms.token_id] += change
        order.reserved_micro = wanted

    def exposure(self, order: Order, *, as_taker: bool = False) -> int:
        """Return collateral (BUY, fee included for a taker) or shares (SELL) at stake.

        Price plus fee grows with the price while the rate is below 1, so the limit is the worst.
        """
        remaining = order.remaining_micro
        if order.side is Side.SELL:
            return remaining
        cost = cost_micro(remaining, order.price_micro)
        if as_taker or order.is_tape_taker:
            cost += taker_fee_micro(
                shares_micro=remaining,
                price_micro=order.price_micro,
                rate_micro=order.market.fee_rate_micro,
            )
        return cost

    def free(self, order: Order) -> int:
        account = self.ledger.account(order.terms.account)
        if order.side is Side.BUY:
            return account.free_cash_micro
        return account.free_shares_micro(order.terms.token_id)

    def rest(self, order: Order) -> None:
        self.books[order.market.condition_id].side_of(order).add(order)
        self.open_by_principal[order.terms.principal][order.order_id] = order
        self.tell_level(order)

    def unrest(self, order: Order) -> bool:
        """Take an order off the book; return whether it stood there."""
        if self.open_by_principal[order.terms.principal].pop(order.order_id, None) is None:
            return False
        self.books[order.market.condition_id].side_of(order).remove(order)
        return True

    def fill(self, order: Order, size_micro: int, trade: Trade) -> None:
        """Count a fill on an order; closes it when nothing remains."""
        order.matched_micro += size_micro
        if order.order_id in self.open_by_principal[order.terms.principal]:
            self.books[order.market.condition_id].side_of(order).reduce(order, size_micro)
        order.trade_ids.append(trade.trade_id)
        if order.remaining_micro == 0:
            order.status = OrderStatus.MATCHED
            self.unrest(order)
        self.reserve(order)

    def close(self, order: Order, reason: CloseReason, word: str | None = None) -> None:
        """Take an order out for a reason other than being matched; counts as one fact."""
        order.status = (
            OrderStatus.CANCELED_MARKET_RESOLVED
            if reason is CloseReason.RESOLVED
            else OrderStatus.CANCELED
        )
        order.close_reason = reason
        rested = self.unrest(order)
        self.reserve(order)
        self.facts[order.terms.account] += 1
        self.tell_order(OrderEventKind.CANCELLATION, order, word or CANCEL_WORDS[reason])
        if rested:
            self.tell_level(order)

    def record_trade(self, trade: Trade) -> None:
        """Remember a trade and settle it as far as its delays allow."""
        self.trades[trade.trade_id] = trade
        for principal in dict.fromkeys(leg.principal for leg in trade.legs if leg.principal):
            self.trades_by_principal[principal].append(trade)
        self.outbox.append(TradeEvent(trade, TradeStatus.MATCHED, trade.match_ns))
        self.unsettled.append(trade)
        self.settle()

    def settle(self) -> None:
        """Move trades on through MINED to CONFIRMED, oldest first, as far as time allows."""
        settings = self.settings
        for trade in self.unsettled:
            mined_ns = trade.match_ns + settings.settle_mined_ns
            if trade.status is TradeStatus.MATCHED and mined_ns <= self.now_ns:
                self._advance(trade, TradeStatus.MINED, mined_ns)
            confirmed_ns = mined_ns + settings.settle_confirmed_ns
            if trade.status is TradeStatus.MINED and confirmed_ns <= self.now_ns:
                self._advance(trade, TradeStatus.CONFIRMED, confirmed_ns)
        while self.unsettled and self.unsettled[0].status.is_final:
            self.unsettled.popleft()

    def tell_order(self, kind: OrderEventKind, order: Order, word: str | None = None) -> None:
        self.outbox.append(
            OrderEvent(
                kind=kind,
                order=order,
                matched_micro=order.matched_micro,
                status=word or order.status.value,
                trade_ids=tuple(order.trade_ids),
                at_ns=self.now_ns,
            )
        )

    def tell_level(self, order: Order) -> None:
        ladder = self.books[order.market.condition_id].side_of(order)
        price = order.book_price_micro
        self.outbox.append(
            LevelEvent(order.market, order.is_bid, price, ladder.size_at(price), self.now_ns)
        )

    def _advance(self, trade: Trade, status: TradeStatus, at_ns: int) -> None:
        trade.status = status
        trade.last_update_ns = at_ns
        self.outbox.append(TradeEvent(trade, status, at_ns))
        if status.is_final:
            accounts = {leg.account for leg in trade.legs if leg.principal}
            for account in accounts:
                self.facts[account] += 1
