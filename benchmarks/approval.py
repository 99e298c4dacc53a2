"""From a proposal over NATS to risk's journaled answer, beside a raw request and transaction."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from nats.errors import Error as NatsError

from benchmarks import events
from benchmarks.desk import Desk
from benchmarks.figures import Samples, Section, latency_figures
from benchmarks.floors.addresses import SUBJECT
from benchmarks.sizes import Sizes
from whaletrader.runtime.codec import decode, encode, type_name
from whaletrader.runtime.requests import TYPE_HEADER
from whaletrader.runtime.subjects import APPROVALS
from whaletrader.schemas import risk_pb2

# A sender of one request: where to note it, and when it was due.
Ask = Callable[[Samples, int], Awaitable[None]]

_REQUEST_S_MAX: Final = 5.0
_AIMS: Final = (1.5, 1.5)


async def measure(desk: Desk, sizes: Sizes) -> Section:
    """Return round trips one at a time and at a rate. Of the agents only risk is left running."""
    # Whoever works what is approved would take the cores from ours and not from the floor.
    desk.children.stop("orchestrator", "execution")
    await _ensure_risk(desk)
    asking = _Asking(desk)
    for _ in range(sizes.approval_warm_up):
        await asking.approval(Samples(), time.monotonic_ns())
        await asking.raw(Samples(), time.monotonic_ns())
    alone, alone_floor = Samples(), Samples()
    busy, busy_floor = Samples(), Samples()
    rush, rush_floor = Samples(), Samples()
    calm = (sizes.approval_rate_hz, sizes.approval_rate_block)
    rushing = (sizes.approval_rush_hz, sizes.approval_rush_block)
    for _ in range(events.APPROVAL_MARKETS):
        # One position in each market, from here on.
        await asking.approval(Samples(), time.monotonic_ns())
    deadline_s = time.monotonic() + sizes.approval_s_max
    for _ in range(sizes.approval_blocks):
        if time.monotonic() > deadline_s:
            break
        for _ in range(sizes.approval_block):
            await asking.raw(alone_floor, time.monotonic_ns())
        for _ in range(sizes.approval_block):
            await asking.approval(alone, time.monotonic_ns())
        await _at_rate(asking.raw, busy_floor, *calm)
        await _at_rate(asking.approval, busy, *calm)
        await _at_rate(asking.raw, rush_floor, *rushing)
        await _at_rate(asking.approval, rush, *rushing)
        desk.children.check_all()
    section = Section(
        f"Approval round trip, on {desk.kind}",
        "How long a proposal waits for risk's word, which is on the log before it is given.",
        "A process sends a TradeProposal over NATS and waits for the signed reply; every rule is "
        "held, the verdict and its journal entry are committed first. One at a time, then at a "
        "fixed rate whatever the answers do (measured from when a request was due). Nobody works "
        "what is approved. The floor: a NATS request to a process that writes one record in one "
        "transaction, one after another.",
        [
            *latency_figures("one at a time", alone, alone_floor, _AIMS),
            *latency_figures(f"at {sizes.approval_rate_hz}/s", busy, busy_floor, _AIMS),
            *latency_figures(f"at {sizes.approval_rush_hz}/s", rush, rush_floor, _AIMS),
        ],
    )
    section.notes += [
        f"{events.APPROVAL_MARKETS} open positions throughout",
        f"{len(alone.taken_ns)} one at a time, {len(busy.taken_ns)} and {len(rush.taken_ns)} at "
        f"the rates; unanswered: {alone.missing + busy.missing + rush.missing} of ours, "
        f"{alone_floor.missing + busy_floor.missing + rush_floor.missing} raw",
        f"refused by risk: {asking.refused}",
    ]
    return section


class _Asking:
    """Sends proposals to risk, and the same bytes to the raw hop."""

    def __init__(self, desk: Desk) -> None:
        self._client = desk.nats
        self._number = 0
        self.refused = 0

    async def approval(self, samples: Samples, due_ns: int) -> None:
        proposal = self._proposal()
        reply = await self._ask(
            APPROVALS.of(proposal.condition_id),
            encode(proposal),
            {TYPE_HEADER: type_name(proposal)},
        )
        if reply is None:
            samples.missing += 1
            return
        samples.taken_ns.append(time.monotonic_ns() - due_ns)
        name, payload = reply
        if not isinstance(decode(name, payload), risk_pb2.ApprovedTrade):
            self.refused += 1

    async def raw(self, samples: Samples, due_ns: int) -> None:
        reply = await self._ask(SUBJECT, encode(self._proposal()), {})
        if reply is None:
            samples.missing += 1
        else:
            samples.taken_ns.append(time.monotonic_ns() - due_ns)

    def _proposal(self) -> risk_pb2.TradeProposal:
        self._number += 1
        proposal = events.proposal(self._number, time.time_ns())
        market = events.Market(self._number % events.APPROVAL_MARKETS)
        proposal.condition_id, proposal.token_id = market.condition_id, market.token_id
        return proposal

    async def _ask(
        self, subject: str, payload: bytes, headers: dict[str, str]
    ) -> tuple[str, bytes] | None:
        try:
            reply = await self._client.request(
                subject, payload, timeout=_REQUEST_S_MAX, headers=headers or None
            )
        except (NatsError, TimeoutError):
            return None
        return (reply.headers or {}).get(TYPE_HEADER, ""), reply.data


async def _at_rate(ask: Ask, samples: Samples, rate_hz: int, block: int) -> None:
    """Send a block on a schedule; an answer that is late does not hold the next one up."""
    every_ns = 1_000_000_000 // rate_hz
    start_ns = time.monotonic_ns() + every_ns
    under_way = []
    for number in range(block):
        due_ns = start_ns + number * every_ns
        await asyncio.sleep(max(due_ns - time.monotonic_ns(), 0) / 1_000_000_000)
        under_way.append(asyncio.ensure_future(ask(samples, due_ns)))
    await asyncio.gather(*under_way)


async def _ensure_risk(desk: Desk) -> None:
    if "risk" not in desk.children:
        await desk.start_agents("risk")
