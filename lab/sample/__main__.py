"""The builder of the shipped sample: `python -m whaletrader.lab.sample --data DIR --out DIR`.

Reads a folder in the layout of wallet-activity, writes the tape's files and ATTRIBUTION.md, loads
the result back and prints its numbers as JSON. Exit code 2: the folder was refused.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from whaletrader.lab.sample.attribution import attribution_text
from whaletrader.lab.sample.files import write_files
from whaletrader.lab.sample.report import SampleReport, describe
from whaletrader.lab.sample.selection import SampleRules, select
from whaletrader.lab.sample.source import SourceError, read_source
from whaletrader.services.feeds.tape import load_tape


def build(data: Path, out: Path, rules: SampleRules) -> SampleReport:
    """Build the sample from `data` into `out` and prove that it loads.

    Raises SourceError when `data` is no wallet-activity folder, ValueError when no market in
    it fits the rules; nothing is written then.
    """
    selection = select(read_source(data), rules)
    report = describe(selection)
    write_files(selection, out)
    (out / "ATTRIBUTION.md").write_text(attribution_text(report, rules), encoding="utf-8")
    loaded = len(load_tape(out).trades)
    if loaded != report.trades:
        raise ValueError(f"wrote {report.trades} trades and loaded {loaded}")
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m whaletrader.lab.sample", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of wallet-activity")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the sample to")
    options = parser.parse_args(arguments)
    try:
        report = build(options.data, options.out, SampleRules())
    except (SourceError, ValueError) as error:
        print(f"sample: {error}", file=sys.stderr)
        return 2
    print(msgspec.json.format(msgspec.json.encode(report)).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
