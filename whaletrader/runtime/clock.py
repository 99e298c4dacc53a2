"""The one seam for wall time, monotonic time and process-unique names.

Everything else takes time from here or from messages, so that a simulation can own it.
"""

import os
import socket
import time
from typing import Protocol


class Clock(Protocol):
    """Tells what time it is for an agent."""

    def now_ns(self) -> int:
        """Return UTC epoch nanoseconds."""


class WallClock:
    """The machine's clock: paper and live trading."""

    def now_ns(self) -> int:
        return time.time_ns()


class SetClock:
    """A clock that is set by whoever owns time: the tape of a demo, or a simulation."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def set(self, now_ns: int) -> None:
        """Move the clock forward. Going back is ignored: a restarted pacer repeats itself."""
        self._now_ns = max(self._now_ns, now_ns)


def monotonic_s() -> float:
    """Return seconds for measuring how long something took."""
    return time.monotonic()


def member_name(agent: str) -> str:
    """Return this machine's name for its member of an agent's group; stable over restarts."""
    return os.environ.get("WHALETRADER_MEMBER", f"{agent}@{socket.gethostname()}")
