"""Whether a proposal may be traded, how much of it and at what price: a list of reasons.

Pure: no event, no state change. Called by the agent for each proposal, for what-if questions and
for the legs of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.gates import first_gates, gates_to_buy, market_open, price_reason
from whaletrader.services.risk.limits import share
from whaletrader.services.risk.marks import Added
from whaletrader.services.risk.rooms import Room, counts, rooms
from whaletrader.services.risk.rules import (
    PRICE,
    SHARES,
    USD,
    Rule,
    at_least,
    at_most,
    below,
    factor,
)
from whaletrader.services.risk.stakes import stake_rooms
from whaletrader.services.risk.views import Market, liquidity

BUY = common_pb2.SIDE_BUY
SELL = common_pb2.SIDE_SELL
# A buy that the scenarios refuse is tried again with half its size, so often.
HALVINGS_MAX: Final = 2


@dataclass(slots=True)
class Judgement:
    """Every rule that was held against the proposal; price, size and money if all passed."""

    reasons: list[common_pb2.Reason] = field(default_factory=list)
    price_micro: int = 0
    size_micro: int = 0
    reserve_micro: int = 0

    @property
    def failed(self) -> common_pb2.Reason | None:
        """The first rule that failed."""
        return next((reason for reason in self.reasons if not reason.passed), None)


def judge(
    desk: Desk, proposal: risk_pb2.TradeProposal, halt: str, *, exact: bool = False
) -> Judgement:
    """Hold every rule that applies against the proposal. `halt` is why trading is halted, if so.

    With `exact` the whole size is approved or nothing.
    """
    is_buy = proposal.side == BUY
    market = desk.market(proposal.condition_id)
    verdict = Judgement(first_gates(desk, proposal, halt))
    if verdict.failed is not None or market is None:
        return verdict
    verdict.reasons.append(market_open(desk, proposal.condition_id, market))
    verdict.price_micro = price_on_tick(
        proposal.limit_price_micro, market.tick_micro, is_buy=is_buy
    )
    verdict.reasons.append(price_reason(verdict.price_micro, market.tick_micro))
    if is_buy:
        verdict.reasons.extend(gates_to_buy(desk, proposal, market, verdict.price_micro))
    if verdict.failed is None:
        size = _size_to_buy if is_buy else _size_to_sell
        size(desk, proposal, market, verdict)
    if exact:
        asked = floor_to(proposal.max_size_micro, sizing.LOT_MICRO)
        verdict.reasons.append(at_least(Rule.BATCH, verdict.size_micro, asked, SHARES))
    return verdict


def price_on_tick(price_micro: int, tick_micro: int, *, is_buy: bool) -> int:
    """Round to the tick so that a buy never pays more and a sale never takes less."""
    if is_buy:
        return floor_to(price_micro, tick_micro)
    return sizing.ceil_to(price_micro, tick_micro)


def _size_to_buy(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market, verdict: Judgement
) -> None:
    price = verdict.price_micro
    cost = sizing.cost_per_share(market, price)
    held_against = rooms(desk, proposal, market)
    stakes, factors = stake_rooms(desk, proposal, market, cost)
    held_against = [*stakes, *held_against]
    smallest = sizing.smallest_size(market, price, desk.limits.notional_micro_min)
    offered = liquidity(desk.views, proposal.token_id, BUY, price, desk.now_ns)
    liquid = offered * desk.limits.liquidity_micro_ratio_max // MICRO
    budget = min(room.limit_micro - room.used_micro for room in held_against)
    size = min(
        sizing.largest_size(market, price, budget),
        floor_to(min(proposal.max_size_micro, liquid), sizing.LOT_MICRO),
    )
    ratio = desk.state.stance.size_micro_ratio
    size = floor_to(size * ratio // MICRO, sizing.LOT_MICRO)
    # Where not even the smallest order fits, it is what the limits are held against.
    tried = max(size, smallest)
    verdict.reasons += _edge(desk, proposal, cost)
    verdict.reasons += counts(desk, proposal, market)
    verdict.reasons += [*factors, factor(Rule.STATE_FACTOR, ratio, desk.state.stance.rule)]
    verdict.reasons += _limits(held_against, sizing.reserve_for(market, price, tried))
    verdict.reasons.append(at_most(Rule.LIQUIDITY, tried, liquid, SHARES))
    verdict.reasons.append(at_least(Rule.MINIMUM_SIZE, size, smallest, SHARES))
    if verdict.failed is None:
        size, tail = _within_tail(desk, proposal, market, Wanted(price, size, smallest))
        verdict.reasons += tail
    verdict.size_micro = size
    verdict.reserve_micro = sizing.reserve_for(market, price, size)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A buy that passed the money limits."""

    price_micro: int
    size_micro: int
    smallest_micro: int


def _within_tail(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market, wanted: Wanted
) -> tuple[int, list[common_pb2.Reason]]:
    """Return the size whose scenarios pass, and the rules; the smallest tried if none does."""
    size, reasons = wanted.size_micro, list[common_pb2.Reason]()
    for _ in range(HALVINGS_MAX + 1):
        reserve = sizing.reserve_for(market, wanted.price_micro, size)
        added = Added(proposal.condition_id, proposal.token_id, size, reserve)
        reasons = tail_reasons(desk, added)
        half = floor_to(size // 2, sizing.LOT_MICRO)
        if all(reason.passed for reason in reasons) or half < wanted.smallest_micro:
            break
        size = half
    return size, reasons


def tail_reasons(desk: Desk, added: Added) -> list[common_pb2.Reason]:
    """Hold the worst case and the scenarios, with a buy on top, against their limits."""
    limits, capital = desk.limits, desk.capital_micro
    ahead = desk.marks.day_ahead(desk.state, desk.views, added)
    worst = desk.marks.worst_with(desk.state, desk.views, added)
    return [
        at_most(Rule.WORST_CASE, worst, share(limits.worst_case_micro_ratio_max, capital), USD),
        below(Rule.CVAR, ahead.cvar_975_micro, share(limits.cvar_micro_ratio_max, capital), USD),
        below(
            Rule.MODIFIED_VAR,
            ahead.modified_var_99_micro,
            share(limits.mvar_micro_ratio_max, capital),
            USD,
        ),
    ]


def _edge(desk: Desk, proposal: risk_pb2.TradeProposal, cost_micro: int) -> list[common_pb2.Reason]:
    fair = proposal.fair_value_micro
    return [
        at_least(Rule.EDGE, fair, cost_micro + 1, PRICE),
        at_most(Rule.EDGE_SANITY, fair - cost_micro, desk.limits.edge_micro_max, PRICE),
    ]


def _limits(held_against: Sequence[Room], reserve_micro: int) -> list[common_pb2.Reason]:
    return [
        at_most(room.rule, room.used_micro + reserve_micro, room.limit_micro, USD, room.key)
        for room in held_against
    ]


def _size_to_sell(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market, verdict: Judgement
) -> None:
    lot = desk.state.lot(proposal.token_id, proposal.leader)
    free = lot.free_micro if lot is not None else 0
    size = floor_to(min(proposal.max_size_micro, free), sizing.LOT_MICRO)
    smallest = max(market.min_size_micro, sizing.LOT_MICRO)
    verdict.reasons.append(at_least(Rule.HELD, free, 1, SHARES))
    verdict.reasons.append(at_least(Rule.MINIMUM_SIZE, size, smallest, SHARES))
    verdict.size_micro = size
