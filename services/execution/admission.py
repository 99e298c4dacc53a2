"""Whether an approval may become an order, and the order it becomes.

Every rule is held against every approval and returned as a reason, passed or not. Pure; called by
the agent. The order is the approved trade and nothing larger, later or other: its price is the
approved limit, moved onto the market's tick away from us, its size rounded down to the lot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.state import ExecutionState, ExecutionViews, MarketTerms, Stop
from whaletrader.venues.approval import VerifySignature, validity

# The id that the venue will give to announced terms; pure.
OrderId = Callable[[order_pb2.OrderAnnounced], str]

# The smallest part of a share that can be ordered.
LOT_MICRO: Final = 10_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
# A salt has 53 bits, so that it stays exact as a JSON number.
_SALT_SHIFT: Final = 64 - 53


@dataclass(frozen=True, slots=True)
class Working:
    """How orders are worked: one limit order each, cancelled after the working time.

    `gtd_margin_s` makes it a GTD order that the venue itself drops about that long after the
    working time, should we be gone by then; 0 makes it GTC.
    """

    working_time_ns: int
    gtd_margin_s: int = 0


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
        _flag("approval.unused", not used_by, used_by),
        _flag("approval.identified", bool(approval.approval_id), approval.approval_id),
        running(moment.state, approval.portfolio, approval.side),
        _flag("market.known", terms is not None, approval.token_id),
        _flag(
            "market.open",
            approval.condition_id not in moment.views.resolved,
            approval.condition_id,
        ),
    ]
    if terms is not None:
        reasons += _terms_rules(approval, terms)
    return reasons


def running(state: ExecutionState, portfolio: str, side: int) -> common_pb2.Reason:
    """Hold the halt against a new order: none leaves while stopped, but sales in a flatten."""
    stop = state.stops.get(portfolio)
    sells = side == common_pb2.SIDE_SELL
    return _flag(
        "trading.running",
        stop is None or (stop is Stop.FLATTEN and sells),
        stop.value if stop else "",
    )


def announced_order(
    approval: risk_pb2.ApprovedTrade, terms: MarketTerms, working: Working, order_id: OrderId
) -> order_pb2.OrderAnnounced:
    """Return the order for an approval that passed all rules.

    Salt and timestamp come from the approval, so deciding twice gives the same order.
    """
    started_ns = approval.meta.event_time_ns
    expiration_s = 0
    if working.gtd_margin_s:
        expiration_s = (started_ns + working.working_time_ns) // NS_PER_S + working.gtd_margin_s
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
            price_micro=price_on_tick(approval, terms.tick_micro),
            size_micro=floor_to(approval.size_micro, LOT_MICRO),
        ),
        order_type=order_pb2.ORDER_TYPE_GTD if expiration_s else order_pb2.ORDER_TYPE_GTC,
        salt=salt_of(approval.approval_id),
        timestamp_ms=started_ns // NS_PER_MS,
        expiration_s=expiration_s,
        venue="polymarket",
        neg_risk=terms.neg_risk,
    )
    announced.order.order_id = order_id(announced)
    return announced


def salt_of(approval_id: str) -> int:
    """Return the 53-bit salt of the order that an approval becomes."""
    return int(derived_id("execution", "salt", approval_id)[:16], 16) >> _SALT_SHIFT


def price_on_tick(approval: risk_pb2.ApprovedTrade, tick_micro: int) -> int:
    """Return the limit on the market's grid: a buy never above it, a sale never below."""
    floor = floor_to(approval.limit_price_micro, tick_micro)
    if approval.side == common_pb2.SIDE_SELL and floor != approval.limit_price_micro:
        return floor + tick_micro
    return floor


def _terms_rules(approval: risk_pb2.ApprovedTrade, terms: MarketTerms) -> list[common_pb2.Reason]:
    is_same = (approval.condition_id, approval.outcome_index) == (
        terms.condition_id,
        terms.outcome_index,
    )
    has_side = approval.side in (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL)
    tick = terms.tick_micro
    price = price_on_tick(approval, tick) if tick > 0 else 0
    size = floor_to(approval.size_micro, LOT_MICRO)
    smallest = max(terms.min_size_micro, LOT_MICRO)
    return [
        _flag("market.token", is_same, terms.condition_id),
        _flag("order.side", has_side, str(approval.side)),
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


def _flag(rule: str, passed: bool, detail: str) -> common_pb2.Reason:
    return common_pb2.Reason(
        rule=rule,
        value=int(passed),
        limit=1,
        unit=common_pb2.UNIT_COUNT,
        passed=passed,
        detail=detail,
    )
