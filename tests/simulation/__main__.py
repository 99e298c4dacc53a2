"""`python -m tests.simulation --seed S --steps N`: as many runs as N steps take.

The first run has the seed S, the next S + 1, and so on. Exits with 1 at the first violation.
"""

import argparse
import asyncio
import sys
import time

from tests.simulation.options import Options, Violation
from tests.simulation.report import Tally
from tests.simulation.world import World

STEPS_A_RUN = 3_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--sample", action="store_true", help="play slices of the shipped sample")
    parser.add_argument(
        "--eager", action="store_true", help="copy every wallet in every run, not in every second"
    )
    asked = parser.parse_args()
    tally = Tally()
    seed, left = asked.seed, asked.steps
    while left > 0:
        started_s = time.monotonic()
        options = Options(
            seed, min(left, STEPS_A_RUN), is_sample=asked.sample, is_eager=asked.eager or None
        )
        world = World(options)
        try:
            asyncio.run(world.run())
        except Violation as violation:
            print(violation, file=sys.stderr)
            return 1
        tally.add(world)
        print(f"seed {seed}: {tally.line(world)}, {time.monotonic() - started_s:.1f} s", flush=True)
        seed, left = seed + 1, left - world.step
    print(tally.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
