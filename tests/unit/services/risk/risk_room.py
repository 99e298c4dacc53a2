"""A risk agent under the core, and the messages that the others would send it.

Everything goes in as inline input, so no duplicate is dropped before the agent sees it.
"""

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.message import Message

from whaletrader.domain.approval import ApprovalSigner
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.core import Core, Inline, Step
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
)
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.policy_terms import RiskPolicy, policy_of
from whaletrader.services.risk.rules import Rule
from whaletrader.services.risk.state import RiskState

M = TypeVar("M", bound=Message)

USD = 1_000_000
SHARE = 1_000_000
S = 1_000_000_000
DAY = 86_400 * S
# 2025-09-01T12:00:00Z
NOW = 1_756_728_000 * S
BUY = common_pb2.SIDE_BUY
SELL = common_pb2.SIDE_SELL
HALT = control_pb2.CONTROL_ACTION_HALT
RESUME = control_pb2.CONTROL_ACTION_RESUME
FLATTEN = control_pb2.CONTROL_ACTION_FLATTEN
MARKETS = ("0xa", "0xb", "0xc")
WHALES = ("0xw1", "0xw2")

_PEM = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER = ApprovalSigner(_PEM)
# Loose in everything but money, so that a test tightens what it is about.
SETTINGS = RiskPolicy(
    name="test",
    trade_usd_max=Decimal(200),
    trade_ratio_max=Decimal(1),
    position_usd_max=Decimal(500),
    position_ratio_max=Decimal(1),
    market_usd_max=Decimal(750),
    market_ratio_max=Decimal(1),
    leader_usd_max=Decimal(2_000),
    strategy_ratio_max=Decimal(1),
    category_ratio_max=Decimal(1),
    topic_ratio_max=Decimal(1),
    group_ratio_max=Decimal(1),
    total_usd_max=Decimal(9_500),
    total_ratio_max=Decimal(1),
    worst_case_ratio_max=Decimal(1),
    liquidity_ratio_max=Decimal(100),
    cvar_ratio_max=Decimal(1),
    mvar_ratio_warn=Decimal(1),
    mvar_ratio_max=Decimal(1),
    day_loss_ratio_max=Decimal(1),
    week_loss_usd_max=Decimal(9_000),
    week_loss_ratio_max=Decimal(1),
    leader_loss_usd_max=Decimal(9_000),
    losses_in_row_max=1_000,
    reduce_drawdown_ratio=Decimal("0.97"),
    reduce_more_drawdown_ratio=Decimal("0.98"),
    halt_drawdown_ratio=Decimal("0.99"),
    phase_start=4,
    notional_usd_min=Decimal(1),
    price_usd_min=Decimal("0.000001"),
    price_usd_max=Decimal("0.999999"),
    price_gap_usd_max=Decimal(1),
    edge_usd_max=Decimal(1),
    approval_ttl_s=60,
    stop_loss_ratio=Decimal(0),
    trailing_ratio=Decimal(0),
    atr_multiple=Decimal(0),
    emergency_drop_usd=Decimal(0),
    measure_every_s=366 * 86_400,
)
CASH_USD = Decimal(10_000)
# No Kelly stake is reached before the limit under test.
GENEROUS = SETTINGS.model_copy(update={"kelly_ratio": Decimal(1)})


def yes(condition: str) -> str:
    return f"{condition}-yes"


def no(condition: str) -> str:
    return f"{condition}-no"


def tight(**limits: object) -> RiskPolicy:
    """The generous policy with some limits of its own, in dollars, shares of one and seconds."""
    return policy_of({**GENEROUS.model_dump(), **limits})


def agent() -> RiskAgent:
    return RiskAgent(RiskSettings(), SIGNER.sign, SIGNER.key_id)


def opening(policy: RiskPolicy, cash_usd: Decimal = CASH_USD) -> risk_pb2.PolicyCommand:
    """What a starting process tells of its file."""
    return risk_pb2.PolicyCommand(
        portfolio="main",
        action=risk_pb2.POLICY_ACTION_PROPOSE,
        document=policy.document(),
        operator="policy file",
        from_file=True,
        starting_cash_micro=int(cash_usd * USD),
    )


class Room:
    """A running risk agent; keeps its journal."""

    def __init__(
        self,
        settings: RiskPolicy | None = SETTINGS,
        *,
        fee_rate_micro: int = 0,
        cash_usd: Decimal = CASH_USD,
    ) -> None:
        self.core = Core(agent())
        self.now_ns = NOW
        self.entries: list[agent_pb2.JournalEntry] = []
        self.steps: list[Step] = []
        # What is looked at after each message.
        self.after_each: Callable[[], None] = lambda: None
        self._ids = count()
        if settings is not None:
            self.tell(opening(settings, cash_usd))
        for condition in MARKETS:
            self.tell(listing(condition, fee_rate_micro=fee_rate_micro))
            for token in (yes(condition), no(condition)):
                self.print_price(condition, token, 500_000)

    @property
    def state(self) -> RiskState:
        state = self.core.agent.state
        assert isinstance(state, RiskState)
        return state

    def tell(self, message: Message, effect_id: str = "") -> Step:
        meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("input", next(self._ids))
        meta.event_time_ns = meta.event_time_ns or self.now_ns
        step = self.core.step([Inline(message, effect_id)], self.now_ns)
        assert "dead.letter" not in {topic for _, topic, _ in step.events}, step.events
        self.entries.append(step.entry)
        self.steps.append(step)
        self.after_each()
        return step

    def ask(self, proposal: risk_pb2.TradeProposal) -> risk_pb2.ApprovedTrade:
        """Return the approval, or fail with the reasons against it."""
        answer = self.answer(proposal)
        assert isinstance(answer, risk_pb2.ApprovedTrade), answer
        return answer

    def refusal(self, proposal: risk_pb2.TradeProposal) -> str:
        """Return the rule that refused the proposal."""
        answer = self.answer(proposal)
        assert isinstance(answer, risk_pb2.RejectedTrade), answer
        first = next(reason for reason in answer.reasons if not reason.passed)
        assert first.rule == answer.rule
        return answer.rule

    def answer(self, proposal: risk_pb2.TradeProposal) -> Message:
        return self.tell(proposal).replies[0]

    def proposal(self, **changes: object) -> risk_pb2.TradeProposal:
        terms: dict[str, object] = {
            "portfolio": "main",
            "leader": WHALES[0],
            "strategy": "copy",
            "condition_id": MARKETS[0],
            "token_id": yes(MARKETS[0]),
            "side": BUY,
            "limit_price_micro": 500_000,
            "max_size_micro": 1_000 * SHARE,
            "fair_value_micro": 600_000,
            "deadline_ns": self.now_ns + S // 4,
            "asked_ns": self.now_ns,
        }
        return risk_pb2.TradeProposal(**{**terms, **changes})  # type: ignore[arg-type]

    def elsewhere(self, market: int = 1, **changes: object) -> risk_pb2.TradeProposal:
        """A proposal in another market, by another leader."""
        where: dict[str, object] = {
            "leader": WHALES[1],
            "condition_id": MARKETS[market],
            "token_id": yes(MARKETS[market]),
            "fair_value_micro": 999_999,
        }
        return self.proposal(**{**where, **changes})

    def print_price(self, condition: str, token: str, price_micro: int) -> None:
        self.tell(
            market_pb2.TradePrinted(
                condition_id=condition,
                token_id=token,
                side=BUY,
                price_micro=price_micro,
                size_micro=1_000_000 * SHARE,
            )
        )

    def resolve(self, condition: str, winner: str) -> Step:
        return self.tell(market_pb2.MarketResolved(condition_id=condition, winning_token_id=winner))

    def control(self, action: control_pb2.ControlAction.ValueType) -> Step:
        return self.tell(
            control_pb2.ControlOrdered(portfolio="main", action=action, operator="ann", note="why")
        )

    def fire(self, approval: risk_pb2.ApprovedTrade) -> Step:
        """Let the approval's timer fire, when it is due."""
        effect = next(
            effect
            for effect in self.core.pending.values()
            if isinstance(effect.message, agent_pb2.SetTimer)
            and effect.message.timer_id.endswith(approval.approval_id)
        )
        due = effect.message
        assert isinstance(due, agent_pb2.SetTimer)
        self.now_ns = max(self.now_ns, due.due_ns)
        fired = agent_pb2.TimerFired(timer_id=due.timer_id, due_ns=due.due_ns)
        return self.tell(fired, effect.id)

    def buy(self, **changes: object) -> risk_pb2.ApprovedTrade:
        """Buy and fill in full at the limit, confirmed and closed."""
        approval = self.ask(self.proposal(**changes))
        self.work(approval)
        return approval

    def work(self, approval: risk_pb2.ApprovedTrade, fee_micro: int = 0) -> None:
        order = order_of(approval)
        fill = fill_of(order, fee_micro=fee_micro)
        self.tell(order_pb2.OrderAnnounced(order=order))
        self.tell(order_pb2.OrderMatched(order=order, fill=fill))
        self.tell(order_pb2.OrderConfirmed(order=order, fill=fill))
        self.tell(closed(order, fill.size_micro))

    def restored(self) -> RiskState:
        """Return the state that the journal alone gives."""
        core = Core(agent())
        for entry in self.entries:
            core.follow(entry, {})
        state = core.agent.state
        assert isinstance(state, RiskState)
        return state


def standing(risk: RiskAgent) -> dict[tuple[str, str], tuple[int, int]]:
    """What is held and set aside in every place that a limit is on, and how much may be."""
    desk, state = risk._desk, risk.state
    limits = desk.limits
    capital = max(0, min(state.cash_micro + state.cost_micro, desk.equity_micro))

    def part(ratio_micro: int, dollars_micro: int = 10**18) -> int:
        return min(dollars_micro, ratio_micro * capital // 1_000_000)

    totals = {
        Rule.POSITION_LIMIT: (
            state.by_token,
            part(limits.position_micro_ratio_max, limits.position_micro_max),
        ),
        Rule.MARKET_LIMIT: (
            state.by_market,
            part(limits.market_micro_ratio_max, limits.market_micro_max),
        ),
        Rule.LEADER_LIMIT: (
            {wallet: used for wallet, used in state.by_leader.items() if wallet},
            limits.leader_micro_max,
        ),
        Rule.STRATEGY_LIMIT: (state.by_strategy, part(limits.strategy_micro_ratio_max)),
        Rule.CATEGORY_LIMIT: (state.by_category, part(limits.category_micro_ratio_max)),
        Rule.TOPIC_LIMIT: (
            {topic: sum(used.values()) for topic, used in state.by_topic.items()},
            part(min(limits.topic_micro_ratio_max, limits.group_micro_ratio_max)),
        ),
        Rule.TOPIC_MARKETS: (
            {topic: len(used) for topic, used in state.by_topic.items()},
            limits.topic_markets_max,
        ),
        Rule.TOTAL_LIMIT: (
            {"": state.exposure_micro},
            part(limits.total_micro_ratio_max, limits.total_micro_max),
        ),
        Rule.CAPITAL_PHASE: ({"": state.exposure_micro}, part(desk.phase_micro_ratio)),
        Rule.OPEN_POSITIONS: ({"": len(state.by_token)}, limits.open_positions_max),
        Rule.WORST_CASE: (
            {"": desk.marks.worst_micro},
            part(limits.worst_case_micro_ratio_max),
        ),
    }
    return {
        (rule, key): (amount, limit)
        for rule, (used, limit) in totals.items()
        for key, amount in used.items()
    }


def listing(condition: str, **changes: object) -> market_pb2.MarketListed:
    terms: dict[str, object] = {
        "condition_id": condition,
        "tokens": [
            market_pb2.OutcomeToken(token_id=yes(condition), outcome="Yes"),
            market_pb2.OutcomeToken(token_id=no(condition), outcome="No"),
        ],
        "tick_size_micro": 10_000,
        "min_size_micro": 5 * SHARE,
        "fee_exponent": 1,
        "opens_ns": NOW - DAY,
        "ends_ns": NOW + 30 * DAY,
    }
    return market_pb2.MarketListed(**{**terms, **changes})  # type: ignore[arg-type]


def gap(above_micro: int) -> str:
    room = Room(tight(price_gap_usd_max="0.1"))
    proposal = room.proposal(limit_price_micro=500_000 + above_micro, fair_value_micro=800_000)
    answer = room.answer(proposal)
    return answer.rule if isinstance(answer, risk_pb2.RejectedTrade) else ""


def mandate_of(room: Room, **changes: object) -> risk_pb2.QuoteMandateProposal:
    terms: dict[str, object] = {
        "portfolio": "main",
        "strategy": "quotes",
        "condition_id": MARKETS[0],
        "token_id": yes(MARKETS[0]),
        "bid_micro_max": 480_000,
        "ask_micro_min": 520_000,
        "inventory_micro_max": 100 * SHARE,
        "size_micro_max": 20 * SHARE,
        "duration_ns": 600 * S,
        "deadline_ns": room.now_ns + S,
        "asked_ns": room.now_ns,
    }
    return risk_pb2.QuoteMandateProposal(**{**terms, **changes})  # type: ignore[arg-type]


def order_of(approval: risk_pb2.ApprovedTrade, **changes: object) -> order_pb2.OrderRef:
    terms: dict[str, object] = {
        "order_id": f"order-{approval.approval_id}",
        "approval_id": approval.approval_id,
        "proposal_id": approval.proposal_id,
        "portfolio": approval.portfolio,
        "leader": approval.leader,
        "strategy": approval.strategy,
        "condition_id": approval.condition_id,
        "token_id": approval.token_id,
        "side": approval.side,
        "price_micro": approval.limit_price_micro,
        "size_micro": approval.size_micro,
    }
    return order_pb2.OrderRef(**{**terms, **changes})  # type: ignore[arg-type]


def fill_of(order: order_pb2.OrderRef, **changes: object) -> order_pb2.Fill:
    terms: dict[str, object] = {
        "trade_id": f"trade-{order.order_id}",
        "price_micro": order.price_micro,
        "size_micro": order.size_micro,
    }
    return order_pb2.Fill(**{**terms, **changes})  # type: ignore[arg-type]


def closed(order: order_pb2.OrderRef, filled_micro: int) -> order_pb2.OrderClosed:
    return order_pb2.OrderClosed(
        order=order, status=order_pb2.CLOSE_STATUS_CANCELLED, filled_size_micro=filled_micro
    )


def said(step: Step, kind: type[M]) -> list[M]:
    """Return the events of that type that the step emitted."""
    return [event for _, _, event in step.events if isinstance(event, kind)]


def alerts(step: Step) -> list[str]:
    return [alert.rule for alert in said(step, risk_pb2.RiskAlerted)]
