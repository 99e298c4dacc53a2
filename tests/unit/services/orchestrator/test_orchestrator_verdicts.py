"""What a verdict, or none, makes of a proposal; and what survives a restart."""

import pytest

from tests.unit.services.orchestrator.orchestrator_floor import (
    ANN,
    BOB,
    BUY,
    HOUR_NS,
    NO,
    SETTINGS,
    YES,
    Floor,
    decisions,
    declined_by,
    outcome,
    proposal,
    unanswered,
    verdicts,
)
from whaletrader.domain.money import MICRO
from whaletrader.runtime.core import Core, Inline
from whaletrader.schemas import agent_pb2, risk_pb2
from whaletrader.services.orchestrator import state
from whaletrader.services.orchestrator.agent import OrchestratorAgent
from whaletrader.services.orchestrator.rules import Rule


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


def test_every_decision_names_the_terms_it_is_about() -> None:
    floor = Floor()
    step = floor.trade()
    asked = proposal(step)
    approved, rejected = verdicts(asked)
    for told in (rejected, approved):
        said = decisions(floor.tell(told, step.effects[0].id if told is rejected else ""))[0]
        assert said.proposal.side == asked.side
    assert isinstance(approved, risk_pb2.ApprovedTrade)
    assert said.proposal.max_size_micro == approved.size_micro
    declined = decisions(floor.trade(market="unknown", size=3 * MICRO))[0]
    assert (declined.proposal.side, declined.proposal.max_size_micro) == (BUY, 3 * MICRO)


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


def snapshot_of(core: Core) -> agent_pb2.AgentSnapshot:
    return agent_pb2.AgentSnapshot.FromString(core.snapshot(0).value)


def test_after_a_restart_from_a_snapshot_a_burst_is_still_one_signal() -> None:
    floor = Floor()
    floor.core.load(snapshot_of(floor.core))
    proposal(floor.trade(at_ns=HOUR_NS))
    assert declined_by(floor.trade(at_ns=HOUR_NS + 1)) == Rule.COOLDOWN
    restored = Core(OrchestratorAgent(SETTINGS.thresholds()))
    assert restored.load(snapshot_of(floor.core))
    floor.core = restored
    assert declined_by(floor.trade(at_ns=HOUR_NS + 2)) == Rule.COOLDOWN


def test_after_a_restart_from_a_snapshot_a_verdict_finds_its_proposal() -> None:
    floor = Floor()
    step = floor.trade()
    restored = Core(OrchestratorAgent(SETTINGS.thresholds()))
    assert restored.load(snapshot_of(floor.core))
    floor.core = restored
    assert outcome(floor.tell(verdicts(proposal(step))[0])) == "approved"


def test_an_approval_on_the_log_stands_even_after_another_answer() -> None:
    floor = Floor()
    step = floor.trade()
    approved, rejected = verdicts(proposal(step))
    assert outcome(floor.tell(rejected, step.effects[0].id)) == "rejected"
    assert outcome(floor.tell(approved)) == "approved"
    assert decisions(floor.tell(approved)) == []


@pytest.mark.parametrize("first", ["approved", "rejected", "unanswered"])
def test_a_rejection_after_another_word_changes_nothing(first: str) -> None:
    floor = Floor()
    step = floor.trade()
    approved, rejected = verdicts(proposal(step))
    words = {"approved": approved, "rejected": rejected, "unanswered": unanswered(step)}
    assert outcome(floor.tell(words[first], step.effects[0].id)) == first
    assert decisions(floor.tell(rejected)) == []


def test_the_effect_bears_the_proposals_id_and_the_lane_of_approvals() -> None:
    step = Floor().trade()
    assert step.effects[0].id == proposal(step).meta.id
    assert step.effects[0].lane == "approvals"


def test_a_trade_that_was_proposed_is_not_proposed_again_without_any_cool_down() -> None:
    floor = Floor(SETTINGS.model_copy(update={"cooldown_s": 0}))
    step = floor.trade()
    again = proposal(step)
    trade = floor.last
    trade_again = floor.core.step([Inline(trade)], floor.count)
    assert not trade_again.events
    assert proposal(floor.trade()).meta.id != again.meta.id


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "PROPOSALS_MAX", 2)
    monkeypatch.setattr(state, "SIGNALS_MAX", 1)
    monkeypatch.setattr(state, "CONVICTIONS_MAX", 3)
    floor = Floor(SETTINGS.model_copy(update={"cooldown_s": 0}))
    asked = [proposal(floor.trade(wallet=(ANN, BOB)[n % 2])) for n in range(5)]
    kept = floor.core.agent.state
    assert list(kept.proposals) == [one.meta.id for one in asked[-2:]]
    assert list(kept.proposed_ns) == [f"{ANN}/{YES}/{BUY}"]
    assert len(floor.core.agent.views.convictions["m"]) == 3
    assert decisions(floor.tell(verdicts(asked[0])[0])) == []
