"""The exchange: what can be asked of it, in one place.

Owns the order of steps (check, match, rest; due things before later ones; print before resolution)
and the clock it was last told. Performs no I/O. Called by the wire and by tests; after each call
the caller drains `take_events`.
"""

from __future__ import annotations

import heapq
from datetime import date

import msgspec

from whaletrader.services.exchange.engine import (
    allowances,
    arrival,
    holdings,
    listing,
    pnl,
    retention,
    settlement,
    tape,
)
from whaletrader.services.exchange.engine.errors import BadInstruction
from whaletrader.services.exchange.engine.events import EngineEvent
from whaletrader.services.exchange.engine.ledger import HOUSE
from whaletrader.services.exchange.engine.model import (
    MICRO,
    Acceptance,
    Activity,
    ActivityKind,
    CloseReason,
    EngineSettings,
    Market,
    NegRiskEvent,
    NewOrder,
    Order,
    OrderStatus,
    Print,
    Resolution,
    Restriction,
    Trade,
    TradeStatus,
)
from whaletrader.services.exchange.engine.plans import SettlementPlan, SettlementWeather
from whaletrader.services.exchange.engine.rebates import DAY_NS, Rebate
from whaletrader.services.exchange.engine.state import Due, EngineState

NOT_FOUND = "Order not found or already canceled"
ALREADY_CANCELED = "Order already canceled"
ALREADY_MATCHED = "Order already matched"


class Placed(msgspec.Struct, frozen=True, eq=False):
    """An accepted order and the trade it made on arrival, if any."""

    order: Order
    trade: Trade | None

    @property
    def is_delayed(self) -> bool:
        return self.order.status is OrderStatus.DELAYED

    @property
    def paid_micro(self) -> int:
        """Money of the arrival's trade, the fee apart."""
        return self.trade.taker.money_micro if self.trade else 0

    @property
    def shares_micro(self) -> int:
        return self.trade.taker.size_micro if self.trade else 0


class Window(msgspec.Struct, frozen=True):
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
        self.answer: dict[str, int] = {}

    @property
    def now_ns(self) -> int:
        return self.state.now_ns

    @property
    def next_due_ns(self) -> int | None:
        """When `advance` will next have something to do; None when nothing is planned."""
        return self.state.agenda[0][0] if self.state.agenda else None

    def take_events(self) -> list[EngineEvent]:
        """Return what happened since the last call, oldest first."""
        events = self.state.outbox
        self.state.outbox = []
        return events

    # Orders

    def place(self, new: NewOrder, now_ns: int) -> Placed:
        """Take an order: check, match, rest.

        Raises `OrderRefused` in the venue's words. A killed FOK or FAK is refused too, but is on
        record as canceled, and its id is used up.
        """
        state = self.state
        if now_ns > state.now_ns or state.agenda:
            self.advance(now_ns)
        return Placed(*arrival.place(state, new))

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

    def set_acceptance(
        self,
        acceptance: Acceptance,
        condition_id: str | None = None,
        until_ns: int | None = None,
    ) -> None:
        """Say what a market, or without one the whole exchange, takes from now on or until then."""
        holder = self.state if condition_id is None else self._market(condition_id)
        holder.accepting = acceptance
        holder.accepting_until_ns = until_ns

    def restrict(self, account: str, restriction: Restriction) -> None:
        """Ban an account, let it only close positions, or lift both. Its orders stay."""
        self.state.restrictions[account.lower()] = restriction

    # Time

    def advance(self, now_ns: int) -> None:
        """Let time pass: expiries, settlement steps, delayed orders, each when it is due."""
        state = self.state
        agenda = state.agenda
        while agenda and agenda[0][0] <= now_ns:
            due_ns, _, what, name = heapq.heappop(agenda)
            state.now_ns = max(state.now_ns, due_ns)
            if what == Due.SETTLEMENT:
                settlement.step(state, name, due_ns)
            elif what == Due.REBATES:
                holdings.pay_rebates(state)
                state.remind(due_ns + DAY_NS, Due.REBATES, "")
            else:
                arrival.due(state, name, Due(what))
        if now_ns > state.now_ns:
            if state.now_ns == 0 and state.settings.pays_rebates:
                state.remind((now_ns // DAY_NS + 1) * DAY_NS, Due.REBATES, "")
            state.now_ns = now_ns

    def play(self, window: Window) -> dict[str, int]:
        """Play the next window of the tape; return each account's number of facts.

        The same number again returns the first answer and changes nothing. Raises
        `BadInstruction` for a gap, a step back, a clock that runs backwards or an unknown token.
        """
        if window.number == self.window:
            return self.answer
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
                listing.resolve(self.state, what)
        self.advance(window.now_ns)
        self.window = window.number
        self.answer = self.facts()
        return self.answer

    def facts(self) -> dict[str, int]:
        """Return, by account, final trades plus orders closed without being fully matched."""
        state = self.state
        return {a.address: state.facts.get(a.address, 0) for a in state.ledger.traders()}

    # Settlement

    def schedule(self, trade_id: str, plan: SettlementPlan, now_ns: int) -> None:
        """Decide how a trade that is not mined yet goes on; delays count from its match."""
        self.advance(now_ns)
        settlement.schedule(self.state, trade_id, plan)

    def hold_next(self, principal: str, plan: SettlementPlan) -> None:
        """Give a plan to the next trade in which a principal takes part."""
        self.state.held_plans[principal] = plan

    def settlement_weather(self, weather: SettlementWeather | None) -> None:
        """Let chance befall the trades matched from now on, or let it be fair again."""
        self.state.weather = weather

    def repeat_status(self, trade_id: str, status: TradeStatus, now_ns: int) -> None:
        """Tell a trade's status on the stream once more, without anything happening."""
        self.advance(now_ns)
        settlement.repeat(self.state, trade_id, status)

    # Markets

    def list_market(self, market: Market) -> bool:
        """Add a market or update its changeable terms; return whether it is new.

        Raises `BadInstruction` for an unknown tick or for tokens that contradict an earlier call.
        """
        return listing.list_market(self.state, market)

    def list_event(self, event: NegRiskEvent) -> bool:
        """Bind listed neg-risk markets into one event; return whether it is new."""
        return listing.list_event(self.state, event)

    def set_tick(self, condition_id: str, tick_size_micro: int, now_ns: int) -> None:
        """Change a market's tick."""
        self.advance(now_ns)
        listing.set_tick(self.state, self._market(condition_id), tick_size_micro)

    def resolve(self, condition_id: str, winning_index: int, now_ns: int) -> None:
        """Resolve a market: 0 is YES. Again the same way does nothing, the other way is refused."""
        self.advance(now_ns)
        listing.resolve(self.state, Resolution(condition_id, winning_index, self.state.now_ns))

    # What holders do on the chain: `OperationRefused` when settled balances lack

    def deposit(self, address: str, amount_micro: int, deposit_id: str) -> bool:
        """Credit collateral once for a deposit id; return whether it was new."""
        _check_trader(address)
        is_new = self.state.ledger.deposit(address, amount_micro, deposit_id)
        if is_new:
            holdings.note_income(self.state, ActivityKind.DEPOSIT, address, amount_micro)
        return is_new

    def withdraw(self, account: str, amount_micro: int, now_ns: int) -> Activity:
        """Take collateral out; trades and orders that it leaves uncovered fail or are dropped."""
        self.advance(now_ns)
        activity = holdings.withdraw(self.state, account, amount_micro)
        settlement.fail_uncovered(self.state, account)
        return activity

    def split(self, account: str, condition_id: str, amount_micro: int, now_ns: int) -> Activity:
        """Turn collateral into both outcomes of a market."""
        self.advance(now_ns)
        market = self._market(condition_id)
        activity = holdings.split(self.state, account, market, amount_micro)
        settlement.fail_uncovered(self.state, account)
        return activity

    def merge(self, account: str, condition_id: str, amount_micro: int, now_ns: int) -> Activity:
        """Turn both outcomes of a market into collateral."""
        self.advance(now_ns)
        market = self._market(condition_id)
        activity = holdings.merge(self.state, account, market, amount_micro)
        settlement.fail_uncovered(self.state, account)
        return activity

    def convert(
        self, account: str, event_id: str, condition_ids: list[str], amount_micro: int, now_ns: int
    ) -> Activity:
        """Turn NO of these markets of a neg-risk event into YES of its others and collateral."""
        self.advance(now_ns)
        activity = holdings.convert(self.state, account, event_id, condition_ids, amount_micro)
        settlement.fail_uncovered(self.state, account)
        return activity

    def redeem(self, account: str, condition_id: str, now_ns: int) -> Activity:
        """Pay an account's shares of a resolved market."""
        self.advance(now_ns)
        _check_trader(account)
        activity = holdings.redeem(self.state, account, self._market(condition_id))
        if activity is None:
            raise BadInstruction(f"{account} has nothing to redeem in {condition_id}")
        return activity

    def allow(
        self,
        account: str,
        spender: str,
        *,
        collateral_micro: int | None = None,
        conditional: bool | None = None,
    ) -> None:
        """Set what a contract may move for an account; orders no longer covered are dropped."""
        _check_trader(account)
        if collateral_micro is not None and not 0 <= collateral_micro <= allowances.UNLIMITED:
            raise BadInstruction("an allowance is between 0 and 2**256 - 1 micro-units")
        if conditional is None:
            conditional = self.allowance(account, spender)[1]
        allowances.allow(self.state, account, spender, collateral_micro, conditional)
        holdings.drop_unfunded(self.state, account)

    def allowance(self, account: str, spender: str) -> tuple[int, bool]:
        """Return (collateral in micro-units, whether shares may be moved)."""
        return allowances.allowance(self.state, account, spender)

    def forget(self, accounts: list[str], before_ns: int) -> int:
        """Forget what these accounts finished before a time; return how much that was."""
        return retention.forget(self.state, accounts, before_ns)

    # Reads

    def activity(self, account: str) -> list[Activity]:
        """Return what an account did on the chain besides trading, oldest first."""
        return list(self.state.activities.get(account, ()))

    def positions(self, account: str) -> list[pnl.Position]:
        """Return an account's positions with cost and profit, closed ones too."""
        return pnl.positions(self.state, account)

    def price_history(
        self, token_id: str, start_s: int, end_s: int, step_s: int
    ) -> list[tuple[int, int]]:
        """Return (unix seconds, price in micro-units) of a token, oldest first."""
        market = self.state.market_of_token.get(token_id)
        if market is None:
            return []
        points = self.state.prices.read(market.condition_id, start_s, end_s, step_s)
        if market.index_of(token_id) == 0:
            return points
        return [(second, MICRO - price) for second, price in points]

    def rebates(self, day: str, maker: str | None = None) -> list[Rebate]:
        """Return what makers get for a UTC day, written 2026-11-20; ValueError for another text."""
        since_epoch = date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()
        return self.state.rebates.of(since_epoch, maker)

    # Steps of the above

    def _market(self, condition_id: str) -> Market:
        market = self.state.markets.get(condition_id)
        if market is None:
            raise BadInstruction(f"market {condition_id} is not listed")
        return market

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
            listing.check_resolution(state, resolution)
        stamps = [p.ts_ns for p in window.prints] + [r.ts_ns for r in window.resolutions]
        if max(stamps, default=0) > window.now_ns:
            raise BadInstruction(f"window {window.number} holds events after its now_ns")


def _check_trader(address: str) -> None:
    if address in HOUSE:
        raise BadInstruction(f"{address} is the house's")
