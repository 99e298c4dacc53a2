"""The study from the folder to the two files.

Owns the order of the parts and which sample each is given; says how far it is through the `tell`
it is handed. The same folder and options give the same `evidence.json`, byte for byte. Called by
`whaletrader evidence`.
"""

import math
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from whaletrader import __version__
from whaletrader.lab.evidence import wording
from whaletrader.lab.evidence.books import build_books
from whaletrader.lab.evidence.crowd import crowd_of, fading_of
from whaletrader.lab.evidence.description import Crowd
from whaletrader.lab.evidence.evidence import (
    SCHEMA_VERSION,
    Copier,
    Evidence,
    InputFile,
    Persistence,
)
from whaletrader.lab.evidence.following import Following
from whaletrader.lab.evidence.halves import calendar_cut, own_cut, persistence_of, split
from whaletrader.lab.evidence.layout import Inputs, read_inputs
from whaletrader.lab.evidence.markets import (
    KNOWN,
    Markets,
    Trades,
    market_table,
    trade_table,
)
from whaletrader.lab.evidence.options import StudyOptions, checked
from whaletrader.lab.evidence.overview import (
    Described,
    calibration_of,
    ledger_check,
    names_of,
    selection_of,
    span_of,
    wallet_rows,
)
from whaletrader.lab.evidence.pairs import Pairs, pair_table
from whaletrader.lab.evidence.record import Calendar, calendar_of, records_of
from whaletrader.lab.evidence.skill import Judged, judge
from whaletrader.lab.evidence.turning import turns_of

Tell = Callable[[str, int, int], None]

JSON_NAME: Final = "evidence.json"
HTML_NAME: Final = "report.html"
LIBRARIES: Final = ("numpy", "pandas", "pyarrow", "scipy")
# Numbers are written with so many digits: the rest is noise of the order of sums.
DIGITS: Final = 9


def run(data: Path, out: Path, options: StudyOptions, tell: Tell) -> Evidence:
    """Run the study on a folder and write both files into `out`; returns what was found.

    Raises LayoutError and OptionError before anything is computed or written, OSError if `out`
    cannot be made or written.
    """
    from whaletrader.lab.evidence.report.page import page

    checked(options)
    tell("reading", 0, 1)
    inputs = read_inputs(data)
    tell("reading", 1, 1)
    # Before the work, so that a folder that cannot be made is told at once.
    out.mkdir(parents=True, exist_ok=True)
    evidence = study(inputs, options, tell)
    tell("report", 0, 1)
    (out / JSON_NAME).write_bytes(encoded(evidence))
    (out / HTML_NAME).write_text(page(evidence), encoding="utf-8")
    tell("report", 1, 1)
    return evidence


def study(inputs: Inputs, options: StudyOptions, tell: Tell) -> Evidence:
    """Return the whole evidence on these tables."""
    wallets = sorted(inputs.wallets["proxyWallet"])
    markets = market_table(inputs)
    trades = trade_table(inputs, markets, wallets)
    books = build_books(inputs, options.stale_after_days, lambda done, of: tell("ledger", done, of))
    tell("skill", 0, 1)
    judged = judge(trades, markets, len(wallets), options)
    tell("skill", 1, 1)
    pairs = pair_table(books, markets, wallets)
    daily = calendar_of(trades, markets, pairs, len(wallets))
    tables = _Tables(trades, markets, pairs, wallets, daily)
    persistence = _persistence(tables, options, tell)
    calendar, day = _by_calendar(tables, options)
    copier = _copier(tables, options, tell)
    tell("crowd", 0, 1)
    crowd = _crowd(tables, judged, options)
    described = Described(
        judged.wallets, records_of(daily, markets, options), turns_of(trades, markets)
    )
    tell("crowd", 1, 1)
    rows = wallet_rows(inputs, books, described, names_of(inputs))
    selection = selection_of(inputs, trades, markets, rows, options.confidence)
    facts = wording.Findings(selection, judged.skill, persistence, copier, options)
    return Evidence(
        schema_version=SCHEMA_VERSION,
        versions=_versions(),
        options=options,
        inputs=[
            InputFile(name=file.name, rows=file.rows, sha256=file.sha256) for file in inputs.files
        ],
        span=span_of(inputs, trades, markets),
        verdict=wording.verdict(facts),
        selection=selection,
        ledger=ledger_check(books, rows),
        skill=judged.skill,
        persistence=persistence,
        by_calendar=calendar,
        by_calendar_split=day,
        copier=copier,
        crowd=crowd,
        calibration=calibration_of(trades, markets, options.confidence),
        wallets=rows,
    )


def encoded(evidence: Evidence) -> bytes:
    """Return the file's bytes: sorted by schema, numbers of 9 digits, null for undefined."""
    plain = _plain(msgspec.to_builtins(evidence))
    return msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"


class _Tables(msgspec.Struct, frozen=True):
    """What the later parts share."""

    trades: Trades
    markets: Markets
    pairs: Pairs
    wallets: list[str]
    daily: Calendar


def _persistence(tables: _Tables, options: StudyOptions, tell: Tell) -> list[Persistence]:
    """The main results first, then all that are known, where they differ."""
    found = []
    samples = dict.fromkeys((tables.markets.main_results, KNOWN))
    for done, results in enumerate(samples):
        tell("persistence", done, len(samples))
        is_counted = np.isfinite(tables.markets.values(results))
        cut = own_cut(tables.pairs, is_counted, len(tables.wallets), options.markets_min)
        halves = split(tables.trades, tables.pairs, tables.markets, cut, results)
        told = persistence_of(halves, results, options, tables.wallets)
        if told is not None:
            found.append(told)
    tell("persistence", len(samples), len(samples))
    return found


def _by_calendar(tables: _Tables, options: StudyOptions) -> tuple[Persistence | None, str]:
    """All wallets cut on one day, the median of the trades that count."""
    results = tables.markets.main_results
    is_counted = np.isfinite(tables.markets.values(results))
    counted = tables.trades.at_s[is_counted[tables.trades.market]]
    if not len(counted):
        return None, ""
    day = int(np.median(counted))
    sizes = (len(tables.wallets), options.markets_min)
    cut = calendar_cut(tables.pairs, is_counted, day, sizes)
    halves = split(tables.trades, tables.pairs, tables.markets, cut, results)
    return persistence_of(halves, results, options, tables.wallets), wording.day_of(day)


def _crowd(tables: _Tables, judged: Judged, options: StudyOptions) -> Crowd:
    results = tables.markets.main_results
    is_counted = np.isfinite(tables.markets.values(results))
    cut = own_cut(tables.pairs, is_counted, len(tables.wallets), options.markets_min)
    halves = split(tables.trades, tables.pairs, tables.markets, cut, results)
    return crowd_of(
        (tables.trades, tables.markets, tables.daily),
        list(judged.wallets.values()),
        fading_of(halves, cut),
        options,
        tables.wallets,
    )


def _copier(tables: _Tables, options: StudyOptions, tell: Tell) -> Copier | None:
    results = tables.markets.main_results
    is_counted = np.isfinite(tables.markets.values(results))
    cut = own_cut(tables.pairs, is_counted, len(tables.wallets), options.markets_min)
    halves = split(tables.trades, tables.pairs, tables.markets, cut, results)
    if not len(halves.wallet):
        return None
    following = Following(tables.trades, tables.markets, options, tables.wallets)
    return following.study(halves, cut, lambda done, of: tell("copier", done, of))


def _versions() -> dict[str, str]:
    return {"whaletrader": __version__} | {name: metadata.version(name) for name in LIBRARIES}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_plain(held) for held in value]
    return value
