"""The rules that a trade is held against, each with one line that says what it wants.

`whaletrader why` and docs/risk.md print the lines; tests hold that every rule is in both tables,
is used, and can refuse. Limits are inclusive: a value at the limit passes, but where a line says
"below" or "reaches".
"""

from enum import StrEnum
from typing import Final, TypeAlias

from whaletrader.schemas import common_pb2


class Rule(StrEnum):
    """Why a proposal was refused, and what an approval was held against."""

    WELL_FORMED = "well-formed"
    PORTFOLIO = "portfolio"
    POLICY = "policy"
    SAME_PROPOSAL = "same-proposal"
    DEADLINE = "deadline"
    CLOCK_SKEW = "clock-skew"
    HALTED = "halted"
    MARKET_KNOWN = "market-known"
    MARKET_OPEN = "market-open"
    TIME_TO_END = "time-to-end"
    TIME_LOCKED = "time-locked"
    PRICE_ON_TICK = "price-on-tick"
    PRICE_FRESH = "price-fresh"
    PRICE_RANGE = "price-range"
    PRICE_GAP = "price-gap"
    DAY_LOSS = "day-loss"
    WEEK_LOSS = "week-loss"
    LEADER_LOSS = "leader-loss"
    LEADER_BARRED = "leader-barred"
    EDGE = "edge"
    EDGE_SANITY = "edge-sanity"
    OPEN_POSITIONS = "open-positions"
    TOPIC_MARKETS = "topic-markets"
    KELLY = "kelly"
    COPY_SIZE = "copy-size"
    FIXED_SIZE = "fixed-size"
    CAPPED_SIZE = "capped-size"
    CONFIDENCE_FACTOR = "confidence-factor"
    VOLATILITY_FACTOR = "volatility-factor"
    CORRELATION_FACTOR = "correlation-factor"
    DRAWDOWN_FACTOR = "drawdown-factor"
    STATE_FACTOR = "state-factor"
    TRADE_LIMIT = "trade-limit"
    POSITION_LIMIT = "position-limit"
    MARKET_LIMIT = "market-limit"
    LEADER_LIMIT = "leader-limit"
    STRATEGY_LIMIT = "strategy-limit"
    CATEGORY_LIMIT = "category-limit"
    TOPIC_LIMIT = "topic-limit"
    GROUP_LIMIT = "group-limit"
    TOTAL_LIMIT = "total-limit"
    CAPITAL_PHASE = "capital-phase"
    CASH = "cash"
    LIQUIDITY = "liquidity"
    MINIMUM_SIZE = "minimum-size"
    WORST_CASE = "worst-case"
    CVAR = "cvar"
    MODIFIED_VAR = "modified-var"
    HELD = "held"
    FLATTEN_ATTEMPTS = "flatten-attempts"
    BATCH = "batch"
    MANDATE_TIME = "mandate-time"
    MANDATE_PRICES = "mandate-prices"


RULES: Final[dict[Rule, str]] = {
    Rule.WELL_FORMED: "The proposal names a side, a size and prices between 0 and 1 dollar.",
    Rule.PORTFOLIO: "The proposal is for the portfolio that this agent guards.",
    Rule.POLICY: "A policy is in force: the journal holds one.",
    Rule.SAME_PROPOSAL: "Under one id there is one proposal: another text is another proposal.",
    Rule.DEADLINE: "An answer after the proposal's deadline is no answer.",
    Rule.CLOCK_SKEW: "Proposer and risk agree on the time, and nothing is from the future.",
    Rule.HALTED: "Nothing is bought while the desk is stopped; unless a person did, one may sell.",
    Rule.MARKET_KNOWN: "The market is in the catalogue with its terms, and the token is its own.",
    Rule.MARKET_OPEN: "The market has opened and is not decided.",
    Rule.TIME_TO_END: "Nothing is bought in a market that ends too soon, or at no known time.",
    Rule.TIME_LOCKED: "Nothing is bought in a market that ends too late.",
    Rule.PRICE_ON_TICK: "Rounded to the market's tick, never for the worse, the limit is a price.",
    Rule.PRICE_FRESH: "Nothing is bought without a last trade that was recent then and still is.",
    Rule.PRICE_RANGE: "Near 0 and 1 dollar nothing is bought: a tick is worth more than any edge.",
    Rule.PRICE_GAP: "The limit is not far above the last price.",
    Rule.DAY_LOSS: "Nothing is bought once the loss realised since midnight is at its limit.",
    Rule.WEEK_LOSS: "Nothing is bought once the loss realised since Monday is at its limit.",
    Rule.LEADER_LOSS: "A wallet is not copied once its copies' loss since Monday is at its limit.",
    Rule.LEADER_BARRED: "The wallet is still worth copying, as far as discovery says.",
    Rule.EDGE: "A share is believed to be worth more than it costs with its fee.",
    Rule.EDGE_SANITY: "It is not believed to be worth more than that by so much: that is an error.",
    Rule.OPEN_POSITIONS: "Only so many tokens are held or bid for at once.",
    Rule.TOPIC_MARKETS: "Only so many markets of one topic are held or bid for at once.",
    Rule.KELLY: "The holding stays within the set share of the Kelly stake for its edge.",
    Rule.COPY_SIZE: "A copy risks no more than the set share of what the wallet risked.",
    Rule.FIXED_SIZE: "One trade risks the fixed amount.",
    Rule.CAPPED_SIZE: "The Kelly stake is cut at the set amount.",
    Rule.CONFIDENCE_FACTOR: "What the proposer's confidence leaves of the stake.",
    Rule.VOLATILITY_FACTOR: "What the price's volatility leaves of the stake.",
    Rule.CORRELATION_FACTOR: "What the correlation with what is held leaves of the stake.",
    Rule.DRAWDOWN_FACTOR: "What the drawdown leaves of the stake.",
    Rule.STATE_FACTOR: "What the state of the desk leaves of the size.",
    Rule.TRADE_LIMIT: "One trade risks no more than its limit.",
    Rule.POSITION_LIMIT: "One token, set aside plus filled, risks no more than its limit.",
    Rule.MARKET_LIMIT: "One market, set aside plus filled, risks no more than its limit.",
    Rule.LEADER_LIMIT: "All copies of one wallet risk no more than their limit.",
    Rule.STRATEGY_LIMIT: "All trades of one strategy risk no more than their share of the capital.",
    Rule.CATEGORY_LIMIT: "All markets of one category risk no more than their share.",
    Rule.TOPIC_LIMIT: "All markets of one topic risk no more than their share of the capital.",
    Rule.GROUP_LIMIT: "All markets that move with this one risk no more than their share.",
    Rule.TOTAL_LIMIT: "All of the portfolio, set aside plus filled, risks no more than its limit.",
    Rule.CAPITAL_PHASE: "No more is deployed than the capital's phase allows.",
    Rule.CASH: "It can be paid, worst fee included, from cash that is settled and not set aside.",
    Rule.LIQUIDITY: "It is no more than a share of what is traded or on offer.",
    Rule.MINIMUM_SIZE: "The smallest order worth sending is not above what may be traded.",
    Rule.WORST_CASE: "With every position lost, no more than its share of the capital is gone.",
    Rule.CVAR: "The mean of a day's worst 2.5 % of scenarios stays below its limit.",
    Rule.MODIFIED_VAR: "A day's modified VaR at 99 % stays below its limit.",
    Rule.HELD: "Only what is held and not being sold already can be sold.",
    Rule.FLATTEN_ATTEMPTS: "A holding is put up for sale only so often in one go.",
    Rule.BATCH: "Every leg of a batch passes in the same proportion, or none is approved.",
    Rule.MANDATE_TIME: "A mandate to quote lasts no longer than its limit.",
    Rule.MANDATE_PRICES: "A mandate bids below its ask, both prices of the market.",
}

USD: Final = common_pb2.UNIT_MICRO_USD
SHARES: Final = common_pb2.UNIT_MICRO_SHARES
PRICE: Final = common_pb2.UNIT_MICRO_PRICE
RATIO: Final = common_pb2.UNIT_MICRO_RATIO
COUNT: Final = common_pb2.UNIT_COUNT
NANOSECONDS: Final = common_pb2.UNIT_NANOSECONDS

Unit: TypeAlias = common_pb2.Unit.ValueType


def at_most(rule: str, value: int, limit: int, unit: Unit, detail: str = "") -> common_pb2.Reason:
    """Return the reason that passes while the value is not above the limit."""
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=value <= limit, detail=detail
    )


def below(rule: str, value: int, limit: int, unit: Unit, detail: str = "") -> common_pb2.Reason:
    """Return the reason that passes while the value is below the limit: at it, it fails."""
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=value < limit, detail=detail
    )


def at_least(rule: str, value: int, limit: int, unit: Unit, detail: str = "") -> common_pb2.Reason:
    """Return the reason that passes while the value is not below the limit."""
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=value >= limit, detail=detail
    )


def holds(rule: str, passed: bool, detail: str = "") -> common_pb2.Reason:
    """Return the reason of a rule that is a plain yes (1) or no (0)."""
    return at_least(rule, int(passed), 1, COUNT, detail)


def factor(rule: str, value_micro: int, detail: str = "") -> common_pb2.Reason:
    """Return the reason that tells what is left of a size; it refuses nothing by itself."""
    return at_most(rule, value_micro, 1_000_000, RATIO, detail)
