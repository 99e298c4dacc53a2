"""The folder the study accepts: three Parquet files, their columns, their types.

Owns the layout and the refusal of any other, with everything that is wrong told at once, before a
row is read. `docs/evidence.md` documents it. Changes nothing; called by `run`.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

TEXT, WHOLE, NUMBER, FLAG = "text", "whole number", "number", "true or false"

# Every column the study reads, and what it must hold. More columns are ignored.
LAYOUT: Final[dict[str, dict[str, str]]] = {
    "activity.parquet": {
        "proxyWallet": TEXT,
        "timestamp": WHOLE,
        "type": TEXT,
        "side": TEXT,
        "asset": TEXT,
        "conditionId": TEXT,
        "outcomeIndex": WHOLE,
        "size": NUMBER,
        "price": NUMBER,
        "usdcSize": NUMBER,
        "transactionHash": TEXT,
        "slug": TEXT,
        "title": TEXT,
        "eventSlug": TEXT,
    },
    "wallets.parquet": {
        "proxyWallet": TEXT,
        "history_capped": FLAG,
        "published_pnl_usd": NUMBER,
        "published_source": TEXT,
    },
    "resolutions.parquet": {
        "conditionId": TEXT,
        "winning_outcome_index": NUMBER,
        "basis": TEXT,
        "slug": TEXT,
        "eventSlug": TEXT,
        "last_trade_ts": WHOLE,
        "last_price_outcome0": NUMBER,
    },
}
OPTIONAL: Final = {"wallets.parquet": ("pseudonym", "name")}
TYPES: Final = frozenset(
    ("TRADE", "REDEEM", "MERGE", "SPLIT", "CONVERSION", "REWARD", "YIELD", "MAKER_REBATE")
)
BASES: Final = frozenset(("published", "inferred_redeem", "unknown"))
PROBLEMS_SHOWN_MAX: Final = 40
# Half of the unit in which the ledger counts: less rounds to nothing.
SHARES_MIN: Final = 0.5e-6
# More shares or dollars in one row than the venue ever held: the unit is another one.
AMOUNT_MAX: Final = 1e12


class LayoutError(Exception):
    """The folder is not in the layout; `problems` lists everything that is wrong with it."""

    def __init__(self, folder: Path, problems: list[str]) -> None:
        shown = problems[:PROBLEMS_SHOWN_MAX]
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more")
        lines = "\n".join(f"  - {problem}" for problem in shown)
        super().__init__(
            f"{folder} is not in the layout that the study reads:\n{lines}\n"
            "The layout is described in docs/evidence.md."
        )
        self.problems = problems


class InputFile(msgspec.Struct, frozen=True):
    """One file as it was read."""

    name: str
    rows: int
    sha256: str


class Inputs(msgspec.Struct, frozen=True):
    """The three tables, rows in the order of the files, and what the files were."""

    activity: pd.DataFrame
    wallets: pd.DataFrame
    resolutions: pd.DataFrame
    files: tuple[InputFile, ...]


def read_inputs(folder: Path) -> Inputs:
    """Read the folder. Raises LayoutError with every missing file, column, type and value."""
    problems = _schema_problems(folder)
    if problems:
        raise LayoutError(folder, problems)
    tables = {name: _read(folder, name) for name in LAYOUT}
    problems = _value_problems(tables)
    if problems:
        raise LayoutError(folder, problems)
    files = tuple(
        InputFile(name, len(table), _sha256(folder / name)) for name, table in tables.items()
    )
    return Inputs(
        activity=tables["activity.parquet"],
        wallets=tables["wallets.parquet"],
        resolutions=tables["resolutions.parquet"],
        files=files,
    )


def _schema_problems(folder: Path) -> list[str]:
    if not folder.is_dir():
        return ["there is no such folder"]
    problems = []
    for name, columns in LAYOUT.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name}: the file is missing")
            continue
        try:
            schema = parquet.read_schema(path)
        except (OSError, pa.ArrowInvalid) as error:
            problems.append(f"{name}: not readable as Parquet ({error})")
            continue
        problems += [
            f"{name}: column {column} ({wanted}) {fault}"
            for column, wanted in columns.items()
            if (fault := _column_fault(schema, column, wanted))
        ]
    return problems


def _column_fault(schema: pa.Schema, column: str, wanted: str) -> str:
    if column not in schema.names:
        return "is missing"
    held = schema.field(column).type
    if pa.types.is_dictionary(held):
        held = held.value_type
    fits = {
        TEXT: pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_null(held),
        WHOLE: pa.types.is_integer(held),
        NUMBER: pa.types.is_integer(held) or pa.types.is_floating(held) or pa.types.is_null(held),
        FLAG: pa.types.is_boolean(held),
    }
    return "" if fits[wanted] else f"holds {held}"


def _read(folder: Path, name: str) -> pd.DataFrame:
    held = set(parquet.read_schema(folder / name).names)
    more = [column for column in OPTIONAL.get(name, ()) if column in held]
    table = parquet.read_table(folder / name, columns=[*LAYOUT[name], *more])
    frame = table.to_pandas()
    for column, kind in LAYOUT[name].items():
        if kind == TEXT:
            frame[column] = frame[column].astype("object").where(frame[column].notna(), "")
        elif kind == NUMBER:
            frame[column] = pd.to_numeric(frame[column]).astype("float64")
    return frame


def _value_problems(tables: dict[str, pd.DataFrame]) -> list[str]:
    activity, wallets, results = (tables[name] for name in LAYOUT)
    if activity.empty:
        return ["activity.parquet: holds no rows"]
    trades = activity[activity["type"] == "TRADE"]
    problems = [
        *_told("activity.parquet", _row_rules(activity)),
        *_told("activity.parquet", _trade_rules(trades)),
        *_told("resolutions.parquet", _result_rules(results, trades)),
        *_told("wallets.parquet", ((wallets["proxyWallet"].duplicated(), "a wallet told twice"),)),
    ]
    if trades.empty:
        problems.append("activity.parquet: holds no row of type TRADE: there is nothing to judge")
    lost = sorted(set(activity["proxyWallet"]) - set(wallets["proxyWallet"]))
    if lost:
        problems.append(f"wallets.parquet: lacks {len(lost)} wallets of activity, as {lost[0]}")
    unlisted = sorted(set(trades["conditionId"]) - set(results["conditionId"]))
    if unlisted:
        problems.append(
            f"resolutions.parquet: lacks {len(unlisted)} traded markets, as {unlisted[0]}"
        )
    return problems


# Where a rule is broken, row by row, and what to call it.
_Rules = tuple[tuple["pd.Series[bool]", str], ...]


def _row_rules(activity: pd.DataFrame) -> _Rules:
    needs_market = activity["type"].isin(("SPLIT", "MERGE", "REDEEM"))
    return (
        (~activity["type"].isin(TYPES), f"type is none of {', '.join(sorted(TYPES))}"),
        (activity["proxyWallet"] == "", "proxyWallet is empty"),
        (~(activity["timestamp"] > 0), "timestamp is missing or not positive (Unix seconds)"),
        (activity["timestamp"] > 10**11, "timestamp is too large: seconds are meant"),
        ((activity["size"] < 0) | activity["size"].isna(), "size is negative or missing"),
        ((activity["usdcSize"] < 0) | activity["usdcSize"].isna(), "usdcSize negative or missing"),
        (
            (activity["size"] > AMOUNT_MAX) | (activity["usdcSize"] > AMOUNT_MAX),
            "size or usdcSize infinite or above 1e12: shares and dollars are meant",
        ),
        (
            (activity["type"] == "CONVERSION") & (activity["eventSlug"] == ""),
            "a CONVERSION without eventSlug",
        ),
        (
            needs_market & (activity["conditionId"] == ""),
            "a SPLIT, MERGE or REDEEM without conditionId",
        ),
    )


def _trade_rules(trades: pd.DataFrame) -> _Rules:
    return (
        (~trades["side"].isin(("BUY", "SELL")), "a TRADE whose side is neither BUY nor SELL"),
        (~trades["outcomeIndex"].isin((0, 1)), "a TRADE whose outcomeIndex is neither 0 nor 1"),
        (~trades["price"].between(0, 1), "a TRADE whose price is not between 0 and 1"),
        (trades["conditionId"] == "", "a TRADE without conditionId"),
        (trades["size"] < SHARES_MIN, "a TRADE of less than a millionth of a share"),
    )


def _result_rules(results: pd.DataFrame, trades: pd.DataFrame) -> _Rules:
    is_known = results["basis"] != "unknown"
    is_traded = results["conditionId"].isin(trades["conditionId"])
    return (
        (~results["basis"].isin(BASES), f"basis is none of {', '.join(sorted(BASES))}"),
        (
            is_known & ~results["winning_outcome_index"].isin((0, 1)),
            "a known result whose winning_outcome_index is neither 0 nor 1",
        ),
        (results["conditionId"].duplicated(), "a market told twice"),
        (
            is_traded & ~results["last_price_outcome0"].between(0, 1),
            "last_price_outcome0 missing or not from 0 to 1, in a traded market",
        ),
        (is_traded & results["last_trade_ts"].isna(), "last_trade_ts missing, in a traded market"),
    )


def _told(name: str, rules: _Rules) -> list[str]:
    found = []
    for breaks, rule in rules:
        count = int(breaks.sum())
        if count:
            found.append(f"{name}: {count} rows with {rule} (first: row {breaks.idxmax()})")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
