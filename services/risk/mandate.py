"""Leave to quote one token for a while, bounded in inventory, size, prices and time.

Pure. All that the bids may buy is set aside beforehand, at the highest bid: whatever fills, every
limit holds. All of it, less what the desk's state cuts off, is approved, or nothing.
"""

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.approving import meta_after
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.gates import first_gates, gates_to_buy, market_open, price_reason
from whaletrader.services.risk.marks import Added
from whaletrader.services.risk.rooms import counts, rooms
from whaletrader.services.risk.rules import (
    NANOSECONDS,
    PRICE,
    SHARES,
    USD,
    Rule,
    at_least,
    at_most,
    below,
    factor,
    holds,
)
from whaletrader.services.risk.verdict import Judgement, tail_reasons

BUY = common_pb2.SIDE_BUY


def judge_mandate(desk: Desk, asked: risk_pb2.QuoteMandateProposal, halt: str) -> Judgement:
    """Hold the most that the mandate may come to against every rule of a buy."""
    proposal = as_buy(asked)
    market = desk.market(asked.condition_id)
    verdict = Judgement(first_gates(desk, proposal, halt))
    verdict.reasons.append(
        holds(Rule.WELL_FORMED, 0 < asked.size_micro_max <= asked.inventory_micro_max, "size")
    )
    if verdict.failed is not None or market is None:
        return verdict
    bid, ratio = asked.bid_micro_max, desk.state.stance.size_micro_ratio
    most, one_order = cut(asked.inventory_micro_max, ratio), cut(asked.size_micro_max, ratio)
    reserve = sizing.reserve_for(market, bid, most)
    smallest = sizing.smallest_size(market, bid, desk.limits.notional_micro_min)
    verdict.reasons += [
        market_open(desk, asked.condition_id, market),
        price_reason(bid, market.tick_micro),
        price_reason(asked.ask_micro_min, market.tick_micro),
        below(Rule.MANDATE_PRICES, bid, asked.ask_micro_min, PRICE),
        at_most(Rule.MANDATE_TIME, asked.duration_ns, desk.limits.mandate_ns_max, NANOSECONDS),
        at_least(Rule.MANDATE_TIME, asked.duration_ns, 1, NANOSECONDS),
        *gates_to_buy(desk, proposal, market, bid),
        *counts(desk, proposal, market),
        factor(Rule.STATE_FACTOR, ratio, desk.state.stance.rule),
        at_least(Rule.MINIMUM_SIZE, one_order, smallest, SHARES),
        *(
            at_most(room.rule, room.used_micro + reserve, room.limit_micro, USD, room.key)
            for room in rooms(desk, proposal, market)
        ),
    ]
    if verdict.failed is None:
        verdict.reasons += tail_reasons(
            desk, Added(asked.condition_id, asked.token_id, most, reserve)
        )
    verdict.price_micro, verdict.size_micro, verdict.reserve_micro = bid, most, reserve
    return verdict


def cut(size_micro: int, micro_ratio: int) -> int:
    """Return what the state of the desk leaves of a size, in whole lots."""
    return floor_to(size_micro * micro_ratio // MICRO, sizing.LOT_MICRO)


def as_buy(asked: risk_pb2.QuoteMandateProposal) -> risk_pb2.TradeProposal:
    """Return the buy that a mandate may come to."""
    return risk_pb2.TradeProposal(
        meta=asked.meta,
        portfolio=asked.portfolio,
        strategy=asked.strategy,
        condition_id=asked.condition_id,
        token_id=asked.token_id,
        outcome_index=asked.outcome_index,
        side=BUY,
        limit_price_micro=asked.bid_micro_max,
        max_size_micro=asked.inventory_micro_max,
        # A maker's edge is the spread; belief is not what it trades on.
        fair_value_micro=asked.bid_micro_max,
        deadline_ns=asked.deadline_ns,
        asked_ns=asked.asked_ns,
    )


def mandate_for(
    asked: risk_pb2.QuoteMandateProposal, verdict: Judgement, now_ns: int, micro_ratio: int
) -> risk_pb2.QuoteMandate:
    """Return the mandate, not signed yet."""
    return risk_pb2.QuoteMandate(
        meta=meta_after(asked.meta, risk_pb2.QuoteMandate),
        approval_id=derived_id("risk", "mandate", asked.meta.id),
        proposal_id=asked.meta.id,
        portfolio=asked.portfolio,
        strategy=asked.strategy,
        condition_id=asked.condition_id,
        token_id=asked.token_id,
        outcome_index=asked.outcome_index,
        bid_micro_max=asked.bid_micro_max,
        ask_micro_min=asked.ask_micro_min,
        inventory_micro_max=verdict.size_micro,
        size_micro_max=cut(asked.size_micro_max, micro_ratio),
        expires_ns=now_ns + asked.duration_ns,
        reasons=verdict.reasons,
        proposal_digest=digest_of_mandate(asked),
    )


def digest_of_mandate(asked: risk_pb2.QuoteMandateProposal) -> str:
    """Return what names the content of what was asked: all but its times and envelope."""
    bare = risk_pb2.QuoteMandateProposal()
    bare.CopyFrom(asked)
    for name in ("meta", "deadline_ns", "asked_ns"):
        bare.ClearField(name)
    return derived_id("mandate", bare.SerializeToString(deterministic=True).hex())
