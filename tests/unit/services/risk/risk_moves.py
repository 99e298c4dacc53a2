"""An honest execution and venue, and whoever else talks to risk: the moves of a state machine.

Proposals, batches, mandates, orders, fills in parts, reversals, closes that overtake fills,
expiries, decisions, prices, halts, repeats, crashes and restarts. Keeps its own account of the
fills that stand; what must hold is in test_risk_interleavings.py.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.unit.services.risk.risk_room import (
    BUY,
    FLATTEN,
    HALT,
    MARKETS,
    RESUME,
    SELL,
    SETTINGS,
    SHARE,
    USD,
    WHALES,
    Room,
    agent,
    closed,
    fill_of,
    listing,
    mandate_of,
    no,
    order_of,
    said,
    yes,
)
from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import notional, taker_fee
from whaletrader.runtime.core import Core
from whaletrader.schemas import agent_pb2, control_pb2, order_pb2, risk_pb2
from whaletrader.services.risk.agent import RiskAgent

FEE_RATE = 70_000
START = 160 * USD
LIMITS = SETTINGS.model_copy(
    update={
        "trade_usd_max": Decimal(50),
        "position_usd_max": Decimal(80),
        "market_usd_max": Decimal(100),
        "leader_usd_max": Decimal(120),
        "total_usd_max": Decimal(150),
        "day_loss_usd_max": Decimal(25),
        "kelly_ratio": Decimal(1),
        "price_age_s_max": 86_400,
        "day_loss_needs_resume": False,
        "drawdown_needs_resume": False,
        # Each of these is met by some run: capital is what is left of 160 dollars.
        "strategy_ratio_max": Decimal("0.6"),
        "category_ratio_max": Decimal("0.7"),
        "topic_ratio_max": Decimal("0.5"),
        "group_ratio_max": Decimal("0.55"),
        "worst_case_ratio_max": Decimal("0.8"),
        "phase_ratios": (Decimal("0.5"), Decimal("0.75"), Decimal("0.9"), Decimal(1)),
        "phase_start": 3,
        "cvar_ratio_max": Decimal("0.6"),
        "mvar_ratio_warn": Decimal("0.5"),
        "mvar_ratio_max": Decimal("0.6"),
        "open_positions_max": 3,
        "topic_markets_max": 1,
        "losses_in_row_max": 2,
        "reduce_drawdown_ratio": Decimal("0.05"),
        "reduce_more_drawdown_ratio": Decimal("0.1"),
        "halt_drawdown_ratio": Decimal("0.2"),
        "stop_loss_ratio": Decimal("0.5"),
        "trailing_ratio": Decimal("0.4"),
        "measure_every_s": 3_600,
    }
)
TOKENS = [token(market) for market in MARKETS for token in (yes, no)]


@dataclass
class Order:
    approval: risk_pb2.ApprovedTrade
    ref: order_pb2.OrderRef
    unmatched_micro: int
    fills: list[order_pb2.Fill] = field(default_factory=list)
    # Fills that the closing spoke of and that are still to come.
    owed_micro: int = 0
    is_closed: bool = False


@dataclass
class Standing:
    order: Order
    fill: order_pb2.Fill
    is_final: bool = False


class Moves(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.room = Room(LIMITS, fee_rate_micro=FEE_RATE, cash_usd=Decimal(160))
        for market in MARKETS:
            topic = "election" if market in MARKETS[:2] else "weather"
            terms = {"event_slug": topic, "category": "news", "fee_rate_micro": FEE_RATE}
            self.room.tell(listing(market, **terms))
        for index, token in enumerate(TOKENS):
            market = token.rsplit("-", 1)[0]
            self.room.print_price(market, token, 310_000 + 60_000 * index)
        self.unused: list[risk_pb2.ApprovedTrade] = []
        self.orders: list[Order] = []
        self.standing: list[Standing] = []
        self.mandates: list[risk_pb2.QuoteMandate] = []
        self.decided: dict[str, str] = {}
        self.told: list[Message] = []
        self.asked: list[tuple[risk_pb2.TradeProposal, bytes]] = []
        self.fills = self.legs = 0

    @property
    def risk(self) -> RiskAgent:
        running = self.room.core.agent
        assert isinstance(running, RiskAgent)
        return running

    # What others do.

    @rule(
        token=st.sampled_from(TOKENS),
        leader=st.sampled_from(WHALES),
        is_buy=st.booleans(),
        cents=st.integers(1, 99),
        shares=st.integers(1, 300),
        edge=st.integers(-5, 60),
    )
    def propose(
        self,
        token: str,
        leader: str,
        is_buy: bool,
        cents: int,
        shares: int,
        edge: int,
    ) -> None:
        available = self.room.state.available_micro
        proposal = self.room.proposal(
            condition_id=token.rsplit("-", 1)[0],
            token_id=token,
            leader=leader,
            strategy="copy" if shares % 2 else "quotes",
            side=BUY if is_buy else SELL,
            limit_price_micro=cents * 10_000,
            max_size_micro=shares * SHARE,
            fair_value_micro=min(99, max(1, cents + edge)) * 10_000,
        )
        step = self.room.tell(proposal)
        answer = step.replies[0]
        self.asked.append((proposal, answer.SerializeToString()))
        if isinstance(answer, risk_pb2.ApprovedTrade):
            self.unused.append(answer)
            assert answer.size_micro <= proposal.max_size_micro
            if is_buy:
                reserved = sum(c.reserved_delta_micro for c in said(step, risk_pb2.ExposureChanged))
                assert notional(answer.limit_price_micro, answer.size_micro, up=True) <= reserved
                assert reserved <= available
                self.counts_are_what_was_told(answer)

    def counts_are_what_was_told(self, approval: risk_pb2.ApprovedTrade) -> None:
        """Look at what an approval was held against: for whoever checks."""

    @rule(
        market=st.sampled_from(MARKETS),
        cents=st.integers(30, 60),
        shares=st.integers(5, 120),
        other_market=st.sampled_from(MARKETS),
    )
    def propose_a_batch(self, market: str, cents: int, shares: int, other_market: str) -> None:
        legs = [
            self.room.proposal(
                condition_id=where,
                token_id=token,
                strategy="arbitrage",
                limit_price_micro=cents * 10_000,
                max_size_micro=shares * SHARE,
                fair_value_micro=990_000,
            )
            for where, token in ((market, yes(market)), (other_market, no(other_market)))
        ]
        for leg in legs:
            self.legs += 1
            leg.meta.id = derived_id("leg", self.legs)
            leg.meta.event_time_ns = self.room.now_ns
        batch = risk_pb2.BatchProposal(portfolio="main", legs=legs, deadline_ns=self.room.now_ns)
        verdict = self.room.answer(batch)
        assert isinstance(verdict, risk_pb2.BatchVerdict)
        assert len(verdict.approvals) == (len(legs) if verdict.approved else 0)
        self.unused.extend(verdict.approvals)

    @rule(token=st.sampled_from(TOKENS), cents=st.integers(20, 60), shares=st.integers(5, 120))
    def propose_a_mandate(self, token: str, cents: int, shares: int) -> None:
        asked = mandate_of(
            self.room,
            condition_id=token.rsplit("-", 1)[0],
            token_id=token,
            bid_micro_max=cents * 10_000,
            ask_micro_min=(cents + 2) * 10_000,
            inventory_micro_max=shares * SHARE,
            size_micro_max=shares * SHARE,
        )
        answer = self.room.answer(asked)
        if isinstance(answer, risk_pb2.QuoteMandate):
            self.mandates.append(answer)

    @precondition(lambda self: self.mandates)
    @rule()
    def let_a_mandate_end(self) -> None:
        mandate = self.mandates.pop(0)
        now_ns = self.room.now_ns
        self.collect(self.room.fire(mandate))  # type: ignore[arg-type]
        if now_ns != self.room.now_ns:
            self.expire_unused()

    @rule(by_snapshot=st.booleans())
    def crash(self, by_snapshot: bool) -> None:
        """Another process takes over, from the last snapshot or from the journal alone."""
        fresh = Core(agent())
        if by_snapshot:
            saved = self.room.core.snapshot(0).value
            assert fresh.load(agent_pb2.AgentSnapshot.FromString(saved))
        else:
            for entry in self.room.entries:
                fresh.follow(entry, {})
        assert fresh.agent.state == self.room.state
        assert fresh.agent.views == self.room.core.agent.views
        self.room.core = fresh

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def ask_again(self, data: Any) -> None:
        proposal, answer = data.draw(st.sampled_from(self.asked))
        step = self.room.tell(proposal)
        assert step.replies[0].SerializeToString() == answer
        assert not step.events

    @rule(token=st.sampled_from(TOKENS), shares=st.integers(20, 120), gone=st.integers(0, 60))
    def buy_and_hold(self, token: str, shares: int, gone: int) -> None:
        """A purchase from beginning to end at the last price, which then falls or does not."""
        last = self.risk.views.prices.get(token)
        market = token.rsplit("-", 1)[0]
        if last is None:
            return
        cents = last.price_micro // 10_000
        before = len(self.unused)
        self.propose(token, WHALES[shares % 2], True, cents, shares, 50)
        for approval in self.unused[before:]:
            self.unused.remove(approval)
            order = Order(approval, order_of(approval), 0, is_closed=True)
            self.fills += 1
            fill = fill_of(order.ref, trade_id=f"t{self.fills}")
            self.orders.append(order)
            self.standing.append(Standing(order, fill, is_final=True))
            self.collect(self.tell(order_pb2.OrderAnnounced(order=order.ref)))
            self.collect(self.tell(order_pb2.OrderMatched(order=order.ref, fill=fill)))
            self.collect(self.tell(order_pb2.OrderConfirmed(order=order.ref, fill=fill)))
            self.collect(self.tell(closed(order.ref, fill.size_micro)))
            self.room.print_price(market, token, max(1, cents - gone) * 10_000)
            self.collect(self.room.steps[-1])

    @precondition(lambda self: self.unused)
    @rule(data=st.data(), share=st.integers(1, 100))
    def announce(self, data: Any, share: int) -> None:
        approval = self.unused.pop(data.draw(st.integers(0, len(self.unused) - 1)))
        ref = order_of(approval, size_micro=max(10_000, approval.size_micro * share // 100))
        self.orders.append(Order(approval, ref, ref.size_micro))
        self.collect(self.tell(order_pb2.OrderAnnounced(order=ref)))

    @precondition(lambda self: self.unused)
    @rule(data=st.data(), by_refusal=st.booleans())
    def leave_unused(self, data: Any, by_refusal: bool) -> None:
        approval = self.unused.pop(data.draw(st.integers(0, len(self.unused) - 1)))
        if by_refusal:
            refused = order_pb2.ApprovalRefused(approval_id=approval.approval_id, portfolio="main")
            self.collect(self.tell(refused))
        else:
            # Everything else that is unused expires at the same time in the model's execution.
            self.collect(self.room.fire(approval))
            self.expire_unused()

    @precondition(
        lambda self: any(order.unmatched_micro or order.owed_micro for order in self.orders)
    )
    @rule(data=st.data(), share=st.integers(1, 100), cents=st.integers(1, 99), fee=st.booleans())
    def match(self, data: Any, share: int, cents: int, fee: bool) -> None:
        live = [order for order in self.orders if order.unmatched_micro or order.owed_micro]
        order = data.draw(st.sampled_from(live))
        left = order.owed_micro or order.unmatched_micro
        size = max(1, left * share // 100)
        ref = order.ref
        better = min if ref.side == BUY else max
        price = better(ref.price_micro, cents * 10_000)
        self.fills += 1
        fill = order_pb2.Fill(
            trade_id=f"t{self.fills}",
            price_micro=price,
            size_micro=size,
            fee_micro=taker_fee(price, size, FEE_RATE) if fee else 0,
        )
        if order.owed_micro:
            order.owed_micro -= size
        else:
            order.unmatched_micro -= size
        order.fills.append(fill)
        self.standing.append(Standing(order, fill))
        self.collect(self.tell(order_pb2.OrderMatched(order=ref, fill=fill)))

    @precondition(lambda self: any(not one.is_final for one in self.standing))
    @rule(data=st.data(), is_final=st.booleans())
    def settle(self, data: Any, is_final: bool) -> None:
        one = data.draw(st.sampled_from([one for one in self.standing if not one.is_final]))
        if is_final:
            one.is_final = True
            self.collect(self.tell(order_pb2.OrderConfirmed(order=one.order.ref, fill=one.fill)))
        else:
            self.standing.remove(one)
            self.collect(self.tell(order_pb2.OrderReversed(order=one.order.ref, fill=one.fill)))

    @precondition(lambda self: any(not order.is_closed for order in self.orders))
    @rule(data=st.data(), owed_share=st.integers(0, 100))
    def close(self, data: Any, owed_share: int) -> None:
        order = data.draw(st.sampled_from([o for o in self.orders if not o.is_closed]))
        order.owed_micro = order.unmatched_micro * owed_share // 100
        order.unmatched_micro, order.is_closed = 0, True
        standing = sum(one.fill.size_micro for one in self.standing if one.order is order)
        self.collect(self.tell(closed(order.ref, standing + order.owed_micro)))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def tell_again(self, data: Any) -> None:
        message = data.draw(st.sampled_from(self.told))
        message.meta.Clear()
        step = self.room.tell(message)
        assert not said(step, risk_pb2.ExposureChanged)

    @rule(market=st.sampled_from(MARKETS[:2]), wins=st.booleans(), seldom=st.integers(0, 3))
    def decide(self, market: str, wins: bool, seldom: int) -> None:
        # Seldom: nothing can be bought in a market after it.
        if market not in self.decided and not seldom:
            self.decided[market] = yes(market) if wins else no(market)
            self.collect(self.room.resolve(market, self.decided[market]))

    @rule(action=st.sampled_from([RESUME] * 8 + [HALT, FLATTEN]))
    def control(self, action: control_pb2.ControlAction.ValueType) -> None:
        self.collect(self.room.control(action))

    @rule(hours=st.integers(1, 20), token=st.sampled_from(TOKENS), cents=st.integers(1, 99))
    def pass_time(self, hours: int, token: str, cents: int) -> None:
        # Execution uses an approval at once or never, so nothing unused outlives its timer.
        self.expire_unused()
        self.room.now_ns += hours * 3_600 * 1_000_000_000
        for each in sorted(TOKENS, key=lambda one: one == token):
            market = each.rsplit("-", 1)[0]
            old = self.risk.views.prices.get(each)
            if old is not None or each == token:
                price = cents * 10_000 if each == token or old is None else old.price_micro
                self.room.print_price(market, each, price)
                self.collect(self.room.steps[-1])

    def expire_unused(self) -> None:
        for approval in self.unused:
            self.collect(self.room.fire(approval))
        self.unused = [a for a in self.unused if a.approval_id in self.room.state.approvals]

    def tell(self, message: Message) -> Any:
        step = self.room.tell(message)
        if not isinstance(message, order_pb2.ApprovalRefused):
            self.told.append(message)
        return step

    def collect(self, step: Any) -> None:
        self.unused.extend(said(step, risk_pb2.ApprovedTrade))
