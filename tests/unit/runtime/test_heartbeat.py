"""A heartbeat says what the process is doing, and a log that is away stops nothing."""

import asyncio
from types import SimpleNamespace

import pytest

from whaletrader.runtime.codec import from_stored
from whaletrader.runtime.health import Health
from whaletrader.runtime.heartbeat import TOPIC, beat, health_of
from whaletrader.runtime.log import LogUnavailable, Position
from whaletrader.runtime.logs.memory import MemoryLog
from whaletrader.runtime.topics import TOPICS
from whaletrader.schemas import agent_pb2


def worker(shard: int, in_flight: int, circuits: list[str]) -> SimpleNamespace:
    return SimpleNamespace(
        core=SimpleNamespace(shard=shard, consumed={"a:0": 3, "b:1": 4}),
        runner=SimpleNamespace(in_flight=in_flight, open_circuits=circuits),
    )


def ready() -> Health:
    health = Health()
    health.started, health.problem = True, ""
    return health


def test_a_working_process_says_what_it_works_on() -> None:
    said = health_of([worker(0, 2, ["x"]), worker(3, 1, ["x"])], ready(), "risk", "m", 7)  # type: ignore[list-item]
    assert said.status == agent_pb2.AGENT_STATUS_RUNNING
    assert (list(said.shards), said.pending_effects, said.inputs_total) == ([0, 3], 3, 14)
    assert list(said.open_circuits) == ["x"]


def test_a_twin_that_waits_stands_by() -> None:
    assert health_of([], ready(), "risk", "m", 7).status == agent_pb2.AGENT_STATUS_STANDBY


def test_a_process_that_is_not_ready_is_starting() -> None:
    assert health_of([], Health(), "risk", "m", 7).status == agent_pb2.AGENT_STATUS_STARTING


async def test_beats_go_on_the_log_under_the_agents_key() -> None:
    log = MemoryLog(lambda: 1)
    await log.create_topics(TOPICS)
    shell = SimpleNamespace(workers=[])
    beating = asyncio.create_task(beat(log, shell, ready(), "risk", "m"))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    beating.cancel()
    (record,) = await log.read(Position(TOPIC, 0, 0), 10)
    assert record.key == "risk"
    assert isinstance(from_stored(record), agent_pb2.AgentHealth)


async def test_a_log_that_is_away_does_not_end_the_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog(lambda: 1)

    async def unavailable(_: object) -> None:
        raise LogUnavailable("away")

    monkeypatch.setattr(log, "append", unavailable)
    shell = SimpleNamespace(workers=[])
    beating = asyncio.create_task(beat(log, shell, ready(), "risk", "m"))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert not beating.done()
    beating.cancel()
