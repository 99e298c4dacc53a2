"""Whether an approval may be worked, and what an order of it says.

Every rule is held against every approval and returned as a reason, passed or not. Pure; called by
the agent. An order is the approved trade or a part of it, and nothing larger, later or other.
"""

from dataclasses import dataclass
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.scene import OrderId, Working, flag, running
from whaletrader.services.execution.state import (
    LOT_MICRO,
    ExecutionState,
    ExecutionViews,
    MarketTerms,
    stop_of,
)
from whaletrader.services.execution.working.child import Child, on_grid
from whaletrader.services.execution.working.work import Work
from whaletrader.venues.approval import VerifySignature, validity

__all__ = ["Moment", "OrderId", "Working", "admissibility", "announced_order", "salt_of"]

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
# A salt has 53 bits, so that it stays exact as a JSON number.
_SALT_SHIFT: Final = 64 - 53


@dataclass(frozen=True, slots=True)
class Moment:
    """What admission may look at beside the approval."""

    state: ExecutionState
    views: ExecutionViews
    now_ns: int


def admissibility(
    approval: risk_pb2.ApprovedTrade, moment: Moment, verify: VerifySignature
) -> list[common_pb2.Reason]:
    """Hold all rules against an approval."""
    reasons = validity(approval, verify, moment.now_ns)
    used_by = moment.state.used_approvals.get(approval.approval_id, "")
    terms = moment.views.tokens.get(approval.token_id)
    reasons += [
        flag("approval.unused", not used_by, used_by),
        flag("approval.identified", bool(approval.approval_id), approval.approval_id),
        running(stop_of(moment.state, approval.portfolio), approval.side),
        flag("market.known", terms is not None, approval.token_id),
        flag(
            "market.open",
            approval.condition_id not in moment.views.resolved,
            approval.condition_id,
        ),
    ]
    if terms is not None:
        reasons += _terms_rules(approval, terms)
    return reasons


@dataclass(frozen=True, slots=True)
class Place:
    """Which of a work's orders this is, and until when it is to be worked."""

    number: int
    until_ns: int
    working: Working


def announced_order(
    work: Work, child: Child, place: Place, terms: MarketTerms, order_id: OrderId
) -> order_pb2.OrderAnnounced:
    """Return an order of an approved trade.

    Salt and timestamp come from the approval, so deciding twice gives the same order.
    """
    approval = work.approved()
    expiration_s = 0
    margin_s = place.working.gtd_margin_s
    if margin_s and child.order_type == order_pb2.ORDER_TYPE_GTC:
        expiration_s = place.until_ns // NS_PER_S + margin_s
    announced = order_pb2.OrderAnnounced(
        order=order_pb2.OrderRef(
            approval_id=approval.approval_id,
            proposal_id=approval.proposal_id,
            portfolio=approval.portfolio,
            leader=approval.leader,
            strategy=approval.strategy,
            condition_id=approval.condition_id,
            token_id=approval.token_id,
            outcome_index=approval.outcome_index,
            side=approval.side,
            price_micro=child.price_micro,
            size_micro=child.size_micro,
        ),
        order_type=order_pb2.ORDER_TYPE_GTD if expiration_s else child.order_type,
        salt=salt_of(approval.approval_id, place.number),
        timestamp_ms=approval.meta.event_time_ns // NS_PER_MS,
        expiration_s=expiration_s,
        venue="polymarket",
        neg_risk=terms.neg_risk,
        tactic=order_pb2.Tactic.ValueType(work.tactic),
        child=place.number,
        phase=work.phase,
        post_only=child.post_only,
        reasons=child.reasons,
    )
    announced.order.order_id = order_id(announced)
    return announced


def salt_of(approval_id: str, number: int = 0) -> int:
    """Return the 53-bit salt of the n-th order of an approval."""
    later = [number] if number else []
    return int(derived_id("execution", "salt", approval_id, *later)[:16], 16) >> _SALT_SHIFT


def _terms_rules(approval: risk_pb2.ApprovedTrade, terms: MarketTerms) -> list[common_pb2.Reason]:
    is_same = (approval.condition_id, approval.outcome_index) == (
        terms.condition_id,
        terms.outcome_index,
    )
    has_side = approval.side in (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL)
    tick = terms.tick_micro
    price = on_grid(approval.limit_price_micro, approval.side, tick) if tick > 0 else 0
    size = floor_to(approval.size_micro, LOT_MICRO)
    smallest = max(terms.min_size_micro, LOT_MICRO)
    return [
        flag("market.token", is_same, terms.condition_id),
        flag("order.side", has_side, str(approval.side)),
        common_pb2.Reason(
            rule="order.price",
            value=price,
            limit=MICRO - tick,
            unit=common_pb2.UNIT_MICRO_PRICE,
            passed=0 < tick <= price <= MICRO - tick,
            detail=f"tick {tick}",
        ),
        common_pb2.Reason(
            rule="order.size_minimum",
            value=size,
            limit=smallest,
            unit=common_pb2.UNIT_MICRO_SHARES,
            passed=size >= smallest,
        ),
    ]
