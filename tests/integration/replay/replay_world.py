"""A small agent and a real run of it: log, effects, timers, snapshots, restarts."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.agent import Agent, Decision, Effect
from whaletrader.runtime.clock import SetClock
from whaletrader.runtime.codec import Envelope, to_record
from whaletrader.runtime.log import Log, Position, Record
from whaletrader.runtime.service import Edge, Service
from whaletrader.runtime.settings import RuntimeSettings
from whaletrader.runtime.telemetry import Telemetry
from whaletrader.runtime.topics import TOPICS
from whaletrader.runtime.worker import FreeWorker, Tools
from whaletrader.schemas import agent_pb2, common_pb2, signal_pb2, wallet_pb2
from whaletrader.store.writer import Writer

START_NS = 1_700_000_000_000_000_000
TRADES = 400


class CounterState(msgspec.Struct):
    """What was signalled by wallet, and who was told."""

    signals: dict[str, int] = msgspec.field(default_factory=dict)
    told: int = 0


class CounterViews(msgspec.Struct):
    last_price_micro: dict[str, int] = msgspec.field(default_factory=dict)


class Counter(Agent[CounterState, CounterViews]):
    """Signals trades above a size; tells a person about every tenth. The rule is its size."""

    name = "intelligence"
    reads = ("wallet.trades",)

    def __init__(self, size_min_micro: int = 1_000_200) -> None:
        super().__init__(CounterState(), CounterViews())
        self._size_min_micro = size_min_micro
        self.decides = {
            wallet_pb2.WalletTraded: self._on_trade,
            agent_pb2.PersonNotified: self._on_told,
        }
        self.evolves = {
            signal_pb2.SignalRaised: self._signalled,
            agent_pb2.PersonNotified: self._told,
        }
        self.observes = {wallet_pb2.WalletTraded: self._priced}

    def _on_trade(self, message: wallet_pb2.WalletTraded) -> Decision:
        if message.size_micro == 0:
            raise ValueError("a trade of nothing")
        if message.size_micro < self._size_min_micro:
            return Decision()
        count = self.state.signals.get(message.wallet, 0) + 1
        signal = signal_pb2.SignalRaised(
            strategy=f"seen {count} times, {self.state.told} told",
            condition_id=message.condition_id,
            token_id=message.token_id,
            price_micro=self.views.last_price_micro[message.wallet],
            size_micro=message.size_micro,
        )
        decision = Decision().emit("signal.raised", signal)
        if count % 5 == 0:
            decision.ask(agent_pb2.NotifyPerson(dedup_key=message.wallet), "people")
        return decision

    def _on_told(self, message: agent_pb2.PersonNotified) -> Decision:
        return Decision().keep(agent_pb2.PersonNotified(dedup_key=message.dedup_key))

    def _signalled(self, event: signal_pb2.SignalRaised) -> None:
        wallet = event.token_id
        self.state.signals[wallet] = self.state.signals.get(wallet, 0) + 1

    def _told(self, event: agent_pb2.PersonNotified) -> None:
        self.state.told += 1

    def _priced(self, message: wallet_pb2.WalletTraded) -> None:
        self.views.last_price_micro[message.wallet] = message.price_micro


def trade(number: int) -> Record:
    wallet = f"0x{number % 7:040x}"
    event_id = derived_id("trade", number)
    message = wallet_pb2.WalletTraded(
        meta=common_pb2.Meta(
            id=event_id,
            correlation=event_id,
            source="feeds",
            event_time_ns=START_NS + number * 1_000_000_000,
        ),
        wallet=wallet,
        condition_id=f"0x{number % 3:064x}",
        token_id=wallet,
        price_micro=400_000 + number,
        # One that cannot be handled: it ends in dead.letter, then as now.
        size_micro=0 if number == 123 else 1_000_000 + number,
    )
    return to_record(Envelope("wallet.trades", wallet, message))


async def tell(effect: Effect, again: bool) -> Message:
    await asyncio.sleep(0)
    return agent_pb2.PersonNotified(dedup_key=effect.message.dedup_key)  # type: ignore[attr-defined]


async def run(log: Log, restarts: int = 2) -> None:
    """Let the agent work off TRADES trades, thrown away and restored some times between."""
    await log.create_topics(TOPICS)
    clock = SetClock(START_NS)
    service = Service(make_agent=Counter, edges={agent_pb2.NotifyPerson: Edge(tell)})
    settings = RuntimeSettings(snapshot_inputs=60, batch_max=50)
    tools = Tools(log, clock, settings, service, Telemetry("intelligence"))
    membership = await log.join("intelligence", "me", "journal.intelligence")
    while 0 not in await membership.owned(0.2):
        pass
    share = TRADES // (restarts + 1)
    for part in range(restarts + 1):
        last = TRADES if part == restarts else (part + 1) * share
        worker = FreeWorker(tools, await membership.claim(0, Counter.reads))
        await worker.restore()
        stopping = asyncio.Event()
        working = asyncio.create_task(worker.run(stopping))
        for number in range(part * share, last, 20):
            batch = [trade(it) for it in range(number, min(number + 20, last))]
            # The same one twice, as a producer's retry would leave it.
            await log.append([*batch, batch[0]])
            clock.set(START_NS + number * 1_000_000_000)
            await asyncio.sleep(0.02)
        await _worked_off(worker, log)
        stopping.set()
        await working
        await worker.stop()
    await membership.leave()


async def _worked_off(worker: FreeWorker, log: Log) -> None:
    for _ in range(500):
        ends = sum((await log.end("wallet.trades")).values())
        if sum(worker.core.consumed.values()) == ends and not worker.core.pending:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the agent did not work off its trades")


async def record_all(log: Log, connection: Any) -> None:
    """Put the whole log but the snapshots into the event store."""
    writer = Writer()
    for topic in TOPICS:
        if topic.name == "agent.snapshot":
            continue
        for partition in range(topic.partitions):
            records = await log.read(Position(topic.name, partition, 0), 100_000)
            await writer.write(connection, writer.prepare(records))


async def forget(connection: Any, topics: Sequence[str]) -> None:
    """Drop the records of topics from a PostgreSQL log, as retention does."""
    await connection.execute(
        """
        DELETE FROM log.record
        WHERE topic_id IN (SELECT id FROM log.topic WHERE name = ANY($1::text[]))
        """,
        list(topics),
    )
