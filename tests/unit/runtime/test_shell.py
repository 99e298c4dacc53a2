"""The shell: what happens when the log, the claim or the process is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.unit.runtime.counting import trade, trade_record
from tests.unit.runtime.stage import AGENT, Stage, until
from whaletrader.runtime.health import Health
from whaletrader.runtime.log import CommitUncertain, LogUnavailable, Membership
from whaletrader.runtime.shell import Shell
from whaletrader.runtime.topics import journal_topic


@asynccontextmanager
async def running(stage: Stage, member: str = "one") -> AsyncIterator[tuple[Shell, Health]]:
    shell, health = stage.shell(member)
    task = asyncio.create_task(shell.run())
    try:
        yield shell, health
    finally:
        shell.stop()
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("error", [CommitUncertain("?"), LogUnavailable("gone")])
async def test_after_a_commit_that_was_not_written_the_shard_is_claimed_anew(
    error: Exception,
) -> None:
    stage = await Stage(batch_max=5).open()

    async def fail(number: int) -> None:
        if number in (2, 3):
            raise error

    stage.before_commit = fail
    await stage.log.append([trade_record(n) for n in range(30)])
    async with running(stage):
        await until(lambda: _counted_all(stage, 30))
    assert len(stage.workers) == 3
    assert len(await stage.said("signal.raised")) == 30


async def test_after_a_commit_that_was_written_all_the_same_nothing_is_said_twice() -> None:
    stage = await Stage(batch_max=5).open()

    async def fail(number: int) -> None:
        if number in (2, 4):
            raise CommitUncertain("the answer was lost")

    stage.after_commit = fail
    await stage.log.append([trade_record(n) for n in range(30)])
    async with running(stage):
        await until(lambda: _counted_all(stage, 30))
    ids = [signal.meta.id for signal in await stage.said("signal.raised")]
    assert len(ids) == len(set(ids)) == 30


async def test_it_is_not_ready_while_the_log_is_lost_and_ready_again_after() -> None:
    stage = await Stage().open()
    broken = True

    async def fail(_: int) -> None:
        if broken:
            raise LogUnavailable("gone")

    stage.before_commit = fail
    async with running(stage) as (_, health):
        await until(lambda: health.problem == "")
        await stage.log.append([trade_record(1)])
        await until(lambda: "gone" in health.problem)
        broken = False
        await until(lambda: _counted_all(stage, 1))
        await until(lambda: health.problem == "")
    assert health.started


async def test_a_twin_under_the_same_name_makes_the_first_stand_aside() -> None:
    stage = await Stage().open()
    async with running(stage) as (_, first):
        await until(lambda: first.problem == "")
        async with running(stage) as (_, second):
            await until(lambda: "standing aside" in first.problem)
            await until(lambda: second.problem == "")
            await stage.log.append([trade_record(n) for n in range(20)])
            await until(lambda: _counted_all(stage, 20))
            await asyncio.sleep(1.2)
            # The first has not come back to fence its twin in turn.
            assert second.problem == ""
            assert "standing aside" in first.problem
    ids = [signal.meta.id for signal in await stage.said("signal.raised")]
    assert len(ids) == len(set(ids)) == 20


async def test_a_worker_that_is_fenced_gives_way_to_the_claim_of_the_owner() -> None:
    stage = await Stage().open()
    async with running(stage) as (_, health):
        await until(lambda: health.problem == "")
        intruder = await stage.log.join(AGENT, "intruder", journal_topic(AGENT))
        await intruder.claim(0, ("wallet.trades",))
        await intruder.leave()
        await stage.log.append([trade_record(n) for n in range(10)])
        await until(lambda: _counted_all(stage, 10))
    assert len(stage.workers) == 2


async def test_a_second_member_stands_by_and_takes_over_when_the_first_leaves() -> None:
    stage = await Stage().open()
    async with running(stage, "two") as (_, second):
        async with running(stage, "one") as (_, first):
            await until(lambda: len(stage.workers) == 1)
            # Ready is who can work or stand by.
            await until(lambda: first.problem == second.problem == "")
            await stage.log.append([trade_record(1)])
            await until(lambda: _counted_all(stage, 1))
            owner = "two" if second.started else "one"
        await stage.log.append([trade_record(2)])
        await until(lambda: _counted_all(stage, 2))
    assert len(stage.workers) == (1 if owner == "two" else 2)


async def test_a_defect_in_the_agent_ends_the_process() -> None:
    stage = await Stage().open()
    await stage.log.append([trade_record(1), trade_record(2, size_micro=99)])
    shell, _ = stage.shell()
    with pytest.raises(RuntimeError, match="cannot be folded"):
        await asyncio.wait_for(shell.run(), 5)
    # Nothing of the batch is on the log: the supervisor's restart will meet it again.
    assert await stage.entries() == []
    assert stage.released == 1


async def test_stopping_lets_the_commit_under_way_finish_and_gives_the_shard_up() -> None:
    stage = await Stage().open()
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_: int) -> None:
        began.set()
        await go_on.wait()

    stage.before_commit = slowly
    await stage.log.append([trade_record(1)])
    shell, _ = stage.shell()
    task = asyncio.create_task(shell.run())
    await asyncio.wait_for(began.wait(), 5)
    shell.stop()
    await asyncio.sleep(0.6)
    assert not task.done()
    go_on.set()
    await asyncio.wait_for(task, 5)
    assert await stage.counted() == 1
    assert stage.released == 1
    newcomer: Membership = await stage.log.join(AGENT, "another", journal_topic(AGENT))
    assert await newcomer.owned(1) == frozenset({0})


async def test_stopping_does_not_wait_for_a_log_that_hangs() -> None:
    stage = await Stage().open()
    began = asyncio.Event()

    async def hang(_: int) -> None:
        began.set()
        await asyncio.sleep(60)

    stage.before_commit = hang
    await stage.log.append([trade_record(1)])
    shell, _ = stage.shell()
    task = asyncio.create_task(shell.run())
    await asyncio.wait_for(began.wait(), 5)
    shell.stop()
    await asyncio.wait_for(task, 8)


async def test_it_can_be_stopped_while_there_is_no_log_to_join() -> None:
    stage = await Stage().open()

    async def away(*_: str) -> Membership:
        raise LogUnavailable("not there")

    stage.log.join = away  # type: ignore[method-assign, assignment]
    shell, _ = stage.shell()
    task = asyncio.create_task(shell.run())
    await asyncio.sleep(0.5)
    assert not task.done()
    shell.stop()
    await asyncio.wait_for(task, 2)


async def test_waiting_leaves_no_tasks_behind() -> None:
    stage = await Stage().open()
    async with running(stage) as (_, health):
        await until(lambda: health.problem == "")
        before = len(asyncio.all_tasks())
        await asyncio.sleep(2.5)
        assert len(asyncio.all_tasks()) <= before + 2


async def test_a_request_without_a_worker_gets_no_answer() -> None:
    stage = await Stage().open()
    shell, _ = stage.shell()
    assert await shell.answer(trade(1)) is None


async def _counted_all(stage: Stage, count: int) -> bool:
    return await stage.counted() == count
