"""The catalogue (Gamma): what a market is, by its condition id.

Closed markets are only told when asked for, so both are asked. Called by feeds.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.venues.polymarket.history.calls import Caller
from whaletrader.venues.polymarket.history.rows import UnreadableRow, micro

PRODUCTION: Final = "https://gamma-api.polymarket.com"
# The service takes about a hundred ids a call (seen 2026-10); half of that keeps the address short.
_CONDITIONS_MAX: Final = 50
_OUTCOMES: Final = 2
_US: Final = 1_000


class Listing(msgspec.Struct, frozen=True):
    """One binary market and its terms, in micro-units and epoch nanoseconds; 0 is not told."""

    condition_id: str
    question: str
    slug: str
    event_slug: str
    category: str
    token_ids: tuple[str, str]
    outcomes: tuple[str, str]
    tick_micro: int
    min_size_micro: int
    fee_rate_micro: int
    fee_exponent: int
    is_neg_risk: bool
    opens_ns: int
    ends_ns: int


class Gamma:
    """Reads of one host."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def listings(self, condition_ids: Sequence[str]) -> dict[str, Listing]:
        """Return the markets that the service knows, by condition id; others are missing.

        Raises HistoryUnavailable, HistoryRefused, UnreadableRow.
        """
        found: dict[str, Listing] = {}
        for start in range(0, len(condition_ids), _CONDITIONS_MAX):
            wanted = condition_ids[start : start + _CONDITIONS_MAX]
            for closed in ("false", "true"):
                left = [one for one in wanted if one not in found]
                if left:
                    found |= await self._some(left, closed)
        return found

    async def _some(self, wanted: Sequence[str], closed: str) -> dict[str, Listing]:
        params: dict[str, str | int | list[str]] = {
            "condition_ids": list(wanted),
            "closed": closed,
            "limit": len(wanted),
        }
        rows = await self._caller.get("/markets", params)
        if not isinstance(rows, list):
            raise UnreadableRow(f"/markets answers no list: {rows!r}"[:300])
        listed = [listing(row) for row in rows]
        return {one.condition_id: one for one in listed if one.condition_id in wanted}


def listing(row: Mapping[str, Any]) -> Listing:
    """Read a row of `/markets`. Raises UnreadableRow."""
    try:
        # Markets of the newer protocol name positions; both are token ids to whoever trades.
        tokens = row.get("positionIds") or json.loads(row["clobTokenIds"])
        outcomes = json.loads(row["outcomes"])
        if len(tokens) != _OUTCOMES or len(outcomes) != _OUTCOMES:
            raise ValueError(f"{len(tokens)} tokens and {len(outcomes)} outcomes")
        events = row.get("events") or [{}]
        fees = row.get("feeSchedule") or {}
        return Listing(
            condition_id=str(row["conditionId"]),
            question=str(row.get("question") or ""),
            slug=str(row.get("slug") or ""),
            event_slug=str(events[0].get("slug") or row.get("slug") or ""),
            category=_category(row),
            token_ids=(str(tokens[0]), str(tokens[1])),
            outcomes=(str(outcomes[0]), str(outcomes[1])),
            tick_micro=micro(row.get("orderPriceMinTickSize") or 0),
            min_size_micro=micro(row.get("orderMinSize") or 0),
            fee_rate_micro=_rate(fees),
            fee_exponent=int(fees.get("exponent") or 1),
            is_neg_risk=row.get("negRisk") is True,
            opens_ns=_time_ns(row.get("startDate")),
            ends_ns=_time_ns(row.get("endDate")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UnreadableRow(f"{error!r} in {dict(row)!r}"[:600]) from error


def _category(row: Mapping[str, Any]) -> str:
    # The fee type tells the category that fees go by, such as crypto_fees_v2.
    return str(row.get("feeType") or "").partition("_fees")[0] or str(row.get("category") or "")


def _rate(fees: Mapping[str, Any]) -> int:
    rate = micro(fees.get("rate") or 0)
    if not 0 <= rate <= MICRO:
        raise ValueError(f"a fee rate of {fees.get('rate')!r}")
    return rate


def _time_ns(text: object) -> int:
    if not text:
        return 0
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    # By whole microseconds: a float of this size has none.
    return (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * _US
