"""`python -m benchmarks [--only NAME ...] [--quick] [--results FILE]`.

Prints each figure with its floor and ratio, and writes benchmarks/RESULTS.md. A partial or quick
run writes only where --results says. Exits with 0 also when an aim is missed (it measures), with
1 when a measurement could not be made.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import (
    bookkeeping,
    core_step,
    machine,
    matching,
    order_posts,
    positions,
    replay,
    report,
    rescoring,
    shell,
    signing,
    trading,
)
from benchmarks.children import ChildFailed
from benchmarks.figures import Section
from benchmarks.servers import Servers
from benchmarks.sizes import FULL, QUICK, Sizes
from whaletrader.stack.errors import ServerUnavailable, StackError

RESULTS: Final = Path(__file__).with_name("RESULTS.md")

Measure = Callable[[Servers, Sizes], list[Section]]

# Kafka comes last and is stopped in between: an idle broker takes a tenth of a core.
MEASURES: Final[dict[str, Measure]] = {
    "core": core_step.run,
    "signing": signing.run,
    "rescoring": rescoring.run,
    "ledger": bookkeeping.run,
    "matching": matching.run,
    "order-posts": order_posts.run,
    "positions": positions.run,
    "replay": replay.run,
    "shell-memory": partial(shell.run, kind="memory"),
    "shell-postgres": partial(shell.run, kind="postgres"),
    "trading-postgres": partial(trading.run, kind="postgres"),
    "shell-kafka": partial(shell.run, kind="kafka"),
    "trading-kafka": partial(trading.run, kind="kafka"),
}


def main(arguments: list[str]) -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small samples, to try things out")
    parser.add_argument("--results", type=Path, help="where to write the results")
    options = parser.parse_args(arguments)
    # So that servers and folders go also when somebody ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = [name for name in MEASURES if name in (options.only or MEASURES)]
    started_s = time.monotonic()
    facts = machine.describe()
    sections, failed = _measured(names, QUICK if options.quick else FULL)
    run = report.Run(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=" ".join(["python -m benchmarks", *arguments]),
        machine=facts,
        took_s=time.monotonic() - started_s,
        is_quick=options.quick,
    )
    is_whole = not options.only and not options.quick
    target = options.results or (RESULTS if is_whole else None)
    if target is not None:
        target.write_text(report.markdown(run, sections))
        print(f"written to {target}")
    print(f"took {run.took_s:.0f} s")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _measured(names: list[str], sizes: Sizes) -> tuple[list[Section], list[str]]:
    """Return the sections, and the names of what broke."""
    sections: list[Section] = []
    failed: list[str] = []
    with Servers() as servers:
        for name in names:
            print(f"== {name}", flush=True)
            try:
                measured = MEASURES[name](servers, sizes)
            except ServerUnavailable as error:
                measured = [_not_measured(name, f"{error.server} is missing here: {error.reason}")]
            except (StackError, ChildFailed, TimeoutError) as error:
                # The others are worth having; the exit code tells that something is wrong.
                measured = [_not_measured(name, f"{type(error).__name__}: {error}")]
                failed.append(name)
            for section in measured:
                print("\n".join(report.lines(section)), flush=True)
            sections += measured
    return sections, failed


def _not_measured(name: str, reason: str) -> Section:
    return Section(f"{name}: not measured", "nothing", reason, notes=[reason])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
