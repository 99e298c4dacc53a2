"""A risk agent at work in this process: the real shell over a log in memory, on real NATS.

Used by the tests of the command, of the page and of the NATS edge.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from google.protobuf.message import Message
from nats.aio.client import Client

from tests.integration.risk.risk_pair import MARKETS, S
from tests.unit.runtime.stage import until
from tests.unit.services.risk.risk_room import SETTINGS, SHARE, SIGNER, USD, opening, yes
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import WallClock
from whaletrader.runtime.codec import Envelope, key_of, to_record
from whaletrader.runtime.health import Health
from whaletrader.runtime.letters import Letters
from whaletrader.runtime.log import Log
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.requests import Responder, connect
from whaletrader.runtime.run import face
from whaletrader.runtime.service import Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.shell import Shell
from whaletrader.runtime.subjects import SUBJECTS
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import TOPICS
from whaletrader.runtime.worker import FreeWorker, Tools
from whaletrader.schemas import common_pb2, control_pb2, order_pb2, risk_pb2
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import RiskSettings
from whaletrader.services.risk.policy_terms import RiskPolicy, policy_of
from whaletrader.services.risk.state import RiskState

# Patient with clocks: on a busy machine a request may wait for seconds.
POLICY: Final = policy_of(
    {**SETTINGS.model_dump(), "kelly_ratio": Decimal(1), "clock_skew_ms_max": 60_000}
)
WHALE: Final = "0x" + "7c" * 20


@dataclass
class Stand:
    """Risk at work; `log` is what it reads and writes, `client` asks it."""

    log: Log
    shell: Shell
    client: Client
    told: int = 0

    @property
    def state(self) -> RiskState:
        (worker,) = self.shell.workers
        state = worker.core.agent.state
        assert isinstance(state, RiskState)
        return state

    async def tell(self, topic: str, message: Message) -> None:
        """Put a message on the log, stamped if it is not."""
        self.told += 1
        meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("stand", self.told)
        meta.event_time_ns = meta.event_time_ns or time.time_ns()
        await self.log.append([to_record(Envelope(topic, key_of(topic, message), message))])

    async def ask(self, message: Message) -> Message | None:
        """Hand a request to risk as if it had come over NATS."""
        self.told += 1
        meta = message.meta  # type: ignore[attr-defined]
        meta.id = meta.id or derived_id("asked", self.told)
        meta.event_time_ns = meta.event_time_ns or time.time_ns()
        return await self.shell.answer(message)

    def proposal(self, market: int = 0, **changes: object) -> risk_pb2.TradeProposal:
        terms: dict[str, object] = {
            "portfolio": "main",
            "leader": WHALE,
            "strategy": "copy",
            "condition_id": MARKETS[market],
            "token_id": yes(MARKETS[market]),
            "side": common_pb2.SIDE_BUY,
            "limit_price_micro": 500_000,
            "max_size_micro": 100 * SHARE,
            "fair_value_micro": 650_000,
            "deadline_ns": time.time_ns() + 60 * S,
            "asked_ns": time.time_ns(),
        }
        return risk_pb2.TradeProposal(**{**terms, **changes})  # type: ignore[arg-type]

    async def buy(self, market: int = 0) -> risk_pb2.ApprovedTrade:
        """Have a purchase approved and filled."""
        approval = await self.ask(self.proposal(market))
        assert isinstance(approval, risk_pb2.ApprovedTrade), approval
        order = order_pb2.OrderRef(
            order_id=f"order-{approval.approval_id}",
            approval_id=approval.approval_id,
            proposal_id=approval.proposal_id,
            portfolio="main",
            leader=approval.leader,
            strategy=approval.strategy,
            condition_id=approval.condition_id,
            token_id=approval.token_id,
            side=approval.side,
            price_micro=approval.limit_price_micro,
            size_micro=approval.size_micro,
        )
        fill = order_pb2.Fill(
            trade_id=f"trade-{order.order_id}",
            price_micro=order.price_micro,
            size_micro=order.size_micro,
        )
        for event in (
            order_pb2.OrderAnnounced(order=order),
            order_pb2.OrderMatched(order=order, fill=fill),
            order_pb2.OrderConfirmed(order=order, fill=fill),
            order_pb2.OrderClosed(
                order=order,
                status=order_pb2.CLOSE_STATUS_FILLED,
                filled_size_micro=fill.size_micro,
            ),
        ):
            await self.tell("order.events", event)
        held = approval.size_micro
        await until(lambda: self.held(approval.token_id) >= held)
        return approval

    def held(self, token_id: str) -> int:
        return sum(lot.size_micro for lot in self.state.lots.get(token_id, {}).values())

    async def control(self, action: control_pb2.ControlAction.ValueType) -> None:
        order = control_pb2.ControlOrdered(portfolio="main", action=action, operator="ann")
        await self.tell("control", order)


def make_agent() -> RiskAgent:
    return RiskAgent(RiskSettings(), SIGNER.sign, SIGNER.key_id)


@contextlib.asynccontextmanager
async def stand(
    nats_url: str, policy: RiskPolicy = POLICY, log: Log | None = None
) -> AsyncIterator[Stand]:
    """Run risk with its policy in force and no market yet; see risk_pair.furnish."""
    log = log or MemoryLog(time.time_ns)
    await log.create_topics(TOPICS)
    client = await connect(nats_url, "risk")
    service = Service(
        make_agent=make_agent,
        responds={one.pattern: one.request for one in SUBJECTS if one.responder == "risk"},
    )
    clock, health = WallClock(), Health()
    tools = Tools(log, clock, RuntimeSettings(), service, Telemetry("risk"))
    shell = Shell(tools, "risk", "stand", FreeWorker, health)
    letters = Letters(log, clock, "risk", "stand")
    responder = Responder(client, clock, shell.answer, letters.bury)
    shell.on_work = lambda is_at_work: face(responder, service, is_at_work)
    running = asyncio.create_task(shell.run())
    try:
        await until(lambda: bool(shell.workers))
        await client.flush()
        made = Stand(log, shell, client)
        await made.ask(opening(policy))
        assert made.state.charter.is_open
        assert made.state.cash_micro == 10_000 * USD
        yield made
    finally:
        shell.stop()
        await asyncio.wait_for(running, 10)
        await letters.drain()
        await client.close()
