"""The proof that risk approved an order: a value that only verification can make.

`verify_approval` is the one way to a VerifiedApproval, and a venue takes an order only together
with one, so an unapproved order cannot be passed to it. Pure: the signature check is injected,
time is an argument. Called by the execution agent before it announces an order, and again by the
performer right before the order is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from whaletrader.domain.approval import ForgedApproval, signing_bytes
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2

# (signed bytes, signature, key id); raises ForgedApproval unless a trusted key made it.
VerifySignature = Callable[[bytes, bytes, str], None]

_PROOF: Final = object()


class ApprovalInvalid(Exception):
    """The approval does not cover what was asked; `reasons` say which rules failed."""

    def __init__(self, reasons: list[common_pb2.Reason]) -> None:
        failed = [reason for reason in reasons if not reason.passed]
        super().__init__("; ".join(f"{reason.rule}: {reason.detail}" for reason in failed))
        self.reasons = reasons


@dataclass(frozen=True, slots=True, init=False)
class VerifiedApproval:
    """An approval whose signature and expiry were checked. Made by `verify_approval` only."""

    approval: risk_pb2.ApprovedTrade

    def __init__(self, approval: risk_pb2.ApprovedTrade, proof: object) -> None:
        if proof is not _PROOF:
            raise TypeError("only verify_approval makes a VerifiedApproval")
        object.__setattr__(self, "approval", approval)

    def require_cover(self, order: order_pb2.OrderAnnounced) -> None:
        """Raise ApprovalInvalid unless the order is within what was approved."""
        reasons = coverage(self.approval, order)
        if not all(reason.passed for reason in reasons):
            raise ApprovalInvalid(reasons)


def verify_approval(
    approval: risk_pb2.ApprovedTrade, verify: VerifySignature, now_ns: int
) -> VerifiedApproval:
    """Return the proof, holding its own copy. Raises ApprovalInvalid."""
    reasons = validity(approval, verify, now_ns)
    if not all(reason.passed for reason in reasons):
        raise ApprovalInvalid(reasons)
    kept = risk_pb2.ApprovedTrade()
    kept.CopyFrom(approval)
    return VerifiedApproval(kept, _PROOF)


def validity(
    approval: risk_pb2.ApprovedTrade, verify: VerifySignature, now_ns: int
) -> list[common_pb2.Reason]:
    """Hold signature and expiry against an approval; return both rules with their outcome."""
    forged = ""
    try:
        verify(signing_bytes(approval), approval.signature, approval.key_id)
    except ForgedApproval as error:
        forged = str(error)
    return [
        common_pb2.Reason(
            rule="approval.signature",
            value=int(not forged),
            limit=1,
            unit=common_pb2.UNIT_COUNT,
            passed=not forged,
            detail=forged or f"key {approval.key_id}",
        ),
        common_pb2.Reason(
            rule="approval.unexpired",
            value=now_ns,
            limit=approval.expires_ns,
            unit=common_pb2.UNIT_NANOSECONDS,
            passed=now_ns < approval.expires_ns,
        ),
    ]


def coverage(
    approval: risk_pb2.ApprovedTrade, order: order_pb2.OrderAnnounced
) -> list[common_pb2.Reason]:
    """Hold an order against the approval it names: the same trade, not larger, not worse."""
    ref = order.order
    same = (
        (ref.approval_id, approval.approval_id),
        (ref.proposal_id, approval.proposal_id),
        (ref.portfolio, approval.portfolio),
        (ref.condition_id, approval.condition_id),
        (ref.token_id, approval.token_id),
        (ref.outcome_index, approval.outcome_index),
        (ref.side, approval.side),
    )
    is_same = all(ours == theirs for ours, theirs in same)
    buys = approval.side == common_pb2.SIDE_BUY
    price, limit = ref.price_micro, approval.limit_price_micro
    return [
        common_pb2.Reason(
            rule="approval.same_trade",
            value=int(is_same),
            limit=1,
            unit=common_pb2.UNIT_COUNT,
            passed=is_same,
            detail=approval.approval_id,
        ),
        common_pb2.Reason(
            rule="approval.size",
            value=ref.size_micro,
            limit=approval.size_micro,
            unit=common_pb2.UNIT_MICRO_SHARES,
            passed=0 < ref.size_micro <= approval.size_micro,
        ),
        common_pb2.Reason(
            rule="approval.price",
            value=price,
            limit=limit,
            unit=common_pb2.UNIT_MICRO_PRICE,
            passed=0 < price <= limit if buys else price >= limit,
        ),
    ]
