"""Writes the chosen markets as the tape's files, the same bytes on each run.

Owns the order of rows and the compression settings; the columns are the loader's own. Called
by `__main__`.
"""

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path

from whaletrader.lab.sample.selection import (
    MIN_SIZE_MICRO,
    Selection,
    price_micro,
    size_micro,
)
from whaletrader.services.feeds.tape_files import (
    MARKET_COLUMNS,
    MARKETS_FILE,
    TRADE_COLUMNS,
    TRADES_FILE,
    WALLET_COLUMNS,
    WALLETS_FILE,
)

Cell = str | int


def write_files(selection: Selection, folder: Path) -> dict[str, int]:
    """Write markets, trades and wallets; return the size of each file in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    addresses = sorted({fill.wallet for market in selection.markets for fill in market.fills})
    contents = {
        MARKETS_FILE: _csv(MARKET_COLUMNS, _market_rows(selection)),
        TRADES_FILE: _csv(TRADE_COLUMNS, _trade_rows(selection, addresses)),
        WALLETS_FILE: _csv(WALLET_COLUMNS, _wallet_rows(selection, addresses)),
    }
    sizes = {}
    for name, content in contents.items():
        packed = _gzip(content) if name.endswith(".gz") else content
        (folder / name).write_bytes(packed)
        sizes[name] = len(packed)
    return sizes


def _market_rows(selection: Selection) -> Iterable[tuple[Cell, ...]]:
    for market in selection.markets:
        yield (
            market.condition_id,
            market.slug,
            market.event_slug,
            market.title,
            market.category,
            market.fee_rate_micro,
            market.tick_micro,
            MIN_SIZE_MICRO,
            *market.tokens,
            *market.outcomes,
            market.opens_at_s,
            market.resolves_at_s,
            market.winning_index,
            int(market.is_neg_risk),
            market.winner_basis,
            market.resolves_basis,
        )


def _trade_rows(selection: Selection, addresses: list[str]) -> Iterable[tuple[Cell, ...]]:
    wallets = {address: index for index, address in enumerate(addresses)}
    fills = (
        (fill.at_s, fill.tx_hash, market_index, position, fill)
        for market_index, market in enumerate(selection.markets)
        for position, fill in enumerate(market.fills)
    )
    # (time, transaction, market, position) is unique, so no two fills are ever compared.
    for at_s, tx_hash, market_index, _, fill in sorted(fills, key=lambda row: row[:4]):
        yield (
            wallets[fill.wallet],
            at_s,
            market_index,
            fill.outcome_index,
            fill.side,
            size_micro(fill),
            price_micro(fill),
            tx_hash,
        )


def _wallet_rows(selection: Selection, addresses: list[str]) -> Iterable[tuple[Cell, ...]]:
    for address in addresses:
        yield address, " ".join(selection.wallet_names.get(address, "").split())


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _gzip(content: bytes) -> bytes:
    packed = io.BytesIO()
    # No name and no time in the header: the same content is the same file.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(content)
    return packed.getvalue()
