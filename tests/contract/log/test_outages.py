"""The server goes away and comes back; afterwards everything goes on, once each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.contract.log.log_worlds import (
    World,
    everything,
    kafka_world,
    numbered,
    postgres_world,
    values,
)
from whaletrader.runtime.log import (
    CommitUncertain,
    Fenced,
    Log,
    LogUnavailable,
    Membership,
    Position,
    Record,
    Shard,
)
from whaletrader.stack.servers.base import LocalServer
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.servers.postgres import PostgresServer
from whaletrader.stack.testing import flavour_for_tests, running


@dataclass
class Outage:
    """A world whose server is ours to stop."""

    world: World
    server: LocalServer

    async def stop(self, *, crash: bool) -> None:
        await asyncio.to_thread(self.server.kill if crash else self.server.stop)

    async def start(self) -> None:
        # From the main thread, as the server wants it; nothing else is to run meanwhile.
        self.server.restart()


@pytest.fixture(scope="module", params=["postgres", "kafka"])
def own_server(request: pytest.FixtureRequest) -> Iterator[LocalServer]:
    kafka = request.param == "kafka"
    server = KafkaServer() if kafka else PostgresServer(flavour_for_tests())
    with running(server) as started:
        yield started


@pytest.fixture
async def outage(own_server: LocalServer) -> AsyncIterator[Outage]:
    address = own_server.endpoint.url
    is_kafka = isinstance(own_server, KafkaServer)
    world = kafka_world(address) if is_kafka else postgres_world(address)
    yield Outage(world, own_server)
    for log in world.opened:
        await log.close()


class Relay:
    """What a shell does with the errors of the port, and nothing else."""

    def __init__(self, world: World, log: Log) -> None:
        self._world = world
        self._log = log
        self._membership: Membership | None = None
        self._shard: Shard | None = None
        self.hindered = 0

    async def run(self) -> None:
        while True:
            try:
                await self._step()
            except LogUnavailable:
                self.hindered += 1
                await asyncio.sleep(0.05)
            except (CommitUncertain, Fenced):
                self.hindered += 1
                if self._shard is not None:
                    await self._shard.release()
                self._shard = None

    async def _step(self) -> None:
        name = self._world.name
        if self._membership is None:
            self._membership = await self._log.join(f"relay.{name}", "one", f"journal.{name}")
        if not await self._membership.owned(0.0 if self._shard else 0.5):
            self._shard = None
            return
        if self._shard is None:
            self._shard = await self._membership.claim(0, [f"inputs.{name}"])
        records = await self._shard.poll(3, 0.2)
        if records:
            events = [Record(f"outputs.{name}", r.key, r.value) for r in records]
            last = records[-1]
            await self._commit(events, Position(last.topic, 0, last.offset + 1))

    async def _commit(self, events: list[Record], position: Position) -> None:
        # Nothing happened if the log was out of reach, so the same commit is tried again.
        while self._shard is not None:
            try:
                await self._shard.commit(events, [position])
                return
            except LogUnavailable:
                self.hindered += 1
                await asyncio.sleep(0.05)


async def append_surely(log: Log, topic: str, first: int) -> None:
    for _ in range(600):
        try:
            await log.append(numbered(topic, 3, first=first))
            return
        except LogUnavailable:
            await asyncio.sleep(0.05)
        except CommitUncertain:
            # Only a look tells, and on Kafka not before its transaction is settled.
            if await _written(log, topic, first + 3, patience_s=12) >= first + 3:
                return
    raise AssertionError("the log did not come back")


async def _written(log: Log, topic: str, count: int = 0, patience_s: float = 0) -> int:
    for _ in range(600):
        try:
            return len(await everything(log, topic, count, patience_s=patience_s))
        except LogUnavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("the log did not come back")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
async def test_after_an_outage_everything_goes_on_and_nothing_is_lost_or_doubled(
    outage: Outage, crash: bool
) -> None:
    world = outage.world
    log, writer = await world.log(), await world.log()
    for name in ("journal", "inputs", "outputs"):
        await world.topic(log, name)
    inputs, outputs = f"inputs.{world.name}", f"outputs.{world.name}"
    relay = Relay(world, log)
    running_relay = asyncio.create_task(relay.run())
    count = 0
    for turn in range(20):
        await append_surely(writer, inputs, count)
        count += 3
        if turn == 9:
            await outage.stop(crash=crash)
            await asyncio.sleep(3)
            await outage.start()
    for _ in range(600):
        if running_relay.done() or await _written(log, outputs) >= count:
            break
        await asyncio.sleep(0.1)
    running_relay.cancel()
    outcome = (await asyncio.gather(running_relay, return_exceptions=True))[0]
    assert isinstance(outcome, asyncio.CancelledError), outcome
    assert values(await everything(log, outputs)) == [str(n) for n in range(count)]
    assert values(await everything(log, inputs)) == [str(n) for n in range(count)]


@pytest.mark.timeout(180)
async def test_without_a_server_every_call_says_so_in_bounded_time(outage: Outage) -> None:
    world = outage.world
    log = await world.log()
    topic = await world.topic(log, "inputs")
    shard = await world.shard(log, [topic])
    await log.append(numbered(topic, 1))
    await outage.stop(crash=False)
    try:
        unreachable = (LogUnavailable, CommitUncertain)
        for call in (
            log.append([Record(topic, "k", b"late")]),
            shard.commit([Record(topic, "k", b"late")], []),
            log.read(Position(topic, 0, 0), 1),
            log.end(topic),
        ):
            with pytest.raises(unreachable):
                await asyncio.wait_for(call, 20)
    finally:
        await outage.start()
