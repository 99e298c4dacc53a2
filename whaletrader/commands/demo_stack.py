"""The demo's own stack: in a temporary folder, tied to this process, gone when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from whaletrader.stack.clock import monotonic_s, pause
from whaletrader.stack.errors import NotRunning, StackError, log_tail
from whaletrader.stack.options import StackOptions
from whaletrader.stack.spec import ProcessSpec, launch_command
from whaletrader.stack.state import StackState, read_state

START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.1


class DemoStack:
    """Use as a context. `folder` is removed at the end unless the caller named it."""

    def __init__(self, folder: Path | None, environment: Mapping[str, str]) -> None:
        self._keep = folder is not None
        self.folder = (folder or Path(tempfile.mkdtemp(prefix="whaletrader-demo-"))).absolute()
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must not leave processes behind: the stop is not interrupted.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._stop()
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, options: StackOptions, console: Console) -> None:
        """Start the stack and return when every process is ready. Raises StackError."""
        log = self.folder / "logs" / "supervisor.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        spec = ProcessSpec(
            name="supervisor",
            argv=(sys.executable, "-m", "whaletrader.stack", options.model_dump_json()),
            on_parent_death=signal.SIGTERM,
        )
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                launch_command(spec),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                # A terminal's Ctrl-C is ours alone: the stack is then stopped in order.
                start_new_session=True,
            )
        deadline_s = monotonic_s() + START_SECONDS_MAX
        with console.status("starting") as status:
            while monotonic_s() < deadline_s:
                state = self.state()
                if state is not None and state.is_ready:
                    self.settings = dict(state.settings)
                    return
                if state is not None:
                    ready = sum(one.condition == "ready" for one in state.processes)
                    status.update(f"starting: {ready} of {len(state.processes)} ready")
                pause(_POLL_SECONDS)
        raise StackError(f"not ready after {START_SECONDS_MAX:.0f} s: {self.missing()}")

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.settings['WHALETRADER_GATEWAY_PORT']}/"

    def state(self) -> StackState | None:
        """Return what the supervisor says; None before it says anything.

        Raises StackError with the end of its log when it has died.
        """
        if self._process is not None and self._process.poll() is not None:
            log = self.folder / "logs" / "supervisor.log"
            raise StackError(f"the stack ended\n{log_tail(log)}")
        try:
            return read_state(self.folder)
        except NotRunning:
            return None

    def missing(self) -> str:
        """Return which processes are not ready, for people."""
        state = self.state()
        if state is None:
            return "the supervisor says nothing"
        return ", ".join(
            f"{one.name} ({one.condition})" for one in state.processes if one.condition != "ready"
        )

    def wait(self) -> None:
        """Return when the stack ends by itself."""
        if self._process is not None:
            self._process.wait()

    def _stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            # Its children die with it (on Linux by the kernel, elsewhere at the next start).
            self._process.kill()
            self._process.wait()
