"""An orchestrator under the core that knows one market and two whales, and what it is told."""

from decimal import Decimal

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO
from whaletrader.runtime.core import Core, Inline, Step
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
    wallet_pb2,
    whale_pb2,
)
from whaletrader.services.orchestrator.agent import OrchestratorAgent
from whaletrader.services.orchestrator.config import NS_PER_S, OrchestratorSettings

ANN, BOB, EVE = "0xann", "0xbob", "0xeve"
YES, NO = "yes", "no"
BUY, SELL = common_pb2.SIDE_BUY, common_pb2.SIDE_SELL
HOUR_NS = 3_600 * NS_PER_S
SETTINGS = OrchestratorSettings(conviction_usd_min=Decimal(100))


class Floor:
    """An orchestrator that knows one market and follows ann and bob."""

    def __init__(self, settings: OrchestratorSettings = SETTINGS) -> None:
        self.settings = settings
        self.core = Core(OrchestratorAgent(settings.thresholds()))
        self.entries: list[agent_pb2.JournalEntry] = []
        self.count = 0
        # How much later than its time a message comes in.
        self.lag_ns = 0
        self.last: Message = market_pb2.MarketListed()
        self.tell(self.listing())
        for wallet in (ANN, BOB):
            self.tell(
                whale_pb2.WhaleDiscovered(wallet=wallet, score=whale_pb2.Score(edge_micro=30_000))
            )

    def tell(self, message: Message, effect: str = "", at_ns: int = 0) -> Step:
        self.count += 1
        meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("m", self.count)
        meta.event_time_ns = meta.event_time_ns or at_ns or self.count
        self.last = message
        step = self.core.step([Inline(message, effect)], meta.event_time_ns + self.lag_ns)
        self.entries.append(step.entry)
        return step

    def listing(self, **changes: object) -> market_pb2.MarketListed:
        terms: dict[str, object] = {"condition_id": "m", "tick_size_micro": 10_000}
        listed = market_pb2.MarketListed(**{**terms, **changes})  # type: ignore[arg-type]
        listed.tokens.add(token_id=YES)
        listed.tokens.add(token_id=NO)
        return listed

    def trade(  # noqa: PLR0917
        self,
        wallet: str = ANN,
        token: str = YES,
        side: common_pb2.Side.ValueType = BUY,
        price: int = 500_000,
        size: int = 1_000 * MICRO,
        at_ns: int = 0,
        market: str = "m",
    ) -> Step:
        return self.tell(
            wallet_pb2.WalletTraded(
                wallet=wallet,
                condition_id=market,
                token_id=token,
                side=side,
                price_micro=price,
                size_micro=size,
            ),
            at_ns=at_ns,
        )

    def fill(self, leader: str, size: int, side: common_pb2.Side.ValueType = BUY) -> None:
        matched = order_pb2.OrderMatched()
        matched.order.portfolio, matched.order.condition_id = "main", "m"
        matched.order.leader, matched.order.token_id, matched.order.side = leader, YES, side
        matched.fill.size_micro = size
        self.tell(matched)


def decisions(step: Step) -> list[decision_pb2.DecisionMade]:
    return [e for _, _, e in step.events if isinstance(e, decision_pb2.DecisionMade)]


def outcome(step: Step) -> str:
    (decision,) = decisions(step)
    name = decision_pb2.DecisionOutcome.Name(decision.outcome)
    return name.removeprefix("DECISION_OUTCOME_").lower()


def declined_by(step: Step) -> str:
    assert outcome(step) == "declined"
    assert step.effects == []
    return next(r.rule for r in decisions(step)[0].reasons if not r.passed)


def proposal(step: Step) -> risk_pb2.TradeProposal:
    assert outcome(step) == "proposed"
    (effect,) = step.effects
    assert isinstance(effect.message, risk_pb2.TradeProposal)
    assert decisions(step)[0].proposal == effect.message
    return effect.message


def verdicts(asked: risk_pb2.TradeProposal) -> tuple[Message, Message]:
    approved = risk_pb2.ApprovedTrade(approval_id="a1", proposal_id=asked.meta.id, leader=ANN)
    rejected = risk_pb2.RejectedTrade(proposal_id=asked.meta.id, leader=ANN, rule="cash")
    for verdict in (approved, rejected):
        verdict.meta.correlation = asked.meta.correlation
    return approved, rejected


def unanswered(step: Step) -> agent_pb2.EffectFailed:
    (effect,) = step.effects
    failed = agent_pb2.EffectFailed(effect_id=effect.id, error="no answer", timed_out=True)
    failed.meta.cause, failed.meta.correlation = effect.cause, effect.correlation
    return failed
