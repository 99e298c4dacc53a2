"""A point in time by which a blocking call must be done.

For the durable logs' threads, which have no event loop to ask. No wall time.
"""

import time

from whaletrader.runtime.clock import monotonic_s


class Deadline:
    """So many seconds from its making."""

    def __init__(self, seconds: float) -> None:
        self._at = monotonic_s() + seconds

    @property
    def is_over(self) -> bool:
        return monotonic_s() >= self._at

    def left_s(self, least_s: float = 0.0) -> float:
        """Return the seconds that are left, or `least_s` if that is more."""
        return max(self._at - monotonic_s(), least_s)

    def at_least(self, seconds: float) -> "Deadline":
        """Return this deadline, or one in so many seconds if that is later."""
        return self if self.left_s() >= seconds else Deadline(seconds)


def pause(seconds: float) -> None:
    """Block this thread for a moment between two tries."""
    time.sleep(seconds)
