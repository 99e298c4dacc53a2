"""Child processes of a measurement: started, waited for, and ended whatever happens.

They die with this process, even when it is killed (Linux). Called from the main thread.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from whaletrader.stack.errors import log_tail
from whaletrader.stack.probes import HttpReady
from whaletrader.stack.spec import ProcessSpec, launch_command

ROOT: Final = Path(__file__).resolve().parents[1]
READY_S_MAX: Final = 60.0
_STOP_S_MAX: Final = 10.0
_POLL_S: Final = 0.05


class ChildFailed(RuntimeError):
    """A process ended or did not become ready; the end of its log is in the message."""


class Children:
    """Use as a context. Logs lie in the folder given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(*reversed(self._running))

    def __contains__(self, name: object) -> bool:
        return name in self._running

    def start(self, name: str, module: str, *arguments: str, env: Mapping[str, str]) -> None:
        """Start `python -m module`."""
        self._spawn(name, module, arguments, env)

    def start_talking(self, name: str, module: str, *arguments: str, env: Mapping[str, str]) -> int:
        """Start it with its standard output in a pipe; return the end to read (ours to close)."""
        read_end, write_end = os.pipe()
        try:
            self._spawn(name, module, arguments, env, write_end)
        finally:
            os.close(write_end)
        return read_end

    async def ready(self, name: str, port: int) -> None:
        """Return when /readyz of the port answers. Raises ChildFailed."""
        probe = HttpReady(port)
        deadline_s = time.monotonic() + READY_S_MAX
        while not await asyncio.to_thread(probe):
            self.check(name)
            if time.monotonic() > deadline_s:
                raise ChildFailed(f"{name} is not ready: {self._tail(name)}")
            await asyncio.sleep(_POLL_S)

    def check(self, name: str) -> None:
        """Raise ChildFailed if the process has ended."""
        process = self._running[name]
        if process.poll() is not None:
            raise ChildFailed(f"{name} ended with {process.returncode}: {self._tail(name)}")

    def check_all(self) -> None:
        """Raise ChildFailed if any process has ended."""
        for name in self._running:
            self.check(name)

    def stop(self, *names: str) -> None:
        """End processes, all at once, by SIGKILL after a while. Harmless for unknown ones."""
        ending = [process for name in names if (process := self._running.pop(name, None))]
        for process in ending:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline_s = time.monotonic() + _STOP_S_MAX
        for process in ending:
            try:
                process.wait(max(deadline_s - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(
        self,
        name: str,
        module: str,
        arguments: tuple[str, ...],
        env: Mapping[str, str],
        output: int | None = None,
    ) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        spec = ProcessSpec(name, (sys.executable, "-m", module, *arguments))
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                launch_command(spec),
                env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=log,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _tail(self, name: str) -> str:
        return log_tail(self._log(name))
