"""The demo's report: what was found, decided, traded and earned, and how fast.

Reads the read models only. Every figure of profit names its uncertainty; the last line says what
the data shows, also when that is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from rich.console import Console
from rich.table import Table

from whaletrader.quant.profit import LeaderProfit, profit_by_leader
from whaletrader.store import queries, rows

MICRO: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
PORTFOLIO: Final = "main"
HOPS_MAX: Final = 20
WHALES_MAX: Final = 20
EDGE_RULE: Final = "discovery.edge_lower_min"
# What discovery says of evidence that is not held against the number of wallets tried.
UNCORRECTED: Final = "not corrected"

_COUNTS: Final = """
SELECT
  (SELECT count(*) FROM read.markets) AS markets,
  (SELECT sum(events) FROM store.position WHERE topic = 'wallet.trades') AS trades,
  (SELECT count(*) FROM read.decisions WHERE outcome = 'proposed') AS proposed,
  (SELECT count(*) FROM read.decisions WHERE outcome = 'declined') AS declined,
  (SELECT count(*) FROM read.approvals) AS approved,
  (SELECT count(*) FROM read.rejections WHERE refused_by = 'risk') AS rejected,
  (SELECT count(*) FROM read.orders) AS orders,
  (SELECT count(DISTINCT order_id) FROM read.fills WHERE status <> 'reversed') AS orders_filled,
  (SELECT count(*) FROM read.fills WHERE status <> 'reversed') AS fills,
  (SELECT coalesce(sum(div(size_micro::numeric * price_micro, 1000000)), 0)
     FROM read.fills WHERE status <> 'reversed') AS notional_micro,
  (SELECT count(*) FROM read.dead_letters) AS dead_letters
"""


# Profit after fees, by what wins or loses together.
_BY_MARKET: Final = """
SELECT leader, condition_id, sum(realized_micro - fees_micro)::bigint AS net_micro
FROM read.profit_by_leader WHERE portfolio = $1 GROUP BY leader, condition_id
"""


async def print_report(dsn: str, elapsed_s: float, console: Console) -> None:
    """Print the report of the run that the database holds."""
    database = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
    try:
        (counts,) = await database.fetch(_COUNTS)
        totals = await queries.topic_totals(database)
        whales = await queries.whales(database, WHALES_MAX, only_whales=False)
        refused = await queries.rejections_by_rule(database)
        leaders = await queries.profit_by_leader(database, PORTFOLIO)
        by_market = [dict(row) for row in await database.fetch(_BY_MARKET, PORTFOLIO)]
        states = await queries.portfolio_states(database)
        hops = await queries.hop_latencies(database)
    finally:
        await database.close()
    events = sum(total.events for total in totals if not total.topic.startswith("journal."))
    console.rule("Report")
    console.print(
        f"{counts['trades'] or 0:,} recorded trades in {counts['markets']:,} markets; "
        f"{events:,} events in {elapsed_s:.0f} s ({events / max(elapsed_s, 0.1):,.0f} events/s); "
        f"{counts['dead_letters']:,} dead letters"
    )
    console.print(_whales(whales))
    console.print(_funnel(counts))
    console.print(_refusals(refused))
    console.print(_leaders(leaders, intervals(by_market)))
    console.print(_hops(hops))
    for state in states:
        _print_state(state, console)
    console.print(verdict(by_market))


def _whales(whales: list[rows.Whale]) -> Table:
    ever = [whale for whale in whales if whale.discovered_ns]
    table = Table(title=f"Whales found: {len(ever)}", title_justify="left")
    table.add_column("wallet", no_wrap=True)
    for column in ("edge/share", "interval", "markets", "found", "lower then", "now"):
        table.add_column(column, justify="right")
    for whale in ever:
        found = whale.discovered_reasons
        interval = f"{dollars(whale.edge_lower_micro, 3)} to {dollars(whale.edge_upper_micro, 3)}"
        table.add_row(
            short(whale.wallet),
            dollars(whale.edge_micro, 3),
            interval,
            f"{whale.markets:,}",
            datetime.fromtimestamp(whale.discovered_ns / NS_PER_S, UTC).strftime("%d %b"),
            next((dollars(one.value, 3) for one in found if one.rule == EDGE_RULE), ""),
            "whale" if whale.is_whale else "pruned",
        )
    if ever and ever[0].discovered_reasons:
        rules = "; ".join(
            f"{reason.rule} {amount(reason.unit, reason.limit)}"
            for reason in ever[0].discovered_reasons
        )
        table.caption = f"A whale is a wallet over every limit: {rules}."
        if any(reason.detail == UNCORRECTED for reason in ever[0].discovered_reasons):
            table.caption += " These limits let luck pass: what they find is no finding."
    return table


def _funnel(counts: asyncpg.Record) -> Table:
    table = Table(title="From decision to fill", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in (
        ("proposed to risk", counts["proposed"]),
        ("declined by the orchestrator", counts["declined"]),
        ("approved by risk", counts["approved"]),
        ("rejected by risk", counts["rejected"]),
        ("orders", counts["orders"]),
        ("orders with a fill", counts["orders_filled"]),
        ("fills", counts["fills"]),
    ):
        table.add_row(label, f"{value:,}")
    table.add_row("traded", dollars(int(counts["notional_micro"])))
    return table


def _refusals(refused: list[rows.RejectionCount]) -> Table:
    table = Table(title="Refused, by rule", title_justify="left")
    table.add_column("rule")
    table.add_column("by")
    table.add_column("times", justify="right")
    for row in refused:
        table.add_row(row.rule, row.refused_by, f"{row.count:,}")
    return table


def intervals(by_market: Sequence[Mapping[str, Any]]) -> dict[str, LeaderProfit]:
    """Return each leader's total in micro-dollars with its 95 % interval."""
    found = profit_by_leader(
        [row["leader"] for row in by_market],
        [row["condition_id"] for row in by_market],
        [row["net_micro"] for row in by_market],
    )
    return {one.leader: one for one in found}


def _leaders(leaders: list[rows.LeaderProfit], found: dict[str, LeaderProfit]) -> Table:
    table = Table(
        title="Profit after fees by whale (interval clustered by market)",
        title_justify="left",
    )
    table.add_column("whale")
    for column in ("realised", "open", "fees", "markets", "95 % interval"):
        table.add_column(column, justify="right")
    for row in leaders:
        table.add_row(
            short(row.leader),
            dollars(row.realized_micro - row.fees_micro),
            dollars(row.open_micro),
            dollars(row.fees_micro),
            f"{row.markets:,}",
            _interval(found[row.leader]),
        )
    return table


def _interval(profit: LeaderProfit) -> str:
    if profit.lower is None or profit.upper is None:
        return "unknown: one market"
    return f"{dollars(round(profit.lower))} to {dollars(round(profit.upper))}"


def _hops(hops: list[rows.HopLatency]) -> Table:
    table = Table(title="Latency by hop (log to log)", title_justify="left")
    table.add_column("from")
    table.add_column("to")
    for column in ("times", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    # What is said in one commit has no hop between.
    apart = [hop for hop in hops if hop.p99_us > 0]
    for hop in apart[:HOPS_MAX]:
        table.add_row(
            hop.cause_type.rpartition(".")[2],
            hop.effect_type.rpartition(".")[2],
            f"{hop.count:,}",
            f"{hop.p50_us / 1_000:,.1f}",
            f"{hop.p99_us / 1_000:,.1f}",
        )
    return table


def _print_state(state: rows.PortfolioState, console: Console) -> None:
    console.print(
        f"Portfolio {state.portfolio}: cash {dollars(state.cash_micro)}, "
        f"{state.open_positions} open positions worth {dollars(state.positions_value_micro)}, "
        f"realised {dollars(state.realized_micro)} before {dollars(state.fees_micro)} of fees"
    )


def verdict(by_market: Sequence[Mapping[str, Any]]) -> str:
    """Say what the whole shows, whoever was copied: markets are what repeats."""
    if not by_market:
        return "Nothing was copied: no wallet had shown an edge in time."
    (whole,) = intervals([{**row, "leader": "all"} for row in by_market]).values()
    earned = f"Copying these whales earned {dollars(round(whole.total))} after fees"
    source = "The wallets come from published profit leaderboards, which favours them."
    if whole.lower is None or whole.upper is None:
        return f"{earned}, in a single market: that shows nothing. {source}"
    shown = "an edge" if whole.lower > 0 else "a loss" if whole.upper < 0 else "no edge"
    return f"{earned} (95 % interval {_interval(whole)}): this data shows {shown}. {source}"


def dollars(micro: int, places: int = 2) -> str:
    """Return micro-dollars as signed dollars."""
    return f"{'-' if micro < 0 else ''}${abs(micro) / MICRO:,.{places}f}"


def short(wallet: str) -> str:
    """Return an address that fits a table."""
    return f"{wallet[:8]}…{wallet[-4:]}" if len(wallet) > 14 else wallet or "own strategy"


_SCALED: Final[dict[str, Callable[[int], str]]] = {
    "micro_usd": dollars,
    "micro_price": lambda value: dollars(value, 4),
    "micro_ratio": lambda value: f"{value / MICRO:.4f}",
    "micro_shares": lambda value: f"{value / MICRO:,.2f} shares",
}


def amount(unit: str, value: int) -> str:
    """Return a value in human units."""
    scale = _SCALED.get(unit.lower().removeprefix("unit_"), "{:,}".format)
    return scale(value)
