"""Holds a whale's trade against the rules. Pure: what is known goes in, reasons come out.

Every rule gives its reason, passed or not, so that a decision can be read as a whole. The first
one that failed is why a trade was declined.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, wallet_pb2
from whaletrader.services.orchestrator.config import Thresholds
from whaletrader.services.orchestrator.state import (
    Market,
    OrchestratorState,
    OrchestratorViews,
    conviction,
    holding_key,
    signal_key,
)


class Rule(StrEnum):
    """Why a whale's trade was declined, and what a proposal was held against."""

    MARKET_KNOWN = "market-known"
    MARKET_OPEN = "market-open"
    PRICE_RANGE = "price-range"
    CONVICTION = "conviction"
    OPPOSITION = "opposition"
    COOLDOWN = "cool-down"
    HELD = "held"


RULES: Final[dict[Rule, str]] = {
    Rule.MARKET_KNOWN: "The market is in the catalogue, and the token is its own.",
    Rule.MARKET_OPEN: "The market is not decided.",
    Rule.PRICE_RANGE: "The price leaves room for an edge after slippage.",
    Rule.CONVICTION: "The whale has put enough into this outcome lately to mean it.",
    Rule.OPPOSITION: "Other whales are not on the other side with as much conviction.",
    Rule.COOLDOWN: "A burst of one whale's fills in one token is one signal.",
    Rule.HELD: "A whale's sale is copied only where its copy is held.",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What a trade is held against."""

    state: OrchestratorState
    views: OrchestratorViews
    thresholds: Thresholds


def reasons_for(desk: Desk, trade: wallet_pb2.WalletTraded) -> list[common_pb2.Reason]:
    """Return the reason of every rule that applies to this trade."""
    market = desk.views.markets.get(trade.condition_id)
    if market is None or trade.token_id not in market.tokens:
        return [_fact(Rule.MARKET_KNOWN, False)]
    reasons = [
        _fact(Rule.MARKET_KNOWN, True),
        _fact(Rule.MARKET_OPEN, trade.condition_id not in desk.views.decided),
        _cooldown(desk, trade),
    ]
    if trade.side == common_pb2.SIDE_SELL:
        return [*reasons, _held(desk, trade)]
    return [
        *reasons,
        *_price_range(desk.thresholds, trade.price_micro),
        _conviction(desk, trade),
        _opposition(desk, trade, market),
    ]


def first_failed(reasons: list[common_pb2.Reason]) -> common_pb2.Reason | None:
    """Return why the trade is declined, or None if it is not."""
    return next((reason for reason in reasons if not reason.passed), None)


def _price_range(thresholds: Thresholds, price_micro: int) -> list[common_pb2.Reason]:
    low, high = thresholds.price_micro_min, thresholds.price_micro_max
    unit = common_pb2.UNIT_MICRO_PRICE
    return [
        _reason(Rule.PRICE_RANGE, price_micro, low, unit, price_micro >= low, "lowest"),
        _reason(Rule.PRICE_RANGE, price_micro, high, unit, price_micro <= high, "highest"),
    ]


def _conviction(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    trades = desk.views.convictions.get(trade.condition_id, [])
    own = conviction([one for one in trades if one.wallet == trade.wallet], {trade.token_id})
    least = desk.thresholds.conviction_micro_min
    return _reason(Rule.CONVICTION, own, least, common_pb2.UNIT_MICRO_USD, own >= least)


def _opposition(desk: Desk, trade: wallet_pb2.WalletTraded, market: Market) -> common_pb2.Reason:
    trades = desk.views.convictions.get(trade.condition_id, [])
    others = [one for one in trades if one.wallet != trade.wallet]
    against = max(0, conviction(others, set(market.tokens) - {trade.token_id}))
    together = max(0, conviction(trades, {trade.token_id}))
    ratio = against * MICRO // together if together else (MICRO if against else 0)
    most = desk.thresholds.opposition_ratio_micro_max
    return _reason(Rule.OPPOSITION, ratio, most, common_pb2.UNIT_MICRO_RATIO, ratio <= most)


def _cooldown(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    key = signal_key(trade.wallet, trade.token_id, trade.side)
    last_ns = desk.state.proposed_ns.get(key)
    least = desk.thresholds.cooldown_ns
    since_ns = least if last_ns is None else trade.meta.event_time_ns - last_ns
    detail = "never proposed before" if last_ns is None else ""
    unit = common_pb2.UNIT_NANOSECONDS
    return _reason(Rule.COOLDOWN, since_ns, least, unit, since_ns >= least, detail)


def _held(desk: Desk, trade: wallet_pb2.WalletTraded) -> common_pb2.Reason:
    held = desk.views.held.get(holding_key(trade.wallet, trade.token_id), 0)
    return _reason(Rule.HELD, held, 1, common_pb2.UNIT_MICRO_SHARES, held > 0)


def _fact(rule: Rule, passed: bool) -> common_pb2.Reason:
    return _reason(rule, int(passed), 1, common_pb2.UNIT_COUNT, passed)


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
