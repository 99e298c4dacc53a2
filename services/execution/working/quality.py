"""What became of an approved trade, as figures: prices, slippage, fill rate, times, fees. Pure.

Slippage is against the mid at the decision and against the price then expected, in millionths of
it; positive is worse for us. Called once, when the work is done and every fill is final.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, order_pb2
from whaletrader.services.execution.working.costs import beyond
from whaletrader.services.execution.working.terms import FeeTerms
from whaletrader.services.execution.working.work import Work


@dataclass(frozen=True, slots=True)
class FinalFill:
    """A fill of one of the orders, as it ended."""

    price_micro: int
    size_micro: int
    fee_micro: int
    liquidity: int
    is_reversed: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class DoneOrder:
    """One order of the work with its fills."""

    tactic: int
    phase: int
    size_micro: int
    fills: tuple[FinalFill, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work ended, and why."""

    result: order_pb2.WorkResult.ValueType
    reasons: tuple[common_pb2.Reason, ...]


def report(
    work: Work, orders: Sequence[DoneOrder], outcome: Outcome, fees: FeeTerms, now_ns: int
) -> order_pb2.WorkFinished:
    """Return the figures of a finished work."""
    approval = work.approved()
    standing = [fill for order in orders for fill in order.fills if not fill.is_reversed]
    filled = sum(fill.size_micro for fill in standing)
    average = average_price(standing)
    first = min((fill.at_ns for fill in standing), default=0)
    last = max((fill.at_ns for fill in standing), default=0)
    makers = (fill for fill in standing if fill.liquidity == order_pb2.LIQUIDITY_MAKER)
    return order_pb2.WorkFinished(
        portfolio=work.portfolio,
        approval_id=work.approval_id,
        proposal_id=approval.proposal_id,
        condition_id=work.condition_id,
        token_id=work.token_id,
        side=common_pb2.Side.ValueType(work.side),
        leader=approval.leader,
        strategy=approval.strategy,
        result=outcome.result,
        tactic=order_pb2.Tactic.ValueType(work.tactic),
        limit_price_micro=work.limit_price_micro,
        size_micro=work.size_micro,
        filled_size_micro=filled,
        reversed_size_micro=sum(
            fill.size_micro for order in orders for fill in order.fills if fill.is_reversed
        ),
        orders=len(orders),
        arrival_mid_micro=work.arrival_mid_micro,
        expected_price_micro=work.expected_price_micro,
        average_price_micro=average,
        slippage_micro_ratio=_slippage(work, average, work.arrival_mid_micro),
        slippage_to_expected_micro_ratio=_slippage(work, average, work.expected_price_micro),
        fill_rate_micro_ratio=filled * MICRO // work.size_micro,
        fees_micro=sum(fill.fee_micro for fill in standing),
        rebates_expected_micro=sum(
            fees.rebate_micro(fill.price_micro, fill.size_micro) for fill in makers
        ),
        started_ns=work.started_ns,
        finished_ns=now_ns,
        time_to_first_fill_ns=max(0, first - work.started_ns) if standing else 0,
        time_to_full_fill_ns=(
            max(0, last - work.started_ns) if outcome.result == order_pb2.WORK_RESULT_FILLED else 0
        ),
        parts=_parts(orders),
        reasons=outcome.reasons,
    )


def average_price(fills: Sequence[FinalFill]) -> int:
    """Return the average price, rounded to the micro-price; 0 without fills."""
    size = sum(fill.size_micro for fill in fills)
    if not size:
        return 0
    return (sum(fill.price_micro * fill.size_micro for fill in fills) + size // 2) // size


def _slippage(work: Work, average_micro: int, reference_micro: int) -> int:
    if not average_micro or not reference_micro:
        return 0
    worse = beyond(work.side, average_micro, reference_micro) * MICRO
    # Towards zero, so that a gain and a loss of the same size are the same number.
    return worse // reference_micro if worse >= 0 else -(-worse // reference_micro)


def _parts(orders: Sequence[DoneOrder]) -> list[order_pb2.ExecutionPart]:
    """Add up by tactic, phase and liquidity; what was ordered and not filled has no liquidity."""
    grouped: dict[tuple[int, int, int], list[FinalFill]] = {}
    counted: dict[tuple[int, int], tuple[int, int]] = {}
    for order in orders:
        where = (order.tactic, order.phase)
        count, size = counted.get(where, (0, 0))
        counted[where] = (count + 1, size + order.size_micro)
        grouped.setdefault((*where, order_pb2.LIQUIDITY_UNSPECIFIED), [])
        for fill in order.fills:
            if not fill.is_reversed:
                grouped.setdefault((*where, fill.liquidity), []).append(fill)
    return [
        order_pb2.ExecutionPart(
            tactic=order_pb2.Tactic.ValueType(tactic),
            phase=phase,
            liquidity=order_pb2.Liquidity.ValueType(liquidity),
            orders=counted[(tactic, phase)][0],
            ordered_size_micro=counted[(tactic, phase)][1],
            filled_size_micro=sum(fill.size_micro for fill in fills),
            average_price_micro=average_price(fills),
            fees_micro=sum(fill.fee_micro for fill in fills),
        )
        for (tactic, phase, liquidity), fills in grouped.items()
        if fills or not any(key[:2] == (tactic, phase) and key[2] for key in grouped)
    ]
