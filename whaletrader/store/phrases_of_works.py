"""Worked trades, reconciliations and the desk's states in a person's words. Pure.

A part of `phrases`, which knows which of them says what.
"""

from typing import Final

from whaletrader.schemas import order_pb2, risk_pb2
from whaletrader.store.amounts import percent, price, seconds, shares, usd
from whaletrader.store.projections.desk import state_name
from whaletrader.store.projections.reasons import failed_rule, short_name, side_name
from whaletrader.store.projections.works import slippage_micro, tactic_name

_DIFFERENCES_MAX: Final = 3


def started(message: order_pb2.WorkStarted) -> str:
    """Say the tactic, which rule chose it, and the book it was chosen by."""
    said = (
        f"{tactic_name(message.tactic)}: {side_name(message.side)} "
        f"{shares(message.size_micro)} at {price(message.limit_price_micro)} or better"
    )
    chose = next((reason for reason in message.reasons if reason.passed), None)
    if chose is not None:
        said += f", chosen by {chose.rule}"
    elif message.reasons:
        said += ", as no rule asked for another tactic"
    if message.arrival_bid_micro or message.arrival_ask_micro:
        sides = (message.arrival_bid_micro, message.arrival_ask_micro)
        said += ", book " + " / ".join(price(side) if side else "empty" for side in sides)
    if message.expected_price_micro:
        said += f", expected {price(message.expected_price_micro)}"
    return said


def skipped(message: order_pb2.ChildSkipped) -> str:
    """Say which order was not sent, and the rule that kept it."""
    rule = failed_rule(message.reasons) or "no rule that was told"
    return f"no order in phase {message.phase} of {tactic_name(message.tactic)}: {rule}"


def finished(message: order_pb2.WorkFinished) -> str:
    """Say what came of it: filled, price, slippage, times, fees."""
    result = short_name(order_pb2.WorkResult, "WORK_RESULT_", message.result)
    orders = "1 order" if message.orders == 1 else f"{message.orders} orders"
    said = [
        f"{result}: {shares(message.filled_size_micro)} of {shares(message.size_micro)} "
        f"({percent(message.fill_rate_micro_ratio)}) in {orders} of "
        f"{tactic_name(message.tactic)}"
    ]
    if message.average_price_micro:
        said.append(f"average {price(message.average_price_micro)}")
        said.append(_slipped(message))
        said.append(f"first fill after {seconds(message.time_to_first_fill_ns)}")
    if message.time_to_full_fill_ns:
        said.append(f"full after {seconds(message.time_to_full_fill_ns)}")
    if message.reversed_size_micro:
        said.append(f"{shares(message.reversed_size_micro)} reversed")
    said.append(f"fees {usd(message.fees_micro)}")
    if message.rebates_expected_micro:
        said.append(f"rebates expected {usd(message.rebates_expected_micro)}")
    return ", ".join(said)


def _slipped(message: order_pb2.WorkFinished) -> str:
    if not message.arrival_mid_micro:
        return "slippage unknown (no book was read)"
    slipped = slippage_micro(message)
    way = "worse" if slipped > 0 else "better"
    against = f"than the mid of {price(message.arrival_mid_micro)}"
    if not slipped:
        return f"slippage none, at the mid of {price(message.arrival_mid_micro)}"
    ratio = percent(abs(message.slippage_micro_ratio))
    return f"slippage {price(abs(slipped))} ({ratio}) {way} {against}"


def order_place(message: order_pb2.OrderAnnounced) -> str:
    """Say which order of its work it is; empty for a single one."""
    if message.tactic in (order_pb2.TACTIC_UNSPECIFIED, order_pb2.TACTIC_SINGLE):
        return ""
    resting = ", post-only" if message.post_only else ""
    return (
        f", order {message.child + 1} of {tactic_name(message.tactic)}, "
        f"phase {message.phase}{resting}"
    )


def reconciled(message: order_pb2.PositionsReconciled) -> str:
    what = "opening balance taken" if message.opening else "as our fills add up to"
    return f"{message.holdings} holdings and {usd(message.cash_micro)}: {what}"


def differed(message: order_pb2.ReconciliationFailed) -> str:
    """Say what differs, and whether trading stops."""
    said = [difference(it) for it in message.differences[:_DIFFERENCES_MAX]]
    more = len(message.differences) - len(said)
    if more > 0:
        said.append(f"and {more} more")
    end = "halted" if message.halted else f"look {message.looks}, looked at again"
    return f"{'; '.join(said)}: {end}"


def difference(it: order_pb2.HoldingDifference) -> str:
    amount = shares if it.token_id else usd
    what = f"token {it.token_id[:12]}" if it.token_id else "cash"
    return f"{what} {amount(it.venue_micro)} at the venue, ours {amount(it.ours_micro)}"


def state_changed(message: risk_pb2.TradingStateChanged) -> str:
    """Say from which state to which, why, and how that ends."""
    said = f"{state_name(message.previous)} to {state_name(message.state)} by {message.rule}"
    if message.detail:
        said += f" ({message.detail})"
    if message.exit_condition:
        said += f"; ends when {message.exit_condition}"
    return said


def measured(message: risk_pb2.RiskMeasured) -> str:
    worst = max(message.limits, key=lambda it: it.used_micro_ratio, default=None)
    said = (
        f"{state_name(message.state)}, equity {usd(message.equity_micro)}, drawdown "
        f"{percent(message.drawdown_micro_ratio)}, CVaR 97.5 % {usd(message.cvar_975_micro)}"
    )
    if worst is not None:
        said += f", most used: {worst.rule} {percent(worst.used_micro_ratio)}"
    return said


def alerted(message: risk_pb2.RiskAlerted) -> str:
    severity = short_name(risk_pb2.Severity, "SEVERITY_", message.severity)
    return f"{severity}: {message.rule}"


def capital_phase(message: risk_pb2.CapitalPhaseChanged) -> str:
    return (
        f"phase {message.previous} to {message.phase}: "
        f"{percent(message.capital_micro_ratio)} of the capital"
    )


def refused(message: order_pb2.ApprovalRefused) -> str:
    return f"by {failed_rule(message.reasons)}, approval {message.approval_id[:12]}"


def book_read(message: order_pb2.BookRead) -> str:
    bid = price(message.bids[0].price_micro) if message.bids else "no bid"
    ask = price(message.asks[0].price_micro) if message.asks else "no ask"
    return f"{bid} / {ask}"


def derisked(message: risk_pb2.DeriskOrdered) -> str:
    return f"reduce by {percent(message.reduce_micro_ratio)}"
