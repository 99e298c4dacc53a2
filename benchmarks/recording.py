"""Makes a recorded run to replay: the shipped tape through real agents on a real log.

The agents run as free workers in this process, by the tape's clock; the orchestrator asks risk
without NATS. Execution is not among them: it needs a venue, and replays the same way.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf.message import Message

from benchmarks.members import member
from whaletrader.domain.approval import ApprovalSigner
from whaletrader.runtime.agent import Agent, Effect
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.codec import Envelope, key_of, to_record
from whaletrader.runtime.log import Log, Record
from whaletrader.runtime.service import Edge, EffectRetry, Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import TOPICS
from whaletrader.runtime.worker import FreeWorker, Tools, Worker
from whaletrader.schemas import risk_pb2
from whaletrader.services.attribution.agent import AttributionAgent
from whaletrader.services.attribution.config import AttributionSettings
from whaletrader.services.discovery.agent import DiscoveryAgent
from whaletrader.services.discovery.config import DiscoverySettings
from whaletrader.services.feeds.publication import window_events
from whaletrader.services.feeds.tape import Window, load_tape
from whaletrader.services.intelligence.agent import IntelligenceAgent
from whaletrader.services.intelligence.config import IntelligenceSettings
from whaletrader.services.orchestrator.agent import OrchestratorAgent
from whaletrader.services.orchestrator.config import OrchestratorSettings
from whaletrader.services.risk.agent import RiskAgent
from whaletrader.services.risk.config import DemoRiskSettings
from whaletrader.services.risk.policy_file import opening

# How much of the tape's time the agents are given at once, as in a demo.
_WINDOW_S: Final = 6 * 3_600
_LOOK_S: Final = 0.005
_QUIET_S_MAX: Final = 60.0

MakeAgent = Callable[[], Agent[Any, Any]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What stands on the log: how many events of the tape, and who read them."""

    events: int
    agents: Sequence[MakeAgent]


async def record(log: Log, events_max: int) -> Recorded:
    """Play the beginning of the tape and return when every agent has worked it off."""
    await log.create_topics(TOPICS)
    clock = SetClock()
    makers = _makers()
    events = 0
    async with AsyncExitStack() as stack:
        workers: dict[str, Worker] = {}
        for make in makers:
            worker = await stack.enter_async_context(_working(log, clock, make, workers))
            workers[worker.agent.name] = worker
        for window, records in _windows(events_max):
            clock.set(window.end_ns)
            await log.append(records)
            await _until_quiet(log, workers.values())
            events += len(records)
    return Recorded(events, makers)


def _makers() -> tuple[MakeAgent, ...]:
    key = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    signer = ApprovalSigner(key)
    return (
        lambda: DiscoveryAgent(DiscoverySettings()),
        lambda: IntelligenceAgent(IntelligenceSettings()),
        lambda: RiskAgent(DemoRiskSettings(), signer.sign, signer.key_id),
        lambda: OrchestratorAgent(OrchestratorSettings().thresholds()),
        lambda: AttributionAgent(AttributionSettings()),
    )


def _windows(events_max: int) -> Iterator[tuple[Window, list[Record]]]:
    left = events_max
    for window in load_tape().windows(_WINDOW_S):
        records = [
            to_record(Envelope(topic, key_of(topic, message), message))
            for topic, message in islice(window_events(window), left)
        ]
        left -= len(records)
        yield window, records
        if left <= 0:
            return


@asynccontextmanager
async def _working(
    log: Log, clock: SetClock, make: MakeAgent, workers: dict[str, Worker]
) -> AsyncIterator[Worker]:
    async def ask_risk(effect: Effect, again: bool) -> Message:
        del again
        reply = await workers[RiskAgent.name].answer(effect.message)
        if reply is None:
            raise EffectRetry("risk gave no answer")
        return reply

    agent = make()
    async with member(log, agent.name) as membership:
        service = Service(make_agent=make, edges={risk_pb2.TradeProposal: Edge(ask_risk)})
        tools = Tools(log, clock, RuntimeSettings(), service, Telemetry(agent.name))
        worker = FreeWorker(tools, await membership.claim(0, agent.reads))
        await worker.restore()
        if agent.name == RiskAgent.name:
            # What its composition root tells it at a start: without a policy nothing is approved.
            worker.put_fact(opening(DemoRiskSettings()))
        stopping = asyncio.Event()
        running = asyncio.create_task(worker.run(stopping))
        try:
            yield worker
        finally:
            stopping.set()
            worker.wake.set()
            await running
            await worker.stop()


async def _until_quiet(log: Log, workers: Collection[Worker]) -> None:
    """Return when nobody has anything left to read or to hear."""
    async with asyncio.timeout(_QUIET_S_MAX):
        while not await _is_quiet(log, workers):  # noqa: ASYNC110 - positions tell nobody
            await asyncio.sleep(_LOOK_S)


async def _is_quiet(log: Log, workers: Collection[Worker]) -> bool:
    for worker in workers:
        if worker.waiting_inline or worker.runner.in_flight:
            return False
    ends = {topic: await log.end(topic) for w in workers for topic in w.agent.reads}
    return all(
        worker.core.consumed[f"{topic}:{number}"] == end
        for worker in workers
        for topic in worker.agent.reads
        for number, end in ends[topic].items()
    )
