"""Holds the skill verdict to simulated truth: `python -m whaletrader.lab.universe --seed 1`.

Prints, as Markdown, the false discovery rate, the power by edge and number of trades, what became
of the lucky, and how soon the end of an edge is noticed. docs/planted-truth.md is its output.
"""

import argparse
import sys
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.progress import track

from whaletrader.lab.universe.census import TRADE_BINS, Census, take_census
from whaletrader.lab.universe.decay import DecayCase, measure_decay
from whaletrader.lab.universe.world import UniverseOptions

EDGES = (0.03, 0.06, 0.10, 0.15, 0.20)
DECAY_EDGES = (0.08, 0.12, 0.16)
DECAY_MARKETS_A_DAY = (1.0, 2.5, 5.0, 10.0, 20.0)
DECAY_WALLETS = 100
NULL_UNIVERSES = 5


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m whaletrader.lab.universe", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--universes", type=int, default=20, help="of each kind; at least 2")
    given = parser.parse_args(arguments)
    if given.universes < 2:
        parser.error("--universes must be at least 2: the rate is a mean with an error")
    console = Console(stderr=True)
    kinds = [(f"edge {edge:.2f}", UniverseOptions(edge=edge)) for edge in EDGES]
    # The hardest for a test: nobody pays a fee, so half of those without skill are ahead.
    fair = replace(UniverseOptions(edge=0.10), maker_share=1.0)
    kinds.append(("edge 0.10, no fees", fair))
    kinds.append(("edge 0.10, events 0.8 correlated", replace(fair, correlation=0.8)))
    censuses = [
        (name, take_census(options, given.universes, given.seed))
        for name, options in track(kinds, "universes", console=console)
    ]
    # One discovery makes a universe's share 0 or 1 here: its mean needs more of them.
    nobody = take_census(
        replace(fair, skilled_share=0.0), NULL_UNIVERSES * given.universes, given.seed
    )
    censuses.append(("nobody is skilled, no fees", nobody))
    cases = [
        measure_decay(edge, rate, DECAY_WALLETS, given.seed)
        for edge in track(DECAY_EDGES, "decay", console=console)
        for rate in DECAY_MARKETS_A_DAY
    ]
    print("\n".join(_census_table(censuses)), end="\n\n")
    print("\n".join(_decay_table(cases)))
    return 0


def _census_table(censuses: list[tuple[str, Census]]) -> list[str]:
    bins = [f"{low}+" for low in TRADE_BINS]
    head = ["universe", "false discovery rate", *(f"power, {one} trades" for one in bins), "lucky"]
    lines = [_row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
    for name, census in censuses:
        lucky, called = census.lucky
        power = ["" if np.isnan(one) else f"{one:.0%}" for one in census.power]
        rate = f"{census.false_discovery_rate:.1%} ± {census.false_discovery_error:.1%}"
        lines.append(_row([name, rate, *power, f"{called} of {lucky:,}"]))
    return lines


def _decay_table(cases: list[DecayCase]) -> list[str]:
    head = ["edge", "settled markets a day", "median days to the flag", "flagged"]
    head.append("days between false flags")
    lines = [_row(head), _row(["---:"] * len(head))]
    lines += [
        _row(
            [
                f"{case.edge:.2f}",
                f"{case.markets_a_day:g}",
                f"{case.median_days:.1f}",
                f"{len(case.delays_days)} of {case.wallets}",
                f"{case.days_between_false_flags:.0f}",
            ]
        )
        for case in cases
    ]
    return lines


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
