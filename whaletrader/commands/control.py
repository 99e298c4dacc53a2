"""A person's order to all agents, through the log: what halt, resume and flatten share."""

from __future__ import annotations

import asyncio
import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from whaletrader.commands.connect import use_stack
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.control import control_event, control_record
from whaletrader.runtime.log import LogError
from whaletrader.runtime.run import open_configured_log
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.stack.errors import StackError

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The stack's data directory, unless the environment names a log."),
]
NoteOption = Annotated[str, typer.Option("--note", help="Why; kept with the order.")]
PortfolioOption = Annotated[str, typer.Option(help="Which portfolio.")]


def order(action: str, data: Path | None, note: str, portfolio: str) -> None:
    """Put the order on the log and say so; exits with 1 and the reason if that fails."""
    try:
        use_stack(data)
        event_id = asyncio.run(_append(action, note, portfolio))
    except (StackError, LogError) as error:
        typer.echo(f"whaletrader {action}: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{action} is ordered for portfolio {portfolio!r}: {event_id}")


async def _append(action: str, note: str, portfolio: str) -> str:
    log = await open_configured_log(RuntimeSettings())
    try:
        operator = f"{getpass.getuser()}@{os.uname().nodename}"
        event = control_event(action, portfolio, operator, note, WallClock().now_ns())
        await log.append([control_record(event)])
        return event.meta.id
    finally:
        await log.close()
