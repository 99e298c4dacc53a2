"""Which process a pid meant when it was written down, and ending exactly that one.

A pid alone is reused; with the moment its process started it is not. Nothing here ever signals a
pid whose identity does not match.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from whaletrader.stack.clock import monotonic_s, pause

_POLL_SECONDS = 0.02
_PS_SECONDS_MAX = 5.0
_KILL_SECONDS_MAX = 10.0  # after SIGKILL only a stuck disk holds a process back


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A pid and the platform's token for when it started."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Say whether that very process still runs (a zombie does not)."""
        return _start_token(self.pid) == self.started


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a running process, None when there is none."""
    token = _start_token(pid)
    return ProcessIdentity(pid, token) if token is not None else None


def myself() -> ProcessIdentity:
    """Return the identity of this process."""
    return ProcessIdentity(os.getpid(), _start_token(os.getpid()) or "")


def end(process: ProcessIdentity, stop_signal: int, seconds_max: float) -> bool:
    """Signal a process that is no child of ours, then kill it after the deadline.

    Returns whether it ended by the signal alone. Doing it to a dead process is harmless.
    """
    if _signal_and_wait(process, stop_signal, seconds_max):
        return True
    _signal_and_wait(process, signal.SIGKILL, _KILL_SECONDS_MAX)
    return False


def command_line(pid: int) -> str:
    """Return the command line of a process, empty when it is gone."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            return ""
    return _ps(pid, "command=")


def _signal_and_wait(process: ProcessIdentity, signal_number: int, seconds_max: float) -> bool:
    if not process.is_alive():
        return True
    try:
        os.kill(process.pid, signal_number)
    except ProcessLookupError:
        return True
    deadline = monotonic_s() + seconds_max
    while monotonic_s() < deadline:
        if not process.is_alive():
            return True
        pause(_POLL_SECONDS)
    return not process.is_alive()


def _start_token(pid: int) -> str | None:
    if sys.platform == "linux":
        return _linux_start_token(pid)
    stat = _ps(pid, "stat=")
    if not stat or stat.startswith("Z"):
        return None
    return _ps(pid, "lstart=") or None


def _linux_start_token(pid: int) -> str | None:
    try:
        raw = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses: fields count from the last one.
    fields = raw[raw.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    # Field 22 of stat(5), start time in ticks since boot: the boot makes it unique for good.
    return f"{_boot_id()}:{int(fields[19])}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"


def _ps(pid: int, column: str) -> str:
    answer = subprocess.run(
        ["ps", "-o", column, "-p", str(pid)],
        capture_output=True,
        text=True,
        timeout=_PS_SECONDS_MAX,
        check=False,
    )
    return answer.stdout.strip()
