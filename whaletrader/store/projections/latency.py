"""Latency by hop: how long after its cause the log had an event, by pair of types.

Unlike a projection this one remembers: the cause is usually in another partition, recorded a
moment earlier or later. A pair whose two ends are recorded more than RECENT_MAX events apart
is not counted. Samples are kept as a histogram, so that percentiles can be read from sums.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message

from whaletrader.schemas import agent_pb2, decision_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.agents import inline_inputs
from whaletrader.store.tables import Change, Table, add

# Some seconds at the highest rate we aim for; about 150 bytes each.
RECENT_MAX: Final = 65_536

Item = TypeVar("Item")

# Four buckets an octave: a percentile read from them is within 9 % of the true one.
BUCKETS_PER_OCTAVE: Final = 4

HOPS: Final = Table(
    "hop_latency",
    # Bucket b ends at 2^(b/4) microseconds and begins where b - 1 ends; bucket 0 ends at 1 us.
    {"cause_type": "text", "effect_type": "text", "bucket": "integer"},
    {"n": "bigint", "sum_us": "bigint"},
)

TABLES: Final = (HOPS,)


class HopTracker:
    """Pairs events with their causes. One instance a recorder."""

    def __init__(self, recent_max: int = RECENT_MAX) -> None:
        self._recent_max = recent_max
        # By id: type and time in the log. Oldest first.
        self._known: dict[str, tuple[str, int]] = {}
        # By the id of a cause that was not met yet: types and times of its effects.
        self._waiting: dict[str, list[tuple[str, int]]] = {}

    def observe(self, event: Recorded, message: Message | None) -> Sequence[Change]:
        """Return the samples that this event completes, as an effect or as a cause."""
        changes: list[Change] = []
        if isinstance(message, agent_pb2.JournalEntry):
            for inline, meta in inline_inputs(message):
                self._met(changes, (meta.id, inline.type, event.log_time_ns), meta.cause)
        elif event.id:
            if isinstance(message, decision_pb2.DecisionMade) and message.proposal.meta.id:
                # The request itself is not on the log; the decision that announces it is.
                proposal = message.proposal
                kind = str(proposal.DESCRIPTOR.full_name)
                self._met(changes, (proposal.meta.id, kind, event.log_time_ns), "")
            self._met(changes, (event.id, event.type, event.log_time_ns), event.cause)
        return changes

    def _met(self, changes: list[Change], met: tuple[str, str, int], cause: str) -> None:
        event_id, kind, time_ns = met
        known = self._known
        if event_id in known:
            # An answer is met twice: on its topic and in the asker's journal. The first counts.
            return
        known[event_id] = (kind, time_ns)
        if len(known) >= 2 * self._recent_max:
            self._known = _newest(known, self._recent_max)
        if self._waiting:
            for effect_kind, effect_ns in self._waiting.pop(event_id, ()):
                changes.append(sample(kind, effect_kind, effect_ns - time_ns))
        if not cause:
            return
        caused_by = known.get(cause)
        if caused_by is not None:
            changes.append(sample(caused_by[0], kind, time_ns - caused_by[1]))
            return
        self._waiting.setdefault(cause, []).append((kind, time_ns))
        if len(self._waiting) >= 2 * self._recent_max:
            self._waiting = _newest(self._waiting, self._recent_max)


def sample(cause_type: str, effect_type: str, latency_ns: int) -> Change:
    """Return one sample. Clocks of two brokers may differ: less than nothing counts as 0."""
    microseconds = max(0, latency_ns) // 1_000
    return add(HOPS, cause_type, effect_type, bucket_of(microseconds), n=1, sum_us=microseconds)


def bucket_of(microseconds: int) -> int:
    """Return the first bucket whose end is not below the value."""
    if microseconds <= 1:
        return 0
    return math.ceil(math.log2(microseconds) * BUCKETS_PER_OCTAVE - 1e-9)


def bucket_end_us(bucket: int) -> float:
    """Return where a bucket ends, in microseconds."""
    return float(2.0 ** (bucket / BUCKETS_PER_OCTAVE))


def percentile_us(buckets: Sequence[tuple[int, int, int]], share: float) -> float:
    """Return a percentile from (bucket, n, sum) in order of buckets, even within a bucket."""
    wanted = share * sum(n for _, n, _ in buckets)
    seen = 0.0
    for bucket, n, _ in buckets:
        if seen + n >= wanted:
            start_us = bucket_end_us(bucket - 1) if bucket else 0.0
            return start_us + (wanted - seen) / n * (bucket_end_us(bucket) - start_us)
        seen += n
    return bucket_end_us(buckets[-1][0]) if buckets else 0.0


def _newest(found: dict[str, Item], count: int) -> dict[str, Item]:
    # Seldom and all at once: cheaper than an eviction with every event.
    return dict(list(found.items())[-count:])
