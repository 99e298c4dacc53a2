"""From a whale's trade on the log to the order on the exchange's socket, and the raw chain."""

import asyncio
import time
from typing import Final

from benchmarks import events
from benchmarks.arrivals import Arrival
from benchmarks.desk import Desk
from benchmarks.figures import Samples, Section, latency_figures
from benchmarks.floors.addresses import PATH
from benchmarks.sizes import Sizes

# The first trade meets cold caches, unmade connections and plans.
_FIRST_S_MAX: Final = 30.0
_TRADE_S_MAX: Final = 5.0
# After an order has left, its outcome is journaled and booked: that is off the path, but must be
# over before the next trade, or its queue would be measured.
_SETTLE_S: Final = 0.06
_AIMS: Final = (1.5, 2.0)


async def measure(desk: Desk, sizes: Sizes) -> Section:
    """Return latencies of both chains, in alternating blocks."""
    await desk.start_agents("risk", "execution", "orchestrator")
    ours, floor = Samples(), Samples()
    trade = _Trade(desk)
    for first_s in (_FIRST_S_MAX, *[_TRADE_S_MAX] * sizes.chain_warm_up):
        await _raw(desk, Samples(), first_s)
        await trade.send(Samples(), first_s)
    for _ in range(sizes.chain_blocks):
        for _ in range(sizes.chain_block):
            await _raw(desk, floor, _TRADE_S_MAX)
        for _ in range(sizes.chain_block):
            await trade.send(ours, _TRADE_S_MAX)
        desk.children.check_all()
    desk.children.stop("orchestrator", "execution")
    section = Section(
        f"Whale trade in to order out, on {desk.kind}",
        "How old a whale's trade is when our copy reaches the exchange, everything journaled.",
        _METHOD,
        latency_figures("trade to order", ours, floor, _AIMS),
    )
    section.notes += [
        f"{len(ours.taken_ns)} trades, one at a time, {sizes.chain_block} a block; "
        f"{len(floor.taken_ns)} through the raw chain",
        f"never arrived within {_TRADE_S_MAX:.0f} s: {ours.missing} of ours, "
        f"{floor.missing} of the raw ones",
    ]
    return section


class _Trade:
    """Sends whales' trades, each in the next market."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._number = 0

    async def send(self, samples: Samples, timeout_s: float) -> None:
        market, record = events.whale_trade(self._number, time.time_ns())
        self._number += 1
        self._desk.arrivals.clear()
        started_ns = time.monotonic_ns()
        appending = asyncio.create_task(self._desk.log.append([record]))
        arrival = await self._desk.arrivals.next("/order", market.token_id, timeout_s)
        await appending
        await _note(self._desk, samples, started_ns, arrival)


async def _raw(desk: Desk, samples: Samples, timeout_s: float) -> None:
    _, record = events.whale_trade(0, time.time_ns())
    desk.arrivals.clear()
    started_ns = time.monotonic_ns()
    appending = asyncio.create_task(desk.raw.put(record.value))
    arrival = await desk.arrivals.next(PATH, "-", timeout_s)
    await appending
    await _note(desk, samples, started_ns, arrival)


async def _note(desk: Desk, samples: Samples, started_ns: int, arrival: Arrival | None) -> None:
    if arrival is None:
        # A dead process says more than a missing sample.
        desk.children.check_all()
        samples.missing += 1
    else:
        samples.taken_ns.append(arrival.at_ns - started_ns)
    await asyncio.sleep(_SETTLE_S)


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
