"""Ten thousand crash points, and every invariant held at every rest."""

import asyncio

import pytest

from tests.simulation.faults import CrashPoint
from tests.simulation.options import Options
from tests.simulation.report import Tally
from tests.simulation.world import World

CRASH_POINTS_MIN = 10_000
# A run has some 400; this bounds the test should crashes become rare.
SEEDS_MAX = 60


async def _run(options: Options) -> World:
    world = World(options)
    await world.run()
    return world


@pytest.mark.timeout(600)
def test_no_invariant_breaks_over_ten_thousand_crash_points() -> None:
    tally = Tally()
    for seed in range(1, SEEDS_MAX + 1):
        if tally.crash_points >= CRASH_POINTS_MIN:
            break
        tally.add(asyncio.run(_run(Options(seed))))
    assert tally.crash_points >= CRASH_POINTS_MIN
    assert set(tally.crashes) == set(CrashPoint), "a kind of crash was never reached"
    # Chains must have been worked, or the crashes hit nothing.
    assert tally.counts["orders"] >= 600
    assert tally.counts["fills"] >= 400
    assert tally.counts["markets decided"] >= 100
    for fault in ("request lost", "reply lost", "stream lost", "told twice", "halt", "flatten"):
        assert tally.fates[fault], fault


@pytest.mark.timeout(300)
def test_no_invariant_breaks_on_slices_of_the_sample() -> None:
    tally = Tally()
    for seed in (1, 2):
        tally.add(
            asyncio.run(_run(Options(seed, 2_000, windows=30, is_sample=True, is_eager=True)))
        )
    assert tally.counts["orders"]


def test_a_seed_repeats_a_run_to_the_last_byte() -> None:
    first, again = (asyncio.run(_run(Options(7, 1_000, windows=10))) for _ in range(2))
    assert first.step == again.step
    assert first.faults.crashes == again.faults.crashes
    assert {
        n: [e.SerializeToString() for e in es] for n, es in first.transcript.entries.items()
    } == {n: [e.SerializeToString() for e in es] for n, es in again.transcript.entries.items()}
