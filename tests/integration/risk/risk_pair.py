"""Two real risk processes on one log, and somebody who asks and asks again.

Used by the standby tests of this folder; the processes are `python -m whaletrader.services.risk`.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from google.protobuf.message import Message
from nats.aio.client import Client
from nats.errors import Error as NatsError

from tests.unit.runtime.test_health import free_port
from tests.unit.services.risk.risk_room import SHARE, closed, fill_of, listing, order_of, yes
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.codec import Envelope, decode, encode, key_of, to_record, type_name
from whaletrader.runtime.log import Log, Position, Record
from whaletrader.runtime.requests import TYPE_HEADER
from whaletrader.runtime.subjects import APPROVALS
from whaletrader.schemas import common_pb2, market_pb2, order_pb2, risk_pb2
from whaletrader.services.risk.policy_terms import RiskPolicy

S: Final = 1_000_000_000
PRICE_MICRO: Final = 500_000
FAIR_MICRO: Final = 650_000
MARKETS: Final = tuple(f"0x{number:064x}" for number in range(1, 5))
ASK_S_MAX: Final = 0.25
PAUSE_S: Final = 0.02


async def furnish(log: Log) -> None:
    """Put markets and a recent price of each on the log."""
    now_ns = time.time_ns()
    messages: list[Message] = []
    for condition in MARKETS:
        messages.append(listing(condition, opens_ns=now_ns - S, ends_ns=now_ns + 30 * 86_400 * S))
        messages.append(
            market_pb2.TradePrinted(
                condition_id=condition,
                token_id=yes(condition),
                side=common_pb2.SIDE_BUY,
                price_micro=PRICE_MICRO,
                size_micro=1_000_000 * SHARE,
            )
        )
    records = []
    for number, message in enumerate(messages):
        meta = message.meta  # type: ignore[attr-defined]
        meta.id, meta.event_time_ns = derived_id("furniture", number), now_ns
        topic = "market.data" if number % 2 else "market.catalog"
        records.append(to_record(Envelope(topic, key_of(topic, message), message)))
    await log.append(records)


def write_policy(folder: Path, policy: RiskPolicy) -> Path:
    """Write the policy as a person would, and return where it is."""
    rows = []
    for name, value in policy.model_dump().items():
        if isinstance(value, tuple):
            rows.append(f"{name} = [{', '.join(map(str, value))}]")
        elif isinstance(value, bool):
            rows.append(f"{name} = {str(value).lower()}")
        else:
            rows.append(f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}")
    path = folder / "policy.toml"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@dataclass
class Pair:
    """The processes by their member's name. What still runs is killed at the end."""

    env: Mapping[str, str]
    folder: Path
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(self, member: str) -> None:
        env = {
            **os.environ,
            **self.env,
            "WHALETRADER_MODE": "paper",
            "WHALETRADER_MEMBER": member,
            "WHALETRADER_DATA_DIR": str(self.folder),
            "WHALETRADER_HEALTH_PORT": str(free_port()),
        }
        with (self.folder / f"{member}.log").open("ab") as log:
            self.running[member] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "whaletrader.services.risk", env=env, stderr=log
            )

    async def kill(self, member: str) -> None:
        process = self.running.pop(member)
        process.kill()
        await process.wait()

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3_000:] for path in sorted(self.folder.glob("*.log")))


@contextlib.asynccontextmanager
async def pair(env: Mapping[str, str], folder: Path) -> AsyncIterator[Pair]:
    made = Pair(env, folder)
    try:
        yield made
    finally:
        for member in list(made.running):
            await made.kill(member)


@dataclass
class Asker:
    """Asks for approvals, each until it is answered; notes every answer and when it came."""

    client: Client
    answers: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    kinds: dict[str, type[Message]] = field(default_factory=dict)
    answered_s: list[float] = field(default_factory=list)
    silences: int = 0

    async def ask(self, number: int, patience_s: float = 30.0) -> Message:
        proposal = risk_pb2.TradeProposal(
            portfolio="main",
            leader=f"0x{number % 3:040x}",
            strategy="copy",
            condition_id=MARKETS[number % len(MARKETS)],
            token_id=yes(MARKETS[number % len(MARKETS)]),
            side=common_pb2.SIDE_BUY,
            limit_price_micro=PRICE_MICRO,
            max_size_micro=20 * SHARE,
            fair_value_micro=FAIR_MICRO,
        )
        now_ns = time.time_ns()
        proposal.meta.id = derived_id("pair", number)
        proposal.meta.event_time_ns = now_ns
        proposal.deadline_ns = now_ns + 60 * S
        until_s = time.monotonic() + patience_s
        while True:
            reply = await self._once(proposal)
            if reply is not None:
                return reply
            self.silences += 1
            if time.monotonic() > until_s:
                raise AssertionError(f"proposal {number} was not answered in {patience_s} s")
            await asyncio.sleep(PAUSE_S)

    def longest_gap_s(self) -> float:
        pairs = zip(self.answered_s, self.answered_s[1:], strict=False)
        return max((after - before for before, after in pairs), default=0.0)

    async def _once(self, proposal: risk_pb2.TradeProposal) -> Message | None:
        proposal.asked_ns = time.time_ns()
        try:
            reply = await self.client.request(
                APPROVALS.of(proposal.condition_id),
                encode(proposal),
                timeout=ASK_S_MAX,
                headers={TYPE_HEADER: type_name(proposal)},
            )
        except (NatsError, TimeoutError):
            return None
        self.answered_s.append(time.monotonic())
        message = decode((reply.headers or {})[TYPE_HEADER], reply.data)
        self.answers[proposal.meta.id].add(reply.data)
        self.kinds[proposal.meta.id] = type(message)
        return message


def fate(approval: risk_pb2.ApprovedTrade) -> str:
    """What becomes of an approval: it is left alone, bought, or bought and undone."""
    return ("unused", "filled", "undone")[int(approval.approval_id[:8], 16) % 3]


async def execute(log: Log) -> None:
    """Work the approvals that appear as an execution agent would, until cancelled."""
    read = [0] * await log.partitions("trade.approved")
    while True:
        for partition, offset in enumerate(read):
            page = await log.read(Position("trade.approved", partition, offset), 1_000)
            events: list[Message] = []
            for one in page:
                read[partition] = one.offset + 1
                approval = decode(one.headers["ce_type"], one.value)
                assert isinstance(approval, risk_pb2.ApprovedTrade)
                events += _events_of(approval)
            if events:
                await log.append([_record(event) for event in events])
        await asyncio.sleep(0.2)


def _events_of(approval: risk_pb2.ApprovedTrade) -> list[Message]:
    if fate(approval) == "unused":
        return []
    order = order_of(approval)
    fill = fill_of(order)
    is_undone = fate(approval) == "undone"
    kind = order_pb2.OrderReversed if is_undone else order_pb2.OrderConfirmed
    return [
        order_pb2.OrderAnnounced(order=order),
        order_pb2.OrderMatched(order=order, fill=fill),
        kind(order=order, fill=fill),
        closed(order, 0 if is_undone else fill.size_micro),
    ]


def _record(event: Message) -> Record:
    meta = event.meta  # type: ignore[attr-defined]
    meta.id = derived_id(type_name(event), event.order.approval_id)  # type: ignore[attr-defined]
    meta.event_time_ns = time.time_ns()
    return to_record(Envelope("order.events", key_of("order.events", event), event))


async def told(log: Log, topic: str) -> list[Message]:
    """Return all that a topic holds."""
    found: list[Message] = []
    for partition in range(await log.partitions(topic)):
        offset = 0
        while page := await log.read(Position(topic, partition, offset), 1_000):
            offset = page[-1].offset + 1
            found += [decode(one.headers["ce_type"], one.value) for one in page]
    return found
