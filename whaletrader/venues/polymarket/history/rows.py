"""A wallet's deeds and a market's end in types of our own: micro-units, epoch seconds.

Parsers turn one row of a service into one of these, or raise `UnreadableRow`; they never guess
what a missing field was.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import msgspec

from whaletrader.domain.money import MICRO

# What the venue writes where it does not know the outcome.
OUTCOME_UNKNOWN = 999


class UnreadableRow(ValueError):
    """A row of a service that says something else than documented; the text shows the row."""


class Kind(StrEnum):
    """What a wallet did, in the service's words."""

    TRADE = "TRADE"
    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    CONVERSION = "CONVERSION"
    REWARD = "REWARD"
    YIELD = "YIELD"
    MAKER_REBATE = "MAKER_REBATE"
    TAKER_REBATE = "TAKER_REBATE"
    REFERRAL_REWARD = "REFERRAL_REWARD"


class Deed(msgspec.Struct, frozen=True):
    """One thing that a wallet did. `usdc_micro` holds the fee of a BUY, where there was one."""

    wallet: str
    at_s: int
    kind: Kind
    side: str
    token_id: str
    condition_id: str
    outcome_index: int
    outcome: str
    size_micro: int
    price_micro: int
    usdc_micro: int
    tx_hash: str
    slug: str
    title: str
    event_slug: str


class MarketEnd(msgspec.Struct, frozen=True):
    """How a market ended. `payouts_micro` by outcome index; empty while it is open."""

    condition_id: str
    payouts_micro: tuple[int, ...]

    @property
    def winner(self) -> int | None:
        """Index of the outcome that alone was paid in full; None if there is none."""
        full = [index for index, paid in enumerate(self.payouts_micro) if paid == MICRO]
        return full[0] if len(full) == 1 and sum(self.payouts_micro) == MICRO else None


class Standing(msgspec.Struct, frozen=True):
    """A wallet on the published leaderboard. None: the service does not say."""

    wallet: str
    name: str
    profit_micro: int | None
    volume_micro: int | None


class _Names(msgspec.Struct, frozen=True):
    """What one version of the service calls the fields whose names have changed."""

    wallet: str
    token: str
    condition: str
    index: str
    usdc: str
    tx_hash: str
    event: str


_V2 = _Names(
    "proxy_wallet",
    "token_id",
    "condition_id",
    "outcome_index",
    "usdc_size",
    "transaction_hash",
    "event_slug",
)
_V1 = _Names(
    "proxyWallet",
    "asset",
    "conditionId",
    "outcomeIndex",
    "usdcSize",
    "transactionHash",
    "eventSlug",
)


def deed_v2(row: Mapping[str, Any], kind: Kind | None = None) -> Deed:
    """Read a row of `/v2/activity`, or of `/v2/trades` with the kind given."""
    return _deed(row, kind, _V2)


def deed_v1(row: Mapping[str, Any], kind: Kind | None = None) -> Deed:
    """Read a row of the retired `/activity` and `/trades`, and of RTDS activity."""
    return _deed(row, kind, _V1)


def _deed(row: Mapping[str, Any], stated: Kind | None, names: _Names) -> Deed:
    try:
        kind = stated or Kind(row["type"])
        size, price = micro(row["size"]), micro(row.get("price") or 0)
        paid, index = row.get(names.usdc), row.get(names.index)
        deed = Deed(
            wallet=str(row[names.wallet]).lower(),
            at_s=int(row["timestamp"]),
            kind=kind,
            side=str(row.get("side") or ""),
            token_id=str(row.get(names.token) or ""),
            condition_id=str(row.get(names.condition) or ""),
            outcome_index=OUTCOME_UNKNOWN if index is None else int(index),
            outcome=str(row.get("outcome") or ""),
            size_micro=size,
            price_micro=price,
            usdc_micro=size * price // MICRO if paid is None else micro(paid),
            tx_hash=str(row.get(names.tx_hash) or ""),
            slug=str(row.get("slug") or ""),
            title=str(row.get("title") or ""),
            event_slug=str(row.get(names.event) or ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableRow(f"{error!r} in {dict(row)!r}") from error
    if kind is Kind.TRADE and (deed.side not in ("BUY", "SELL") or not deed.token_id):
        raise UnreadableRow(f"a trade needs a side and a token: {dict(row)!r}")
    return deed


def market_end(row: Mapping[str, Any]) -> MarketEnd:
    """Read a row of `/v2/resolutions`."""
    try:
        is_over = row["status"] == "resolved"
        payouts = tuple(int(paid) for paid in row.get("payouts") or ()) if is_over else ()
        return MarketEnd(str(row["condition_id"]), payouts)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableRow(f"{error!r} in {dict(row)!r}") from error


def standing(row: Mapping[str, Any]) -> Standing:
    """Read a row of `/v2/leaderboard`."""
    try:
        profit, volume = row.get("pnl"), row.get("volume")
        return Standing(
            wallet=str(row.get("user_id") or row["proxy_wallet"]).lower(),
            name=str(row.get("name") or row.get("pseudonym") or ""),
            profit_micro=None if profit is None else micro(profit),
            volume_micro=None if volume is None else micro(volume),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableRow(f"{error!r} in {dict(row)!r}") from error


def micro(number: float | str) -> int:
    """Return a JSON number in millionths, rounded half to even. Raises ValueError."""
    try:
        scaled = Decimal(str(number)) * MICRO
        return int(scaled.to_integral_value())
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(f"{number!r} is no amount") from error
