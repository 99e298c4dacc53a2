"""Runs a table of processes: starts them in dependency order, brings the dead back, stops them.

Owns the data directory while it runs (lock), the logs and `state.json` in it. Must not know what
the processes are for. On Linux even SIGKILL of the supervisor ends its children, by the kernel;
elsewhere the next supervisor on the same data directory ends what it finds. Called by the
composition root `whaletrader.stack.__main__` and by tests.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from whaletrader.stack.child import Child
from whaletrader.stack.clock import wall_ns
from whaletrader.stack.errors import NotRunning
from whaletrader.stack.identity import end, myself
from whaletrader.stack.spec import ProcessSpec, RestartPolicy, in_start_order
from whaletrader.stack.state import (
    Phase,
    StackLock,
    StackState,
    read_state,
    survivors,
    write_state,
)

_SURVIVOR_SECONDS_MAX = 10.0
_STATE_REFRESH_SECONDS = 1.0


class Supervisor:
    """One data directory's supervisor. Use: `acquire`, then `await run(table)`, then `release`."""

    def __init__(
        self,
        data_dir: Path,
        policy: RestartPolicy | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._policy = policy or RestartPolicy()
        self._options = dict(options or {})
        self._settings: dict[str, str] = {}
        self._lock = StackLock(data_dir)
        self._children: dict[str, Child] = {}
        self._stop_asked = asyncio.Event()
        self._changed = asyncio.Event()
        self._phase: Phase = "preparing"
        self._reason = ""

    def acquire(self) -> None:
        """Take the data directory (else InUse), end what a killed supervisor left, say so."""
        self._lock.acquire()
        try:
            before = read_state(self._data_dir)
        except NotRunning:
            before = None
        if before is not None:
            # In reverse: a database goes after those who use it.
            for survivor in reversed(survivors(before)):
                end(survivor, signal.SIGTERM, _SURVIVOR_SECONDS_MAX)
        (self._data_dir / "logs").mkdir(parents=True, exist_ok=True)
        self._write()

    def release(self, reason: str = "") -> None:
        """Write the last state and give the data directory back."""
        self._phase = "failed" if reason else "stopped"
        self._reason = reason
        self._write()
        self._lock.release()

    async def run(
        self, specs: tuple[ProcessSpec, ...], settings: Mapping[str, str] | None = None
    ) -> None:
        """Run the table until SIGINT, SIGTERM or `request_stop`; a second signal kills at once."""
        self._settings = dict(settings or {})
        ordered = in_start_order(specs)
        for spec in ordered:
            log = self._data_dir / "logs" / f"{spec.name}.log"
            self._children[spec.name] = Child(spec, log, self._policy, self._changed.set)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        self._phase = "running"
        writer = asyncio.create_task(self._keep_state_written())
        lives = [asyncio.create_task(self._live(child)) for child in self._children.values()]
        for life in lives:
            life.add_done_callback(self._on_life_end)
        try:
            await self._stop_asked.wait()
            self._phase = "stopping"
            self._changed.set()
            await self._stop_all()
            await asyncio.gather(*lives)
        finally:
            for child in self._children.values():
                child.kill()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def request_stop(self) -> None:
        """Begin an orderly stop."""
        self._stop_asked.set()

    @property
    def state(self) -> StackState:
        """Return what the state file says."""
        return StackState(
            supervisor=myself(),
            phase=self._phase,
            written_ns=wall_ns(),
            reason=self._reason,
            options=self._options,
            settings=self._settings,
            processes=tuple(child.state for child in self._children.values()),
        )

    async def _live(self, child: Child) -> None:
        async def dependencies_ready() -> None:
            for name in child.spec.depends_on:
                await self._children[name].was_ready.wait()

        await child.run(dependencies_ready)

    def _on_life_end(self, life: asyncio.Task[None]) -> None:
        # A life ends only in a stop. One that broke is a defect here: end the stack, then raise.
        if not life.cancelled() and life.exception() is not None:
            self.request_stop()

    async def _stop_all(self) -> None:
        stopped = {name: asyncio.Event() for name in self._children}

        async def stop_after_dependants(child: Child) -> None:
            for other in self._children.values():
                if child.spec.name in other.spec.depends_on:
                    await stopped[other.spec.name].wait()
            try:
                await child.stop()
            finally:
                stopped[child.spec.name].set()

        async with asyncio.TaskGroup() as group:
            for child in self._children.values():
                group.create_task(stop_after_dependants(child))

    def _on_signal(self) -> None:
        if self._stop_asked.is_set():
            for child in self._children.values():
                child.kill()
        self.request_stop()

    async def _keep_state_written(self) -> None:
        while True:
            self._changed.clear()
            self._write()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _STATE_REFRESH_SECONDS)

    def _write(self) -> None:
        write_state(self._data_dir, self.state)
