"""`whaletrader quality`: what working the approved trades cost: slippage, fills, times, fees.

Reads the event store's figures of finished works; owns how they are printed, nothing else.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from whaletrader.commands.recorded import CommandFailed, parse_time, run, settings, store
from whaletrader.commands.up import DataOption
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.store import execution_queries
from whaletrader.store.amounts import usd
from whaletrader.store.execution_rows import ExecutionQuality
from whaletrader.store.quality import MARKETS_MIN, Grouping, Summary, summaries

app = typer.Typer(add_completion=False)

_PIPE_COLUMNS = 200  # into a file or a pipe nothing has to fold
_NAME_MAX = 40
_ID_MAX = 14
# What a row of the CSV is made of, one approved trade a row; lists are joined by blanks.
_CSV_LEFT_OUT = frozenset({"parts", "skips", "reasons", "phases"})


@dataclass(frozen=True)
class Found:
    """The finished works and their figures in groups."""

    works: list[ExecutionQuality]
    groups: list[Summary]


@app.command()
def quality(
    by: Annotated[Grouping, typer.Option(help="What a line of the table stands for.")] = "tactic",
    portfolio: Annotated[str, typer.Option(help="Of this portfolio only.")] = "",
    since: Annotated[str, typer.Option(help="Finished at this time (UTC) or later.")] = "",
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Also write every work, a row each."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: DataOption = None,
) -> None:
    """Show what execution cost: slippage with its interval, fill rate, time to fill, fees.

    Slippage is against the mid at the decision, positive is worse for us; its 95 % interval is
    clustered by market. Exits 2 where nothing was recorded or the file cannot be written.
    """
    found = run("quality", _found(settings("quality", data), by, portfolio, since))
    if csv_file is not None:
        run("quality", _write(csv_file, found.works))
    if as_json:
        typer.echo(json.dumps(_as_json(found, by), indent=2))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPE_COLUMNS)
    if found.groups:
        console.print(_table(found, by))
    for line in said(found.groups):
        console.print(line, markup=False)


async def _found(given: RuntimeSettings, by: Grouping, portfolio: str, since: str) -> Found:
    since_ns = parse_time(since, 0)
    async with store(given) as connection:
        try:
            works = await execution_queries.execution_quality(connection, portfolio, since_ns)
            times = (
                await execution_queries.phase_times(connection, portfolio, since_ns)
                if by == "phase"
                else []
            )
        except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError) as error:
            if await connection.fetchval("SELECT to_regclass('store.position')") is None:
                raise CommandFailed("nothing was ever recorded here") from error
            raise CommandFailed(
                "the read models are of another version: run `whaletrader audit --rebuild`"
            ) from error
    return Found(works, summaries(works, by, times))


def said(groups: Sequence[Summary]) -> list[str]:
    """Say in words what the figures can and cannot show."""
    if not groups:
        return ["No approved trade was finished in this time: there is nothing to measure."]
    whole = groups[-1]
    lines = [
        f"{whole.works:,} approved trades finished, {whole.filled_works:,} filled at least in "
        f"part; slippage is known of {whole.slippages:,} in {whole.markets:,} markets."
    ]
    unread = whole.filled_works - whole.slippages
    if unread:
        lines.append(
            f"Of {unread:,} filled trades no slippage is known: no book was read when they were "
            "decided, as with the tactic `single`."
        )
    if not whole.slippages:
        lines.append("So nothing can be said of slippage; `better` compares with the limit only.")
    elif whole.markets < 2:
        lines.append("Little data: one market. A mean of one market has no interval.")
    elif whole.is_little:
        lines.append(
            f"Little data: {whole.markets} markets, and below {MARKETS_MIN} a clustered interval "
            "is too narrow. Take the figures as an impression."
        )
    lines.append(_verdict(whole))
    return [line for line in lines if line]


def _verdict(whole: Summary) -> str:
    if whole.lower is None or whole.upper is None:
        return ""
    if whole.lower > 0:
        return "Slippage costs money here: the whole interval is above zero."
    if whole.upper < 0:
        return "Trades were filled better than the mid: the whole interval is below zero."
    return "This data does not tell the mean slippage from zero."


def _table(found: Found, by: Grouping) -> Table:
    table = Table(title=f"Execution quality by {by}", title_justify="left")
    table.add_column(by, no_wrap=True)
    for heading, _ in _COLUMNS:
        # Of a phase alone the works do not tell them.
        if by != "phase" or heading not in {"full fill", "rebates", "skips"}:
            table.add_column(heading, justify="right", no_wrap=True)
    questions = {work.condition_id: work.question for work in found.works}
    for group in found.groups:
        is_whole = group is found.groups[-1]
        if is_whole:
            table.add_section()
        shown = [
            show(group)
            for heading, show in _COLUMNS
            if by != "phase" or heading not in {"full fill", "rebates", "skips"}
        ]
        table.add_row("all works" if is_whole else _name(group.group, by, questions), *shown)
    table.caption = (
        "slippage: share of the mid, + is worse; *: below "
        f"{MARKETS_MIN} markets; better: cents a share gained on the limit; times: medians"
    )
    return table


def _name(group: str, by: Grouping, questions: dict[str, str]) -> str:
    if by == "leader" and not group:
        return "own strategy"
    if by == "market" and questions.get(group):
        group = questions[group]
        return group if len(group) <= _NAME_MAX else f"{group[: _NAME_MAX - 1]}…"
    # An address or an id: both ends tell them apart.
    return group if len(group) <= _ID_MAX else f"{group[:8]}…{group[-4:]}"


def _interval(group: Summary) -> str:
    if group.lower is None or group.upper is None:
        return "one market" if group.markets else "-"
    mark = " *" if group.is_little else ""
    return f"{_percent(group.lower)} to {_percent(group.upper)}{mark}"


def _percent(ratio: float | None, places: int = 3) -> str:
    if ratio is None:
        return "-"
    return f"{ratio * 100:.{places}f} %"


def _cents(micro: float | None) -> str:
    return "-" if micro is None else f"{micro / 10_000:.2f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f} s"


def _dollars(micro: int) -> str:
    return usd(round(micro, -4))


# Heading, and how a group's figure is shown.
_COLUMNS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("works", lambda it: f"{it.works:,}"),
    ("filled", lambda it: f"{it.filled_works:,}"),
    ("fill rate", lambda it: _percent(it.fill_rate, 1)),
    ("slippage", lambda it: _percent(it.mean_slippage)),
    ("95 % interval", _interval),
    ("median", lambda it: _percent(it.median_slippage)),
    ("cost", lambda it: _dollars(it.slippage_cost_micro) if it.slippages else "-"),
    ("better", lambda it: _cents(it.mean_better_than_limit_micro)),
    ("first fill", lambda it: _seconds(it.first_fill_s)),
    ("full fill", lambda it: _seconds(it.full_fill_s)),
    ("maker", lambda it: _percent(it.maker_share, 0)),
    ("fees", lambda it: _dollars(it.fees_micro)),
    ("rebates", lambda it: _dollars(it.rebates_micro)),
    ("skips", lambda it: f"{it.skips:,}"),
)


def _as_json(found: Found, by: Grouping) -> dict[str, Any]:
    groups = [{**asdict(group), "little_data": group.is_little} for group in found.groups]
    return {
        "by": by,
        "groups": groups[:-1],
        "all": groups[-1] if groups else None,
        "said": said(found.groups),
    }


async def _write(path: Path, works: Sequence[ExecutionQuality]) -> None:
    names = [name for name in ExecutionQuality.__struct_fields__ if name not in _CSV_LEFT_OUT]
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*names, "phases", "skip_rules"])
            for work in works:
                rules = " ".join(f"{skip.rule}:{skip.count}" for skip in work.skips)
                phases = " ".join(str(phase) for phase in work.phases)
                writer.writerow([*(getattr(work, name) for name in names), phases, rules])
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error
