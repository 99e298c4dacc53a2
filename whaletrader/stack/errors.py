"""What can go wrong with processes and servers, by what the caller should do about it.

StackError
  ServerUnavailable   cannot be had on this machine: skip, or tell the user what to install
  ServerFailed        was started and did not come up: read the log it names
  InUse               somebody else runs on this data directory: stop that one first
  NotRunning          nothing runs on this data directory
  BadTable            the process table contradicts itself: fix the table
"""

from __future__ import annotations

from pathlib import Path

LOG_TAIL_LINES_MAX = 20  # enough for a Java stack trace's head, short enough for a terminal


class StackError(Exception):
    """Base of everything this package raises on purpose."""


class ServerUnavailable(StackError):
    """The server cannot be had here; `reason` is one plain line that says what is missing."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server}: {reason}")
        self.server = server
        self.reason = reason


class ServerFailed(StackError):
    """The server was started and died, or was not ready in time. The end of its log is included."""

    def __init__(self, server: str, reason: str, log: Path) -> None:
        super().__init__(f"{server}: {reason}\n{log}:\n{log_tail(log)}")
        self.server = server
        self.reason = reason
        self.log = log


class InUse(StackError):
    """A live process owns this data directory."""


class NotRunning(StackError):
    """No supervisor runs on this data directory."""


class BadTable(StackError):
    """Two processes share a name, or a dependency is unknown or circular."""


def log_tail(log: Path, lines_max: int = LOG_TAIL_LINES_MAX) -> str:
    """Return the last lines of a log file, or a note that there is none."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines_max:]) or "(empty log)"
