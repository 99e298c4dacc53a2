"""What a running stack says about itself, in `<data>/state.json`, and the lock that makes it one.

The supervisor alone writes; `up`, `down`, `status` and any command that wants an address read.
The file holds passwords inside URLs: it is private to its owner and is never printed whole.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, Literal

import msgspec

from whaletrader.stack.errors import InUse, NotRunning, StackError
from whaletrader.stack.files import write_private
from whaletrader.stack.identity import ProcessIdentity, identify

Phase = Literal["preparing", "running", "stopping", "stopped", "failed"]
Condition = Literal[
    "waiting",  # for what it depends on
    "starting",  # runs, was not ready yet
    "ready",
    "unready",  # runs, was ready, is not any more
    "backoff",  # died, will be started again
    "failed",  # died too often, stays down
    "stopping",
    "stopped",
]
_STATE_FILE = "state.json"
_LOCK_FILE = "supervisor.lock"


class ProcessState(msgspec.Struct, frozen=True):
    """One process as the supervisor sees it. `since_ns` is when the present run began (UTC)."""

    name: str
    kind: str
    condition: Condition
    log: str
    process: ProcessIdentity | None = None
    restarts: int = 0
    since_ns: int = 0
    last_exit: str = ""


class StackState(msgspec.Struct, frozen=True):
    """The whole stack. `settings` are the environment variables that its processes were given."""

    supervisor: ProcessIdentity
    phase: Phase
    written_ns: int
    reason: str = ""
    options: dict[str, str] = {}
    settings: dict[str, str] = {}
    processes: tuple[ProcessState, ...] = ()

    @property
    def is_live(self) -> bool:
        """Say whether the supervisor that wrote this still runs."""
        return self.supervisor.is_alive()

    @property
    def is_ready(self) -> bool:
        """Say whether every process is ready."""
        return self.phase == "running" and all(
            process.condition == "ready" for process in self.processes
        )


class StackLock:
    """The right to supervise one data directory; the kernel gives it back when we die."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _LOCK_FILE
        self._data_dir = data_dir
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock or raise InUse naming who holds it."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise InUse(_holder(self._data_dir)) from error
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def is_locked(data_dir: Path) -> bool:
    """Say whether a supervisor runs on this data directory now."""
    if not (data_dir / _LOCK_FILE).exists():
        return False
    lock = StackLock(data_dir)
    try:
        lock.acquire()
    except InUse:
        return True
    lock.release()
    return False


def write_state(data_dir: Path, state: StackState) -> None:
    """Replace the state file atomically."""
    write_private(data_dir / _STATE_FILE, msgspec.json.format(msgspec.json.encode(state)))


def read_state(data_dir: Path) -> StackState:
    """Return the last state written; NotRunning when there never was one."""
    try:
        raw = (data_dir / _STATE_FILE).read_bytes()
    except FileNotFoundError as error:
        raise NotRunning(f"nothing was ever started on {data_dir}") from error
    try:
        return msgspec.json.decode(raw, type=StackState)
    except msgspec.DecodeError as error:
        raise StackError(f"{data_dir / _STATE_FILE} cannot be read: {error}") from error


def live_state(data_dir: Path) -> StackState:
    """Return the state of a stack that runs now, with its addresses; else raise NotRunning."""
    state = read_state(data_dir)
    if not state.is_live or state.phase in ("stopped", "failed"):
        raise NotRunning(f"nothing runs on {data_dir}")
    return state


def survivors(state: StackState) -> tuple[ProcessIdentity, ...]:
    """Return the processes of a dead supervisor that still run."""
    return tuple(
        process.process
        for process in state.processes
        if process.process is not None and process.process.is_alive()
    )


def _holder(data_dir: Path) -> str:
    pid = ""
    try:
        state = read_state(data_dir)
        if identify(state.supervisor.pid) == state.supervisor:
            pid = f" (supervisor pid {state.supervisor.pid})"
    except StackError:
        pid = ""  # it holds the lock and has not written yet: refuse without its pid
    to_do = f"stop it with 'whaletrader down --data {data_dir}', or choose another --data"
    return f"a stack already runs on {data_dir}{pid}: {to_do}"
