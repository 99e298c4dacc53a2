"""Two agents in lock step with a small tape, over real NATS, at speeds that a seed decides."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any

from google.protobuf.message import Message
from nats.aio.client import Client

from tests.unit.runtime.counting import CountingAgent, trade, trade_record
from whaletrader.runtime.agent import Agent, Decision, Effect
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.core import place
from whaletrader.runtime.health import Health
from whaletrader.runtime.log import Log, Position, Record, Shard, Stored
from whaletrader.runtime.paced import PacedWorker
from whaletrader.runtime.pacing import Go, PacedLine, PacerLine, Phase
from whaletrader.runtime.requests import connect
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.shell import Shell
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import journal_topic
from whaletrader.runtime.worker import Tools
from whaletrader.schemas import agent_pb2, anomaly_pb2, signal_pb2

WINDOWS = 4
TRADES_A_WINDOW = 12
FACTS_A_WINDOW = 5
ACCOUNT = "0xabc"
AGENTS = ("discovery", "intelligence")


class Listener(Agent):  # type: ignore[type-arg]
    """Raises an alert for each signal, and asks for somebody to be told of every third."""

    name = "intelligence"
    reads = ("signal.raised",)

    def __init__(self) -> None:
        base = CountingAgent()
        super().__init__(base.state, base.views)
        self.decides = {signal_pb2.SignalRaised: self.on_signal}
        self.evolves = {anomaly_pb2.AnomalyRaised: self.count}

    def on_signal(self, signal: signal_pb2.SignalRaised) -> Decision:
        alert = anomaly_pb2.AnomalyRaised(condition_id=signal.condition_id)
        decision = Decision().emit("anomaly.alert", alert)
        if self.state.trades % 3 == 0:
            decision.ask(agent_pb2.NotifyPerson(dedup_key=signal.meta.id))
        return decision

    def count(self, _: anomaly_pb2.AnomalyRaised) -> None:
        self.state.trades += 1


class Facts:
    """A source whose facts of a window come in any order, whole again after a restart."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._window = asyncio.Condition()
        self._opened = 0
        self._told = 0

    async def open(self, window: int) -> None:
        async with self._window:
            self._opened = window
            self._window.notify_all()

    async def run(self, put: Callable[[Message], None]) -> None:
        self._told = 0
        for window in range(1, WINDOWS + 1):
            async with self._window:
                await self._window.wait_for(lambda w=window: self._opened >= w)  # type: ignore[misc]
            numbers = list(range(FACTS_A_WINDOW))
            self._rng.shuffle(numbers)
            for number in numbers:
                await asyncio.sleep(self._rng.random() * 0.004)
                fact = trade(10_000 + window * 100 + number, "fact")
                fact.condition_id = "fact"
                fact.meta.event_time_ns = window * 1_000
                put(fact)
                self._told += 1
        await asyncio.Event().wait()

    def facts(self) -> Mapping[str, int]:
        return {ACCOUNT: self._told}


class SlowShard:
    """A shard that takes its time, and whose commits the test may hook into."""

    def __init__(self, shard: Shard, play: "Play") -> None:
        self._shard = shard
        self._play = play
        self.number = shard.number

    async def poll(self, max_records: int, timeout_s: float) -> list[Stored]:
        await asyncio.sleep(self._play.rng.random() * 0.01)
        return await self._shard.poll(self._play.rng.randint(1, 7), timeout_s)

    async def commit(self, records: Sequence[Record], positions: Sequence[Position]) -> None:
        self._play.commits += 1
        await self._play.on_commit(self._play.commits)
        await self._shard.commit(records, positions)
        await self._play.on_committed(self._play.commits)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shard, name)


async def _nothing(_: int) -> None:
    return


Hook = Callable[[int], Awaitable[None]]


class Play:
    """One run of the tape. `kill` starts an agent's process anew."""

    def __init__(self, log: Log, url: str, seed: int) -> None:
        self.log = log
        self.rng = Random(seed)
        self.commits = 0
        self.on_commit: Hook = _nothing
        self.on_committed: Hook = _nothing
        self.on_effect: Hook = _nothing
        self.effects = 0
        self.again: list[bool] = []
        self._url = url
        self._source = Facts(self.rng)
        self._clients: list[Client] = []
        self._processes: dict[str, asyncio.Task[None]] = {}
        self._shells: dict[str, Shell] = {}

    async def run(self) -> None:
        """Play all windows and stop."""
        pacer = PacerLine(await self._client("pacer"), AGENTS, resend_s=0.1)
        await pacer.listen()
        try:
            for agent in AGENTS:
                await self.start(agent)
            for window in range(1, WINDOWS + 1):
                await self._play(pacer, window)
        finally:
            for shell in self._shells.values():
                shell.stop()
            await asyncio.gather(*self._processes.values(), return_exceptions=True)
            for client in self._clients:
                await client.close()

    async def start(self, agent: str) -> None:
        """Start an agent's process."""
        policy = Policy(deadline_s=20, attempts_max=100, backoff_s=0.001)
        is_first = agent == AGENTS[0]
        service = Service(
            CountingAgent if is_first else Listener,
            edges={agent_pb2.NotifyPerson: Edge(self._tell, policy)},
            sources=(self._source,) if is_first else (),
        )
        settings = RuntimeSettings(batch_max=5, snapshot_inputs=20)
        tools = Tools(self.log, SetClock(), settings, service, Telemetry(agent))
        line = PacedLine(await self._client(agent), agent)
        shell = Shell(
            tools,
            agent,
            f"{agent}@test",
            lambda tools, shard: PacedWorker(tools, SlowShard(shard, self), line),
            Health(),
        )
        await line.listen(shell.wake)
        self._shells[agent] = shell
        self._processes[agent] = asyncio.create_task(shell.run())

    async def kill(self, agent: str) -> None:
        """End an agent's process without a word, and start it anew."""
        self._processes[agent].cancel()
        await asyncio.gather(self._processes[agent], return_exceptions=True)
        await self.start(agent)

    async def journal(self, agent: str) -> list[bytes]:
        records = await self.log.read(Position(journal_topic(agent), 0, 0), 10_000)
        return [record.value for record in records]

    async def said(self, topic: str) -> list[str]:
        """Return the ids of what was said, in each partition in its order."""
        return [
            record.headers["ce_id"]
            for partition in range(await self.log.partitions(topic))
            for record in await self.log.read(Position(topic, partition, 0), 10_000)
        ]

    async def _tell(self, effect: Effect, again: bool) -> Message:
        self.effects += 1
        self.again.append(again)
        await self.on_effect(self.effects)
        await asyncio.sleep(self.rng.random() * 0.01)
        return agent_pb2.PersonNotified(delivered=True)

    async def _client(self, name: str) -> Client:
        client = await connect(self._url, name)
        self._clients.append(client)
        return client

    async def _play(self, pacer: PacerLine, window: int) -> None:
        numbers = range(window * 100, window * 100 + TRADES_A_WINDOW)
        await self.log.append(
            [trade_record(n, f"wallet {n % 5}", 5 if n % 4 == 0 else 1) for n in numbers]
        )
        written: Counter[str] = Counter()
        for partition, end in (await self.log.end("wallet.trades")).items():
            written[place("wallet.trades", partition)] = end
        await self._source.open(window)
        await self._work_off(pacer, window, written)

    async def _work_off(self, pacer: PacerLine, window: int, written: Counter[str]) -> None:
        step = window * 1_000
        now_ns = window * 1_000_000
        facts = {ACCOUNT: window * FACTS_A_WINDOW}

        def go(phase: Phase, totals: dict[str, int]) -> Go:
            nonlocal step
            step += 1
            return Go(step, phase, now_ns, totals, facts)

        await pacer.ask(go(Phase.REPORT, {}), list(AGENTS), lambda _: None)
        # The first round always: facts of the window may not be in anyone's report yet.
        rounds = 0
        while True:
            totals = Counter(written)
            for report in pacer.reports.values():
                totals.update(report.produced)
            deciding = [
                agent for agent in AGENTS if not rounds or _has_inputs(pacer.reports[agent], totals)
            ]
            if deciding:
                await pacer.ask(go(Phase.DECIDE, dict(totals)), deciding, lambda _: None)
            acting = [agent for agent in AGENTS if pacer.reports[agent].held_effects]
            if acting:
                await pacer.ask(go(Phase.EFFECTS, {}), acting, lambda _: None)
            if not deciding and not acting:
                return
            rounds += 1


def _has_inputs(report: Any, totals: Mapping[str, int]) -> bool:
    behind = any(
        name.rpartition(":")[0] in report.reads and report.consumed.get(name, 0) < total
        for name, total in totals.items()
    )
    return behind or report.waiting_inputs > 0
