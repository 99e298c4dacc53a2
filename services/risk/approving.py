"""From a verdict to what is said: signed approvals with their reservation and timer, refusals.

Writes into the decision that it is given; called by the agent. Signing is pure: the same bytes
give the same signature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.approval import signing_bytes
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Decision, event_id
from whaletrader.runtime.codec import type_name
from whaletrader.schemas import agent_pb2, common_pb2, risk_pb2
from whaletrader.services.risk import facts
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.flatten import Sale
from whaletrader.services.risk.gates import digest_of
from whaletrader.services.risk.state import RiskState
from whaletrader.services.risk.verdict import Judgement

Sign = Callable[[bytes], bytes]
Signed = risk_pb2.ApprovedTrade | risk_pb2.QuoteMandate

EXPIRY: Final = "approval-expiry/"
SOURCE: Final = "risk"


@dataclass(frozen=True, slots=True)
class Notary:
    """Signs what was decided."""

    sign: Sign
    key_id: str

    def approve(
        self, decision: Decision, desk: Desk, approval: risk_pb2.ApprovedTrade, reserve_micro: int
    ) -> None:
        """Sign, say, set aside, and look again when it has expired."""
        approval.expires_ns = desk.now_ns + desk.limits.approval_ttl_ns
        self._seal(decision, desk, approval, reserve_micro)

    def mandate(
        self, decision: Decision, desk: Desk, mandate: risk_pb2.QuoteMandate, reserve_micro: int
    ) -> None:
        """The same for a mandate, which says itself when it ends."""
        self._seal(decision, desk, mandate, reserve_micro)

    def _seal(self, decision: Decision, desk: Desk, approval: Signed, reserve_micro: int) -> None:
        approval.key_id = self.key_id
        approval.signature = self.sign(signing_bytes(approval))
        decision.emit("trade.approved", approval)
        market = desk.market(approval.condition_id)
        decision.keep(
            risk_pb2.ExposureChanged(
                meta=common_pb2.Meta(id=facts.reserved(approval.approval_id)),
                portfolio=approval.portfolio,
                approval_id=approval.approval_id,
                condition_id=approval.condition_id,
                token_id=approval.token_id,
                leader=approval.leader if isinstance(approval, risk_pb2.ApprovedTrade) else "",
                reserved_delta_micro=reserve_micro,
                kind=risk_pb2.EXPOSURE_KIND_RESERVED,
                strategy=approval.strategy,
                category=market.category if market else "",
                topic=market.topic if market else approval.condition_id,
            )
        )
        decision.ask(
            agent_pb2.SetTimer(
                timer_id=EXPIRY + approval.approval_id,
                due_ns=approval.expires_ns + desk.limits.expiry_grace_ns,
            )
        )


def approval_for(proposal: risk_pb2.TradeProposal, verdict: Judgement) -> risk_pb2.ApprovedTrade:
    """Return the approval of a proposal that passed, not signed yet."""
    return risk_pb2.ApprovedTrade(
        meta=meta_after(proposal.meta, risk_pb2.ApprovedTrade),
        approval_id=derived_id("risk", "approval", proposal.meta.id),
        proposal_id=proposal.meta.id,
        portfolio=proposal.portfolio,
        leader=proposal.leader,
        strategy=proposal.strategy,
        condition_id=proposal.condition_id,
        token_id=proposal.token_id,
        outcome_index=proposal.outcome_index,
        side=proposal.side,
        limit_price_micro=verdict.price_micro,
        size_micro=verdict.size_micro,
        reasons=verdict.reasons,
        proposal_digest=digest_of(proposal),
    )


def approval_of_sale(
    decision: Decision, desk: Desk, sale: Sale, origin: common_pb2.Meta
) -> risk_pb2.ApprovedTrade:
    """Return the approval of a sale that risk itself wants, not signed yet."""
    before = sum(isinstance(emit.event, risk_pb2.ApprovedTrade) for emit in decision.events)
    proposal_id = derived_id("risk", sale.strategy, origin.id, sale.token_id, sale.leader)
    market = desk.views.markets[sale.lot.condition_id]
    return risk_pb2.ApprovedTrade(
        meta=meta_after(origin, risk_pb2.ApprovedTrade, before),
        approval_id=derived_id("risk", "approval", proposal_id),
        proposal_id=proposal_id,
        portfolio=desk.portfolio,
        leader=sale.leader,
        strategy=sale.strategy,
        condition_id=sale.lot.condition_id,
        token_id=sale.token_id,
        outcome_index=market.tokens.index(sale.token_id),
        side=common_pb2.SIDE_SELL,
        limit_price_micro=sale.price_micro,
        size_micro=sale.size_micro,
        reasons=sale.reasons,
    )


def was_approved(state: RiskState, proposal_id: str) -> bool:
    """Whether an approval or a mandate of that proposal is in the book, or was until its end.

    Its answer may be forgotten by then: a second one would bear the first one's id.
    """
    ids = (derived_id("risk", kind, proposal_id) for kind in ("approval", "mandate"))
    return any(one in state.approvals or one in state.done for one in ids)


def rejection(
    proposal: risk_pb2.TradeProposal, reasons: list[common_pb2.Reason]
) -> risk_pb2.RejectedTrade:
    """Return the refusal of a proposal: its rule is the first that failed."""
    failed = next(reason for reason in reasons if not reason.passed)
    return risk_pb2.RejectedTrade(
        proposal_id=proposal.meta.id,
        portfolio=proposal.portfolio,
        leader=proposal.leader,
        condition_id=proposal.condition_id,
        token_id=proposal.token_id,
        rule=failed.rule,
        reasons=reasons,
        proposal_digest=digest_of(proposal),
    )


def refused_twin(
    meta: common_pb2.Meta, portfolio: str, reason: common_pb2.Reason
) -> risk_pb2.RejectedTrade:
    """Return the refusal of what came under an id that another proposal has."""
    return risk_pb2.RejectedTrade(
        meta=meta_after(meta, risk_pb2.RejectedTrade),
        proposal_id=meta.id,
        portfolio=portfolio,
        rule=reason.rule,
        reasons=[reason],
    )


def meta_after(origin: common_pb2.Meta, kind: type[Message], ordinal: int = 0) -> common_pb2.Meta:
    """Return the complete meta of what follows from a message."""
    # Complete before it is signed: what the core would stamp afterwards is covered, too.
    return common_pb2.Meta(
        id=event_id(origin, SOURCE, type_name(kind), ordinal),
        cause=origin.id,
        correlation=origin.correlation or origin.id,
        event_time_ns=origin.event_time_ns,
        source=SOURCE,
    )
