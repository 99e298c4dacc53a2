"""How `whaletrader risk` shows what it was told: tables for people, plain values for --json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from whaletrader.commands.recorded import show_time
from whaletrader.domain.money import MICRO
from whaletrader.schemas import common_pb2, risk_pb2
from whaletrader.store.phrases import amount, price, shares, usd

PIPE_COLUMNS = 200  # into a file or a pipe nothing has to fold
BAR_CELLS = 20
_NEAR, _FULL = 8 * MICRO // 10, MICRO
_KINDS = {
    "market-limit": "markets",
    "leader-limit": "whales",
    "strategy-limit": "strategies",
    "category-limit": "categories",
    "topic-limit": "topics",
}
_STATE_STYLES = {"NORMAL": "bold green", "REDUCE": "bold yellow"}


def console() -> Console:
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=PIPE_COLUMNS)


def plain(message: Message) -> dict[str, Any]:
    """Return the message as --json prints it: 64-bit integers are strings, none is left out."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def state_name(number: risk_pb2.DeskState.ValueType) -> str:
    return risk_pb2.DeskState.Name(number).removeprefix("DESK_STATE_")


def desk(shown: risk_pb2.RiskShown) -> RenderableType:
    """Return all that `whaletrader risk` shows."""
    return Group(
        _banner(shown),
        Text(),
        _money(shown.measured),
        Text(),
        _limits(shown.measured.limits),
        *(_exposures(rule, shown.exposures) for rule in _KINDS),
        _left_out(shown),
        _verdicts(shown.verdicts),
    )


def check(answer: risk_pb2.CheckAnswered) -> RenderableType:
    """Return every rule with its value and its limit, and what would be said."""
    if answer.approved:
        head = (
            f"[bold green]would be approved[/]: {shares(answer.size_micro)} at "
            f"{price(answer.limit_price_micro)}, {usd(answer.reserve_micro)} set aside"
        )
    else:
        head = f"[bold red]would be refused[/] by {escape(answer.rule)}"
    table = Table("", "rule", "value", "limit", "of", box=None, pad_edge=False)
    for reason in answer.reasons:
        style, mark = ("green", "✓") if reason.passed else ("red", "✗")
        table.add_row(
            Text(mark, style),
            reason.rule,
            amount(reason.value, reason.unit),
            amount(reason.limit, reason.unit),
            reason.detail,
            style="" if reason.passed else "red",
        )
    return Group(Text.from_markup(head), Text(f"state: {state_name(answer.state)}"), table)


def policy(answer: risk_pb2.PolicyAnswered) -> RenderableType:
    """Return what is in force, what waits, and in what they differ."""
    lines: list[RenderableType] = [
        Text("accepted" if answer.accepted else "refused", "green" if answer.accepted else "red"),
        Text(answer.detail),
        Text(f"in force: {answer.digest or 'nothing'}"),
    ]
    if answer.pending_digest:
        until = show_time(answer.pending_until_ns)
        lines.append(Text(f"waits until {until}: {answer.pending_digest}", "yellow"))
    if answer.differences:
        table = Table("limit", "before", "after", "", box=None, pad_edge=False)
        for change in answer.differences:
            way = "looser: waits" if change.loosens else "tighter: holds"
            table.add_row(change.name, change.before, change.after, way)
        lines.append(table)
    return Group(*lines)


def _banner(shown: risk_pb2.RiskShown) -> Text:
    told = shown.measured
    name = state_name(told.state)
    text = Text()
    text.append(name, _STATE_STYLES.get(name, "bold red"))
    text.append(f"  portfolio {shown.portfolio}, {show_time(shown.now_ns)}")
    if not shown.is_open:
        text.append("\nno policy is in force: nothing is approved", "red")
    if told.state_rule:
        text.append(f"\ncause: {told.state_rule}, since {show_time(shown.state_since_ns)}")
    if told.exit_condition:
        text.append(f"\nends when: {told.exit_condition}")
        if shown.state_until_ns:
            text.append(f" ({show_time(shown.state_until_ns)})")
    if told.needs_person:
        text.append("\nresume on purpose: whaletrader resume --note ...", "yellow")
    if shown.size_micro_ratio < MICRO:
        text.append(f"\nbuys are cut down to {_ratio(shown.size_micro_ratio)}")
    if shown.pending_digest:
        text.append(f"\na policy waits: whaletrader risk policy confirm {shown.pending_digest}")
    return text


def _money(told: risk_pb2.RiskMeasured) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = (
        ("equity", usd(told.equity_micro), "drawdown", _ratio(told.drawdown_micro_ratio)),
        ("cash", usd(told.cash_micro), "set aside", usd(told.reserved_micro)),
        ("held, at cost", usd(told.positions_cost_micro), "at last prices",
         usd(told.positions_value_micro)),
        ("VaR 99 %, a day", usd(told.var_99_micro), "CVaR 97.5 %", usd(told.cvar_975_micro)),
        ("modified VaR 99 %", usd(told.modified_var_99_micro), "worst case",
         usd(told.worst_case_micro)),
        ("VaR 99 % of own days", usd(told.historical_var_99_micro), "diversification",
         _ratio(told.diversification_micro_ratio)),
        ("VaR exceeded on", f"{told.var_exceptions} of {told.var_days} days",
         "p-values", _p_values(told)),
        ("capital phase", f"{told.phase} ({_ratio(told.phase_micro_ratio)})", "policy",
         told.policy_digest[:12] or "none"),
    )  # fmt: skip
    for row in rows:
        table.add_row(*row)
    return table


def _p_values(told: risk_pb2.RiskMeasured) -> str:
    if not told.var_coverage_p_micro_ratio and not told.var_independence_p_micro_ratio:
        return "too few days"
    tests = (
        ("Kupiec", told.var_coverage_p_micro_ratio),
        ("Christoffersen", told.var_independence_p_micro_ratio),
    )
    return ", ".join(f"{name} {p_micro / MICRO:.3f}" for name, p_micro in tests)


def _limits(limits: Iterable[risk_pb2.LimitUtilisation]) -> Table:
    table = Table("limit", "used", "", "value", "of", "by", box=None, pad_edge=False)
    for one in limits:
        table.add_row(
            one.rule,
            _ratio(one.used_micro_ratio),
            bar(one.used_micro_ratio),
            amount(one.value, one.unit),
            amount(one.limit, one.unit),
            one.key,
        )
    return table


def _exposures(rule: str, exposures: Iterable[risk_pb2.LimitUtilisation]) -> RenderableType:
    found = [one for one in exposures if one.rule == rule]
    if not found:
        return Text()
    table = Table("", "used", "exposure", "limit", box=None, pad_edge=False, title_justify="left")
    table.title = f"Exposure by {_KINDS[rule]}"
    for one in found:
        table.add_row(
            one.key or "(none)", _ratio(one.used_micro_ratio), usd(one.value), usd(one.limit)
        )
    return table


def _left_out(shown: risk_pb2.RiskShown) -> Text:
    left = shown.exposures_left_out
    return Text(f"{left} smaller exposures are not shown") if left else Text()


def _verdicts(verdicts: Iterable[risk_pb2.VerdictShown]) -> RenderableType:
    table = Table("last verdicts", "", "what", "why", box=None, pad_edge=False)
    for one in verdicts:
        table.add_row(*_verdict(one))
    return table if table.rows else Text("no verdict yet")


def _verdict(shown: risk_pb2.VerdictShown) -> tuple[str, Text, str, str]:
    kind = shown.WhichOneof("verdict")
    said: Any = getattr(shown, kind or "rejected")
    at = show_time(said.meta.event_time_ns)
    if kind == "approved":
        side = "sell" if said.side == common_pb2.SIDE_SELL else "buy"
        what = f"{side} {shares(said.size_micro)} at {price(said.limit_price_micro)}"
        return at, Text("✓ approved", "green"), what, f"{len(said.reasons)} rules passed"
    if kind == "mandate":
        what = f"quote up to {shares(said.inventory_micro_max)}"
        return at, Text("✓ mandate", "green"), what, f"{len(said.reasons)} rules passed"
    if kind == "batch" and said.approved:
        what = f"{len(said.approvals)} legs, {_ratio(said.scale_micro_ratio)} of what was asked"
        return at, Text("✓ batch", "green"), what, ""
    return at, Text("✗ refused", "red"), said.rule, _failed(said.reasons)


def _failed(reasons: Iterable[common_pb2.Reason]) -> str:
    failed = next((reason for reason in reasons if not reason.passed), None)
    if failed is None:
        return ""
    value, limit = (amount(number, failed.unit) for number in (failed.value, failed.limit))
    return " ".join(filter(None, (f"{value}, limit {limit}", failed.detail)))


def bar(used_micro_ratio: int) -> Text:
    """Return a bar of fixed width; full at the limit and above."""
    cells = max(0, min(BAR_CELLS, used_micro_ratio * BAR_CELLS // MICRO))
    style = "green"
    if used_micro_ratio >= _NEAR:
        style = "red" if used_micro_ratio >= _FULL else "yellow"
    return Text("█" * cells, style) + Text("░" * (BAR_CELLS - cells), "dim")


def _ratio(micro_ratio: int) -> str:
    return f"{micro_ratio / (MICRO // 100):.1f} %"
