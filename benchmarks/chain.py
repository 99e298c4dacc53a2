"""From a whale's trade on the log to the order on the exchange's socket, and the raw chain."""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final

from benchmarks import events, hops
from benchmarks.arrivals import Arrival
from benchmarks.desk import Desk
from benchmarks.events import Market
from benchmarks.figures import Samples, Section, latency_figures
from benchmarks.floors.addresses import PATH
from benchmarks.hops import Passage
from benchmarks.sizes import Sizes
from whaletrader.runtime.log import Record

# The first trade meets cold caches, unmade connections and plans.
_FIRST_S_MAX: Final = 30.0
_TRADE_S_MAX: Final = 5.0
# After an order has left, its outcome is journaled and booked: that is off the path, but must be
# over before the next trade, or its queue would be measured.
_SETTLE_S: Final = 0.06
_AIMS: Final = (1.5, 2.0)


async def measure(desk: Desk, sizes: Sizes) -> Section:
    """Return latencies of both chains, in alternating blocks, and where the time goes."""
    await desk.start_agents("risk", "execution", "orchestrator")
    ours, floor = _OurChain(desk), _RawChain(desk)
    for timeout_s in (_FIRST_S_MAX, *[_TRADE_S_MAX] * sizes.chain_warm_up):
        await floor.send(timeout_s)
        await ours.send(timeout_s)
    ours.forget()
    floor.forget()
    deadline_s = time.monotonic() + sizes.chain_s_max
    for _ in range(sizes.chain_blocks):
        if time.monotonic() > deadline_s:
            break
        for chain in (floor, ours):
            for _ in range(sizes.chain_block):
                await chain.send(_TRADE_S_MAX)
        desk.children.check_all()
    desk.children.stop("orchestrator", "execution")
    return Section(
        f"Whale trade in to order out, on {desk.kind}",
        "How old a whale's trade is when our copy reaches the exchange, everything journaled.",
        _METHOD,
        [
            *latency_figures("trade to order", ours.samples, floor.samples, _AIMS),
            *hops.figures(
                hops.gaps(ours.passages, await hops.commits_of(desk.log)),
                hops.gaps(floor.passages, await hops.raw_commits_of(desk.raw)),
            ),
        ],
        [
            f"{len(ours.passages)} trades, one at a time, {sizes.chain_block} a block; "
            f"{len(floor.passages)} through the raw chain",
            f"never arrived within {_TRADE_S_MAX:.0f} s: {ours.samples.missing} of ours, "
            f"{floor.samples.missing} of the raw ones",
        ],
    )


class _Chain(ABC):
    """Sends trades one at a time and notes when each one's order arrives."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.samples = Samples()
        self.passages: list[Passage] = []
        self._number = 0

    @abstractmethod
    async def put(self, record: Record) -> None:
        """Append the trade."""

    @abstractmethod
    async def arrival(self, market: Market, timeout_s: float) -> Arrival | None:
        """Return the order's arrival, or None."""

    async def send(self, timeout_s: float) -> None:
        """Send one trade and wait for its order. Raises ChildFailed if a process is dead."""
        market, record = events.whale_trade(self._number, time.time_ns())
        self._number += 1
        self.desk.arrivals.clear()
        sent_ns, started_ns = time.time_ns(), time.monotonic_ns()
        appending = asyncio.create_task(self.put(record))
        arrived = await self.arrival(market, timeout_s)
        await appending
        if arrived is None:
            # A dead process says more than a missing sample.
            self.desk.children.check_all()
            self.samples.missing += 1
        else:
            taken_ns = arrived.at_ns - started_ns
            correlation = events.trade_in(record).meta.correlation
            self.samples.taken_ns.append(taken_ns)
            self.passages.append(Passage(correlation, sent_ns, sent_ns + taken_ns))
        await asyncio.sleep(_SETTLE_S)

    def forget(self) -> None:
        """Drop what the warm-up measured."""
        self.samples = Samples()
        self.passages.clear()


class _OurChain(_Chain):
    async def put(self, record: Record) -> None:
        await self.desk.log.append([record])

    async def arrival(self, market: Market, timeout_s: float) -> Arrival | None:
        return await self.desk.arrivals.next("/order", market.token_id, timeout_s)


class _RawChain(_Chain):
    async def put(self, record: Record) -> None:
        await self.desk.raw.put(record.value)

    async def arrival(self, market: Market, timeout_s: float) -> Arrival | None:
        del market
        return await self.desk.arrivals.next(PATH, "-", timeout_s)


_METHOD = (
    "A process appends a WalletTraded; orchestrator, risk and execution are real processes in "
    "paper mode; the local exchange notes the moment at which the order's request reaches it. "
    "Three serial transactions lie on the path: (1) the orchestrator commits its decision and "
    "only then asks risk over NATS, (2) risk commits the approval, (3) execution, which reads it "
    "from the log, commits the announced order and only then posts it. Before them stands the "
    "append of the trade itself (feeds' commit). The floor does the same with plain drivers: an "
    "append, a relay (read one, write one with its position in a transaction), a NATS request to "
    "a second process that writes one record in a transaction, a second relay, and an HTTP post, "
    "in as many processes."
)
