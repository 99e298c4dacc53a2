"""The life of one supervised process: wait for what it needs, run, watch, come back, stop.

Owns exactly one operating-system process at a time. Knows nothing of the other processes except
through the two coroutines it is given to wait for. Called by the supervisor only, and always from
the event loop's thread: the kernel ties a child to the thread that started it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from whaletrader.stack.clock import monotonic_s, wall_ns
from whaletrader.stack.errors import StackError
from whaletrader.stack.identity import ProcessIdentity, identify
from whaletrader.stack.spec import (
    ProcessSpec,
    RestartPolicy,
    launch_command,
    launch_environment,
)
from whaletrader.stack.state import Condition, ProcessState

READY_POLL_FIRST_SECONDS = 0.05  # while it starts: dependants wait for it
READY_POLL_SECONDS = 1.0  # once it was ready
_KILL_SECONDS_MAX = 10.0


class Child:
    """One row of the process table, kept alive until `stop`."""

    def __init__(
        self,
        spec: ProcessSpec,
        log: Path,
        policy: RestartPolicy,
        on_change: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.was_ready = asyncio.Event()
        self._log = log
        self._policy = policy
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._identity: ProcessIdentity | None = None
        self._condition: Condition = "waiting"
        self._stop_asked = asyncio.Event()
        self._finished = asyncio.Event()
        self._was_killed = False
        self._restarts = 0
        self._in_a_row = 0
        self._ready_since_s: float | None = None
        self._since_ns = 0
        self._last_exit = ""

    @property
    def state(self) -> ProcessState:
        """Return what the state file says about it."""
        return ProcessState(
            name=self.spec.name,
            kind=self.spec.kind,
            condition=self._condition,
            log=str(self._log),
            process=self._identity,
            restarts=self._restarts,
            since_ns=self._since_ns,
            last_exit=self._last_exit,
        )

    async def run(self, dependencies_ready: Callable[[], Awaitable[None]]) -> None:
        """Keep it alive until asked to stop, or until it died too often in a row."""
        try:
            if await self._unless_stopped(dependencies_ready()):
                await self._keep_alive()
            else:
                self._enter("stopped")
        finally:
            self._finished.set()

    async def stop(self) -> None:
        """Ask it to end, kill it after its deadline; returns when `run` has ended."""
        self._stop_asked.set()
        if self._is_running:
            self._enter("stopping")
            self._send(self.spec.stop_signal)
        try:
            await asyncio.wait_for(self._finished.wait(), self.spec.stop_seconds_max)
        except TimeoutError:
            self._was_killed = True
            self._send(signal.SIGKILL)
            await asyncio.wait_for(self._finished.wait(), _KILL_SECONDS_MAX)

    def kill(self) -> None:
        """End it at once, without waiting."""
        self._stop_asked.set()
        self._send(signal.SIGKILL)

    async def _keep_alive(self) -> None:
        while not self._stop_asked.is_set():
            await self._run_once()
            if self._stop_asked.is_set():
                break
            self._in_a_row += 1
            if self._in_a_row > self._policy.in_a_row_max:
                self._enter("failed")
                await self._stop_asked.wait()
                return
            self._enter("backoff")
            await self._unless_stopped(asyncio.sleep(self._policy.delay_s(self._in_a_row)))
            self._restarts += 1
        self._enter("stopped")

    async def _run_once(self) -> None:
        try:
            if self.spec.before_start is not None:
                await asyncio.to_thread(self.spec.before_start)
            if self._stop_asked.is_set():
                return
            await self._spawn()
        except (OSError, StackError) as error:
            self._last_exit = f"could not be started: {error}"
            return
        if self._process is None:
            return
        watch = asyncio.create_task(self._watch_readiness())
        code = await self._process.wait()
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        self._note_exit(code)

    async def _spawn(self) -> None:
        with self._log.open("ab") as log:
            log.write(f"--- start {self._restarts + 1}\n".encode())
            log.flush()
            self._process = await asyncio.create_subprocess_exec(
                *launch_command(self.spec),
                env=launch_environment(self.spec),
                cwd=self.spec.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        self._identity = identify(self._process.pid)
        self._since_ns = wall_ns()
        self._enter("starting")
        # A stop that came while the process was being made found nothing to signal.
        if self._stop_asked.is_set():
            self._send(self.spec.stop_signal)

    async def _watch_readiness(self) -> None:
        while True:
            probe = self.spec.ready
            is_ready = True if probe is None else await asyncio.to_thread(probe)
            if self._stop_asked.is_set():
                return
            self._note_readiness(is_ready)
            was_ready = self._condition in ("ready", "unready")
            await asyncio.sleep(READY_POLL_SECONDS if was_ready else READY_POLL_FIRST_SECONDS)

    def _note_readiness(self, is_ready: bool) -> None:
        if not is_ready:
            self._ready_since_s = None
            if self._condition == "ready":
                self._enter("unready")
            return
        if self._ready_since_s is None:
            self._ready_since_s = monotonic_s()
        if self._condition != "ready":
            self._enter("ready")
            self.was_ready.set()

    def _note_exit(self, code: int) -> None:
        # What it left in its group (a shell's children, a worker) must not outlive it.
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        since_s, self._ready_since_s = self._ready_since_s, None
        if since_s is not None and monotonic_s() - since_s >= self._policy.healthy_after_seconds:
            self._in_a_row = 0
        self._identity = None
        self._last_exit = _describe_exit(code)
        if self._was_killed:
            self._last_exit += f", {self.spec.stop_seconds_max:.0f} s after it was asked to stop"

    @property
    def _is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def _send(self, signal_number: int) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal_number)
            if signal_number == signal.SIGKILL:
                os.killpg(process.pid, signal_number)

    def _enter(self, condition: Condition) -> None:
        if condition != self._condition:
            self._condition = condition
            self._on_change()

    async def _unless_stopped(self, wanted: Awaitable[None]) -> bool:
        """Wait for `wanted` or for a stop; say whether `wanted` came."""
        task = asyncio.ensure_future(wanted)
        stop = asyncio.ensure_future(self._stop_asked.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        came = task.done()
        for leftover in (task, stop):
            leftover.cancel()
            with suppress(asyncio.CancelledError):
                await leftover
        return came


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
