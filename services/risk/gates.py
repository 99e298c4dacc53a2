"""Whether a proposal may be looked at, at all: form, time, state of the desk, market, price.

Pure. Called by verdict.py before anything is sized.
"""

from whaletrader.domain.ids import derived_id
from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.services.risk.alerts import Alert
from whaletrader.services.risk.desk import Desk
from whaletrader.services.risk.rules import (
    NANOSECONDS,
    PRICE,
    USD,
    Rule,
    at_least,
    at_most,
    below,
    holds,
)
from whaletrader.services.risk.views import Market, mark

BUY = common_pb2.SIDE_BUY
SELL = common_pb2.SIDE_SELL
# Sizes above this are no sizes: more shares than any market has.
SIZE_MICRO_MAX = 10**15
# Times above this are no times, and their differences would not fit into a reason.
TIME_NS_MAX = 2**62


def first_gates(desk: Desk, proposal: risk_pb2.TradeProposal, halt: str) -> list[common_pb2.Reason]:
    """Hold form, portfolio, time and the desk's state against a proposal."""
    is_buy = proposal.side == BUY
    flaw = _flaw(proposal)
    market = desk.market(proposal.condition_id)
    return [
        holds(Rule.WELL_FORMED, not flaw, flaw),
        holds(Rule.PORTFOLIO, proposal.portfolio == desk.portfolio, proposal.portfolio),
        holds(Rule.POLICY, desk.state.charter.is_open),
        at_most(Rule.DEADLINE, desk.now_ns, proposal.deadline_ns, NANOSECONDS),
        clock_skew(desk, proposal),
        holds(Rule.HALTED, not halt or (not is_buy and lets_sell(halt)), halt),
        holds(
            Rule.MARKET_KNOWN,
            market is not None and proposal.token_id in market.tokens,
            proposal.condition_id,
        ),
    ]


def lets_sell(halt: str) -> bool:
    """Whether holdings may be sold on proposal: not while a person has stopped everything."""
    return halt not in (Alert.HALT, Alert.FLATTEN)


def clock_skew(desk: Desk, proposal: risk_pb2.TradeProposal) -> common_pb2.Reason:
    """Return whether proposer and risk agree on the time. Who does not tell it does not agree."""
    now_ns, limit = desk.now_ns, desk.limits.clock_skew_ns_max
    apart = max(proposal.meta.event_time_ns - now_ns, abs(now_ns - proposal.asked_ns))
    reason = at_most(Rule.CLOCK_SKEW, min(apart, TIME_NS_MAX), limit, NANOSECONDS)
    if not proposal.asked_ns:
        reason.passed, reason.detail = False, "asked_ns was not told"
    return reason


def market_open(desk: Desk, condition_id: str, market: Market) -> common_pb2.Reason:
    """Return whether the market trades."""
    if condition_id in desk.views.winners:
        return holds(Rule.MARKET_OPEN, False, "decided")
    return at_least(Rule.MARKET_OPEN, desk.now_ns, market.opens_ns, NANOSECONDS)


def price_reason(price_micro: int, tick_micro: int) -> common_pb2.Reason:
    """Return the reason that passes while the venue takes the price."""
    highest = MICRO - tick_micro
    reason = at_most(Rule.PRICE_ON_TICK, price_micro, highest, PRICE)
    reason.passed = tick_micro <= price_micro <= highest
    return reason


def gates_to_buy(
    desk: Desk, proposal: risk_pb2.TradeProposal, market: Market, price_micro: int
) -> list[common_pb2.Reason]:
    """Hold what only a buy must pass: times, price, losses, the wallet that is copied."""
    limits = desk.limits
    reasons = [
        *_times(desk, market),
        freshness(desk, proposal.token_id, proposal.meta.event_time_ns),
        _price_range(desk, price_micro),
        _price_gap(desk, proposal.token_id, market, price_micro),
        # At the limit already: the next loss would be over it.
        below(Rule.DAY_LOSS, desk.day_loss_micro, desk.day_loss_limit_micro, USD),
        below(Rule.WEEK_LOSS, desk.week_loss_micro, desk.week_loss_limit_micro, USD),
    ]
    if proposal.leader:
        lost = desk.leader_loss_micro(proposal.leader)
        reasons.append(below(Rule.LEADER_LOSS, lost, limits.leader_loss_micro_max, USD))
        is_barred = proposal.leader in desk.state.barred
        reasons.append(holds(Rule.LEADER_BARRED, not is_barred, proposal.leader))
    return reasons


def freshness(desk: Desk, token_id: str, event_time_ns: int) -> common_pb2.Reason:
    """Return whether the last trade was recent when what is proposed happened, and is now."""
    last = desk.views.prices.get(token_id)
    limit_ns = desk.limits.price_age_ns_max
    if last is None:
        reason = at_most(Rule.PRICE_FRESH, 0, limit_ns, NANOSECONDS, "no trade of it was ever seen")
        reason.passed = False
        return reason
    # By risk's own clock, too: an old event does not make an old price fresh.
    age_ns = max(0, event_time_ns - last.at_ns, desk.now_ns - last.at_ns)
    return at_most(Rule.PRICE_FRESH, age_ns, limit_ns, NANOSECONDS)


def digest_of(proposal: risk_pb2.TradeProposal) -> str:
    """Return what names the content of a proposal: all of it but its times and envelope."""
    bare = risk_pb2.TradeProposal()
    bare.CopyFrom(proposal)
    for name in ("meta", "deadline_ns", "asked_ns"):
        bare.ClearField(name)
    return derived_id("proposal", bare.SerializeToString(deterministic=True).hex())


def _flaw(proposal: risk_pb2.TradeProposal) -> str:
    flaws = {
        "side": proposal.side in (BUY, SELL),
        "condition_id": bool(proposal.condition_id),
        "token_id": bool(proposal.token_id),
        "limit_price_micro": 0 < proposal.limit_price_micro < MICRO,
        "max_size_micro": 0 < proposal.max_size_micro <= SIZE_MICRO_MAX,
        "fair_value_micro": proposal.side == SELL or 0 < proposal.fair_value_micro < MICRO,
        "confidence_micro_ratio": 0 <= proposal.confidence_micro_ratio <= MICRO,
        "leader_notional_micro": 0 <= proposal.leader_notional_micro <= SIZE_MICRO_MAX,
        "event_time_ns": 0 < proposal.meta.event_time_ns < TIME_NS_MAX,
        "asked_ns": 0 <= proposal.asked_ns < TIME_NS_MAX,
        # Wallets are written in lower case; another spelling would be another one's limit.
        "leader": proposal.leader == proposal.leader.lower(),
    }
    return next((name for name, is_right in flaws.items() if not is_right), "")


def _times(desk: Desk, market: Market) -> list[common_pb2.Reason]:
    limits = desk.limits
    left_ns = market.ends_ns - desk.now_ns if market.ends_ns else -1
    detail = "" if market.ends_ns else "no end is known"
    soonest = at_least(Rule.TIME_TO_END, left_ns, limits.time_to_end_ns_min, NANOSECONDS, detail)
    soonest.passed = soonest.passed or not (market.ends_ns or limits.end_must_be_known)
    latest = at_most(Rule.TIME_LOCKED, left_ns, limits.time_to_end_ns_max, NANOSECONDS, detail)
    return [soonest, latest]


def _price_range(desk: Desk, price_micro: int) -> common_pb2.Reason:
    low, high = desk.limits.price_micro_min, desk.limits.price_micro_max
    reason = at_most(Rule.PRICE_RANGE, price_micro, high, PRICE)
    if price_micro < low:
        return at_least(Rule.PRICE_RANGE, price_micro, low, PRICE)
    return reason


def _price_gap(desk: Desk, token_id: str, market: Market, price_micro: int) -> common_pb2.Reason:
    last = mark(desk.views, market, token_id)
    gap = max(0, price_micro - last) if last is not None else 0
    return at_most(Rule.PRICE_GAP, gap, desk.limits.price_gap_micro_max, PRICE)
