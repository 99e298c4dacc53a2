"""The only place where this package reads a clock, so that a lint rule can name it.

Supervision is about real processes on a real machine; no agent may import this.
"""

from __future__ import annotations

import time


def wall_ns() -> int:
    """Return UTC epoch nanoseconds."""
    return time.time_ns()


def monotonic_s() -> float:
    """Return seconds on a clock that never steps back; only differences mean anything."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Block the calling thread."""
    time.sleep(seconds)
