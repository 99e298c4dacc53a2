"""Where the recorded events are, for the commands that look back: `why`, `replay`, `audit`.

The addresses come from the environment or from the stack on this machine, as for every command.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import typer

from whaletrader.commands.connect import use_stack
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.stack.errors import StackError

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

Result = TypeVar("Result")

CONNECT_SECONDS_MAX = 5.0
# What was recorded can be read without the agents.
HOW_TO_START = "`whaletrader up --servers-only` starts the servers of a stack that was stopped"
NS_PER_S = 1_000_000_000


class CommandFailed(Exception):
    """Says in one line what is wrong; the command ends with exit code 2."""


def run(name: str, work: Coroutine[None, None, Result]) -> Result:
    """Run a command's work; what it cannot do becomes one line and exit code 2."""
    try:
        return asyncio.run(work)
    except (CommandFailed, StackError) as error:
        typer.echo(f"whaletrader {name}: {error}", err=True)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        typer.echo(f"whaletrader {name}: nothing was ever recorded here", err=True)
    raise typer.Exit(2)


def settings(name: str, data: Path | None) -> RuntimeSettings:
    """Return the addresses of the stack that is meant; ends the command if there is none."""
    try:
        use_stack(data)
    except StackError as error:
        typer.echo(f"whaletrader {name}: {error}", err=True)
        raise typer.Exit(2) from error
    return RuntimeSettings()


@asynccontextmanager
async def store(given: RuntimeSettings) -> AsyncIterator[Connection]:
    """A connection to the event store. Raises CommandFailed if there is none."""
    dsn = given.postgres_dsn.get_secret_value()
    if not dsn:
        raise CommandFailed(
            f"WHALETRADER_POSTGRES_DSN is not set, and no stack runs here; {HOW_TO_START}"
        )
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS_MAX)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise CommandFailed(f"PostgreSQL cannot be reached: {error}; {HOW_TO_START}") from error
    try:
        yield connection
    finally:
        await connection.close()


def parse_time(text: str, default_ns: int) -> int:
    """Return UTC epoch nanoseconds from ISO 8601 (UTC unless it says otherwise) or seconds."""
    if not text:
        return default_ns
    if text.isdecimal():
        number = int(text)
        # Nobody means a second after the year 33658.
        return number if number > 10**12 else number * NS_PER_S
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(f"{text!r} is no time: write 2026-03-01T12:00") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_S + moment.microsecond * 1_000


def show_time(time_ns: int) -> str:
    """Return UTC with milliseconds."""
    if time_ns <= 0:
        return "-"
    moment = datetime.fromtimestamp(time_ns // NS_PER_S, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{time_ns % NS_PER_S // 1_000_000:03}"


def agent_folder(data: Path | None, name: str) -> None:
    """Let an agent that is made here find the files of the one that runs on this machine."""
    from whaletrader.stack.paths import data_home

    folder = (data or data_home()).absolute() / "agents" / name
    if folder.is_dir():
        os.environ["WHALETRADER_DATA_DIR"] = str(folder)
