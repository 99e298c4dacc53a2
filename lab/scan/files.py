"""Writes a scan as the three Parquet files that `whaletrader evidence` reads.

Owns the columns; docs/evidence.md describes them. Called by the command.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from whaletrader.domain.money import MICRO
from whaletrader.lab.scan.checkpoint import WalletScan
from whaletrader.lab.scan.scanner import Scan
from whaletrader.venues.polymarket.history.rows import OUTCOME_UNKNOWN, Deed, Kind, MarketEnd

_TEXT: Final = pa.string()
_ACTIVITY: Final = pa.schema(
    [
        ("proxyWallet", _TEXT),
        ("timestamp", pa.int64()),
        ("type", _TEXT),
        ("side", _TEXT),
        ("asset", _TEXT),
        ("conditionId", _TEXT),
        ("outcomeIndex", pa.int64()),
        ("outcome", _TEXT),
        ("size", pa.float64()),
        ("price", pa.float64()),
        ("usdcSize", pa.float64()),
        ("transactionHash", _TEXT),
        ("slug", _TEXT),
        ("title", _TEXT),
        ("eventSlug", _TEXT),
    ]
)
_WALLETS: Final = pa.schema(
    [
        ("proxyWallet", _TEXT),
        ("name", _TEXT),
        ("pseudonym", _TEXT),
        ("rows", pa.uint32()),
        ("trades", pa.uint32()),
        ("markets_traded", pa.uint32()),
        ("trade_usdc", pa.float64()),
        ("first_ts", pa.int64()),
        ("last_ts", pa.int64()),
        ("max_pull_rows", pa.uint32()),
        ("n_pulls", pa.uint32()),
        ("history_capped", pa.bool_()),
        ("published_pnl_usd", pa.float64()),
        ("published_volume_usd", pa.float64()),
        ("published_source", _TEXT),
    ]
)
_RESOLUTIONS: Final = pa.schema(
    [
        ("conditionId", _TEXT),
        ("winning_outcome_index", pa.int64()),
        ("winning_outcome", _TEXT),
        ("basis", _TEXT),
        ("published_sources", _TEXT),
        ("redeem_votes", pa.int64()),
        ("redeem_winner", pa.int64()),
        ("outcome0", _TEXT),
        ("outcome1", _TEXT),
        ("slug", _TEXT),
        ("title", _TEXT),
        ("eventSlug", _TEXT),
        ("last_trade_ts", pa.int64()),
        ("last_price_outcome0", pa.float64()),
    ]
)


def write(found: Scan, out: Path, source: str) -> None:
    """Write the files; `source` names who published the profits."""
    tables = {
        "activity.parquet": _table(_activity(found.wallets), _ACTIVITY),
        "wallets.parquet": _table([_wallet(one, source) for one in found.wallets], _WALLETS),
        "resolutions.parquet": _table(_resolutions(found, source), _RESOLUTIONS),
    }
    for name, table in tables.items():
        partial = out / f"{name}.partial"
        parquet.write_table(table, partial, compression="zstd")
        partial.replace(out / name)


def _table(rows: list[dict[str, Any]], schema: Any) -> Any:
    return pa.Table.from_pylist(rows, schema=schema)


def _activity(wallets: Sequence[WalletScan]) -> list[dict[str, Any]]:
    return [
        {
            "proxyWallet": deed.wallet,
            "timestamp": deed.at_s,
            "type": deed.kind.value,
            "side": deed.side,
            "asset": deed.token_id,
            "conditionId": deed.condition_id,
            "outcomeIndex": deed.outcome_index,
            "outcome": deed.outcome,
            "size": deed.size_micro / MICRO,
            "price": deed.price_micro / MICRO,
            "usdcSize": deed.usdc_micro / MICRO,
            "transactionHash": deed.tx_hash,
            "slug": deed.slug,
            "title": deed.title,
            "eventSlug": deed.event_slug,
        }
        for one in sorted(wallets, key=lambda one: one.wallet)
        for deed in one.deeds
    ]


def _wallet(one: WalletScan, source: str) -> dict[str, Any]:
    trades = [deed for deed in one.deeds if deed.kind is Kind.TRADE]
    told = one.standing
    return {
        "proxyWallet": one.wallet,
        "name": told.name if told else "",
        "pseudonym": "",
        "rows": len(one.deeds),
        "trades": len(trades),
        "markets_traded": len({deed.condition_id for deed in trades}),
        "trade_usdc": sum(deed.usdc_micro for deed in trades) / MICRO,
        "first_ts": one.deeds[0].at_s if one.deeds else None,
        "last_ts": one.deeds[-1].at_s if one.deeds else None,
        "max_pull_rows": len(one.deeds),
        "n_pulls": 1,
        "history_capped": one.is_cut,
        "published_pnl_usd": _dollars(told.profit_micro if told else None),
        "published_volume_usd": _dollars(told.volume_micro if told else None),
        "published_source": source if told and told.profit_micro is not None else None,
    }


def _dollars(amount_micro: int | None) -> float | None:
    return None if amount_micro is None else amount_micro / MICRO


def _resolutions(found: Scan, source: str) -> list[dict[str, Any]]:
    by_market: dict[str, list[Deed]] = {}
    for one in found.wallets:
        for deed in one.deeds:
            if deed.kind is Kind.TRADE:
                by_market.setdefault(deed.condition_id, []).append(deed)
    return [
        _resolution(market, deeds, found.ends.get(market), source)
        for market, deeds in sorted(by_market.items())
        if market
    ]


def _resolution(
    market: str, deeds: list[Deed], end: MarketEnd | None, source: str
) -> dict[str, Any]:
    last = max(deeds, key=lambda deed: deed.at_s)
    names = {deed.outcome_index: deed.outcome for deed in deeds if deed.outcome}
    winner = end.winner if end else None
    price = last.price_micro / MICRO
    return {
        "conditionId": market,
        "winning_outcome_index": winner,
        "winning_outcome": None if winner is None else names.get(winner),
        "basis": "unknown" if winner is None else "published",
        "published_sources": None if winner is None else source,
        "redeem_votes": 0,
        "redeem_winner": None,
        "outcome0": names.get(0),
        "outcome1": names.get(1),
        "slug": last.slug,
        "title": last.title,
        "eventSlug": last.event_slug,
        "last_trade_ts": last.at_s,
        "last_price_outcome0": _price_of_first(last.outcome_index, price),
    }


def _price_of_first(outcome_index: int, price: float) -> float | None:
    if outcome_index == OUTCOME_UNKNOWN:
        return None
    return price if outcome_index == 0 else 1 - price
