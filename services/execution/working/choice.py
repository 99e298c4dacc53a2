"""Which tactic works an approved trade: rules in one order, each a reason with its numbers. Pure.

The first rule that applies decides: haste, then size against depth, then the spread, then what
making and taking are expected to cost. Otherwise the three phases.
"""

from dataclasses import dataclass

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, order_pb2, risk_pb2
from whaletrader.services.execution.working.book import Book
from whaletrader.services.execution.working.costs import expected_costs
from whaletrader.services.execution.working.terms import FeeTerms, TacticSettings


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the choice looks at beside the approval. `ends_ns`: of the market; 0 if unknown."""

    book: Book
    fees: FeeTerms
    ends_ns: int
    now_ns: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The tactic, and every rule that was held against it; `passed` means that it applies."""

    tactic: order_pb2.Tactic.ValueType
    reasons: tuple[common_pb2.Reason, ...]


def choose(
    approval: risk_pb2.ApprovedTrade, seen: Circumstances, settings: TacticSettings
) -> Choice:
    """Return the tactic for an approval."""
    rules: list[tuple[order_pb2.Tactic.ValueType, common_pb2.Reason]] = [
        (order_pb2.TACTIC_AGGRESSIVE, _haste(approval, seen, settings)),
        (
            order_pb2.TACTIC_TWAP,
            _share_of_depth(approval, seen, "tactic.twap", settings.twap_micro_ratio),
        ),
        (
            order_pb2.TACTIC_ICEBERG,
            _share_of_depth(approval, seen, "tactic.iceberg", settings.iceberg_micro_ratio),
        ),
        (order_pb2.TACTIC_PASSIVE, _wide_spread(seen.book, settings)),
        (order_pb2.TACTIC_PASSIVE, _cheaper_to_make(approval, seen, settings)),
    ]
    if settings.fixed:
        fixed = _applies("tactic.fixed", 1, 1, common_pb2.UNIT_COUNT, True)
        return Choice(settings.fixed, (fixed, *(reason for _, reason in rules)))
    chosen = next((tactic for tactic, reason in rules if reason.passed), None)
    return Choice(
        chosen if chosen is not None else order_pb2.TACTIC_ADAPTIVE,
        tuple(reason for _, reason in rules),
    )


def _haste(
    approval: risk_pb2.ApprovedTrade, seen: Circumstances, settings: TacticSettings
) -> common_pb2.Reason:
    ends = [approval.expires_ns, *([seen.ends_ns] if seen.ends_ns else [])]
    left_ns = min(ends) - seen.now_ns
    wanted = approval.strategy in settings.urgent_strategies
    reason = _applies(
        "tactic.urgent",
        left_ns,
        settings.urgent_ns,
        common_pb2.UNIT_NANOSECONDS,
        wanted or left_ns <= settings.urgent_ns,
    )
    reason.detail = approval.strategy if wanted else ""
    return reason


def _share_of_depth(
    approval: risk_pb2.ApprovedTrade, seen: Circumstances, rule: str, limit_ratio: int
) -> common_pb2.Reason:
    depth = seen.book.depth_micro(approval.side, approval.limit_price_micro)
    share = approval.size_micro * MICRO // depth if depth else 0
    reason = _applies(rule, share, limit_ratio, common_pb2.UNIT_MICRO_RATIO, share > limit_ratio)
    reason.detail = f"depth {depth}"
    return reason


def _wide_spread(book: Book, settings: TacticSettings) -> common_pb2.Reason:
    spread = book.spread_micro_ratio
    limit = settings.wide_spread_micro_ratio
    return _applies(
        "tactic.wide_spread", spread, limit, common_pb2.UNIT_MICRO_RATIO, spread >= limit
    )


def _cheaper_to_make(
    approval: risk_pb2.ApprovedTrade, seen: Circumstances, settings: TacticSettings
) -> common_pb2.Reason:
    trade = (approval.side, approval.limit_price_micro, approval.size_micro)
    costs = expected_costs(seen.book, trade, seen.fees, settings)
    if costs is None:
        return _applies("tactic.cheaper_to_make", 0, 0, common_pb2.UNIT_MICRO_PRICE, False)
    reason = _applies(
        "tactic.cheaper_to_make",
        costs.make_micro,
        costs.take_micro,
        common_pb2.UNIT_MICRO_PRICE,
        costs.make_micro < costs.take_micro,
    )
    reason.detail = f"make at {costs.make_price_micro}, take at {costs.take_price_micro}"
    return reason


def _applies(
    rule: str, value: int, limit: int, unit: common_pb2.Unit.ValueType, applies: bool
) -> common_pb2.Reason:
    return common_pb2.Reason(rule=rule, value=value, limit=limit, unit=unit, passed=applies)
