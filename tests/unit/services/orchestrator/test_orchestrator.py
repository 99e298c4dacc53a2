"""The orchestrator: when a whale's trade is proposed, when not, and what a verdict makes of it."""

from decimal import Decimal

import pytest
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
from whaletrader.services.orchestrator.rules import RULES, Rule

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
        listed = market_pb2.MarketListed(condition_id="m", tick_size_micro=10_000)
        listed.tokens.add(token_id=YES)
        listed.tokens.add(token_id=NO)
        self.tell(listed)
        for wallet in (ANN, BOB):
            self.tell(
                whale_pb2.WhaleDiscovered(wallet=wallet, score=whale_pb2.Score(edge_micro=30_000))
            )

    def tell(self, message: Message, effect: str = "", at_ns: int = 0) -> Step:
        self.count += 1
        meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("m", self.count)
        meta.event_time_ns = meta.event_time_ns or at_ns or self.count
        step = self.core.step([Inline(message, effect)], meta.event_time_ns)
        self.entries.append(step.entry)
        return step

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


def test_a_whales_buy_is_proposed_with_every_reason() -> None:
    step = Floor().trade()
    asked = proposal(step)
    assert (asked.leader, asked.token_id, asked.side) == (ANN, YES, BUY)
    assert asked.limit_price_micro == 520_000
    assert asked.fair_value_micro == 530_000
    rules = {reason.rule for reason in decisions(step)[0].reasons}
    assert rules == set(Rule) - {Rule.HELD}


def test_the_proposal_belongs_to_the_trades_chain_and_has_a_deadline() -> None:
    floor = Floor()
    step = floor.trade(at_ns=HOUR_NS)
    asked = proposal(step)
    assert asked.meta.cause == decisions(step)[0].meta.id
    assert asked.meta.correlation == decisions(step)[0].meta.correlation
    assert asked.deadline_ns == HOUR_NS + 250_000_000


def test_a_wallet_that_nobody_follows_is_no_candidate() -> None:
    step = Floor().trade(wallet=EVE)
    assert decisions(step) == []


def test_a_pruned_whale_is_not_followed_any_more() -> None:
    floor = Floor()
    floor.tell(whale_pb2.WhalePruned(wallet=ANN))
    assert decisions(floor.trade()) == []


def test_an_unknown_market_is_declined() -> None:
    assert declined_by(Floor().trade(market="other")) == Rule.MARKET_KNOWN


def test_a_token_of_another_market_is_declined() -> None:
    assert declined_by(Floor().trade(token="strange")) == Rule.MARKET_KNOWN


def test_a_decided_market_is_declined() -> None:
    floor = Floor()
    floor.tell(market_pb2.MarketResolved(condition_id="m", winning_token_id=YES))
    assert declined_by(floor.trade()) == Rule.MARKET_OPEN


@pytest.mark.parametrize("price", [49_999, 950_001])
def test_a_price_just_outside_the_range_is_declined(price: int) -> None:
    assert declined_by(Floor().trade(price=price, size=100_000 * MICRO)) == Rule.PRICE_RANGE


@pytest.mark.parametrize("price", [50_000, 950_000])
def test_a_price_at_the_end_of_the_range_is_proposed(price: int) -> None:
    proposal(Floor().trade(price=price, size=100_000 * MICRO))


def test_conviction_counts_to_the_micro_dollar() -> None:
    assert declined_by(Floor().trade(size=200 * MICRO - 2)) == Rule.CONVICTION
    proposal(Floor().trade(size=200 * MICRO))


def test_small_buys_add_up_to_conviction() -> None:
    floor = Floor()
    assert declined_by(floor.trade(size=120 * MICRO)) == Rule.CONVICTION
    proposal(floor.trade(size=120 * MICRO))


def test_conviction_is_forgotten_after_the_window() -> None:
    floor = Floor()
    floor.trade(size=150 * MICRO, at_ns=HOUR_NS)
    late = HOUR_NS + 86_400 * NS_PER_S + 1
    assert declined_by(floor.trade(size=150 * MICRO, at_ns=late)) == Rule.CONVICTION


def test_a_sale_takes_conviction_away() -> None:
    floor = Floor()
    floor.trade(size=150 * MICRO)
    floor.trade(side=SELL, size=150 * MICRO)
    assert declined_by(floor.trade(size=150 * MICRO)) == Rule.CONVICTION


def test_opposite_whales_cancel_out() -> None:
    floor = Floor()
    proposal(floor.trade(wallet=BOB, token=NO))
    assert declined_by(floor.trade(wallet=ANN, token=YES)) == Rule.OPPOSITION


def test_a_much_smaller_opposite_whale_does_not() -> None:
    floor = Floor()
    floor.trade(wallet=BOB, token=NO, size=500 * MICRO)
    proposal(floor.trade(wallet=ANN, token=YES, size=1_000 * MICRO))


def test_opposition_by_a_wallet_that_nobody_follows_does_not_count() -> None:
    floor = Floor()
    floor.trade(wallet=EVE, token=NO, size=100_000 * MICRO)
    proposal(floor.trade())


def test_a_burst_of_fills_is_one_signal() -> None:
    floor = Floor()
    proposal(floor.trade(at_ns=HOUR_NS))
    assert declined_by(floor.trade(at_ns=2 * HOUR_NS - 1)) == Rule.COOLDOWN
    proposal(floor.trade(at_ns=2 * HOUR_NS))


def test_another_whale_in_the_same_token_is_another_signal() -> None:
    floor = Floor()
    proposal(floor.trade(wallet=ANN))
    proposal(floor.trade(wallet=BOB))


def test_a_sale_of_what_we_do_not_hold_is_declined() -> None:
    assert declined_by(Floor().trade(side=SELL)) == Rule.HELD


def test_a_sale_of_what_we_copied_is_proposed_in_full() -> None:
    floor = Floor()
    floor.fill(ANN, 7 * MICRO)
    asked = proposal(floor.trade(side=SELL))
    assert asked.max_size_micro == 7 * MICRO
    assert asked.limit_price_micro == 480_000


def test_what_copies_of_another_whale_hold_is_not_sold() -> None:
    floor = Floor()
    floor.fill(BOB, 7 * MICRO)
    assert declined_by(floor.trade(wallet=ANN, side=SELL)) == Rule.HELD


def test_what_was_sold_already_is_not_sold_again() -> None:
    floor = Floor()
    floor.fill(ANN, 7 * MICRO)
    floor.fill(ANN, 7 * MICRO, SELL)
    assert declined_by(floor.trade(side=SELL)) == Rule.HELD


def test_a_reversed_fill_is_not_held() -> None:
    floor = Floor()
    floor.fill(ANN, 7 * MICRO)
    reverted = order_pb2.OrderReversed()
    reverted.order.leader, reverted.order.token_id, reverted.order.side = ANN, YES, BUY
    reverted.fill.size_micro = 7 * MICRO
    floor.tell(reverted)
    assert declined_by(floor.trade(side=SELL)) == Rule.HELD


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


def test_an_approval_is_said_once_whichever_way_it_comes_first() -> None:
    floor = Floor()
    step = floor.trade()
    approved, _ = verdicts(proposal(step))
    assert outcome(floor.tell(approved, step.effects[0].id)) == "approved"
    assert decisions(floor.tell(approved)) == []


def test_a_rejection_is_said_with_risks_reasons() -> None:
    floor = Floor()
    step = floor.trade()
    _, rejected = verdicts(proposal(step))
    assert isinstance(rejected, risk_pb2.RejectedTrade)
    rejected.reasons.add(rule="cash", value=1, limit=2)
    said = floor.tell(rejected, step.effects[0].id)
    assert outcome(said) == "rejected"
    assert decisions(said)[0].reasons[0].rule == "cash"


def test_no_answer_is_no() -> None:
    floor = Floor()
    step = floor.trade()
    said = floor.tell(unanswered(step), step.effects[0].id)
    assert outcome(said) == "unanswered"
    assert decisions(said)[0].leader == ANN
    assert decisions(said)[0].proposal.meta.id == proposal(step).meta.id


def test_an_approval_on_the_log_after_no_answer_is_the_truth() -> None:
    floor = Floor()
    step = floor.trade()
    approved, _ = verdicts(proposal(step))
    floor.tell(unanswered(step), step.effects[0].id)
    assert outcome(floor.tell(approved)) == "approved"


def test_no_answer_after_the_verdict_on_the_log_changes_nothing() -> None:
    floor = Floor()
    step = floor.trade()
    approved, _ = verdicts(proposal(step))
    floor.tell(approved)
    assert decisions(floor.tell(unanswered(step), step.effects[0].id)) == []


def test_a_verdict_on_a_proposal_of_somebody_else_is_none_of_our_business() -> None:
    floor = Floor()
    approved = risk_pb2.ApprovedTrade(approval_id="a", proposal_id="flatten")
    assert decisions(floor.tell(approved)) == []


def test_a_restart_knows_everything_that_the_running_one_knew() -> None:
    floor = Floor()
    step = floor.trade()
    floor.tell(verdicts(proposal(step))[0], step.effects[0].id)
    floor.fill(ANN, 7 * MICRO)
    floor.trade(wallet=BOB, token=NO)
    restored = Core(OrchestratorAgent(SETTINGS.thresholds()))
    for entry in floor.entries:
        restored.follow(entry, {})
    assert restored.snapshot(0).value == floor.core.snapshot(0).value


def test_every_rule_is_explained() -> None:
    assert set(RULES) == set(Rule)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="no_such"):
        OrchestratorSettings(no_such=1)  # type: ignore[call-arg]
