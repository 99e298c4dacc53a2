"""kill -9 of each agent at random moments changes nothing: same positions, cash and orders."""

import asyncio
import random

import pytest

from tests.chaos.demo_run import DemoRun, Outcome
from whaletrader.stack.errors import StackError
from whaletrader.stack.options import LogKind
from whaletrader.stack.testing import skip_or_fail

AGENTS = ("discovery", "intelligence", "orchestrator", "risk", "execution", "attribution")
KILLS_EACH = 2
SEED = 20_260_101


class Killer:
    """Kills agents at random windows and random moments within them."""

    def __init__(self, seed: int, windows: int) -> None:
        self._random = random.Random(seed)
        victims = [agent for agent in AGENTS for _ in range(KILLS_EACH)]
        self._random.shuffle(victims)
        spots = sorted(self._random.sample(range(1, windows), len(victims)))
        self._plan = dict(zip(spots, victims, strict=True))
        self.killed: list[str] = []

    async def __call__(self, run: DemoRun, window: int) -> None:
        due = [spot for spot in self._plan if spot <= window]
        for spot in due:
            victim = self._plan.pop(spot)
            await asyncio.sleep(self._random.uniform(0, 0.05))
            await run.kill(victim)
            self.killed.append(victim)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("log", ["postgres", "kafka"])
async def test_killing_every_agent_changes_nothing(log: LogKind, undisturbed: Outcome) -> None:
    killer = Killer(SEED, windows=20)
    try:
        with DemoRun(log) as run:
            await run.play(killer)
            actual = await run.outcome()
            assert sorted(killer.killed) == sorted(AGENTS * KILLS_EACH)
            assert all(run.restarts(agent) >= KILLS_EACH for agent in AGENTS)
    except StackError as error:
        if log == "kafka" and "java" in str(error).lower():
            skip_or_fail("kafka", str(error))
        raise
    assert actual == undisturbed
