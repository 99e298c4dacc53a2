"""Holds a whale's trade against the rules. Pure: what is known goes in, reasons come out.

Every rule that applies gives its reason, passed or not, so that a decision can be read as a
whole. The first one that failed is why a trade was declined.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, wallet_pb2
from whaletrader.services.orchestrator.config import Thresholds
from whaletrader.services.orchestrator.proposal import highest_price, target_size
from whaletrader.services.orchestrator.state import (
    Market,
    OrchestratorState,
    OrchestratorViews,
    convictions,
    signal_key,
)

_USD = common_pb2.UNIT_MICRO_USD
_SHARES = common_pb2.UNIT_MICRO_SHARES
_PRICE = common_pb2.UNIT_MICRO_PRICE
_RATIO = common_pb2.UNIT_MICRO_RATIO
_NANOSECONDS = common_pb2.UNIT_NANOSECONDS
_COUNT = common_pb2.UNIT_COUNT


class Rule(StrEnum):
    """Why a whale's trade was declined, and what a proposal was held against."""

    MARKET_KNOWN = "market-known"
    MARKET_OPEN = "market-open"
    HALTED = "halted"
    FOLLOWED = "followed"
    SIGNAL_AGE = "signal-age"
    COOLDOWN = "cool-down"
    TIME_TO_END = "time-to-end"
    PRICE_RANGE = "price-range"
    PRICE_DRIFT = "price-drift"
    CONVICTION = "conviction"
    OPPOSITION = "opposition"
    COPY_TARGET = "copy-target"
    HELD = "held"
    EXIT_SHARE = "exit-share"


RULES: Final[dict[Rule, str]] = {
    Rule.MARKET_KNOWN: "The market is in the catalogue, and the token is its own.",
    Rule.MARKET_OPEN: "The market has opened and is not decided.",
    Rule.HALTED: "Nothing is proposed while an operator has halted trading.",
    Rule.FOLLOWED: "Buys are copied of whales only; sales also of whom we still hold copies.",
    Rule.SIGNAL_AGE: "A trade that we learn of late is history, not a signal.",
    Rule.COOLDOWN: "A burst of one whale's fills in one token is one signal.",
    Rule.TIME_TO_END: "The market does not end too soon, as far as its end is told.",
    Rule.PRICE_RANGE: "The price leaves room for an edge after slippage.",
    Rule.PRICE_DRIFT: "The last trade is not above what a copy may cost.",
    Rule.CONVICTION: "The whale has put enough into this outcome lately to mean it.",
    Rule.OPPOSITION: "Other whales are not on the other side with as much conviction.",
    Rule.COPY_TARGET: "Copies hold less than their share of what the whale has built up.",
    Rule.HELD: "A whale's sale is copied only where its copy is held.",
    Rule.EXIT_SHARE: "The whale has sold enough of what it held to be leaving.",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What a trade is held against."""

    state: OrchestratorState
    views: OrchestratorViews
    thresholds: Thresholds
    now_ns: int


def reasons_for(desk: Desk, trade: wallet_pb2.WalletTraded) -> list[common_pb2.Reason]:
    """Return the reason of every rule that applies to this trade."""
    market = desk.views.markets.get(trade.condition_id)
    if market is None or trade.token_id not in market.tokens:
        return [_fact(Rule.MARKET_KNOWN, False)]
    sells = trade.side == common_pb2.SIDE_SELL
    is_decided = trade.condition_id in desk.views.decided
    halted_by = desk.views.halted_by
    reasons = [
        _fact(Rule.MARKET_KNOWN, True),
        _fact(Rule.MARKET_OPEN, not is_decided and desk.now_ns >= market.opens_ns),
        _fact(Rule.HALTED, not halted_by, halted_by),
        _fact(Rule.FOLLOWED, sells or trade.wallet in desk.views.whales),
        _signal_age(desk, trade),
        _cooldown(desk, trade),
    ]
    if sells:
        return [*reasons, _held(desk, trade), _exit_share(desk, trade)]
    return [
        *reasons,
        _time_to_end(desk, market),
        *_price_range(desk.thresholds, trade.price_micro),
        _price_drift(desk, trade, market),
        _conviction(desk, trade),
        _opposition(desk, trade),
        _copy_target(desk, trade),
    ]


def first_failed(reasons: list[common_pb2.Reason]) -> common_pb2.Reason | None:
    """Return why the trade is declined, or None if it is not."""
    return next((reason for reason in reasons if not reason.passed), None)


def _signal_age(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    age_ns = desk.now_ns - trade.meta.event_time_ns
    most = desk.thresholds.signal_age_ns_max
    return _reason(Rule.SIGNAL_AGE, age_ns, most, _NANOSECONDS, age_ns <= most)


def _cooldown(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    key = signal_key(trade.wallet, trade.token_id, trade.side)
    last_ns = desk.state.proposed_ns.get(key)
    least = desk.thresholds.cooldown_ns
    since_ns = least if last_ns is None else trade.meta.event_time_ns - last_ns
    detail = "never proposed before" if last_ns is None else ""
    return _reason(Rule.COOLDOWN, since_ns, least, _NANOSECONDS, since_ns >= least, detail)


def _time_to_end(desk: Desk, market: Market) -> common_pb2.Reason:
    least = desk.thresholds.time_to_end_ns_min
    if not market.ends_ns:
        return _reason(Rule.TIME_TO_END, 0, least, _NANOSECONDS, True, "no end is told")
    left_ns = market.ends_ns - desk.now_ns
    return _reason(Rule.TIME_TO_END, left_ns, least, _NANOSECONDS, left_ns >= least)


def _price_range(thresholds: Thresholds, price_micro: int) -> list[common_pb2.Reason]:
    low, high = thresholds.price_micro_min, thresholds.price_micro_max
    return [
        _reason(Rule.PRICE_RANGE, price_micro, low, _PRICE, price_micro >= low, "lowest"),
        _reason(Rule.PRICE_RANGE, price_micro, high, _PRICE, price_micro <= high, "highest"),
    ]


def _price_drift(desk: Desk, trade: wallet_pb2.WalletTraded, market: Market) -> common_pb2.Reason:
    most = highest_price(trade.price_micro, market, desk.thresholds)
    last = desk.views.prices.get(trade.token_id)
    # What was traded before the whale traded says nothing about what happened since.
    if last is None or last.at_ns < trade.meta.event_time_ns:
        return _reason(Rule.PRICE_DRIFT, trade.price_micro, most, _PRICE, True, "no later trade")
    return _reason(Rule.PRICE_DRIFT, last.price_micro, most, _PRICE, last.price_micro <= most)


def _conviction(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    trades = desk.views.convictions.get(trade.condition_id, [])
    own = convictions(trades, trade.token_id).get(trade.wallet, 0)
    least = desk.thresholds.conviction_micro_min
    return _reason(Rule.CONVICTION, own, least, _USD, own >= least)


def _opposition(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    trades = desk.views.convictions.get(trade.condition_id, [])
    sides = convictions(trades, trade.token_id).values()
    support = sum(amount for amount in sides if amount > 0)
    against = -sum(amount for amount in sides if amount < 0)
    # Rounded up: a hair over the limit is over it.
    ratio = -(-against * MICRO // support) if support else (MICRO if against else 0)
    most = desk.thresholds.opposition_ratio_micro_max
    return _reason(Rule.OPPOSITION, ratio, most, _RATIO, ratio <= most)


def _copy_target(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    held = desk.views.holding(trade.wallet, trade.token_id)
    target = target_size(desk.views, trade, desk.thresholds)
    return _reason(Rule.COPY_TARGET, held, target, _SHARES, held < target)


def _held(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    held = desk.views.holding(trade.wallet, trade.token_id)
    return _reason(Rule.HELD, held, 1, _SHARES, held > 0)


def _exit_share(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    sold = desk.views.stance(trade.wallet, trade.token_id).sold_micro_ratio
    least = desk.thresholds.exit_micro_ratio_min
    return _reason(Rule.EXIT_SHARE, sold, least, _RATIO, sold >= least)


def _fact(rule: Rule, passed: bool, detail: str = "") -> common_pb2.Reason:
    return _reason(rule, int(passed), 1, _COUNT, passed, detail)


def _reason(
    rule: Rule,
    value: int,
    limit: int,
    unit: common_pb2.Unit.ValueType,
    passed: bool,
    detail: str = "",
) -> common_pb2.Reason:
    return common_pb2.Reason(
        rule=rule, value=value, limit=limit, unit=unit, passed=passed, detail=detail
    )
