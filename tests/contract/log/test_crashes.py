"""Real processes, killed before, in and after a commit; the next one goes on exactly once."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.contract.log.log_worlds import World, drained, everything, numbered, values
from whaletrader.runtime.log import Log, Position

CHILD = Path(__file__).with_name("relay_child.py")
ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def relay(world: World, stop: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the child; whatever happens it is killed at the end, as by `kill -9`."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        world.kind,
        world.address,
        world.name,
        stop,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def heard(child: asyncio.subprocess.Process, word: str) -> None:
    assert child.stdout is not None
    while line := await asyncio.wait_for(child.stdout.readline(), 40):
        if line.decode().strip() == word:
            return
    raise AssertionError(f"the child ended without saying {word}")


async def prepared(world: World) -> Log:
    log = await world.log()
    for name in ("journal.relay", "inputs", "outputs-0", "outputs-1"):
        await world.topic(log, name)
    return log


async def outputs(world: World, log: Log, count: int = 0) -> list[list[str]]:
    topics = [f"outputs-{n}.{world.name}" for n in (0, 1)]
    return [values(await everything(log, topic, count)) for topic in topics]


async def finish(world: World, log: Log, count: int) -> None:
    """Let one more process relay the rest, undisturbed."""
    expected = [str(n) for n in range(count)]
    async with relay(world, "never"):
        for topic in (f"outputs-{n}.{world.name}" for n in (0, 1)):
            await everything(log, topic, count, patience_s=40)
    assert await outputs(world, log) == [expected, expected]


@pytest.mark.parametrize("step", ["polled", "committed"])
async def test_killed_beside_a_commit_the_next_goes_on_exactly_once(
    durable: World, step: str
) -> None:
    log = await prepared(durable)
    await log.append(numbered(f"inputs.{durable.name}", 12))
    async with relay(durable, step) as child:
        await heard(child, step)
    done = 5 if step == "committed" else 0
    assert [len(each) for each in await outputs(durable, log, done)] == [done, done]
    await finish(durable, log, 12)


async def test_killed_inside_a_commit_all_of_it_counts_or_nothing(durable: World) -> None:
    log = await prepared(durable)
    await log.append(numbered(f"inputs.{durable.name}", 12))
    async with commit_held(durable) as release, relay(durable, "filled") as child:
        await heard(child, "committing" if durable.kind == "postgres" else "filled")
        await asyncio.sleep(0.2)
        # Half-way through: nothing is to be seen by anyone.
        assert await outputs(durable, log) == [[], []]
        assert values(await everything(log, f"journal.relay.{durable.name}")) == []
        child.kill()
        await child.wait()
        await release()
    await finish(durable, log, 12)
    entries = values(await everything(log, f"journal.relay.{durable.name}", 3))
    assert entries == ["4", "9", "11"]


@asynccontextmanager
async def commit_held(world: World) -> AsyncIterator[object]:
    """Hold a commit up inside PostgreSQL by a lock on a row that it needs; Kafka's child waits."""
    if world.kind == "kafka":

        async def nothing() -> None:
            return None

        yield nothing
        return
    connection = await asyncpg.connect(world.address)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "SELECT 1 FROM log.partition p JOIN log.topic t ON t.id = p.topic_id"
        " WHERE t.name = $1 FOR UPDATE OF p",
        f"outputs-1.{world.name}",
    )
    yield transaction.rollback
    await connection.close()


async def test_killed_at_chance_moments_nothing_is_lost_or_doubled(durable: World) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    log = await prepared(durable)
    count = 0
    for _ in range(4):
        async with relay(durable, "never") as child:
            await heard(child, "claimed")
            for _ in range(chance.randrange(2, 30)):
                await log.append(numbered(f"inputs.{durable.name}", 3, first=count))
                count += 3
            await asyncio.sleep(chance.random() * 0.05)
            child.kill()
        for each in await outputs(durable, log):
            # What is there is a beginning of what must be: in order, without a gap or a double.
            assert each == [str(n) for n in range(len(each))], f"seed {seed}"
    await finish(durable, log, count)


async def test_an_open_or_aborted_commit_is_never_seen_by_those_who_wait(durable: World) -> None:
    log = await prepared(durable)
    await log.append(numbered(f"inputs.{durable.name}", 5))
    reader = await durable.shard(log, [f"outputs-0.{durable.name}"], "reader")
    async with commit_held(durable) as release, relay(durable, "filled") as child:
        await heard(child, "committing" if durable.kind == "postgres" else "filled")
        assert await reader.poll(10, 0.5) == []
        assert await log.read(Position(f"outputs-0.{durable.name}", 0, 0), 10) == []
        child.kill()
        await child.wait()
        await release()
    async with relay(durable, "never") as child:
        # Five records, once each, whether the killed one's commit counted or not.
        records = await drained(reader, 5, patience_s=30)
        assert values(records) == [str(n) for n in range(5)]
        assert await reader.poll(10, 0.5) == []
