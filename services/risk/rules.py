"""The rules that a trade is held against, each with one line that says what it wants.

`whaletrader why` and the documentation print the lines; a test holds that every rule is in the
table, is used, and can refuse.
"""

from enum import StrEnum
from typing import Final

from whaletrader.schemas import common_pb2


class Rule(StrEnum):
    """Why a proposal was refused, and what an approval was held against."""

    WELL_FORMED = "well-formed"
    PORTFOLIO = "portfolio"
    DEADLINE = "deadline"
    HALTED = "halted"
    MARKET_KNOWN = "market-known"
    MARKET_OPEN = "market-open"
    TIME_TO_END = "time-to-end"
    PRICE_ON_TICK = "price-on-tick"
    PRICE_FRESH = "price-fresh"
    DAY_LOSS = "day-loss"
    EDGE = "edge"
    KELLY = "kelly"
    TRADE_LIMIT = "trade-limit"
    POSITION_LIMIT = "position-limit"
    MARKET_LIMIT = "market-limit"
    LEADER_LIMIT = "leader-limit"
    TOTAL_LIMIT = "total-limit"
    CASH = "cash"
    MINIMUM_SIZE = "minimum-size"
    HELD = "held"
    FLATTEN_ATTEMPTS = "flatten-attempts"


RULES: Final[dict[Rule, str]] = {
    Rule.WELL_FORMED: "The proposal names a side, a size and prices between 0 and 1 dollar.",
    Rule.PORTFOLIO: "The proposal is for the portfolio that this agent guards.",
    Rule.DEADLINE: "An answer after the proposal's deadline is no answer.",
    Rule.HALTED: "Nothing is bought while trading is halted; after a day's loss one may sell.",
    Rule.MARKET_KNOWN: "The market is in the catalogue with its terms, and the token is its own.",
    Rule.MARKET_OPEN: "The market has opened and is not decided.",
    Rule.TIME_TO_END: "Nothing is bought in a market that ends too soon, or at no known time.",
    Rule.PRICE_ON_TICK: "Rounded to the market's tick, never for the worse, the limit is a price.",
    Rule.PRICE_FRESH: "Nothing is bought without a last trade that is recent in event time.",
    Rule.DAY_LOSS: "Nothing is bought once the loss realised since midnight UTC is at its limit.",
    Rule.EDGE: "A share is believed to be worth more than it costs with its fee.",
    Rule.KELLY: "The holding stays within the set share of the Kelly stake for its edge.",
    Rule.TRADE_LIMIT: "One trade risks no more than its limit.",
    Rule.POSITION_LIMIT: "One token, set aside plus filled, risks no more than its limit.",
    Rule.MARKET_LIMIT: "One market, set aside plus filled, risks no more than its limit.",
    Rule.LEADER_LIMIT: "All copies of one wallet risk no more than their limit.",
    Rule.TOTAL_LIMIT: "All of the portfolio, set aside plus filled, risks no more than its limit.",
    Rule.CASH: "It can be paid, worst fee included, from cash that is settled and not set aside.",
    Rule.MINIMUM_SIZE: "The venue's smallest order is not above what may be traded.",
    Rule.HELD: "Only what is held and not being sold already can be sold.",
    Rule.FLATTEN_ATTEMPTS: "A holding is put up for sale only so often in one flattening.",
}


class Alert(StrEnum):
    """Why a person is told."""

    HALT = "operator-halt"
    FLATTEN = "operator-flatten"
    RESUME = "operator-resume"
    DAY_LOSS = "day-loss"
    DAY_OVER = "day-over"
    UNAPPROVED_ORDER = "unapproved-order"
    LATE_ORDER = "late-order"
    SECOND_ORDER = "second-order"
    ORDER_TOO_LARGE = "order-too-large"
    FILL_BEYOND_ORDER = "fill-beyond-order"
    FILL_CONTRADICTED = "fill-contradicted"
    OVERSOLD = "oversold"
    NOT_FLATTENED = "not-flattened"


ALERTS: Final[dict[Alert, str]] = {
    Alert.HALT: "An operator halted trading: nothing is approved.",
    Alert.FLATTEN: "An operator ordered everything sold: nothing else is approved.",
    Alert.RESUME: "An operator resumed trading.",
    Alert.DAY_LOSS: "The day's realised loss reached its limit: nothing more is bought.",
    Alert.DAY_OVER: "The day of the loss is over: buying goes on.",
    Alert.UNAPPROVED_ORDER: "An order appeared under an approval that was never given.",
    Alert.LATE_ORDER: "An order appeared after its approval had ended: money is set aside again.",
    Alert.SECOND_ORDER: "A second order appeared under one approval.",
    Alert.ORDER_TOO_LARGE: "An order is larger or at a worse price than what was approved.",
    Alert.FILL_BEYOND_ORDER: "A fill is larger or at a worse price than its order allows.",
    Alert.FILL_CONTRADICTED: "A fill was reported both final and undone: what was booked stands.",
    Alert.OVERSOLD: "More was sold than held: a sale stood on a fill that was undone.",
    Alert.NOT_FLATTENED: "A holding could not be put up for sale.",
}

USD: Final = common_pb2.UNIT_MICRO_USD
SHARES: Final = common_pb2.UNIT_MICRO_SHARES
PRICE: Final = common_pb2.UNIT_MICRO_PRICE
COUNT: Final = common_pb2.UNIT_COUNT
NANOSECONDS: Final = common_pb2.UNIT_NANOSECONDS


def at_most(
    rule: Rule, value: int, limit: int, unit: common_pb2.Unit.ValueType, detail: str = ""
) -> common_pb2.Reason:
    """Return the reason that passes while the value is not above the limit."""
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=value <= limit, detail=detail
    )


def at_least(
    rule: Rule, value: int, limit: int, unit: common_pb2.Unit.ValueType, detail: str = ""
) -> common_pb2.Reason:
    """Return the reason that passes while the value is not below the limit."""
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=value >= limit, detail=detail
    )


def holds(rule: Rule, passed: bool, detail: str = "") -> common_pb2.Reason:
    """Return the reason of a rule that is a plain yes (1) or no (0)."""
    return at_least(rule, int(passed), 1, COUNT, detail)
