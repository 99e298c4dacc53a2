"""A made-up folder in the layout that the study reads, with as much skill as is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

START_S = 1_764_547_200  # 2025-12-01 00:00 UTC
HOUR_S = 3_600

Row = dict[str, Any]

SCHEMAS = {
    "activity.parquet": pa.schema(
        [
            ("proxyWallet", pa.string()),
            ("timestamp", pa.int64()),
            ("type", pa.string()),
            ("side", pa.string()),
            ("asset", pa.string()),
            ("conditionId", pa.string()),
            ("outcomeIndex", pa.int64()),
            ("size", pa.float64()),
            ("price", pa.float64()),
            ("usdcSize", pa.float64()),
            ("transactionHash", pa.string()),
            ("slug", pa.string()),
            ("title", pa.string()),
            ("eventSlug", pa.string()),
        ]
    ),
    "wallets.parquet": pa.schema(
        [
            ("proxyWallet", pa.string()),
            ("pseudonym", pa.string()),
            ("history_capped", pa.bool_()),
            ("published_pnl_usd", pa.float64()),
            ("published_source", pa.string()),
        ]
    ),
    "resolutions.parquet": pa.schema(
        [
            ("conditionId", pa.string()),
            ("winning_outcome_index", pa.float64()),
            ("basis", pa.string()),
            ("slug", pa.string()),
            ("eventSlug", pa.string()),
            ("last_trade_ts", pa.int64()),
            ("last_price_outcome0", pa.float64()),
        ]
    ),
}


class Folder:
    """Collects rows, then writes them as the three files."""

    def __init__(self) -> None:
        self.activity: list[Row] = []
        self.wallets: dict[str, Row] = {}
        self.markets: dict[str, Row] = {}

    def wallet(self, name: str, **more: Any) -> str:
        """Add a wallet whose history is whole; returns its address."""
        address = "0x" + name.encode().hex().ljust(40, "0")
        row = {
            "proxyWallet": address,
            "pseudonym": name,
            "history_capped": False,
            "published_pnl_usd": None,
            "published_source": None,
        }
        self.wallets[address] = row | more
        return address

    def market(self, slug: str, winner: int | None = 0, **more: Any) -> str:
        """Add a market with a published result (None: open); returns its condition id."""
        condition = "0x" + slug.encode().hex()[-64:].rjust(64, "0")
        row = {
            "conditionId": condition,
            "winning_outcome_index": winner,
            "basis": "unknown" if winner is None else "published",
            "slug": slug,
            "eventSlug": f"event-{slug}",
            "last_trade_ts": START_S,
            "last_price_outcome0": 0.5,
        }
        self.markets[condition] = row | more
        return condition

    def row(self, wallet: str, condition: str, kind: str, at_s: int, **more: Any) -> None:
        """Add a row that is no trade."""
        market = self.markets.get(condition, {})
        row = {
            "proxyWallet": wallet,
            "timestamp": START_S + at_s,
            "type": kind,
            "side": "",
            "asset": "",
            "conditionId": condition,
            "outcomeIndex": 999,
            "size": 0.0,
            "price": 0.0,
            "usdcSize": 0.0,
            "transactionHash": f"0x{len(self.activity):x}",
            "slug": market.get("slug", ""),
            "title": "",
            "eventSlug": market.get("eventSlug", ""),
        }
        self.activity.append(row | more)

    def trade(self, wallet: str, condition: str, at_s: int, price: float, **more: Any) -> None:
        """Add a purchase of 100 shares of outcome 0, unless told otherwise."""
        size = more.pop("size", 100.0)
        outcome = more.pop("outcomeIndex", 0)
        fields = {
            "side": "BUY",
            "asset": f"{condition}-{outcome}",
            "outcomeIndex": outcome,
            "size": size,
            "price": price,
            "usdcSize": round(size * price, 6),
        }
        self.row(wallet, condition, "TRADE", at_s, **(fields | more))
        market = self.markets[condition]
        market["last_trade_ts"] = START_S + at_s
        market["last_price_outcome0"] = price if outcome == 0 else 1 - price

    def write(self, folder: Path) -> Path:
        """Write the three files; rows stand by wallet, then by time."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = sorted(self.activity, key=lambda row: (row["proxyWallet"], row["timestamp"]))
        tables = {
            "activity.parquet": rows,
            "wallets.parquet": list(self.wallets.values()),
            "resolutions.parquet": list(self.markets.values()),
        }
        for name, held in tables.items():
            parquet.write_table(pa.Table.from_pylist(held, SCHEMAS[name]), folder / name)
        return folder


def universe(wallets: int, markets: int, skill: float, skilled: int | None = None) -> Folder:
    """Wallets that buy outcomes at fair prices; `skilled` of them (all) win so much oftener.

    Every market is somebody's alone but for a stranger who trades after him, so that there is a
    print to copy at.
    """
    random = np.random.default_rng(1)
    folder = Folder()
    stranger = folder.wallet("stranger")
    for number in range(wallets):
        wallet = folder.wallet(f"wallet{number}")
        for place in range(markets):
            price = float(random.uniform(0.3, 0.7))
            is_skilled = skilled is None or number < skilled
            wins = random.random() < price + (skill if is_skilled else 0.0)
            condition = folder.market(f"m{number}-{place}", 0 if wins else 1)
            at_s = (place * wallets + number) * HOUR_S
            folder.trade(wallet, condition, at_s, price)
            folder.trade(wallet, condition, at_s + 40, price)
            folder.trade(stranger, condition, at_s + 60, price, side="SELL", size=1.0)
            if wins:
                folder.row(wallet, condition, "REDEEM", at_s + 900, size=200.0, usdcSize=200.0)
    return folder
