"""The venue's rate limits: sliding windows by caller and endpoint, token buckets by signer.

Figures as documented by the venue in July and August 2026. Reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NS: Final = 1_000_000_000
# Keys of callers that fell silent are forgotten when there are more than this.
KEYS_MAX: Final = 50_000


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: int


_TEN: Final = 10
_TEN_MINUTES: Final = 600
GENERAL: Final = (WindowLimit(9_000, _TEN),)
_READS: Final = (WindowLimit(1_500, _TEN),)
_BATCH_READS: Final = (WindowLimit(500, _TEN),)
_ORDER: Final = (WindowLimit(5_000, _TEN), WindowLimit(120_000, _TEN_MINUTES))

ENDPOINT_LIMITS: Final[dict[str, tuple[WindowLimit, ...]]] = {
    "GET /book": _READS,
    "GET /price": _READS,
    "GET /midpoint": _READS,
    "POST /books": _BATCH_READS,
    "POST /prices": _BATCH_READS,
    "POST /midpoints": _BATCH_READS,
    "GET /prices-history": (WindowLimit(1_000, _TEN),),
    "GET /tick-size": (WindowLimit(200, _TEN),),
    "GET /balance-allowance": (WindowLimit(200, _TEN),),
    "GET /balance-allowance/update": (WindowLimit(50, _TEN),),
    "GET /data/orders": (WindowLimit(500, _TEN), WindowLimit(900, _TEN)),
    "GET /data/trades": (WindowLimit(500, _TEN), WindowLimit(900, _TEN)),
    "POST /order": _ORDER,
    "DELETE /order": _ORDER,
    "POST /orders": (WindowLimit(2_000, _TEN), WindowLimit(21_000, _TEN_MINUTES)),
    "DELETE /orders": (WindowLimit(2_000, _TEN), WindowLimit(15_000, _TEN_MINUTES)),
    "DELETE /cancel-all": (WindowLimit(250, _TEN), WindowLimit(6_000, _TEN_MINUTES)),
    "DELETE /cancel-market-orders": (
        WindowLimit(1_500, _TEN),
        WindowLimit(21_000, _TEN_MINUTES),
    ),
    "GET /gamma/events": (WindowLimit(500, _TEN),),
    "GET /gamma/markets": (WindowLimit(300, _TEN),),
    "GET /gamma/public-search": (WindowLimit(350, _TEN),),
    "GET /data-api/v2/trades": (WindowLimit(200, _TEN),),
    "GET /data-api/v2/positions": (WindowLimit(150, _TEN),),
    "GET /data-api/trades": (WindowLimit(200, _TEN),),
    "GET /data-api/positions": (WindowLimit(150, _TEN),),
    "POST /relayer/submit": (WindowLimit(25, 60),),
}
# By the first part of a path: limits of all that stands under it, together.
GROUP_LIMITS: Final[dict[str, tuple[WindowLimit, ...]]] = {
    "auth": (WindowLimit(100, _TEN),),
    "gamma": (WindowLimit(4_000, _TEN),),
    "data-api": (WindowLimit(1_000, _TEN),),
}
# Orders a second and burst of a signer, by tier; cancels have twice both.
TIERS: Final = {
    "standard": (40, 60),
    "copper": (60, 90),
    "bronze": (80, 120),
    "silver": (200, 300),
    "gold": (400, 600),
    "platinum": (450, 675),
    "diamond": (525, 787),
    "elite": (600, 900),
}


@dataclass(slots=True)
class _Window:
    """Counts of the present and the last stretch; together they approximate a sliding window."""

    number: int = -1
    count: int = 0
    before: int = 0

    def wait_ns(self, limit: WindowLimit, now_ns: int) -> int:
        """Count one request; return 0, or how long until one more passes."""
        span_ns = limit.seconds * NS
        number, into_ns = divmod(now_ns, span_ns)
        if number != self.number:
            self.before = self.count if number == self.number + 1 else 0
            self.number, self.count = number, 0
        weighted = self.before * (span_ns - into_ns) + self.count * span_ns
        if weighted + span_ns > limit.requests * span_ns:
            return span_ns - into_ns
        self.count += 1
        return 0


@dataclass(slots=True)
class _Bucket:
    tokens_ns: int
    at_ns: int


class RateLimits:
    """Who has asked how much. `tier` is everybody's."""

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self._windows: dict[tuple[str, str, int], _Window] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def request(self, caller: str, endpoint: str, now_ns: int) -> int:
        """Count a request; return 0 if it passes, else nanoseconds to wait."""
        path = endpoint.partition(" ")[2]
        group = path.split("/", 2)[1] if "/" in path else ""
        if len(self._windows) > KEYS_MAX:
            self._windows.clear()
        for name, limits in (
            (endpoint, ENDPOINT_LIMITS.get(endpoint, ())),
            (group, GROUP_LIMITS.get(group, ())),
            ("", GENERAL if group not in ("gamma", "data-api") else ()),
        ):
            for limit in limits:
                key = (caller, name, limit.seconds * 1_000_000 + limit.requests)
                wait_ns = self._windows.setdefault(key, _Window()).wait_ns(limit, now_ns)
                if wait_ns:
                    return wait_ns
        return 0

    def orders(self, signer: str, count: int, now_ns: int) -> int:
        """Take tokens for new orders; return 0, or nanoseconds until they would pass."""
        rate, burst = TIERS[self.tier]
        return self._take(("orders", signer), count, (rate, burst), now_ns)

    def cancels(self, signer: str, count: int, now_ns: int) -> int:
        """Take tokens for cancels; cancel-all costs one and one for each order."""
        rate, burst = TIERS[self.tier]
        return self._take(("cancels", signer), count, (2 * rate, 2 * burst), now_ns)

    def remaining(self, signer: str, now_ns: int) -> int:
        """Return how many orders a signer could send at once."""
        rate, burst = TIERS[self.tier]
        return self._filled(("orders", signer), (rate, burst), now_ns).tokens_ns * rate // NS

    def _take(self, key: tuple[str, str], count: int, pace: tuple[int, int], now_ns: int) -> int:
        rate, burst = pace
        bucket = self._filled(key, pace, now_ns)
        # Tokens are kept as nanoseconds of refill, so that nothing is rounded.
        cost_ns = count * NS // rate
        if cost_ns > bucket.tokens_ns:
            # More than the burst never passes: the wait is that of a full bucket, again and again.
            return max(1, min(cost_ns, burst * NS // rate) - bucket.tokens_ns)
        bucket.tokens_ns -= cost_ns
        return 0

    def _filled(self, key: tuple[str, str], pace: tuple[int, int], now_ns: int) -> _Bucket:
        rate, burst = pace
        full_ns = burst * NS // rate
        if len(self._buckets) > KEYS_MAX:
            self._buckets.clear()
        bucket = self._buckets.setdefault(key, _Bucket(full_ns, now_ns))
        bucket.tokens_ns = min(full_ns, bucket.tokens_ns + max(0, now_ns - bucket.at_ns))
        bucket.at_ns = now_ns
        return bucket
