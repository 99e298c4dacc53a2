"""Whether a proposal may be traded, how much of it and at what price: a list of reasons.

Pure: no event, no state change. Called by the agent for each proposal.
"""

from dataclasses import dataclass, field

from whaletrader.domain.money import MICRO, floor_to
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk import sizing
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.rules import (
    NANOSECONDS,
    PRICE,
    SHARES,
    USD,
    Alert,
    Rule,
    at_least,
    at_most,
    holds,
)
from whaletrader.services.risk.views import Market

BUY = common_pb2.SIDE_BUY
SELL = common_pb2.SIDE_SELL


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


def judge(desk: Desk, proposal: risk_pb2.TradeProposal, halt: str) -> Judgement:
    """Hold every rule that applies against the proposal. `halt` is why trading is halted, if so."""
    is_buy = proposal.side == BUY
    flaw = _flaw(proposal)
    market = desk.market(proposal.condition_id)
    verdict = Judgement(
        [
            holds(Rule.WELL_FORMED, not flaw, flaw),
            holds(Rule.PORTFOLIO, proposal.portfolio == desk.portfolio, proposal.portfolio),
            at_most(Rule.DEADLINE, desk.now_ns, proposal.deadline_ns, NANOSECONDS),
            holds(Rule.HALTED, not halt or (not is_buy and halt == Alert.DAY_LOSS), halt),
            holds(
                Rule.MARKET_KNOWN,
                market is not None and proposal.token_id in market.tokens,
                proposal.condition_id,
            ),
        ]
    )
    if verdict.failed is not None or market is None:
        return verdict
    verdict.reasons.append(_open(desk, proposal, market))
    verdict.price_micro = price_on_tick(
        proposal.limit_price_micro, market.tick_micro, is_buy=is_buy
    )
    verdict.reasons.append(price_reason(verdict.price_micro, market.tick_micro))
    if is_buy:
        verdict.reasons.extend(_reasons_to_buy(desk, proposal, market))
    if verdict.failed is None:
        size = _size_to_buy if is_buy else _size_to_sell
        size(desk, proposal, market, verdict)
    return verdict


def price_on_tick(price_micro: int, tick_micro: int, *, is_buy: bool) -> int:
    """Round to the tick so that a buy never pays more and a sale never takes less."""
    if is_buy:
        return floor_to(price_micro, tick_micro)
    return sizing.ceil_to(price_micro, tick_micro)


def price_reason(price_micro: int, tick_micro: int) -> common_pb2.Reason:
    """Return the reason that passes while the venue takes the price."""
    highest = MICRO - tick_micro
    reason = at_most(Rule.PRICE_ON_TICK, price_micro, highest, PRICE)
    reason.passed = tick_micro <= price_micro <= highest
    return reason


def _flaw(proposal: risk_pb2.TradeProposal) -> str:
    flaws = {
        "side": proposal.side in (BUY, SELL),
        "condition_id": bool(proposal.condition_id),
        "token_id": bool(proposal.token_id),
        "limit_price_micro": 0 < proposal.limit_price_micro < MICRO,
        "max_size_micro": proposal.max_size_micro > 0,
        "fair_value_micro": proposal.side == SELL or 0 < proposal.fair_value_micro < MICRO,
        "event_time_ns": proposal.meta.event_time_ns > 0,
    }
    return next((name for name, is_right in flaws.items() if not is_right), "")


def _open(desk: Desk, proposal: risk_pb2.TradeProposal, market: Market) -> common_pb2.Reason:
    if proposal.condition_id in desk.views.winners:
        return holds(Rule.MARKET_OPEN, False, "decided")
    return at_least(Rule.MARKET_OPEN, desk.now_ns, market.opens_ns, NANOSECONDS)


def _reasons_to_buy(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market
) -> list[common_pb2.Reason]:
    limits = desk.limits
    loss = at_most(Rule.DAY_LOSS, desk.day_loss_micro, limits.day_loss_micro_max, USD)
    # At the limit already: the next loss would be over it.
    loss.passed = desk.day_loss_micro < limits.day_loss_micro_max
    return [_time_left(desk, market), _freshness(desk, proposal), loss]


def _time_left(desk: Desk, market: Market) -> common_pb2.Reason:
    limits = desk.limits
    left_ns = market.ends_ns - desk.now_ns if market.ends_ns else -1
    detail = "" if market.ends_ns else "no end is known"
    reason = at_least(Rule.TIME_TO_END, left_ns, limits.time_to_end_ns_min, NANOSECONDS, detail)
    reason.passed = reason.passed or not (market.ends_ns or limits.end_must_be_known)
    return reason


def _freshness(desk: Desk, proposal: risk_pb2.TradeProposal) -> common_pb2.Reason:
    last = desk.views.prices.get(proposal.token_id)
    limit_ns = desk.limits.price_age_ns_max
    if last is None:
        reason = at_most(Rule.PRICE_FRESH, 0, limit_ns, NANOSECONDS, "no trade was ever seen")
        reason.passed = False
        return reason
    age_ns = max(0, proposal.meta.event_time_ns - last.at_ns)
    return at_most(Rule.PRICE_FRESH, age_ns, limit_ns, NANOSECONDS)


@dataclass(frozen=True, slots=True)
class _Room:
    """A limit in micro-dollars and what is used of it already."""

    rule: Rule
    used_micro: int
    limit_micro: int


def _size_to_buy(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market, verdict: Judgement
) -> None:
    price = verdict.price_micro
    cost = sizing.cost_per_share(market, price)
    edge = at_least(Rule.EDGE, proposal.fair_value_micro, cost + 1, PRICE)
    rooms = _rooms(desk, proposal, cost)
    budget = min(room.limit_micro - room.used_micro for room in rooms)
    size = min(
        sizing.largest_size(market, price, budget),
        floor_to(proposal.max_size_micro, sizing.LOT_MICRO),
    )
    smallest = sizing.smallest_size(market, price, desk.limits.notional_micro_min)
    # Where not even the smallest order fits, it is what the limits are held against.
    reserve = sizing.reserve_for(market, price, max(size, smallest))
    verdict.reasons.append(edge)
    verdict.reasons.extend(
        at_most(room.rule, room.used_micro + reserve, room.limit_micro, USD) for room in rooms
    )
    verdict.reasons.append(at_least(Rule.MINIMUM_SIZE, size, smallest, SHARES))
    verdict.size_micro, verdict.reserve_micro = size, reserve


def _rooms(desk: Desk, proposal: risk_pb2.TradeProposal, cost_micro: int) -> list[_Room]:
    state, limits = desk.state, desk.limits
    in_token = state.by_token.get(proposal.token_id, 0)
    in_market = state.by_market.get(proposal.condition_id, 0)
    in_leader = state.by_leader.get(proposal.leader, 0)
    stake = sizing.kelly_stake(
        proposal.fair_value_micro, cost_micro, state.capital_micro, limits.kelly_micro_ratio
    )
    rooms = [
        _Room(Rule.KELLY, in_token, stake),
        _Room(Rule.TRADE_LIMIT, 0, limits.trade_micro_max),
        _Room(Rule.POSITION_LIMIT, in_token, limits.position_micro_max),
        _Room(Rule.MARKET_LIMIT, in_market, limits.market_micro_max),
        _Room(Rule.TOTAL_LIMIT, state.exposure_micro, limits.total_micro_max),
        _Room(Rule.CASH, 0, state.available_micro),
    ]
    if proposal.leader:
        rooms.insert(4, _Room(Rule.LEADER_LIMIT, in_leader, limits.leader_micro_max))
    return rooms


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
