"""The worker that takes inputs as they come: batches, order of acts, back-pressure, snapshots."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from google.protobuf.message import Message

from tests.unit.runtime.counting import CountingAgent, trade, trade_record
from tests.unit.runtime.stage import Stage, until
from whaletrader.runtime.agent import Effect
from whaletrader.runtime.log import CommitUncertain, LogUnavailable, Position, Record
from whaletrader.runtime.service import Edge, Policy, Service
from whaletrader.runtime.topics import SNAPSHOTS
from whaletrader.runtime.worker import FreeWorker, merged
from whaletrader.schemas import agent_pb2


@asynccontextmanager
async def running(worker: FreeWorker) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        worker.wake.set()
        await asyncio.wait_for(task, 5)
        await worker.stop()


class Gate:
    """A performer that waits until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.under_way = 0
        self.most = 0
        self.again: list[bool] = []

    async def __call__(self, effect: Effect, again: bool) -> Message:
        self.again.append(again)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.opened.wait()
        finally:
            self.under_way -= 1
        return agent_pb2.PersonNotified(delivered=True)


def gated(gate: Gate) -> Service:
    policy = Policy(deadline_s=30)
    return Service(CountingAgent, edges={agent_pb2.NotifyPerson: Edge(gate, policy)})


async def test_what_has_arrived_together_shares_a_commit() -> None:
    stage = await Stage().open()
    await stage.log.append([trade_record(n) for n in range(500)])
    worker = await stage.worker()
    async with running(worker):
        await until(lambda: worker.agent.state.trades == 500)
    assert len(await stage.entries()) <= 3


async def test_a_batch_is_never_larger_than_the_limit() -> None:
    stage = await Stage(batch_max=7).open()
    await stage.log.append([trade_record(n) for n in range(50)])
    worker = await stage.worker()
    async with running(worker):
        await until(lambda: worker.agent.state.trades == 50)
    assert max(len(entry.inputs) for entry in await stage.entries()) == 7


async def test_with_too_much_under_way_it_stops_reading_and_loses_nothing() -> None:
    gate = Gate()
    stage = await Stage(gated(gate), effects_in_flight_max=4, batch_max=2).open()
    await stage.log.append([trade_record(n, size_micro=5) for n in range(40)])
    worker = await stage.worker()
    async with running(worker):
        await until(lambda: gate.under_way >= 4)
        await asyncio.sleep(0.5)
        # A batch that was being read when the limit was reached is still taken.
        assert gate.under_way <= 6
        assert worker.agent.state.trades <= 6
        gate.opened.set()
        await until(lambda: worker.agent.state.told == 40)
    assert worker.agent.state.trades == 40
    assert gate.most <= 6


async def test_requests_are_answered_under_back_pressure() -> None:
    gate = Gate()
    stage = await Stage(gated(gate), effects_in_flight_max=1, batch_max=1).open()
    await stage.log.append([trade_record(n, size_micro=5) for n in range(5)])
    worker = await stage.worker()
    async with running(worker):
        await until(lambda: gate.under_way >= 1)
        reply = await asyncio.wait_for(worker.answer(trade(100)), 2)
        assert reply is not None
        gate.opened.set()


async def test_a_request_is_answered_only_when_its_commit_is_durable() -> None:
    stage = await Stage().open()
    durable = asyncio.Event()

    async def hold(_: int) -> None:
        await durable.wait()

    stage.after_commit = hold
    worker = await stage.worker()
    async with running(worker):
        asked = asyncio.create_task(worker.answer(trade(1)))
        await until(lambda: stage.commits == 1)
        await asyncio.sleep(0.05)
        assert not asked.done()
        durable.set()
        reply = await asyncio.wait_for(asked, 2)
    assert reply is not None
    assert len(await stage.entries()) == 1


async def test_a_request_whose_commit_failed_gets_no_answer() -> None:
    stage = await Stage().open()

    async def lose(_: int) -> None:
        raise CommitUncertain("lost")

    stage.after_commit = lose
    worker = await stage.worker()
    asked = asyncio.create_task(worker.answer(trade(1)))
    await asyncio.sleep(0)
    with pytest.raises(CommitUncertain):
        await asyncio.wait_for(worker.run(asyncio.Event()), 5)
    await worker.stop()
    assert await asyncio.wait_for(asked, 2) is None


async def test_an_effect_is_not_begun_before_its_commit_is_durable() -> None:
    gate = Gate()
    stage = await Stage(gated(gate)).open()
    durable = asyncio.Event()

    async def hold(_: int) -> None:
        await durable.wait()

    stage.after_commit = hold
    await stage.log.append([trade_record(1, size_micro=5)])
    worker = await stage.worker()
    async with running(worker):
        await until(lambda: stage.commits == 1)
        await asyncio.sleep(0.05)
        assert gate.again == []
        durable.set()
        await until(lambda: gate.again == [False])
        gate.opened.set()
        await until(lambda: worker.agent.state.told == 1)


async def test_an_effect_without_an_outcome_is_taken_up_again_after_a_restart() -> None:
    gate = Gate()
    stage = await Stage(gated(gate)).open()
    await stage.log.append([trade_record(1, size_micro=5)])
    first = await stage.worker()
    async with running(first):
        await until(lambda: gate.again == [False])
    gate.opened.set()
    second = await stage.worker()
    async with running(second):
        await until(lambda: second.agent.state.told == 1)
    assert gate.again == [False, True]


async def test_a_timer_fires_once_its_time_has_come_also_after_a_restart() -> None:
    stage = await Stage().open()
    await stage.log.append([trade_record(1, size_micro=7)])
    first = await stage.worker()
    async with running(first):
        await until(lambda: first.agent.state.trades == 1)
        await asyncio.sleep(0.3)
        assert first.agent.state.timers == 0
    stage.tools.clock.set(100)  # type: ignore[attr-defined]
    second = await stage.worker()
    async with running(second):
        await until(lambda: second.agent.state.timers == 1)
        await asyncio.sleep(0.3)
        assert second.agent.state.timers == 1


async def test_a_snapshot_is_taken_and_a_restart_reads_only_what_came_after_it() -> None:
    stage = await Stage(snapshot_inputs=10, batch_max=4).open()
    await stage.log.append([trade_record(n) for n in range(50)])
    first = await stage.worker()
    async with running(first):
        await until(lambda: first.agent.state.trades == 50)
    snapshots = await stage.log.read(Position(SNAPSHOTS, 0, 0), 100)
    assert len(snapshots) >= 4
    newest = agent_pb2.AgentSnapshot.FromString(snapshots[-1].value)
    second = await stage.worker()
    assert second.core.snapshot(0) == first.core.snapshot(0)
    assert newest.journal_offset > 0
    assert second._since_snapshot < 12


async def test_nobody_who_asks_waits_for_a_snapshot() -> None:
    stage = await Stage(snapshot_inputs=1).open()
    written, append = asyncio.Event(), stage.log.append

    async def slow(records: Sequence[Record]) -> None:
        await written.wait()
        await append(records)

    stage.log.append = slow  # type: ignore[method-assign]
    worker = await stage.worker()
    async with running(worker):
        for number in range(3):
            await asyncio.wait_for(worker.answer(trade(number)), 5)
        assert await stage.log.read(Position(SNAPSHOTS, 0, 0), 100) == []
        written.set()
        await until(lambda: worker._saving is not None and worker._saving.done())
    [snapshot] = await stage.log.read(Position(SNAPSHOTS, 0, 0), 100)
    assert agent_pb2.AgentSnapshot.FromString(snapshot.value).sequence == 1


async def test_a_snapshot_that_cannot_be_written_stops_nothing_and_the_next_one_is() -> None:
    stage = await Stage(snapshot_inputs=1).open()
    append, tries = stage.log.append, 0

    async def broken_once(records: Sequence[Record]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise LogUnavailable("no connection")
        await append(records)

    stage.log.append = broken_once  # type: ignore[method-assign]
    worker = await stage.worker()
    async with running(worker):
        for number in range(2):
            await asyncio.wait_for(worker.answer(trade(number)), 5)
            await until(lambda: worker._saving is not None and worker._saving.done())
    [snapshot] = await stage.log.read(Position(SNAPSHOTS, 0, 0), 100)
    assert agent_pb2.AgentSnapshot.FromString(snapshot.value).sequence == 2
    restarted = await stage.worker()
    assert restarted.core.snapshot(0) == worker.core.snapshot(0)


async def test_workers_that_restart_often_take_snapshots_all_the_same() -> None:
    stage = await Stage(snapshot_inputs=10).open()
    for number in range(25):
        await stage.log.append([trade_record(number)])
        worker = await stage.worker()
        async with running(worker):
            await until(lambda w=worker, n=number: w.agent.state.trades == n + 1)  # type: ignore[misc]
    assert len(await stage.log.read(Position(SNAPSHOTS, 0, 0), 100)) == 2


def test_records_are_merged_by_time_but_never_within_a_partition() -> None:
    from tests.unit.runtime.test_core import stored

    late, early = trade_record(9, "w"), trade_record(3, "w")
    other = trade_record(5, "other wallet")
    rows = [stored(late, 0), stored(early, 1), stored(other, 0)]
    order = [(row.key, row.offset) for row in merged(rows, CountingAgent.reads)]
    assert order == [("other wallet", 0), ("w", 0), ("w", 1)]
