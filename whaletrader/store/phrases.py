"""Events and reasons in a person's units: dollars, shares, cents a share, per cent. Pure.

Called by `whaletrader why`; the gateway may use the same words.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from whaletrader.domain.money import notional
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
from whaletrader.store import phrases_of_works as works
from whaletrader.store.amounts import amount, price, shares, usd
from whaletrader.store.projections.reasons import short_name, side_name, unit_name

__all__ = ("amount", "phrase", "price", "reason_phrase", "shares", "unit_of", "usd")


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


def _announced(message: order_pb2.OrderAnnounced) -> str:
    return f"{_order(message)}{works.order_place(message)}"


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
    risk_pb2.RiskAlerted: works.alerted,
    risk_pb2.TradingStateChanged: works.state_changed,
    risk_pb2.RiskMeasured: works.measured,
    risk_pb2.CapitalPhaseChanged: works.capital_phase,
    risk_pb2.DeriskOrdered: works.derisked,
    order_pb2.WorkStarted: works.started,
    order_pb2.ChildSkipped: works.skipped,
    order_pb2.WorkFinished: works.finished,
    order_pb2.BookRead: works.book_read,
    order_pb2.ApprovalRefused: works.refused,
    order_pb2.PositionsReconciled: works.reconciled,
    order_pb2.ReconciliationFailed: works.differed,
    order_pb2.OrderAnnounced: _announced,
    order_pb2.OrderSubmitted: _order,
    order_pb2.OrderAccepted: _order,
    order_pb2.OrderUnknown: _order,
    order_pb2.OrderMatched: _filled,
    order_pb2.OrderMined: _filled,
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
