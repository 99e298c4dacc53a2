"""Legs that make sense together only: all of them are approved in one proportion, or none is.

Pure. Each leg is sized alone; the smallest share of what was asked is the share of all; then the
legs are held one after another, each with those before it set aside, and must fit exactly.
"""

from dataclasses import dataclass, replace

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import folding, sizing
from whaletrader.services.risk.approving import approval_for, was_approved
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.gates import digest_of
from whaletrader.services.risk.marks import Marks
from whaletrader.services.risk.rules import COUNT, NANOSECONDS, Rule, at_most, holds
from whaletrader.services.risk.state import without_answers
from whaletrader.services.risk.verdict import Judgement, judge

LEGS_MAX = 20

Leg = tuple[risk_pb2.TradeProposal, Judgement]


@dataclass(slots=True)
class BatchJudgement:
    """The legs as they are approved; or the one that failed, with why."""

    legs: list[Leg]
    scale_micro_ratio: int = 0
    failed_id: str = ""
    reasons: tuple[common_pb2.Reason, ...] = ()


def judge_batch(desk: Desk, batch: risk_pb2.BatchProposal, halt: str) -> BatchJudgement:
    """Return the verdict on all legs."""
    whole = [
        holds(Rule.WELL_FORMED, not (flaw := _flaw(desk, batch)), flaw),
        at_most(Rule.DEADLINE, desk.now_ns, batch.deadline_ns, NANOSECONDS),
        at_most(Rule.BATCH, len(batch.legs), LEGS_MAX, COUNT),
    ]
    if not all(reason.passed for reason in whole):
        return BatchJudgement([], reasons=tuple(whole))
    scale = MICRO
    for leg in batch.legs:
        verdict = judge(desk, leg, halt)
        if verdict.failed is not None:
            return BatchJudgement([], 0, leg.meta.id, tuple(verdict.reasons))
        scale = min(scale, verdict.size_micro * MICRO // leg.max_size_micro)
    return _held_together(desk, batch, halt, scale)


def verdict_of(
    batch: risk_pb2.BatchProposal, verdict: BatchJudgement, content: str
) -> risk_pb2.BatchVerdict:
    """Return what is answered, without the approvals."""
    failed = next((reason for reason in verdict.reasons if not reason.passed), None)
    return risk_pb2.BatchVerdict(
        meta=common_pb2.Meta(id=derived_id("risk", "batch-verdict", batch.meta.id)),
        batch_id=batch.meta.id,
        portfolio=batch.portfolio,
        approved=failed is None,
        failed_proposal_id=verdict.failed_id,
        rule=failed.rule if failed is not None else "",
        reasons=verdict.reasons,
        scale_micro_ratio=verdict.scale_micro_ratio,
        proposal_digest=content,
    )


def digest_of_batch(batch: risk_pb2.BatchProposal) -> str:
    """Return what names the content of a batch: its legs."""
    return derived_id("batch", *(f"{leg.meta.id}/{digest_of(leg)}" for leg in batch.legs))


def _held_together(
    desk: Desk, batch: risk_pb2.BatchProposal, halt: str, scale: int
) -> BatchJudgement:
    trial = replace(desk, state=without_answers(desk.state), marks=Marks())
    # What the state of the desk leaves of a size is in the scale: it is not cut twice.
    trial.state.stance.size_micro_ratio = MICRO
    legs: list[Leg] = []
    for leg in batch.legs:
        trial.marks.refresh(trial.state, trial.views, trial.now_ns, trial.limits.bar_ns)
        scaled = risk_pb2.TradeProposal()
        scaled.CopyFrom(leg)
        scaled.max_size_micro = floor_to(leg.max_size_micro * scale // MICRO, sizing.LOT_MICRO)
        verdict = judge(trial, scaled, halt, exact=True)
        if verdict.failed is not None:
            return BatchJudgement([], 0, leg.meta.id, tuple(verdict.reasons))
        legs.append((leg, verdict))
        _set_aside(trial, leg, verdict)
    return BatchJudgement(legs, scale)


def _set_aside(trial: Desk, leg: risk_pb2.TradeProposal, verdict: Judgement) -> None:
    approval = approval_for(leg, verdict)
    market = trial.views.markets[leg.condition_id]
    folding.fold(trial.state, approval, trial.now_ns)
    reserved = risk_pb2.ExposureChanged(
        approval_id=approval.approval_id,
        condition_id=leg.condition_id,
        token_id=leg.token_id,
        leader=leg.leader,
        reserved_delta_micro=verdict.reserve_micro,
        strategy=leg.strategy,
        category=market.category,
        topic=market.topic,
    )
    folding.fold(trial.state, reserved, trial.now_ns)
    trial.marks.touch(leg.condition_id)


def _flaw(desk: Desk, batch: risk_pb2.BatchProposal) -> str:
    ids = [leg.meta.id for leg in batch.legs]
    if not ids:
        return "legs"
    if not all(ids) or len(set(ids)) < len(ids):
        return "legs: each needs an id of its own"
    if any(one in desk.state.verdicts or was_approved(desk.state, one) for one in ids):
        return "legs: one was answered before"
    if any(leg.portfolio != batch.portfolio for leg in batch.legs):
        return "legs: of another portfolio"
    return ""
