"""The execution agent at a running exchange: real core, edges, source and sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.message import Message
from pydantic import SecretStr

from tests.contract.venues.faulty_line import Line, line_to
from whaletrader.domain.approval import ApprovalSigner, ApprovalVerifier, signing_bytes
from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.core import Core, Inline
from whaletrader.runtime.effects import EffectRunner
from whaletrader.runtime.service import Edge, Policy
from whaletrader.schemas import (
    agent_pb2,
    common_pb2,
    control_pb2,
    market_pb2,
    order_pb2,
    risk_pb2,
)
from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.server import running
from whaletrader.services.execution.agent import ExecutionAgent, ExecutionPolicy, Working
from whaletrader.services.execution.desk import Desk
from whaletrader.services.execution.news import News
from whaletrader.services.execution.performers import (
    BookPerformer,
    CancelPerformer,
    Guards,
    ResolvePerformer,
    SubmitPerformer,
)
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.services.execution.source import Rhythm, VenueSource
from whaletrader.services.execution.state import ExecutionState
from whaletrader.venues.polymarket.client import environment_at
from whaletrader.venues.polymarket.signer import DEVELOPMENT_KEY, LocalSigner
from whaletrader.venues.polymarket.venue import PolymarketVenue, WalletSettings

S = 1_000_000_000
T0 = 1_760_000_000 * S
CONDITION = "0x" + "ab" * 32
YES, NO = str(7**80), str(7**81)
CASH = 1_000_000_000
# Far more than anything takes here: a machine may be busy with something else.
PATIENCE_S = 60.0
PEM = Ed25519PrivateKey.from_private_bytes(b"k" * 32).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
SIGNER = ApprovalSigner(PEM)
VERIFY = ApprovalVerifier([SIGNER.public_pem()]).verify
MAKER_KEY = "0x" + "22" * 32

MARKET: dict[str, Any] = {
    "condition_id": CONDITION,
    "question": "Will it rain?",
    "slug": "will-it-rain",
    "event_slug": "weather",
    "category": "weather",
    "tokens": [{"token_id": YES, "outcome": "Yes"}, {"token_id": NO, "outcome": "No"}],
    "tick_size_micro": 10_000,
    "min_size_micro": 5_000_000,
    "fee_rate_micro": 50_000,
    "neg_risk": False,
    "end_ns": T0 + 86_400 * S,
}


def listing() -> market_pb2.MarketListed:
    made = market_pb2.MarketListed(
        condition_id=CONDITION,
        tokens=[market_pb2.OutcomeToken(token_id=t["token_id"]) for t in MARKET["tokens"]],
        tick_size_micro=MARKET["tick_size_micro"],
        min_size_micro=MARKET["min_size_micro"],
        fee_rate_micro=MARKET["fee_rate_micro"],
        fee_exponent=1,
        neg_risk=MARKET["neg_risk"],
    )
    made.meta.id = derived_id("listing")
    return made


def approval(approval_id: str = "a1", **changes: Any) -> risk_pb2.ApprovedTrade:
    terms: dict[str, Any] = {
        "approval_id": approval_id,
        "proposal_id": f"p-{approval_id}",
        "portfolio": "main",
        "condition_id": CONDITION,
        "token_id": YES,
        "side": common_pb2.SIDE_BUY,
        "limit_price_micro": 500_000,
        "size_micro": 10_000_000,
        "expires_ns": T0 + 3_600 * S,
        "key_id": SIGNER.key_id,
    }
    made = risk_pb2.ApprovedTrade(**terms | changes)
    made.meta.id = derived_id("approval", approval_id)
    made.meta.event_time_ns = T0
    made.signature = SIGNER.sign(signing_bytes(made))
    return made


def control(action: control_pb2.ControlAction.ValueType) -> control_pb2.ControlOrdered:
    made = control_pb2.ControlOrdered(portfolio="main", action=action, operator="test")
    made.meta.id = derived_id("control", action)
    return made


@dataclass
class Place:
    """The exchange, its operator's side, and the line that execution uses."""

    url: str
    line: Line
    http: httpx.AsyncClient
    engine: Any
    clock: SetClock
    # Chains of heartbeats at the exchange: API key -> (next id, when it was last heard).
    heartbeats: dict[str, tuple[str, int]]
    window: int = 0

    async def admin(self, path: str, body: Any) -> Any:
        answer = await self.http.post(f"/admin/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def play(self, after_s: int, *prints: tuple[str, int, int], **extra: Any) -> Any:
        """Play a window up to T0 + after_s with prints (token, cents, shares) a second earlier."""
        self.window += 1
        now_ns = T0 + after_s * S
        self.clock.set(now_ns)
        body: dict[str, Any] = {"window": self.window, "now_ns": now_ns, "prints": [], **extra}
        for number, (token, cents, shares) in enumerate(prints):
            recorded: dict[str, Any] = {
                "id": f"p{self.window}-{number}",
                "token_id": token,
                "side": "SELL",
            }
            recorded |= {"price_micro": cents * 10_000, "size_micro": shares * 1_000_000}
            body["prints"].append(recorded | {"ts_ns": now_ns - S})
        return (await self.admin("tape", body))["facts"]

    def orders(self) -> dict[str, Any]:
        """Return all orders that the exchange ever took, by id."""
        orders: dict[str, Any] = self.engine.state.orders
        return orders


@dataclass
class Trader:
    """One life of the execution process. A crash keeps the journal and nothing else."""

    place: Place
    policy: ExecutionPolicy
    effect_policy: Policy = field(default_factory=lambda: Policy(20.0, 5, 0.02))
    # No look by the clock: what is not told must be read for a reason.
    rhythm: Rhythm = field(default_factory=lambda: Rhythm(3_600.0))
    journal: list[agent_pb2.JournalEntry] = field(default_factory=list)
    events: list[Message] = field(default_factory=list)

    async def start(self) -> None:
        self.venue = venue_at(self.place.line.url, DEVELOPMENT_KEY)
        await self.venue.connect()
        self.core = Core(ExecutionAgent(self.policy, VERIFY, self.venue.prepare))
        for entry in self.journal:
            self.core.follow(entry, {})
        self.desk = Desk()
        self.desk.restored(self.core)
        self.news = News(self.venue.wallet, self.desk)
        now_ns = self.place.clock.now_ns
        reconciler = Reconciler(self.venue, self.desk, self.news, now_ns)
        submit = SubmitPerformer(self.venue, reconciler, Guards(self.desk, VERIFY, now_ns))
        edges = {
            order_pb2.SubmitOrder: Edge(submit, self.effect_policy),
            order_pb2.ResolveOrder: Edge(ResolvePerformer(reconciler), self.effect_policy),
            order_pb2.ReadBook: Edge(BookPerformer(self.venue), self.effect_policy),
            order_pb2.CancelOrder: Edge(
                CancelPerformer(self.venue, reconciler), self.effect_policy
            ),
        }
        self.inbox: list[Inline] = []
        self.runner = EffectRunner("execution", edges, self.place.clock, self.inbox.append)
        self.source = VenueSource(self.venue, self.news, reconciler, self.rhythm)
        self.listening = asyncio.create_task(
            self.source.run(lambda message: self.inbox.append(Inline(message)))
        )
        for effect in list(self.core.pending.values()):
            self.runner.start(effect, again=True)
        if not self.journal:
            self.tell(listing())

    def tell(self, message: Message, *, act: bool = True) -> None:
        """Commit one input; `act=False` is a crash before the effects are started."""
        self._step([Inline(message)], act)

    async def until(self, done: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Work until the condition holds. Time of the tape does not pass."""
        async with asyncio.timeout(timeout_s):
            while not done():
                self.work()
                await asyncio.sleep(0.01)

    async def settle(self) -> None:
        """Work until no effect is under way and nothing has come in for a while."""
        quiet = 0
        async with asyncio.timeout(PATIENCE_S):
            while quiet < 10:
                quiet = 0 if self.work() or self.runner.in_flight else quiet + 1
                await asyncio.sleep(0.01)

    def work(self) -> bool:
        """Commit what has come in; return whether there was anything."""
        inputs = [*self.inbox, *self.runner.timers.take_due(self.place.clock.now_ns())]
        self.inbox.clear()
        if inputs:
            self._step(inputs, act=True)
        return bool(inputs)

    async def crash(self) -> None:
        """Kill this life; `start` begins the next one from the journal."""
        self.listening.cancel()
        await self.runner.stop()
        await asyncio.gather(self.listening, return_exceptions=True)
        await self.venue.close()

    async def restart(self) -> None:
        await self.crash()
        await self.start()

    async def until_placed(self) -> None:
        """Wait for an order at the exchange, committing nothing of what comes in."""
        for _ in range(1_000):
            if self.place.orders():
                return
            await asyncio.sleep(0.005)
        raise TimeoutError("no order came")

    def said(self, kind: type[Message]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def ends(self) -> list[tuple[int, int]]:
        return [(e.status, e.filled_size_micro) for e in self.said(order_pb2.OrderClosed)]

    @property
    def state(self) -> ExecutionState:
        state = self.core.agent.state
        assert isinstance(state, ExecutionState)
        return state

    def _step(self, inputs: list[Inline], act: bool) -> None:
        step = self.core.step(inputs, self.place.clock.now_ns())
        self.journal.append(step.entry)
        self.events += [event for _, _, event in step.events]
        for effect in step.effects if act else ():
            self.runner.start(effect, again=False)


def venue_at(url: str, key: str) -> PolymarketVenue:
    return PolymarketVenue(LocalSigner(SecretStr(key)), WalletSettings(environment_at(url)))


@contextlib.asynccontextmanager
async def place(**config: Any) -> AsyncIterator[Place]:
    """Run an exchange with one market and a funded wallet, its tape at T0."""
    async with (
        running(ExchangeConfig(**config)) as (url, venue),
        httpx.AsyncClient(base_url=url) as http,
        line_to(url) as line,
    ):
        made = Place(url, line, http, venue.exchange, SetClock(T0), venue.heartbeats)
        await made.admin("markets", {"markets": [MARKET]})
        for key in (DEVELOPMENT_KEY, MAKER_KEY):
            address = LocalSigner(SecretStr(key)).address
            await made.admin("accounts", {"address": address, "collateral": "1000"})
        await made.play(0)
        yield made


@contextlib.asynccontextmanager
async def trading(effect_policy: Policy | None = None, **changes: Any) -> AsyncIterator[Trader]:
    """Run execution at an exchange."""
    async with place() as exchange:
        wallet = venue_at(exchange.url, DEVELOPMENT_KEY).wallet
        terms: dict[str, Any] = {"lane": wallet, "working": Working(3_600 * S)}
        trader = Trader(exchange, ExecutionPolicy(**terms | changes))
        if effect_policy is not None:
            trader.effect_policy = effect_policy
        await trader.start()
        try:
            yield trader
        finally:
            await trader.crash()
