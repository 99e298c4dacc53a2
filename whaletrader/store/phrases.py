"""Events and reasons in a person's units: dollars, shares, cents a share, per cent. Pure.

Called by `whaletrader why`; the gateway may use the same words.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from google.protobuf.message import Message

from whaletrader.domain.money import MICRO, notional
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    decision_pb2,
    market_pb2,
    order_pb2,
    portfolio_pb2,
    risk_pb2,
    wallet_pb2,
    whale_pb2,
)
from whaletrader.store.projections.reasons import short_name, side_name, unit_name

_NS_PER_MS: Final = 1_000_000


def phrase(message: Message | None) -> str:
    """Return one line about a message; empty if there is nothing to add to its type."""
    say = _PHRASES.get(type(message)) if message is not None else None
    return say(message) if say is not None else ""


def reason_phrase(reason: common_pb2.Reason) -> str:
    """Return rule, value and limit, and whatever the reason adds in words."""
    value, limit = (amount(number, reason.unit) for number in (reason.value, reason.limit))
    verdict = "passed" if reason.passed else "failed"
    detail = f" ({reason.detail})" if reason.detail else ""
    return f"{reason.rule}: {value}, limit {limit}: {verdict}{detail}"


def unit_of(unit: int) -> str:
    """Return the name of a unit, as the read models have it."""
    return unit_name(unit)


def amount(value: int, unit: int) -> str:
    """Return a scaled integer in a person's unit, exactly."""
    if unit == common_pb2.UNIT_MICRO_USD:
        return usd(value)
    if unit == common_pb2.UNIT_MICRO_SHARES:
        return shares(value)
    if unit == common_pb2.UNIT_MICRO_PRICE:
        return price(value)
    if unit == common_pb2.UNIT_MICRO_RATIO:
        return f"{_plain(Decimal(value) * 100 / MICRO)} %"
    if unit == common_pb2.UNIT_NANOSECONDS:
        return f"{_plain(Decimal(value) / _NS_PER_MS)} ms"
    return f"{value:,}"


def usd(micro: int) -> str:
    sign = "-" if micro < 0 else ""
    return f"{sign}${_plain(Decimal(abs(micro)) / MICRO, 2)}"


def shares(micro: int) -> str:
    return f"{_plain(Decimal(micro) / MICRO)} shares"


def price(micro: int) -> str:
    return f"${_plain(Decimal(micro) / MICRO, 2)} a share"


def _plain(value: Decimal, places: int = 0) -> str:
    """Return the number with thousands separators, every digit it has, and at least `places`."""
    whole, _, fraction = f"{value:,f}".partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    return f"{whole}.{fraction}" if fraction else whole


def _traded(message: wallet_pb2.WalletTraded) -> str:
    side = side_name(message.side)
    cost = notional(message.price_micro, message.size_micro)
    return (
        f"{message.wallet} {side} {shares(message.size_micro)} at {price(message.price_micro)}, "
        f"{usd(cost)}"
    )


def _decided(message: decision_pb2.DecisionMade) -> str:
    outcome = short_name(decision_pb2.DecisionOutcome, "DECISION_OUTCOME_", message.outcome)
    proposal = message.proposal
    if not proposal.max_size_micro:
        return outcome
    return (
        f"{outcome}: {side_name(proposal.side)} at most {shares(proposal.max_size_micro)} at "
        f"{price(proposal.limit_price_micro)} or better, worth {price(proposal.fair_value_micro)}"
    )


def _approved(message: risk_pb2.ApprovedTrade) -> str:
    return (
        f"{side_name(message.side)} {shares(message.size_micro)} at "
        f"{price(message.limit_price_micro)} or better, approval {message.approval_id[:12]}"
    )


def _rejected(message: risk_pb2.RejectedTrade) -> str:
    return f"by {message.rule}"


def _order(message: Any) -> str:
    order = message.order
    return (
        f"{side_name(order.side)} {shares(order.size_micro)} at {price(order.price_micro)}, "
        f"order {order.order_id[:12]}"
    )


def _filled(message: Any) -> str:
    fill = message.fill
    cost = notional(fill.price_micro, fill.size_micro)
    return (
        f"{shares(fill.size_micro)} at {price(fill.price_micro)}, {usd(cost)}, "
        f"fee {usd(fill.fee_micro)}"
    )


def _closed(message: order_pb2.OrderClosed) -> str:
    status = short_name(order_pb2.CloseStatus, "CLOSE_STATUS_", message.status)
    return f"{status}, {shares(message.filled_size_micro)} filled"


def _placed(message: order_pb2.OrderPlacement) -> str:
    status = short_name(order_pb2.PlacementStatus, "PLACEMENT_STATUS_", message.status)
    return f"{status} {message.detail}".rstrip()


def _attributed(message: portfolio_pb2.ProfitAttributed) -> str:
    return (
        f"realised {usd(message.realized_delta_micro)}, fee {usd(message.fee_delta_micro)}, "
        f"position {shares(message.size_delta_micro)}"
    )


def _scored(message: Any) -> str:
    score = message.score
    return (
        f"{message.wallet} edge {price(score.edge_micro)}, at least "
        f"{price(score.edge_lower_micro)}, {score.markets} markets"
    )


def _resolved(message: market_pb2.MarketResolved) -> str:
    return f"outcome {message.winning_index} pays"


def _controlled(message: control_pb2.ControlOrdered) -> str:
    action = short_name(control_pb2.ControlAction, "CONTROL_ACTION_", message.action)
    return f"{action} by {message.operator} {message.note}".rstrip()


def _failed(message: agent_pb2.EffectFailed) -> str:
    return f"{message.type.rpartition('.')[2]}: {message.error}"


_PHRASES: Final[Mapping[type[Message], Callable[[Any], str]]] = {
    wallet_pb2.WalletTraded: _traded,
    decision_pb2.DecisionMade: _decided,
    risk_pb2.ApprovedTrade: _approved,
    risk_pb2.RejectedTrade: _rejected,
    order_pb2.OrderAnnounced: _order,
    order_pb2.OrderAccepted: _order,
    order_pb2.OrderUnknown: _order,
    order_pb2.OrderMatched: _filled,
    order_pb2.OrderConfirmed: _filled,
    order_pb2.OrderReversed: _filled,
    order_pb2.VenueTradeSeen: _filled,
    order_pb2.OrderClosed: _closed,
    order_pb2.OrderPlacement: _placed,
    portfolio_pb2.ProfitAttributed: _attributed,
    whale_pb2.WhaleScored: _scored,
    whale_pb2.WhaleDiscovered: _scored,
    whale_pb2.WhalePruned: _scored,
    market_pb2.MarketResolved: _resolved,
    control_pb2.ControlOrdered: _controlled,
    agent_pb2.EffectFailed: _failed,
}
