"""Any flow of orders, settlements, failures, chain operations and resolutions keeps the books.

A hypothesis state machine drives the whole engine and after each step checks: money and shares are
conserved, nobody owes, books are not crossed, and reservations are what open orders stake.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.services.exchange.exchange_venue import market, venue
from whaletrader.services.exchange.engine.digest import digest
from whaletrader.services.exchange.engine.errors import BadInstruction, OrderRefused
from whaletrader.services.exchange.engine.model import (
    LOT_MICRO,
    MICRO,
    NS,
    NegRiskEvent,
    NewOrder,
    OrderType,
    Print,
    Side,
    Token,
)
from whaletrader.services.exchange.engine.plans import SettlementPlan, SettlementWeather
from whaletrader.services.exchange.engine.snapshot import dump, load

TRADERS = tuple(f"0x{name * 20}" for name in ("a1", "b0", "ca"))
CONDITIONS = tuple(f"0x{number:064x}" for number in (1, 2, 3))
TOKENS = tuple(f"{number}{side}" for number in (1, 2, 3) for side in (1, 2))
EVENT = "0xevent"

traders = st.sampled_from(TRADERS)
conditions = st.sampled_from(CONDITIONS)
amounts = st.integers(1, 60 * MICRO)
delays = st.integers(0, 30)


class Wish(NamedTuple):
    """What an order is drawn as."""

    trader: str
    token: str
    side: Side
    cents: int
    lots: int
    kind: OrderType

    def order(self, number: int, now_ns: int) -> NewOrder:
        size = self.lots * LOT_MICRO
        cost = size * self.cents // 100
        if not self.kind.rests and self.side is Side.BUY:
            cost = cost // LOT_MICRO * LOT_MICRO
            size = cost * 100 // self.cents // 100 * 100
        maker, taker = (cost, size) if self.side is Side.BUY else (size, cost)
        return NewOrder(
            order_id=f"0x{number:064x}",
            account=self.trader,
            principal=self.trader,
            owner="key",
            maker_address=self.trader,
            token_id=self.token,
            side=self.side,
            order_type=self.kind,
            maker_amount=maker,
            taker_amount=taker,
            expiration_s=now_ns // NS + 62 if self.kind is OrderType.GTD else 0,
        )


orders = st.builds(
    Wish,
    trader=traders,
    token=st.sampled_from(TOKENS),
    side=st.sampled_from(Side),
    cents=st.one_of(st.integers(45, 55), st.integers(1, 99)),
    lots=st.integers(500, 6_000),
    kind=st.sampled_from(OrderType),
)


class Flow(RuleBasedStateMachine):
    """Three traders in three markets that exclude each other."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    @initialize(
        follows_tape=st.booleans(),
        after_failure=st.sampled_from(("cancel", "restore")),
        auto_redeem=st.booleans(),
        drops_off_grid=st.booleans(),
        taker_delay_ns=st.sampled_from((0, 5)),
        is_augmented=st.booleans(),
        rate=st.sampled_from((0, 50_000, 250_000)),
    )
    def open(self, rate: int, is_augmented: bool, **chosen: object) -> None:
        chosen |= {"settle_mined_ns": 10, "settle_confirmed_ns": 10, "settle_retry_ns": 7}
        self.v = venue(cash=0, **chosen, pays_rebates=True)
        self.exchange = self.v.exchange
        for number, condition_id in enumerate(CONDITIONS, 1):
            self.exchange.list_market(
                market(
                    condition_id=condition_id,
                    tokens=(Token(f"{number}1", "Yes"), Token(f"{number}2", "No")),
                    fee_rate_micro=rate,
                    neg_risk=True,
                    category="crypto",
                )
            )
        self.exchange.list_event(NegRiskEvent(EVENT, CONDITIONS, is_augmented))
        for trader in TRADERS:
            self.exchange.deposit(trader, 300 * MICRO, "funds")
            for condition_id in CONDITIONS:
                self.exchange.split(trader, condition_id, 40 * MICRO, 0)

    @property
    def now_ns(self) -> int:
        return self.exchange.now_ns

    @rule(burst=st.lists(orders, min_size=1, max_size=10))
    def order(self, burst: list[Wish]) -> None:
        for wish in burst:
            self.number += 1
            try:
                self.exchange.place(wish.order(self.number, self.now_ns), self.now_ns)
            except OrderRefused:
                continue

    @rule(trader=traders)
    def cancel(self, trader: str) -> None:
        self.exchange.cancel_open(trader, self.now_ns)

    @rule(token=st.sampled_from(TOKENS), price=st.integers(0, MICRO), size=st.integers(1, 10**10))
    def recorded(self, token: str, price: int, size: int) -> None:
        self.exchange.advance(self.now_ns + 1)
        self.number += 1
        _tape(self.exchange, Print(f"p{self.number}", token, price, size, Side.BUY, self.now_ns))

    @rule(seed=st.integers(0, 100), fail=st.sampled_from((0, 300_000, MICRO)))
    def weather(self, seed: int, fail: int) -> None:
        self.exchange.settlement_weather(
            SettlementWeather(seed, fail, 300_000, 2, 5, 300_000, delay_ns_max=20)
        )

    @rule(data=st.data(), fails=st.booleans(), retries=st.integers(0, 2), delay=delays)
    def plan(self, data: st.DataObject, fails: bool, retries: int, delay: int) -> None:
        open_trades = sorted(self.exchange.state.unsettled)
        if not open_trades:
            return
        chosen = data.draw(st.sampled_from(open_trades))
        plan = SettlementPlan(delay, delay, retries, 3, fails)
        try:
            self.exchange.schedule(chosen, plan, self.now_ns)
        except BadInstruction:
            assert self.exchange.state.trades[chosen].status.is_on_chain

    @rule(trader=traders, fails=st.booleans())
    def hold(self, trader: str, fails: bool) -> None:
        self.exchange.hold_next(trader, SettlementPlan(fails=fails, retries=1, retry_ns=4))

    @rule(trader=traders, condition=conditions, amount=amounts, merges=st.booleans())
    def split_or_merge(self, trader: str, condition: str, amount: int, merges: bool) -> None:
        act = self.exchange.merge if merges else self.exchange.split
        _tried(lambda: act(trader, condition, amount, self.now_ns))

    @rule(trader=traders, chosen=st.sets(conditions, min_size=1), amount=amounts)
    def convert(self, trader: str, chosen: set[str], amount: int) -> None:
        ids = sorted(chosen)
        _tried(lambda: self.exchange.convert(trader, EVENT, ids, amount, self.now_ns))

    @rule(trader=traders, amount=amounts)
    def withdraw(self, trader: str, amount: int) -> None:
        _tried(lambda: self.exchange.withdraw(trader, amount, self.now_ns))

    @rule(trader=traders, condition=conditions)
    def redeem(self, trader: str, condition: str) -> None:
        _tried(lambda: self.exchange.redeem(trader, condition, self.now_ns))

    @rule(trader=traders, condition=conditions, limit=st.integers(0, 50 * MICRO))
    def allow(self, trader: str, condition: str, limit: int) -> None:
        from whaletrader.services.exchange.engine.allowances import spender_of

        spender = spender_of(self.exchange.state.markets[condition])
        self.exchange.allow(trader, spender, collateral_micro=limit, conditional=limit > MICRO)

    @rule(condition=conditions, tick=st.sampled_from((100_000, 10_000, 1_000, 100)))
    def tick(self, condition: str, tick: int) -> None:
        self.exchange.set_tick(condition, tick, self.now_ns)

    @rule(condition=conditions, winner=st.integers(0, 1))
    def resolve(self, condition: str, winner: int) -> None:
        if self.number > 25:
            _tried(lambda: self.exchange.resolve(condition, winner, self.now_ns))

    @rule()
    def let_orders_expire(self) -> None:
        self.exchange.advance(self.now_ns + 3 * NS)

    @rule(step=delays)
    def wait(self, step: int) -> None:
        self.exchange.advance(self.now_ns + step)

    @rule(chosen=st.sets(traders, min_size=1), age=delays)
    def forget(self, chosen: set[str], age: int) -> None:
        self.exchange.forget(sorted(chosen), self.now_ns - age)

    @rule()
    def restart(self) -> None:
        self.exchange.take_events()
        before = digest(self.exchange.state)
        data = dump(self.exchange)
        self.exchange = self.v.exchange = load(data)
        assert digest(self.exchange.state) == before
        assert dump(self.exchange) == data

    @invariant()
    def money_and_shares_are_conserved_and_nobody_owes(self) -> None:
        if self.number:
            self.exchange.state.ledger.check(self.exchange.state.markets)

    @invariant()
    def books_are_not_crossed(self) -> None:
        if self.number:
            assert not any(book.is_crossed() for book in self.exchange.state.books.values())

    @invariant()
    def reservations_are_what_open_orders_stake(self) -> None:
        if not self.number:
            return
        state = self.exchange.state
        for account in state.ledger.traders():
            orders = state.open_orders_of(account.address)
            cash = sum(o.reserved_micro for o in orders if o.side is Side.BUY)
            assert account.reserved_cash_micro == cash
            for order in orders:
                assert order.is_open
                assert order.reserved_micro == state.exposure(order)
            shares = sum(o.reserved_micro for o in orders if o.side is Side.SELL)
            assert sum(account.reserved_shares.values()) == shares

    @invariant()
    def profit_is_the_change_of_money(self) -> None:
        if not self.number:
            return
        for account in self.exchange.state.ledger.traders():
            activities = self.exchange.activity(account.address)
            moved = sum(
                a.usdc_micro
                for a in activities
                if a.kind in ("DEPOSIT", "WITHDRAWAL", "MAKER_REBATE")
            )
            positions = self.exchange.positions(account.address)
            result = sum(p.realized_micro - p.cost_micro - p.fees_micro for p in positions)
            assert account.cash_micro == moved + result
            for position in positions:
                assert account.positions.get(position.token_id, 0) == position.size_micro

    def teardown(self) -> None:
        """In the end everything settles, and every holder can be paid in full."""
        if not self.number:
            return
        for condition_id in CONDITIONS:
            _tried(lambda c=condition_id: self.exchange.resolve(c, 1, self.now_ns))
        self.exchange.settlement_weather(None)
        self.exchange.advance(self.now_ns + 10_000)
        state = self.exchange.state
        assert not state.unsettled
        for account in state.ledger.traders():
            for condition_id in state.markets:
                _tried(lambda a=account, c=condition_id: self.exchange.redeem(a.address, c, 0))
            assert account.reserved_cash_micro == 0
            assert not any(account.reserved_shares.values())
        state.ledger.check(state.markets)


def _tape(exchange: object, recorded: Print) -> None:
    from whaletrader.services.exchange.engine import tape

    tape.apply_print(exchange.state, recorded)  # type: ignore[attr-defined]


def _tried(act: object) -> None:
    try:
        act()  # type: ignore[operator]
    except BadInstruction:
        return


TestFlow = Flow.TestCase
TestFlow.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
