"""A made-up folder in the layout of wallet-activity, for the tests of the builder."""

from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet

from whaletrader.lab.sample.tokens import USDC_E, token_id

START_S = 1_764_547_200  # 2025-12-01 00:00 UTC
DAY_S = 86_400
ALICE, BOB = "0x" + "a" * 40, "0x" + "b" * 40

Row = dict[str, Any]


class Folder:
    """Collects rows market by market, then writes them as the three Parquet files."""

    def __init__(self) -> None:
        self.activity: list[Row] = []
        self.slugs: dict[str, str] = {}
        self.resolutions: list[Row] = []
        self.wallets: list[Row] = [
            {"proxyWallet": ALICE, "name": "alice,\nthe first"},
            {"proxyWallet": BOB, "name": None},
        ]

    def market(self, number: int, slug: str = "", **result: Any) -> str:
        """Add a market that outcome 0 won, without any rows yet; returns its condition id."""
        condition = f"0x{number:064x}"
        row = {
            "conditionId": condition,
            "winning_outcome_index": 0,
            "basis": "published",
            "outcome0": "Yes",
            "outcome1": None,
        }
        self.resolutions.append(row | result)
        self.slugs[condition] = slug or f"market-{number}"
        return condition

    def row(self, condition: str, kind: str, at_s: int, **changes: Any) -> Row:
        slug = self.slugs.get(condition, "elsewhere")
        row = {
            "proxyWallet": ALICE,
            "timestamp": at_s,
            "type": kind,
            "side": "",
            "asset": "",
            "conditionId": condition,
            "outcomeIndex": 999,
            "outcome": "",
            "size": 10.0,
            "price": 0.0,
            "usdcSize": 10.0,
            "transactionHash": f"0x{len(self.activity):064x}",
            "slug": slug,
            "title": f"Will {slug} happen?",
            "eventSlug": f"event-of-{slug}",
        } | changes
        self.activity.append(row)
        return row

    def trade(self, condition: str, at_s: int, side: str = "BUY", **changes: Any) -> Row:
        index = changes.get("outcomeIndex", 0)
        fields = {
            "side": side,
            "asset": token_id(USDC_E, condition, index),
            "outcomeIndex": index,
            "outcome": ("Yes", "No")[index],
            "size": 10.0,
            "price": 0.42,
            "usdcSize": 4.2,
        }
        return self.row(condition, "TRADE", at_s, **(fields | changes))

    def simple(self, number: int, **changes: Any) -> str:
        """Add a market with a buy, a redemption a day later, and a known result."""
        condition = self.market(number)
        self.trade(condition, START_S + number, **changes)
        self.row(condition, "REDEEM", START_S + number + DAY_S)
        return condition

    def write(self, path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        for name in ("activity", "wallets", "resolutions"):
            table = pa.Table.from_pylist(getattr(self, name))
            parquet.write_table(table, path / f"{name}.parquet")
        return path
