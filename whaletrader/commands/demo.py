"""`whaletrader demo`: the whole system on real trades in time lapse, with a report at the end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from whaletrader.commands.demo_progress import TapeStopped, follow_tape
from whaletrader.commands.demo_report import print_report
from whaletrader.commands.demo_stack import DemoStack
from whaletrader.stack.errors import StackError
from whaletrader.stack.options import LogKind, StackOptions

app = typer.Typer(add_completion=False)

HOUR_S = 3_600


@app.command()
def demo(  # noqa: PLR0913, PLR0917  one parameter an option
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Keep the dashboard until Ctrl-C.")
    ] = True,
    log: Annotated[LogKind, typer.Option(help="Where the log is.")] = "postgres",
    port: Annotated[int, typer.Option(help="Dashboard port, 0 for a free one.")] = 0,
    window: Annotated[
        int, typer.Option(help="Seconds of tape played at once: how late a copy may be.")
    ] = HOUR_S,
    slow: Annotated[float, typer.Option(help="Seconds that a window takes at least.")] = 0.0,
    start: Annotated[int, typer.Option("--from", help="Tape from here on, UTC epoch s.")] = 0,
    end: Annotated[int, typer.Option("--to", help="Tape up to here, UTC epoch s.")] = 0,
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep everything here afterwards.")
    ] = None,
) -> None:
    """Replay the shipped sample of real wallet trades through all agents on this machine."""
    console = Console()
    feeds = {
        "WHALETRADER_FEEDS_WINDOW_S": str(window),
        "WHALETRADER_FEEDS_WINDOW_WALL_S_MIN": str(slow),
        "WHALETRADER_FEEDS_FROM_S": str(start),
        "WHALETRADER_FEEDS_TO_S": str(end),
    }
    # A terminal's hang-up and a plain kill must clean up like Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with DemoStack(data, feeds) as stack:
            options = StackOptions(data_dir=stack.folder, log=log, mode="demo", gateway_port=port)
            stack.start(options, console)
            os.environ.update(stack.settings)
            asyncio.run(_watch(stack, console))
            if serve:
                console.print(f"The dashboard stays at [bold]{stack.dashboard}[/]. Ctrl-C ends.")
                stack.wait()
    except KeyboardInterrupt:
        console.print("Stopped.")
    except (StackError, TapeStopped) as error:
        typer.echo(f"whaletrader demo: {error}", err=True)
        raise typer.Exit(1) from error


async def _watch(stack: DemoStack, console: Console) -> None:
    console.print(f"Dashboard: [bold]{stack.dashboard}[/]")
    elapsed_s = await follow_tape(stack, console)
    await print_report(stack.settings["WHALETRADER_POSTGRES_DSN"], elapsed_s, console)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
