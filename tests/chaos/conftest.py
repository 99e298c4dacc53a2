"""What every disturbed run is compared with."""

import asyncio

import pytest

from tests.chaos.demo_run import DemoRun, Outcome


@pytest.fixture(scope="session")
def undisturbed() -> Outcome:
    """The outcome of a run that nobody disturbs. It does not depend on which log carries it."""

    async def play() -> Outcome:
        with DemoRun("postgres") as run:
            await run.play()
            return await run.outcome()

    outcome = asyncio.run(play())
    assert outcome.is_trading, "the slice must exercise the whole chain"
    assert outcome.dead_letters == 0
    return outcome
