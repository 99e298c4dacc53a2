"""Batches are approved whole or not at all; mandates are bounded; what-if sets nothing aside."""

import pytest

from tests.unit.services.risk.risk_room import (
    BUY,
    HALT,
    MARKETS,
    NOW,
    SELL,
    SHARE,
    SIGNER,
    USD,
    WHALES,
    Room,
    S,
    alerts,
    mandate_of,
    no,
    said,
    tight,
    yes,
)
from whaletrader.domain.approval import ApprovalVerifier, signing_bytes
from whaletrader.domain.ids import derived_id
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.rules import Rule

SLACK = sizing.ROUNDING_SLACK_MICRO


def both_sides(room: Room, shares: int, name: str = "batch") -> risk_pb2.BatchProposal:
    """YES and NO of one market for the same number of shares."""
    legs = [
        room.proposal(
            meta=common_pb2.Meta(id=derived_id(name, token), event_time_ns=NOW),
            token_id=token,
            leader="",
            strategy="arbitrage",
            limit_price_micro=450_000,
            max_size_micro=shares * SHARE,
            fair_value_micro=500_000,
        )
        for token in (yes(MARKETS[0]), no(MARKETS[0]))
    ]
    return risk_pb2.BatchProposal(
        meta=common_pb2.Meta(id=derived_id(name)),
        portfolio="main",
        legs=legs,
        deadline_ns=room.now_ns + S,
    )


def answer(room: Room, batch: risk_pb2.BatchProposal) -> risk_pb2.BatchVerdict:
    said_back = room.tell(batch).replies[0]
    assert isinstance(said_back, risk_pb2.BatchVerdict)
    return said_back


def test_every_leg_is_approved_signed_and_set_aside_in_one_commit() -> None:
    room = Room(tight())
    batch = both_sides(room, 100)
    verdict = answer(room, batch)
    assert verdict.approved
    assert [leg.size_micro for leg in verdict.approvals] == [100 * SHARE] * 2
    verifier = ApprovalVerifier([SIGNER.public_pem()])
    for leg in verdict.approvals:
        verifier.verify(signing_bytes(leg), leg.signature, leg.key_id)
    assert len({leg.approval_id for leg in verdict.approvals}) == 2
    assert len(said(room.steps[-1], risk_pb2.ApprovedTrade)) == 2
    assert room.state.reserved_micro == 2 * (45 * USD + SLACK)
    assert room.restored() == room.state
    again = room.tell(batch)
    assert again.replies[0] == verdict
    assert not again.events


def test_the_scarcest_leg_scales_all_of_them() -> None:
    room = Room(tight(trade_usd_max=40))
    verdict = answer(room, both_sides(room, 200))
    sizes = {leg.size_micro for leg in verdict.approvals}
    assert verdict.approved
    assert len(sizes) == 1
    assert 88 * SHARE < sizes.pop() < 89 * SHARE
    assert 0 < verdict.scale_micro_ratio < 500_000


def test_legs_that_fit_alone_but_not_together_are_all_refused() -> None:
    room = Room(tight(trade_usd_max=50, position_usd_max=50, market_usd_max=60))
    verdict = answer(room, both_sides(room, 100))
    assert not verdict.approved
    assert verdict.rule in (Rule.MARKET_LIMIT, Rule.BATCH)
    assert verdict.failed_proposal_id == derived_id("batch", no(MARKETS[0]))
    assert room.state.reserved_micro == room.state.exposure_micro == 0
    assert not room.state.approvals
    assert room.restored() == room.state


def test_one_leg_that_is_refused_refuses_all() -> None:
    room = Room()
    batch = both_sides(room, 100)
    batch.legs[1].fair_value_micro = 1
    verdict = answer(room, batch)
    assert (verdict.approved, verdict.rule) == (False, Rule.EDGE)
    assert not said(room.steps[-1], risk_pb2.ApprovedTrade)


@pytest.mark.parametrize("flaw", ["none", "twice", "late", "stranger", "no id", "before"])
def test_a_malformed_batch_is_refused(flaw: str) -> None:
    room = Room()
    batch = both_sides(room, 10)
    if flaw == "none":
        del batch.legs[:]
    elif flaw == "twice":
        batch.legs[1].meta.id = batch.legs[0].meta.id
    elif flaw == "late":
        batch.deadline_ns = NOW - 1
    elif flaw == "stranger":
        batch.legs[1].portfolio = "other"
    elif flaw == "no id":
        batch.legs[1].meta.ClearField("id")
    else:
        room.tell(batch.legs[1])
    assert not answer(room, batch).approved
    assert room.restored() == room.state


def test_another_batch_under_a_known_id_is_refused() -> None:
    room = Room()
    answer(room, both_sides(room, 10))
    other = both_sides(room, 20)
    step = room.tell(other)
    assert alerts(step) == [Alert.DUPLICATE_PROPOSAL]
    refusal = step.replies[0]
    assert isinstance(refusal, risk_pb2.RejectedTrade)
    assert refusal.rule == Rule.SAME_PROPOSAL


def mandate(room: Room, **changes: object) -> risk_pb2.QuoteMandate:
    given = room.tell(mandate_of(room, **changes)).replies[0]
    assert isinstance(given, risk_pb2.QuoteMandate), given
    return given


def test_a_mandate_is_signed_bounded_and_sets_all_its_bids_aside() -> None:
    room = Room()
    given = mandate(room)
    ApprovalVerifier([SIGNER.public_pem()]).verify(
        signing_bytes(given), given.signature, given.key_id
    )
    assert given.expires_ns == NOW + 600 * S
    assert (given.inventory_micro_max, given.size_micro_max) == (100 * SHARE, 20 * SHARE)
    assert room.state.reserved_micro == 48 * USD + SLACK
    assert room.state.by_strategy == {"quotes": 48 * USD + SLACK}
    assert room.restored() == room.state


def test_a_mandate_that_nobody_used_is_set_free_when_it_has_expired() -> None:
    room = Room()
    given = mandate(room)
    approval = risk_pb2.ApprovedTrade(approval_id=given.approval_id)
    room.fire(approval)
    assert room.state.exposure_micro == 0
    assert room.now_ns == NOW + 660 * S


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"duration_ns": 3_600 * S}, ""),
        ({"duration_ns": 3_600 * S + 1}, Rule.MANDATE_TIME),
        ({"duration_ns": 0}, Rule.MANDATE_TIME),
        ({"ask_micro_min": 490_000}, ""),
        ({"ask_micro_min": 480_000}, Rule.MANDATE_PRICES),
        ({"ask_micro_min": 1_000_000}, Rule.PRICE_ON_TICK),
        ({"inventory_micro_max": 420 * SHARE}, Rule.TRADE_LIMIT),
        ({"size_micro_max": 101 * SHARE}, Rule.WELL_FORMED),
        ({"size_micro_max": SHARE}, Rule.MINIMUM_SIZE),
        ({"condition_id": "0xunknown"}, Rule.MARKET_KNOWN),
        ({"portfolio": "other"}, Rule.PORTFOLIO),
        ({"deadline_ns": NOW - 1}, Rule.DEADLINE),
    ],
)
def test_a_mandate_is_held_against_every_rule(changes: dict[str, object], rule: str) -> None:
    room = Room()
    reply = room.tell(mandate_of(room, **changes)).replies[0]
    refused = reply.rule if isinstance(reply, risk_pb2.RejectedTrade) else ""
    assert refused == rule
    assert room.restored() == room.state


def test_while_halted_no_mandate_is_given() -> None:
    room = Room()
    room.control(HALT)
    reply = room.tell(mandate_of(room)).replies[0]
    assert isinstance(reply, risk_pb2.RejectedTrade)
    assert reply.rule == Rule.HALTED


@pytest.mark.parametrize("side", [BUY, SELL])
def test_what_if_answers_as_the_real_question_would_and_changes_nothing(
    side: common_pb2.Side.ValueType,
) -> None:
    room = Room()
    room.buy(max_size_micro=100 * SHARE)
    for changes in ({}, {"limit_price_micro": 999_999}, {"leader": WHALES[1]}):
        proposal = room.proposal(side=side, **changes)
        proposal.meta.event_time_ns = room.now_ns
        before = room.restored()
        step = room.tell(risk_pb2.CheckProposal(proposal=proposal))
        told = step.replies[0]
        assert isinstance(told, risk_pb2.CheckAnswered)
        assert not step.events
        assert room.state == before
        real = room.answer(proposal)
        assert told.approved is isinstance(real, risk_pb2.ApprovedTrade)
        assert list(told.reasons) == list(real.reasons)  # type: ignore[attr-defined]
        if isinstance(real, risk_pb2.ApprovedTrade):
            assert told.size_micro == real.size_micro
