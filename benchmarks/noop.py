"""An agent that makes nothing of what it reads: what is left is the shell's own cost."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from benchmarks import events
from whaletrader.runtime.agent import Agent
from whaletrader.runtime.log import Record
from whaletrader.runtime.topics import Topic, journal_topic

NAME: Final = "noop"
INPUT: Final = "bench.input"
# One partition, so that plain drivers read it with one plain query.
TOPICS: Final = (
    Topic(INPUT, "wallet", (), partitions=1),
    Topic(journal_topic(NAME), "shard", (), partitions=1),
)


class Nothing(msgspec.Struct):
    """State and views of an agent that has none."""


class NoopAgent(Agent[Nothing, Nothing]):
    """Reads one topic and says nothing."""

    name = NAME

    def __init__(self, reads: Sequence[str] = (INPUT,)) -> None:
        super().__init__(Nothing(), Nothing())
        self.reads = tuple(reads)


def inputs(count: int, now_ns: int) -> Iterator[Record]:
    """Yield wallets' trades, each with an id of its own, as feeds would append them."""
    _, first = events.whale_trade(0, now_ns)
    trade = events.trade_in(first)
    for number in range(count):
        trade.meta.id = f"{number + 1:016x}{number:016x}"
        yield Record(
            INPUT,
            first.key,
            trade.SerializeToString(),
            {**first.headers, "ce_id": trade.meta.id},
        )
