"""What the detectors find of what was planted: `python -m whaletrader.lab.detectors --seed 1`.

Prints planted, reported and right with precision and recall, summed over `--worlds` worlds. Exit
code 2: the arguments were refused.
"""

import argparse
import sys

from whaletrader.lab.detectors.trials import run, table


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    program = "python -m whaletrader.lab.detectors"
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the first world")
    parser.add_argument("--worlds", type=int, default=5, help="how many worlds are drawn")
    options = parser.parse_args(arguments)
    try:
        scores = run(options.seed, options.worlds)
    except ValueError as error:
        print(f"detectors: {error}", file=sys.stderr)
        return 2
    print(table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
