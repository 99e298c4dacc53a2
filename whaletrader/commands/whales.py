"""`whaletrader whales`: who is worth copying, why, why not; and a person's word on it.

Without an address the leaderboard, with one a wallet's page. Reads the event store.
"""

from __future__ import annotations

import asyncio
import csv
import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from whaletrader.commands.connect import use_stack
from whaletrader.commands.recorded import CommandFailed, run, settings, show_time, store
from whaletrader.commands.up import DataOption
from whaletrader.domain.money import MICRO
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.log import LogError
from whaletrader.runtime.ruling import BadRuling, RulingOrder, ruling_event, ruling_record
from whaletrader.runtime.run import open_configured_log
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.stack.errors import StackError
from whaletrader.store.phrases import amount, price, reason_phrase, usd
from whaletrader.store.whale_pages import (
    NoSuchWallet,
    Scored,
    WalletPage,
    flat,
    leaderboard,
    ruling_name,
    stage_name,
    wallet_page,
)

app = typer.Typer(add_completion=False)

_PIPE_COLUMNS = 160  # into a file or a pipe nothing has to fold
_BLOCKS = "▁▂▃▄▅▆▇█"
_CURVE_COLUMNS = 60
_MARKETS_SHOWN = 15


@app.command()
def whales(  # noqa: PLR0913, PLR0917 - a parameter each option
    address: Annotated[
        str, typer.Argument(metavar="[ADDRESS]", help="A wallet; the beginning is enough.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Wallets at most.")] = 25,
    to_csv: Annotated[Path | None, typer.Option("--csv", help="Write CSV here.")] = None,
    to_parquet: Annotated[
        Path | None, typer.Option("--parquet", help="Write Parquet here.")
    ] = None,
    pin: Annotated[bool, typer.Option("--pin", help="Copy it whatever its score.")] = False,
    ban: Annotated[bool, typer.Option("--ban", help="Never copy it.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Let the score decide again.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why; kept with the ruling.")] = "",
    data: DataOption = None,
) -> None:
    """Show the leaderboard, or a wallet: its curve, markets, calibration, and why in or out.

    Files hold the scores shown; with ADDRESS its settled markets. Money in 1e-6, times in UTC ns.
    """
    ruling = [name for name, on in (("pin", pin), ("ban", ban), ("clear", clear)) if on]
    if ruling:
        _rule(ruling, address, note, data)
        return
    rows: Sequence[dict[str, Any]]
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPE_COLUMNS)
    if address:
        page = run("whales", _page(settings("whales", data), address))
        _print_page(console, page)
        rows = [_market_row(at_ns, market) for at_ns, market in page.markets]
    else:
        found = run("whales", _board(settings("whales", data), limit))
        console.print(board_table(found))
        rows = [flat(one) for one in found]
    _write(rows, to_csv, to_parquet)


async def _board(given: RuntimeSettings, limit: int) -> list[Scored]:
    async with store(given) as connection:
        return await leaderboard(connection, limit)


async def _page(given: RuntimeSettings, address: str) -> WalletPage:
    async with store(given) as connection:
        try:
            return await wallet_page(connection, address)
        except NoSuchWallet as error:
            raise CommandFailed(str(error)) from error


def _rule(ruling: list[str], address: str, note: str, data: Path | None) -> None:
    try:
        if len(ruling) > 1:
            raise BadRuling(f"give one of --{' and --'.join(ruling)}")
        use_stack(data)
        operator = f"{getpass.getuser()}@{os.uname().nodename}"
        order = RulingOrder(address, ruling[0], operator, note)
        event = ruling_event(order, WallClock().now_ns())
        asyncio.run(_append(event))
    except (BadRuling, CommandFailed, LogError, StackError) as error:
        typer.echo(f"whaletrader whales: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, BadRuling) else 1) from error
    typer.echo(f"{ruling[0]} is on the log for {event.wallet}: {event.meta.id}")


async def _append(event: Any) -> None:
    log = await open_configured_log(RuntimeSettings())
    try:
        await log.append([ruling_record(event)])
    finally:
        await log.close()


def board_table(found: Sequence[Scored]) -> Table:
    """Return the leaderboard, a row a wallet; a dash is what is not known."""
    count = sum(one.said.is_whale for one in found)
    table = Table(title=f"{count} whales of {len(found)} wallets shown", title_justify="left")
    for name in ("wallet", "", "stage"):
        table.add_column(name)
    for name in ("edge", "at least", "markets", "luck", "quality", "share", "profit"):
        table.add_column(name, justify="right")
    for one in found:
        score = one.said.score
        mark = "[green]whale[/]" if one.said.is_whale else "[dim]no[/]"
        luck = next((r for r in one.said.reasons if r.rule == "discovery.luck_max"), None)
        table.add_row(
            one.said.wallet,
            f"{mark} {ruling_name(one.said.ruling)}".rstrip(),
            stage_name(score.stage),
            # Without a market that is scored nothing is known, which is not the same as nought.
            _cents(score.edge_micro) if score.markets else "-",
            _cents(score.edge_lower_micro) if score.markets else "-",
            str(score.markets),
            amount(luck.value, luck.unit) if luck and score.markets else "-",
            f"{score.quality_micro / MICRO:.2f}" if score.quality_rank else "-",
            f"{score.capital_share_micro / MICRO:.0%}" if one.said.is_whale else "-",
            usd(score.realized_profit_micro // 10_000 * 10_000),
        )
    return table


def _print_page(console: Console, page: WalletPage) -> None:
    said, score = page.last.said, page.last.said.score
    verdict = "[green]a whale[/]" if said.is_whale else "[red]not a whale[/]"
    pinned = f", {ruling_name(said.ruling)}" if ruling_name(said.ruling) else ""
    console.print(f"[bold]{said.wallet}[/] is {verdict}{pinned}; {stage_name(score.stage)}")
    for reason in said.reasons:
        style, mark = ("green", "✓") if reason.passed else ("red", "✗")
        console.print(f"  [{style}]{mark}[/] {escape(reason_phrase(reason))}")
    console.print(
        f"edge {price(score.edge_micro)} ({price(score.edge_lower_micro)} to "
        f"{price(score.edge_upper_micro)}), after fees and {price(score.slippage_micro)} of "
        f"slippage; above zero with probability {score.confidence_micro / MICRO:.3f}"
    )
    console.print(
        f"profit {usd(score.realized_profit_micro)} in {score.markets + score.markets_inferred} "
        f"settled markets ({score.markets_inferred} of them by a redemption only: not scored), "
        f"deepest fall {usd(score.drawdown_micro)}, income {usd(score.income_micro)}; "
        f"open at cost {usd(score.open_cost_micro)}, at mark {usd(score.open_value_micro)}"
    )
    if page.equity:
        console.print(f"\n[bold]Settled profit[/]  {_sparkline([y for _, y in page.equity])}")
        first, last = page.equity[0][0], page.equity[-1][0]
        console.print(f"[dim]{show_time(first)[:10]} to {show_time(last)[:10]}[/]")
    for table in (_parts(score), _calibration(page), _markets(page), _turns(page)):
        if table.row_count:
            console.print()
            console.print(table)


def _parts(score: Any) -> Table:
    table = Table(title=f"Quality {score.quality_micro / MICRO:.2f}, place {score.quality_rank}")
    for name in ("factor", "value", "better than", "weight"):
        table.add_column(name)
    for part in score.components:
        table.add_row(
            part.name.replace("_", " "),
            amount(part.value, part.unit) if part.is_known else "not known",
            f"{part.quantile_micro / MICRO:.0%}" if part.is_known else "-",
            f"{part.weight_micro / MICRO:.0%}",
        )
    return table


def _calibration(page: WalletPage) -> Table:
    table = Table(title="Calibration: bets by what they cost", title_justify="left")
    for name in ("cost", "bets", "won", "95 %", ""):
        table.add_column(name)
    for one in page.calibration:
        table.add_row(
            f"{one.cost:.2f}",
            str(one.count),
            f"{one.won:.0%}",
            f"{one.lower:.0%} to {one.upper:.0%}",
            "above its price" if one.lower > one.cost else "",
        )
    return table


def _markets(page: WalletPage) -> Table:
    shown = page.markets[-_MARKETS_SHOWN:]
    table = Table(title=f"The last {len(shown)} of {len(page.markets)} settled markets")
    for name in ("settled", "market", "cost", "paid", "profit", ""):
        table.add_column(name)
    for at_ns, one in reversed(shown):
        table.add_row(
            show_time(at_ns)[:16],
            escape(one.event or one.condition_id)[:48],
            _cents(one.cost_micro) if one.weight_micro else "-",
            _cents(one.payoff_micro) if one.weight_micro else "-",
            usd(one.profit_micro),
            "not scored" if one.is_inferred else "" if one.is_whole else "record not whole",
        )
    return table


def _turns(page: WalletPage) -> Table:
    table = Table(title="Its life", title_justify="left")
    for name in ("when", "stage", "whale", "why"):
        table.add_column(name)
    for one in page.turns:
        table.add_row(
            show_time(one.at_ns)[:16], one.stage, "yes" if one.is_whale else "", one.cause
        )
    return table


def _sparkline(values: Sequence[int]) -> str:
    """Return at most 60 blocks, each the last value of its stretch."""
    columns = min(len(values), _CURVE_COLUMNS)
    picked = [values[(at + 1) * len(values) // columns - 1] for at in range(columns)]
    low, high = min(picked), max(picked)
    span = max(1, high - low)
    top = len(_BLOCKS) - 1
    line = "".join(_BLOCKS[(one - low) * top // span] for one in picked)
    return f"{usd(low)} {line} {usd(high)}"


def _cents(micro: int) -> str:
    return f"{micro / 10_000:+.1f}c"


def _market_row(at_ns: int, market: Any) -> dict[str, Any]:
    names = [field.name for field in market.DESCRIPTOR.fields]
    return {"settled_ns": at_ns, **{name: getattr(market, name) for name in names}}


def _write(rows: Sequence[dict[str, Any]], to_csv: Path | None, to_parquet: Path | None) -> None:
    try:
        if to_csv is not None:
            with to_csv.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]) if rows else [])
                writer.writeheader()
                writer.writerows(rows)
        if to_parquet is not None:
            _write_parquet(rows, to_parquet)
    except OSError as error:
        typer.echo(f"whaletrader whales: {error}", err=True)
        raise typer.Exit(2) from error


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    try:
        from pyarrow import Table as Arrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        typer.echo("whaletrader whales: --parquet needs pip install 'whaletrader[lab]'", err=True)
        raise typer.Exit(2) from error
    parquet.write_table(Arrow.from_pylist(list(rows)), path)
