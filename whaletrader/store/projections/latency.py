"""Latency by hop: how long after its cause the log had an event, by pair of types.

Unlike a projection this one remembers: the cause is usually in another partition, recorded a
moment earlier or later. A pair whose two ends are recorded more than RECENT_MAX events apart
is not counted. Samples are kept as a histogram, so that percentiles can be read from sums.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from google.protobuf.message import Message

from whaletrader.schemas import agent_pb2, decision_pb2
from whaletrader.store.events import Recorded
from whaletrader.store.projections.agents import inline_inputs
from whaletrader.store.tables import Change, Table, add

# Some seconds at the highest rate we aim for; about 150 bytes each.
RECENT_MAX: Final = 65_536
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
    """Pairs events with their causes. One instance a recorder; forgets nothing it needs soon."""

    def __init__(self, recent_max: int = RECENT_MAX) -> None:
        self._recent_max = recent_max
        # By id: type and time in the log.
        self._known: OrderedDict[str, tuple[str, int]] = OrderedDict()
        # By the id of a cause that was not met yet: types and times of its effects.
        self._waiting: OrderedDict[str, list[tuple[str, int]]] = OrderedDict()

    def observe(self, event: Recorded, message: Message | None) -> Iterator[Change]:
        """Yield the samples that this event completes, as an effect or as a cause."""
        if isinstance(message, agent_pb2.JournalEntry):
            for inline, meta in inline_inputs(message):
                yield from self._met(meta.id, inline.type, event.log_time_ns, meta.cause)
            return
        if isinstance(message, decision_pb2.DecisionMade) and message.proposal.meta.id:
            # The request itself is not on the log; the decision that announces it is.
            proposal = message.proposal
            kind = proposal.DESCRIPTOR.full_name
            yield from self._met(proposal.meta.id, kind, event.log_time_ns, "")
        if event.id:
            yield from self._met(event.id, event.type, event.log_time_ns, event.cause)

    def _met(self, event_id: str, kind: str, time_ns: int, cause: str) -> Iterable[Change]:
        changes: list[Change] = []
        if event_id in self._known:
            # An answer is met twice: on its topic and in the asker's journal. The first counts.
            return changes
        self._known[event_id] = (kind, time_ns)
        if len(self._known) > self._recent_max:
            self._known.popitem(last=False)
        for effect_kind, effect_ns in self._waiting.pop(event_id, ()):
            changes.append(sample(kind, effect_kind, effect_ns - time_ns))
        if not cause:
            return changes
        known = self._known.get(cause)
        if known is not None:
            changes.append(sample(known[0], kind, time_ns - known[1]))
        else:
            self._waiting.setdefault(cause, []).append((kind, time_ns))
            if len(self._waiting) > self._recent_max:
                self._waiting.popitem(last=False)
        return changes


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
