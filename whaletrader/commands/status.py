"""`whaletrader status`: what runs, since when, how often it died, where its log is."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from whaletrader.commands.up import DataOption
from whaletrader.stack.clock import wall_ns
from whaletrader.stack.errors import StackError
from whaletrader.stack.paths import data_home
from whaletrader.stack.state import ProcessState, StackState, read_state

app = typer.Typer(add_completion=False)

EXIT_SOMETHING_DOWN = 1
EXIT_NOT_RUNNING = 3
_PIPE_COLUMNS = 160  # into a file or a pipe nothing has to fold
_STYLES = {"ready": "green", "starting": "yellow", "waiting": "yellow", "stopped": "dim"}
_RUNNING = ("starting", "ready", "unready", "stopping")


@app.command()
def status(data: DataOption = None) -> None:
    """Show each process. Exits 0 when all are ready, 1 when one is not, 3 when nothing runs."""
    data_dir = (data or data_home()).absolute()
    try:
        state = read_state(data_dir)
    except StackError as error:
        typer.echo(str(error))
        raise typer.Exit(EXIT_NOT_RUNNING) from error
    if not state.is_live:
        typer.echo(_why_dead(state, data_dir))
        raise typer.Exit(EXIT_NOT_RUNNING)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPE_COLUMNS)
    console.print(_table(state, data_dir))
    if not state.is_ready:
        raise typer.Exit(EXIT_SOMETHING_DOWN)


def _why_dead(state: StackState, data_dir: Path) -> str:
    if state.phase == "stopped":
        return f"nothing runs on {data_dir}: it was stopped"
    if state.phase == "failed":
        return f"nothing runs on {data_dir}: {state.reason}"
    return f"nothing runs on {data_dir}: its supervisor died while {state.phase}"


def _table(state: StackState, data_dir: Path) -> Table:
    options = ", ".join(f"{key} {value}" for key, value in state.options.items() if key != "data")
    table = Table(title=f"{state.phase} on {data_dir} ({options})", title_justify="left")
    for column in ("name", "pid", "state", "restarts", "uptime", "ready", "last exit", "log"):
        table.add_column(column, overflow="fold")
    for process in state.processes:
        style = _STYLES.get(process.condition, "red")
        table.add_row(
            process.name,
            str(process.process.pid) if process.process else "-",
            f"[{style}]{process.condition}[/]",
            str(process.restarts),
            _uptime(process),
            "yes" if process.condition == "ready" else "no",
            process.last_exit or "-",
            _shortened(process.log, data_dir),
        )
    return table


def _uptime(process: ProcessState) -> str:
    if process.condition not in _RUNNING or not process.since_ns:
        return "-"
    seconds = max(0, wall_ns() - process.since_ns) // 1_000_000_000
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _shortened(log: str, data_dir: Path) -> str:
    path = Path(log)
    return str(path.relative_to(data_dir)) if path.is_relative_to(data_dir) else log
