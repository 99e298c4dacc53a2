"""`whaletrader up`: start the stack, detached or in the foreground, and say when it is ready."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from whaletrader.stack.clock import monotonic_s, pause
from whaletrader.stack.errors import StackError, log_tail
from whaletrader.stack.options import LogKind, Mode, StackOptions
from whaletrader.stack.paths import data_home
from whaletrader.stack.state import StackLock, StackState, read_state

app = typer.Typer(add_completion=False)

_POLL_SECONDS = 0.1

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Data directory [WHALETRADER_HOME, else ~/.local/share/whaletrader]."
    ),
]


@app.command()
def up(  # noqa: PLR0913, PLR0917  one parameter an option
    log: Annotated[LogKind, typer.Option(help="Where the log is.")] = "postgres",
    mode: Annotated[Mode, typer.Option(help="Replayed or live market data.")] = "demo",
    data: DataOption = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay; Ctrl-C stops.")] = False,
    servers_only: Annotated[
        bool, typer.Option("--servers-only", help="Only the servers, no agents.")
    ] = False,
    gateway_port: Annotated[int, typer.Option(help="Dashboard port, 0 for a free one.")] = 0,
    wait: Annotated[int, typer.Option(help="Seconds to wait until all is ready.")] = 180,
) -> None:
    """Start the servers and the agents on this machine and supervise them.

    A server whose address is in the environment (KAFKA_BOOTSTRAP, WHALETRADER_POSTGRES_DSN,
    WHALETRADER_NATS_URL, WHALETRADER_REDIS_URL) is used instead of a local one.
    """
    options = StackOptions(
        data_dir=(data or data_home()).absolute(),
        log=log,
        mode=mode,
        gateway_port=gateway_port,
        servers_only=servers_only,
    )
    try:
        if foreground:
            run_in_foreground(options)
        else:
            start_detached(options, Console(), wait)
    except StackError as error:
        typer.echo(f"whaletrader up: {error}", err=True)
        raise typer.Exit(1) from error


def run_in_foreground(options: StackOptions) -> None:
    """Supervise in this process until Ctrl-C or SIGTERM."""
    from whaletrader.stack.__main__ import supervise

    supervise(options)


def start_detached(options: StackOptions, console: Console, wait_seconds: int) -> StackState:
    """Start a supervisor that outlives us and wait until its stack is ready; return its state.

    Raises InUse at once when another one runs there, StackError when it dies or is not ready in
    time (it is left running then: `status` shows what is missing).
    """
    lock = StackLock(options.data_dir)
    lock.acquire()
    lock.release()
    log = options.data_dir / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "whaletrader.stack", options.model_dump_json()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = monotonic_s() + wait_seconds
    with console.status("starting") as progress:
        while monotonic_s() < deadline:
            if supervisor.poll() is not None:
                raise StackError(f"the supervisor ended\n{log}:\n{log_tail(log)}")
            state = _state_of(options.data_dir, supervisor.pid)
            if state is not None and state.is_ready:
                _report(state, console)
                return state
            if state is not None:
                progress.update(_progress(state))
            pause(_POLL_SECONDS)
    missing = _missing(_state_of(options.data_dir, supervisor.pid))
    raise StackError(
        f"not ready after {wait_seconds} s: {missing}; it keeps trying, "
        f"see 'whaletrader status --data {options.data_dir}'"
    )


def _state_of(data_dir: Path, pid: int) -> StackState | None:
    try:
        state = read_state(data_dir)
    except StackError:
        return None
    return state if state.supervisor.pid == pid else None


def _progress(state: StackState) -> str:
    ready = sum(process.condition == "ready" for process in state.processes)
    return f"{state.phase}: {ready} of {len(state.processes)} ready"


def _missing(state: StackState | None) -> str:
    if state is None:
        return "the supervisor says nothing"
    names = [
        f"{process.name} ({process.condition})"
        for process in state.processes
        if process.condition != "ready"
    ]
    return ", ".join(names) or state.phase


def _report(state: StackState, console: Console) -> None:
    console.print(f"{len(state.processes)} processes ready")
    if port := state.settings.get("WHALETRADER_GATEWAY_PORT"):
        console.print(f"dashboard: http://127.0.0.1:{port}/")
