"""Reads the wallet-activity folder: trades, redemptions and results as its author published them.

Owns the layout of the source (three Parquet files and the columns used from each) and the
refusal of any other folder. Selects and changes nothing. Called by `__main__`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from pyarrow import parquet

COLUMNS: dict[str, tuple[str, ...]] = {
    "activity.parquet": (
        "proxyWallet",
        "timestamp",
        "type",
        "side",
        "asset",
        "conditionId",
        "outcomeIndex",
        "outcome",
        "size",
        "price",
        "usdcSize",
        "transactionHash",
        "slug",
        "title",
        "eventSlug",
    ),
    "wallets.parquet": ("proxyWallet", "name"),
    "resolutions.parquet": (
        "conditionId",
        "winning_outcome_index",
        "basis",
        "outcome0",
        "outcome1",
    ),
}


class SourceError(Exception):
    """The folder is not in the layout of wallet-activity; the message lists what is missing."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One TRADE row of one wallet. Size in shares, price and usdc in collateral, as floats."""

    wallet: str
    at_s: int
    side: str
    token_id: str
    outcome_index: int
    outcome: str
    size: float
    price: float
    usdc: float
    tx_hash: str


class SourceMarket(msgspec.Struct):
    """All that the folder says of one market."""

    condition_id: str
    slug: str
    event_slug: str
    title: str
    fills: list[Fill]
    first_redeem_s: int | None
    has_split_or_merge: bool
    winning_index: int | None
    winner_basis: str
    outcomes: tuple[str, str]


class Source(msgspec.Struct, frozen=True):
    """The folder, market by market; `converted_events` holds slugs with CONVERSION rows."""

    markets: list[SourceMarket]
    wallet_names: dict[str, str]
    converted_events: frozenset[str]


def read_source(folder: Path) -> Source:
    """Read the folder. Raises SourceError naming every missing file and column."""
    _refuse_wrong_layout(folder)
    markets: dict[str, SourceMarket] = {}
    side_rows: list[dict[str, Any]] = []
    converted: set[str] = set()
    for row in _rows(folder, "activity.parquet"):
        kind = row["type"]
        if kind == "TRADE":
            _add_fill(markets, row)
        elif kind == "CONVERSION":
            converted.update(slug for slug in (row["slug"], row["eventSlug"]) if slug)
        elif kind in ("REDEEM", "SPLIT", "MERGE"):
            side_rows.append(row)
    for row in side_rows:
        _add_side_row(markets.get(row["conditionId"]), row)
    for row in _rows(folder, "resolutions.parquet"):
        _add_result(markets.get(row["conditionId"]), row)
    names = {row["proxyWallet"]: row["name"] or "" for row in _rows(folder, "wallets.parquet")}
    return Source(list(markets.values()), names, frozenset(converted))


def _refuse_wrong_layout(folder: Path) -> None:
    missing = []
    for name, columns in COLUMNS.items():
        path = folder / name
        if not path.is_file():
            missing.append(name)
            continue
        try:
            held = set(parquet.read_schema(path).names)
        except (OSError, ValueError) as error:
            missing.append(f"{name} (not readable as Parquet: {error})")
            continue
        missing += [f"{name}: column {column}" for column in columns if column not in held]
    if missing:
        raise SourceError(f"{folder} lacks: " + "; ".join(missing))


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    table = parquet.read_table(folder / name, columns=list(COLUMNS[name]))
    for batch in table.to_batches(max_chunksize=20_000):
        yield from batch.to_pylist()


def _add_fill(markets: dict[str, SourceMarket], row: dict[str, Any]) -> None:
    market = markets.get(row["conditionId"])
    if market is None:
        market = markets[row["conditionId"]] = SourceMarket(
            condition_id=row["conditionId"],
            slug=row["slug"],
            event_slug=row["eventSlug"],
            title=row["title"],
            fills=[],
            first_redeem_s=None,
            has_split_or_merge=False,
            winning_index=None,
            winner_basis="unknown",
            outcomes=("", ""),
        )
    market.fills.append(
        Fill(
            wallet=row["proxyWallet"],
            at_s=row["timestamp"],
            side=row["side"],
            token_id=row["asset"],
            outcome_index=row["outcomeIndex"],
            outcome=row["outcome"],
            size=row["size"],
            price=row["price"],
            usdc=row["usdcSize"],
            tx_hash=row["transactionHash"],
        )
    )


def _add_side_row(market: SourceMarket | None, row: dict[str, Any]) -> None:
    if market is None:
        return
    if row["type"] == "REDEEM":
        earlier = market.first_redeem_s
        at_s = row["timestamp"]
        market.first_redeem_s = at_s if earlier is None else min(earlier, at_s)
    else:
        market.has_split_or_merge = True


def _add_result(market: SourceMarket | None, row: dict[str, Any]) -> None:
    if market is None:
        return
    market.winning_index = row["winning_outcome_index"]
    market.winner_basis = row["basis"]
    market.outcomes = (row["outcome0"] or "", row["outcome1"] or "")
