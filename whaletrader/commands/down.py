"""`whaletrader down`: stop the stack in reverse order and wait until nothing of it is left."""

from __future__ import annotations

import signal
from pathlib import Path

import typer

from whaletrader.commands.up import DataOption
from whaletrader.stack.errors import NotRunning, StackError
from whaletrader.stack.identity import end
from whaletrader.stack.paths import data_home
from whaletrader.stack.state import read_state, survivors

app = typer.Typer(add_completion=False)

# The longest chain is agent 10 s, Kafka 30 s, with time to kill each that does not listen.
STOP_SECONDS_MAX = 90.0
_SURVIVOR_SECONDS_MAX = 10.0


@app.command()
def down(data: DataOption = None) -> None:
    """Stop the stack on a data directory; data stays. Harmless when nothing runs."""
    data_dir = (data or data_home()).absolute()
    try:
        typer.echo(stop(data_dir))
    except NotRunning as error:
        typer.echo(str(error))
    except StackError as error:
        typer.echo(f"whaletrader down: {error}", err=True)
        raise typer.Exit(1) from error


def stop(data_dir: Path) -> str:
    """Stop what runs on `data_dir` and return one line about it; NotRunning when nothing does."""
    state = read_state(data_dir)
    was_live = state.is_live
    if not was_live and not survivors(state):
        raise NotRunning(f"nothing runs on {data_dir}")
    in_time = end(state.supervisor, signal.SIGTERM, STOP_SECONDS_MAX)
    # It may have started some since, and a killed one leaves children where the kernel does not
    # end them.
    for survivor in reversed(survivors(read_state(data_dir))):
        end(survivor, signal.SIGTERM, _SURVIVOR_SECONDS_MAX)
    if not was_live:
        return "the supervisor was dead; its processes are stopped"
    return "stopped" if in_time else f"killed after {STOP_SECONDS_MAX:.0f} s"
