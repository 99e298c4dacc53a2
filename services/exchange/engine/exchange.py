"""The exchange: what can be asked of it, in one place.

Owns the order of steps (check, match, rest; expire before print before resolution) and the clock it
was last told. Performs no I/O. Called by the wire and by tests; after each call the caller drains
`take_events`.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

from whaletrader.services.exchange.engine import rules, tape
from whaletrader.services.exchange.engine.book import Book
from whaletrader.services.exchange.engine.errors import BadInstruction, OrderRefused
from whaletrader.services.exchange.engine.events import (
    EngineEvent,
    MarketListed,
    MarketResolved,
    OrderEventKind,
    TickChanged,
)
from whaletrader.services.exchange.engine.ledger import HOUSE
from whaletrader.services.exchange.engine.matching import fillable_micro, match
from whaletrader.services.exchange.engine.model import (
    NS,
    CloseReason,
    EngineSettings,
    Market,
    NewOrder,
    Order,
    OrderType,
    Print,
    Resolution,
    Trade,
)
from whaletrader.services.exchange.engine.state import EngineState

NOT_FOUND = "Order not found or already canceled"
ALREADY_CANCELED = "Order already canceled"
ALREADY_MATCHED = "Order already matched"


@dataclass(frozen=True, slots=True)
class Placed:
    """An accepted order and the trade it made on arrival, if any."""

    order: Order
    trade: Trade | None


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the tape: everything that happened up to `now_ns`."""

    number: int
    now_ns: int
    prints: tuple[Print, ...] = ()
    resolutions: tuple[Resolution, ...] = ()


class Exchange:
    """One venue. Every method that changes it either completes or changes nothing."""

    def __init__(self, settings: EngineSettings) -> None:
        self.state = EngineState(settings)
        self.window: int | None = None
        self._answer: dict[str, int] = {}
        self._expiries: list[tuple[int, str]] = []

    @property
    def now_ns(self) -> int:
        return self.state.now_ns

    def take_events(self) -> list[EngineEvent]:
        """Return what happened since the last call, oldest first."""
        events = self.state.outbox
        self.state.outbox = []
        return events

    def list_market(self, market: Market) -> bool:
        """Add a market or update its changeable terms; return whether it is new.

        Raises `BadInstruction` for an unknown tick or for tokens that contradict an earlier call.
        """
        state = self.state
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
            return self._add_market(market)
        if known.tokens != market.tokens:
            raise BadInstruction(f"the tokens of {market.condition_id} cannot change")
        if known.tick_size_micro != market.tick_size_micro:
            state.outbox.append(
                TickChanged(known, known.tick_size_micro, market.tick_size_micro, state.now_ns)
            )
        for name in ("question", "slug", "event_slug", "category", "tick_size_micro"):
            setattr(known, name, getattr(market, name))
        for name in ("min_size_micro", "fee_rate_micro", "neg_risk", "end_ns"):
            setattr(known, name, getattr(market, name))
        return False

    def deposit(self, address: str, amount_micro: int, deposit_id: str) -> bool:
        """Credit collateral once for a deposit id; return whether it was new."""
        if address in HOUSE:
            raise BadInstruction(f"{address} is the house's")
        return self.state.ledger.deposit(address, amount_micro, deposit_id)

    def place(self, new: NewOrder, now_ns: int) -> Placed:
        """Take an order: check, match, rest.

        Raises `OrderRefused` in the venue's words. A killed FOK or FAK is refused too, but is on
        record as canceled, and its id is used up.
        """
        state = self.state
        self.advance(now_ns)
        order = self._checked(new)
        crossing = fillable_micro(state, order)
        if state.settings.follows_tape and order.terms.order_type.rests:
            order.is_tape_taker = tape.is_marketable(state, order)
        self._check_funds(order, is_taker=crossing > 0 or order.is_tape_taker)
        if new.post_only and (crossing > 0 or order.is_tape_taker):
            raise OrderRefused(rules.POST_ONLY_CROSSES)
        state.orders[order.order_id] = order
        state.tell_order(OrderEventKind.PLACEMENT, order)
        if new.order_type is OrderType.FOK and crossing < order.size_micro:
            raise self._kill(order, rules.FOK_KILLED)
        if new.order_type is OrderType.FAK and crossing == 0:
            raise self._kill(order, rules.FAK_KILLED)
        trade = match(state, order) if crossing > 0 else None
        if trade is not None:
            state.tell_order(OrderEventKind.UPDATE, order)
        if order.is_open:
            self._keep_or_kill(order)
        return Placed(order, trade)

    def cancel(self, principal: str, order_id: str, now_ns: int) -> str | None:
        """Cancel one of the principal's orders; return why not, or None when it is canceled."""
        self.advance(now_ns)
        order = self.state.orders.get(order_id)
        if order is None or order.terms.principal != principal:
            return NOT_FOUND
        if not order.is_open:
            return ALREADY_MATCHED if order.remaining_micro == 0 else ALREADY_CANCELED
        self.state.close(order, CloseReason.USER)
        return None

    def cancel_open(
        self,
        principal: str,
        now_ns: int,
        *,
        condition_id: str | None = None,
        token_id: str | None = None,
        reason: CloseReason = CloseReason.USER,
    ) -> list[str]:
        """Cancel all open orders of a principal that fit; return their ids."""
        self.advance(now_ns)
        chosen = [
            order
            for order in self.state.open_by_principal[principal].values()
            if condition_id in (None, order.market.condition_id)
            and token_id in (None, order.terms.token_id)
        ]
        for order in chosen:
            self.state.close(order, reason)
        return [order.order_id for order in chosen]

    def advance(self, now_ns: int) -> None:
        """Let time pass: expire GTD orders and settle trades that are due."""
        state = self.state
        while self._expiries and self._expiries[0][0] <= now_ns:
            due_ns, order_id = heapq.heappop(self._expiries)
            order = state.orders[order_id]
            if order.is_open:
                state.now_ns = max(state.now_ns, due_ns)
                state.close(order, CloseReason.EXPIRED)
        state.now_ns = max(state.now_ns, now_ns)
        if state.unsettled:
            state.settle()

    def play(self, window: Window) -> dict[str, int]:
        """Play the next window of the tape; return each account's number of facts.

        The same number again returns the first answer and changes nothing. Raises
        `BadInstruction` for a gap, a step back, a clock that runs backwards or an unknown token.
        """
        if window.number == self.window:
            return self._answer
        self._check_window(window)
        # Sorting is stable; at one instant prints come before resolutions.
        moments: list[tuple[int, int, Print | Resolution]] = [
            *((p.ts_ns, 0, p) for p in window.prints),
            *((r.ts_ns, 1, r) for r in window.resolutions),
        ]
        moments.sort(key=lambda moment: moment[:2])
        for ts_ns, _, what in moments:
            self.advance(ts_ns)
            if isinstance(what, Print):
                tape.apply_print(self.state, what)
            else:
                self._resolve(what)
        self.advance(window.now_ns)
        self.window = window.number
        self._answer = self.facts()
        return self._answer

    def facts(self) -> dict[str, int]:
        """Return, by account, final trades plus orders closed without being fully matched."""
        state = self.state
        return {a.address: state.facts.get(a.address, 0) for a in state.ledger.traders()}

    def _add_market(self, market: Market) -> bool:
        state = self.state
        own = replace(market)
        state.markets[own.condition_id] = own
        state.books[own.condition_id] = Book()
        for token in own.tokens:
            state.market_of_token[token.token_id] = own
        state.outbox.append(MarketListed(own, state.now_ns))
        return True

    def _checked(self, new: NewOrder) -> Order:
        state = self.state
        if new.order_id in state.orders:
            raise OrderRefused(f"order {new.order_id} is invalid. Duplicated.")
        market = state.market_of_token.get(new.token_id)
        if market is None:
            raise OrderRefused(rules.UNKNOWN_TOKEN)
        if market.winning_index is not None:
            raise OrderRefused(rules.NOT_READY)
        price, size = rules.price_and_size(new, market)
        rules.check_expiration(new, state.now_ns, state.settings.gtd_security_s)
        return Order(
            terms=new,
            market=market,
            index=market.index_of(new.token_id),
            price_micro=price,
            size_micro=size,
            arrival_ns=state.now_ns,
            seq=state.next_seq(),
        )

    def _check_funds(self, order: Order, *, is_taker: bool) -> None:
        state = self.state
        if is_taker:
            rules.check_marketable_buy(
                order.terms,
                order.size_micro * order.price_micro // 1_000_000,
                state.settings.min_marketable_buy_micro,
            )
        needed = state.exposure(order, as_taker=is_taker)
        available = state.free(order)
        if needed > available:
            raise rules.not_enough(available, needed)

    def _kill(self, order: Order, text: str) -> OrderRefused:
        self.state.close(order, CloseReason.KILLED, f"CANCELED_{text}")
        return OrderRefused(text)

    def _keep_or_kill(self, order: Order) -> None:
        if not order.terms.order_type.rests:
            self.state.close(order, CloseReason.KILLED, f"CANCELED_{rules.FAK_KILLED}")
            return
        self.state.reserve(order)
        self.state.rest(order)
        if order.terms.order_type is OrderType.GTD:
            drop_s = order.terms.expiration_s - self.state.settings.gtd_security_s
            heapq.heappush(self._expiries, (drop_s * NS, order.order_id))

    def _check_window(self, window: Window) -> None:
        state = self.state
        if self.window is not None and window.number != self.window + 1:
            raise BadInstruction(
                f"window {window.number} cannot follow window {self.window}; "
                f"expected {self.window + 1}"
            )
        if window.now_ns < state.now_ns:
            raise BadInstruction(f"now_ns {window.now_ns} is before the clock {state.now_ns}")
        for recorded in window.prints:
            if recorded.token_id not in state.market_of_token:
                raise BadInstruction(f"print {recorded.print_id}: unknown token")
        for resolution in window.resolutions:
            market = state.markets.get(resolution.condition_id)
            if market is None:
                raise BadInstruction(f"resolution of unknown market {resolution.condition_id}")
            if market.winning_index not in (None, resolution.winning_index):
                raise BadInstruction(f"{resolution.condition_id} was resolved the other way")
        stamps = [p.ts_ns for p in window.prints] + [r.ts_ns for r in window.resolutions]
        if max(stamps, default=0) > window.now_ns:
            raise BadInstruction(f"window {window.number} holds events after its now_ns")

    def _resolve(self, resolution: Resolution) -> None:
        """Cancel what rests, pay winners, close the market for good."""
        state = self.state
        market = state.markets[resolution.condition_id]
        if market.winning_index is not None:
            return
        for order in state.books[market.condition_id].open_orders():
            state.close(order, CloseReason.RESOLVED)
        state.ledger.redeem(market, resolution.winning_index)
        market.winning_index = resolution.winning_index
        market.resolved_ns = resolution.ts_ns
        state.outbox.append(MarketResolved(market, resolution.winning_index, resolution.ts_ns))
