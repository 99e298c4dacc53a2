"""Where the time of a chain goes: the times that the log itself noted at each commit.

PostgreSQL notes microseconds within the transaction, Kafka the millisecond of the send. Read after
the measurement, so it costs the measurement nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from benchmarks.entries import RawEntry
from benchmarks.figures import NS_PER_MS, Figure, percentile
from benchmarks.floors.addresses import APPROVALS, DECISIONS, ORDERS
from whaletrader.runtime.codec import from_stored, meta_of
from whaletrader.runtime.log import Log, Position
from whaletrader.schemas import decision_pb2, order_pb2, risk_pb2, wallet_pb2

# What is first said on each topic in answer to a whale's trade, in the order of the path.
PATH: Final = (
    ("decision.made", decision_pb2.DecisionMade),
    ("trade.approved", risk_pb2.ApprovedTrade),
    ("order.events", order_pb2.OrderAnnounced),
)
NAMES: Final = (
    "append, read, decide, into the first commit",
    "first commit, NATS, judge, into the second",
    "second commit, read, decide, into the third",
    "third commit, HTTP, to the socket",
)
_PAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Passage:
    """One trade's way: when it was sent and when it arrived, wall clock, and its correlation."""

    correlation: str
    sent_ns: int
    arrived_ns: int


async def commits_of(log: Log) -> list[Mapping[str, int]]:
    """Return, for each topic of the path, when a chain was first spoken of there."""
    found: list[Mapping[str, int]] = []
    for topic, kind in PATH:
        times: dict[str, int] = {}
        for partition in range(await log.partitions(topic)):
            offset = 0
            while page := await log.read(Position(topic, partition, offset), _PAGE):
                offset = page[-1].offset + 1
                for stored in page:
                    message = from_stored(stored)
                    if isinstance(message, kind):
                        times.setdefault(meta_of(message).correlation, stored.timestamp_ns)
        found.append(times)
    return found


async def raw_commits_of(raw: RawEntry) -> list[Mapping[str, int]]:
    """Return the same for the raw chain."""
    found: list[Mapping[str, int]] = []
    for topic in (DECISIONS, APPROVALS, ORDERS):
        times: dict[str, int] = {}
        for value, at_ns in await raw.said(topic):
            try:
                trade = wallet_pb2.WalletTraded.FromString(value)
            except DecodeError:
                # What asked whether the chain is there.
                continue
            times.setdefault(trade.meta.correlation, at_ns)
        found.append(times)
    return found


def gaps(passages: Iterable[Passage], commits: Sequence[Mapping[str, int]]) -> list[list[int]]:
    """Return the nanoseconds of each stretch of the path, for every trade that is known whole."""
    stretches: list[list[int]] = [[] for _ in range(len(commits) + 1)]
    for passage in passages:
        if not all(passage.correlation in times for times in commits):
            continue
        marks = [
            passage.sent_ns,
            *(times[passage.correlation] for times in commits),
            passage.arrived_ns,
        ]
        for stretch, start, end in zip(stretches, marks, marks[1:], strict=False):
            stretch.append(end - start)
    return stretches


def figures(
    ours: Sequence[Sequence[int]], floor: Sequence[Sequence[int]], names: Sequence[str] = NAMES
) -> list[Figure]:
    """Return the median of each stretch, in milliseconds."""
    return [
        Figure(
            f"{name}, p50",
            percentile(mine, 50) / NS_PER_MS,
            "ms",
            percentile(raw, 50) / NS_PER_MS if raw else None,
        )
        for name, mine, raw in zip(names, ours, floor, strict=True)
        if mine
    ]
