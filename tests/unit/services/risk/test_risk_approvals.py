"""The life of an approval: one verdict, one order, set free when nothing came of it."""

import pytest

from tests.unit.services.risk.risk_room import (
    MARKETS,
    NOW,
    SELL,
    SHARE,
    SIGNER,
    USD,
    WHALES,
    Room,
    S,
    agent,
    alerts,
    fill_of,
    no,
    order_of,
    said,
    yes,
)
from whaletrader.domain.approval import ApprovalVerifier, signing_bytes
from whaletrader.runtime.core import Core, Inline
from whaletrader.schemas import agent_pb2, common_pb2, order_pb2, risk_pb2
from whaletrader.services.risk import folding, sizing
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.rules import Rule

SLACK = sizing.ROUNDING_SLACK_MICRO


def held(room: Room, token: str = yes(MARKETS[0]), leader: str = WHALES[0]) -> int:
    lot = room.state.lot(token, leader)
    return lot.size_micro if lot else 0


def bought(room: Room, shares: int = 100) -> risk_pb2.ApprovedTrade:
    return room.ask(room.proposal(max_size_micro=shares * SHARE))


def test_an_approval_is_signed_expires_and_names_its_cause() -> None:
    room = Room()
    proposal = room.proposal()
    step = room.tell(proposal)
    approval = step.replies[0]
    assert isinstance(approval, risk_pb2.ApprovedTrade)
    ApprovalVerifier([SIGNER.public_pem()]).verify(
        signing_bytes(approval), approval.signature, approval.key_id
    )
    assert approval.expires_ns == NOW + 60 * S
    assert approval.meta.cause == approval.proposal_id == proposal.meta.id
    assert ("trade.approved", approval) in [(topic, event) for _, topic, event in step.events]
    timer = step.effects[0].message
    assert isinstance(timer, agent_pb2.SetTimer)
    assert timer.due_ns == NOW + 120 * S


def test_asked_twice_the_answer_is_the_same_bytes_and_nothing_new_is_said() -> None:
    room = Room()
    for changes in ({}, {"portfolio": "other"}):
        proposal = room.proposal(**changes)
        first = room.tell(proposal)
        reserved = room.state.reserved_micro
        room.now_ns += 3_600 * S
        second = room.tell(proposal)
        assert first.replies[0].SerializeToString() == second.replies[0].SerializeToString()
        assert not second.events
        assert not second.effects
        assert room.state.reserved_micro == reserved
        room.now_ns -= 3_600 * S


def test_an_altered_proposal_under_a_known_id_is_refused_and_the_first_verdict_stays() -> None:
    room = Room()
    proposal = room.proposal(max_size_micro=10 * SHARE)
    first = room.ask(proposal)
    proposal.max_size_micro = 100 * SHARE
    step = room.tell(proposal)
    refusal = step.replies[0]
    assert isinstance(refusal, risk_pb2.RejectedTrade)
    assert refusal.rule == Rule.SAME_PROPOSAL
    assert alerts(step) == [Alert.DUPLICATE_PROPOSAL]
    proposal.max_size_micro = 10 * SHARE
    assert room.ask(proposal) == first
    assert room.state == room.restored()


@pytest.mark.parametrize("rule", ["approval.signature", "approval.identified", "approval.unused"])
def test_a_forged_or_repeated_approval_sets_nothing_free_and_a_person_is_told(rule: str) -> None:
    room = Room()
    approval = bought(room)
    refused = order_pb2.ApprovalRefused(
        approval_id=approval.approval_id,
        portfolio="main",
        reasons=[common_pb2.Reason(rule=rule, limit=1, passed=False)],
    )
    step = room.tell(refused)
    assert alerts(step) == [Alert.FORGED_APPROVAL]
    assert said(step, risk_pb2.RiskAlerted)[0].severity == risk_pb2.SEVERITY_CRITICAL
    assert room.state.reserved_micro == 50 * USD + SLACK


def test_a_proposal_without_an_id_gets_no_answer_and_is_kept_as_a_dead_letter() -> None:
    core = Core(agent())
    step = core.step([Inline(Room().proposal())], NOW)
    assert not step.replies
    assert [topic for _, topic, _ in step.events] == ["dead.letter"]


def test_an_unknown_order_keeps_its_money_and_outlives_its_approval() -> None:
    room = Room()
    approval = bought(room)
    room.tell(order_pb2.OrderAnnounced(order=order_of(approval)))
    room.tell(order_pb2.OrderUnknown(order=order_of(approval)))
    room.fire(approval)
    assert room.state.reserved_micro == 50 * USD + SLACK


def test_an_approval_that_no_order_came_of_is_set_free_when_it_expires_and_not_before() -> None:
    room = Room()
    approval = bought(room)
    assert room.state.reserved_micro
    room.fire(approval)
    assert room.state.reserved_micro == room.state.exposure_micro == 0
    assert not room.state.approvals


def test_an_approval_that_was_refused_is_set_free_but_not_one_that_was_used() -> None:
    room = Room()
    used, unused = bought(room), bought(room)
    room.tell(order_pb2.OrderAnnounced(order=order_of(used)))
    for approval in (used, unused):
        room.tell(order_pb2.ApprovalRefused(approval_id=approval.approval_id, portfolio="main"))
    assert list(room.state.approvals) == [used.approval_id]
    assert room.state.reserved_micro == 50 * USD + SLACK


def test_an_order_that_appears_after_its_approval_was_set_free_is_set_aside_again() -> None:
    room = Room()
    approval = bought(room)
    room.fire(approval)
    step = room.tell(order_pb2.OrderAnnounced(order=order_of(approval)))
    assert alerts(step) == [Alert.LATE_ORDER]
    assert room.state.reserved_micro == 50 * USD + SLACK
    room.work(approval)
    assert held(room) == 100 * SHARE
    assert room.state.reserved_micro == 0
    assert not room.state.approvals


def test_an_order_that_nobody_approved_is_booked_and_a_person_is_told() -> None:
    room = Room()
    stranger = bought(Room(), 40)
    order = order_of(stranger)
    assert alerts(room.tell(order_pb2.OrderAnnounced(order=order))) == [Alert.UNAPPROVED_ORDER]
    assert room.state.exposure_micro == 20 * USD + SLACK
    room.tell(order_pb2.OrderMatched(order=order, fill=fill_of(order)))
    assert held(room) == 40 * SHARE
    assert room.state.cash_micro == 9_980 * USD
    assert room.state == room.restored()


def test_a_second_order_under_one_approval_comes_on_top_and_a_person_is_told() -> None:
    room = Room()
    approval = bought(room)
    room.tell(order_pb2.OrderAnnounced(order=order_of(approval)))
    twin = order_of(approval, order_id="twin")
    assert alerts(room.tell(order_pb2.OrderAnnounced(order=twin))) == [Alert.SECOND_ORDER]
    assert room.state.reserved_micro == 2 * (50 * USD + SLACK)


@pytest.mark.parametrize(
    "changes",
    [
        {"size_micro": 100 * SHARE + 1},
        {"price_micro": 510_000},
        {"side": SELL},
        {"token_id": no(MARKETS[0])},
    ],
)
def test_an_order_beyond_its_approval_is_noticed(changes: dict[str, object]) -> None:
    room = Room()
    order = order_of(bought(room), **changes)
    assert alerts(room.tell(order_pb2.OrderAnnounced(order=order))) == [Alert.ORDER_TOO_LARGE]


def test_an_order_smaller_than_its_approval_sets_the_difference_free() -> None:
    room = Room()
    order = order_of(bought(room), size_micro=60 * SHARE)
    room.tell(order_pb2.OrderAnnounced(order=order))
    assert room.state.reserved_micro == 30 * USD + SLACK


def test_fees_are_counted_and_given_back_with_the_fill_that_paid_them() -> None:
    room = Room(fee_rate_micro=70_000)
    approval = bought(room)
    order = order_of(approval)
    fill = fill_of(order, fee_micro=1_750_000)
    room.tell(order_pb2.OrderAnnounced(order=order))
    room.tell(order_pb2.OrderMatched(order=order, fill=fill))
    assert room.state.fees_micro == 1_750_000
    room.tell(order_pb2.OrderReversed(order=order, fill=fill))
    assert room.state.fees_micro == 0


def test_orders_of_another_portfolio_are_none_of_its_business() -> None:
    room = Room()
    order = order_of(bought(Room()), portfolio="other")
    step = room.tell(order_pb2.OrderAnnounced(order=order))
    assert not step.events


def test_what_has_ended_is_remembered_in_bounded_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "DONE_MAX", 2)
    monkeypatch.setattr(folding, "VERDICTS_MAX", 2)
    room = Room()
    approvals = []
    for _ in range(4):
        approvals.append(room.ask(room.proposal(max_size_micro=5 * SHARE)))
        room.fire(approvals[-1])
    kept = approvals[-2:]
    assert list(room.state.done) == [approval.approval_id for approval in kept]
    assert list(room.state.verdicts) == [approval.proposal_id for approval in kept]


def test_a_restart_from_a_snapshot_goes_on_with_the_same_book_and_the_same_verdicts() -> None:
    room = Room()
    proposal = room.proposal(max_size_micro=100 * SHARE)
    approval = room.ask(proposal)
    order = order_of(approval)
    room.tell(order_pb2.OrderAnnounced(order=order))
    restored = Core(agent())
    saved = room.core.snapshot(0).value
    assert restored.load(agent_pb2.AgentSnapshot.FromString(saved))
    before, room.core = room.core, restored
    assert room.ask(proposal) == approval
    room.tell(order_pb2.OrderMatched(order=order, fill=fill_of(order)))
    assert held(room) == 100 * SHARE
    # What was left behind is not written to any more.
    assert before.agent.state.cash_micro == 10_000 * USD
