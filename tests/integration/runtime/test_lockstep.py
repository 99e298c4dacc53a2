"""In lock step the outcome depends neither on speed nor on who is killed meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.runtime.lockstep import (
    AGENTS,
    FACTS_A_WINDOW,
    TRADES_A_WINDOW,
    WINDOWS,
    Play,
)
from whaletrader.runtime.log import CommitUncertain, Log, LogUnavailable
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.logs.postgres import PostgresLog
from whaletrader.runtime.logs.postgres_session import PostgresSettings
from whaletrader.runtime.topics import TOPICS

ALL = WINDOWS * (TRADES_A_WINDOW + FACTS_A_WINDOW)


async def memory_log() -> MemoryLog:
    log = MemoryLog(lambda: 0)
    await log.create_topics(TOPICS)
    return log


@pytest.fixture
async def postgres_log(postgres_dsn: str) -> AsyncIterator[Log]:
    log = await PostgresLog.open(PostgresSettings(postgres_dsn))
    await log.create_topics(TOPICS)
    yield log
    await log.close()


async def undisturbed(url: str) -> Play:
    play = Play(await memory_log(), url, seed=1)
    await play.run()
    return play


async def same_events(play: Play, other: Play) -> bool:
    return [await play.said(topic) for topic in ("signal.raised", "anomaly.alert")] == [
        await other.said(topic) for topic in ("signal.raised", "anomaly.alert")
    ]


@pytest.mark.parametrize("seed", [2, 3, 4])
async def test_the_journals_are_the_same_bytes_however_fast_anyone_was(
    nats_url: str, seed: int
) -> None:
    first = await undisturbed(nats_url)
    again = Play(await memory_log(), nats_url, seed)
    await again.run()
    for agent in AGENTS:
        assert await first.journal(agent) == await again.journal(agent)
    assert len(await first.said("anomaly.alert")) == ALL


async def test_the_journals_are_the_same_bytes_on_postgres(
    nats_url: str, postgres_log: Log
) -> None:
    first = await undisturbed(nats_url)
    again = Play(postgres_log, nats_url, seed=5)
    await again.run()
    for agent in AGENTS:
        assert await first.journal(agent) == await again.journal(agent)


@pytest.mark.parametrize("error", [CommitUncertain("?"), LogUnavailable("gone")])
async def test_a_worker_lost_in_a_phase_is_awaited_and_the_run_ends_the_same(
    nats_url: str, error: Exception
) -> None:
    first = await undisturbed(nats_url)
    play = Play(await memory_log(), nats_url, seed=6)

    async def lose(number: int) -> None:
        if number in (3, 8, 20):
            raise error

    play.on_commit = lose
    await play.run()
    assert play.commits > 20
    assert await same_events(play, first)


async def test_a_worker_lost_after_a_commit_that_stands_repeats_nothing(nats_url: str) -> None:
    first = await undisturbed(nats_url)
    play = Play(await memory_log(), nats_url, seed=7)

    async def lose(number: int) -> None:
        if number in (2, 9, 15):
            raise CommitUncertain("written")

    play.on_committed = lose
    await play.run()
    assert await same_events(play, first)


async def test_a_process_killed_while_it_acts_acts_again_and_the_run_ends_the_same(
    nats_url: str,
) -> None:

    first = await undisturbed(nats_url)
    play = Play(await memory_log(), nats_url, seed=8)
    killers: list[asyncio.Task[None]] = []

    async def kill(number: int) -> None:
        if number in (2, 9):
            killers.append(asyncio.create_task(play.kill(AGENTS[0])))
            killers.append(asyncio.create_task(play.kill(AGENTS[1])))
            await asyncio.sleep(5)

    play.on_effect = kill
    await play.run()
    await asyncio.gather(*killers)
    assert True in play.again
    assert await same_events(play, first)
