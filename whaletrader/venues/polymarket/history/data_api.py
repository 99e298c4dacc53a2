"""The Data API, version 2: what a wallet did, who leads, how markets ended.

Pages are followed by cursor to the end, so an answer is whole or an error. Called by the scan.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from whaletrader.venues.polymarket.history.calls import Caller, HistoryUnavailable
from whaletrader.venues.polymarket.history.rows import (
    Deed,
    Kind,
    MarketEnd,
    Standing,
    UnreadableRow,
    deed_v2,
    market_end,
    standing,
)

PRODUCTION: Final = "https://data-api.polymarket.com"
ROWS_MAX: Final = 1_000
_CONDITIONS_MAX: Final = 20
# A page that names itself as its successor would be followed for ever.
_PAGES_MAX: Final = 100_000

Params = Mapping[str, str | int]


class DataApi:
    """Reads of one host."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def activity(
        self, wallet: str, kind: Kind, start_s: int = 0, page_rows: int = ROWS_MAX
    ) -> AsyncIterator[Deed]:
        """Yield a wallet's deeds of one kind from a time on, oldest first.

        Raises HistoryUnavailable, HistoryRefused, UnreadableRow.
        """
        since: Params = {"start": start_s} if start_s else {}
        params: Params = {
            "user": wallet,
            "type": kind.value,
            "limit": page_rows,
            "sort_direction": "ASC",
            **since,
        }
        async for row in self._rows("/v2/activity", params):
            yield deed_v2(row)

    async def trades(self, params: Params) -> AsyncIterator[Deed]:
        """Yield trades of all wallets, narrowed by the service's own filters."""
        async for row in self._rows("/v2/trades", {"limit": ROWS_MAX, **params}):
            yield deed_v2(row, Kind.TRADE)

    async def positions(self, wallet: str, status: str = "OPEN") -> AsyncIterator[dict[str, Any]]:
        """Yield a wallet's positions as the service has them."""
        params: Params = {"user": wallet, "status": status, "limit": ROWS_MAX}
        async for row in self._rows("/v2/positions", params):
            yield row

    async def leaders(self, period: str, wanted: int) -> list[Standing]:
        """Return the first wallets by profit over day, week, month or all."""
        found: list[Standing] = []
        params: Params = {"time_period": period, "sort_by": "PNL", "limit": min(wanted, ROWS_MAX)}
        async for row in self._rows("/v2/leaderboard", params):
            found.append(standing(row))
            if len(found) == wanted:
                break
        return found

    async def standing(self, wallet: str, period: str = "all") -> Standing | None:
        """Return what is published of a wallet; None if it is not on the board."""
        params = {"time_period": period, "user": wallet}
        found = [standing(row) async for row in self._rows("/v2/leaderboard", params)]
        return found[0] if found else None

    async def ends(self, condition_ids: Sequence[str]) -> dict[str, MarketEnd]:
        """Return how markets ended, by condition id; those that nobody resolved are missing."""
        found = {}
        for some in _batches(condition_ids, _CONDITIONS_MAX):
            params = {"condition": ",".join(some)}
            async for row in self._rows("/v2/resolutions", params):
                end = market_end(row)
                if end.payouts_micro:
                    found[end.condition_id] = end
        return found

    async def _rows(self, path: str, params: Params) -> AsyncIterator[dict[str, Any]]:
        cursor = ""
        for _ in range(_PAGES_MAX):
            answer = await self._caller.get(
                path, {**params, "cursor": cursor} if cursor else params
            )
            if not isinstance(answer, dict) or "data" not in answer:
                raise UnreadableRow(f"{path} answers without data: {answer!r}"[:300])
            data = answer["data"]
            # Misses are null, one thing is an object, many are a list.
            for row in [] if data is None else [data] if isinstance(data, dict) else data:
                yield row
            told = answer.get("pagination") or {}
            following = str(told.get("next_cursor") or "") if told.get("has_more") else ""
            if not following:
                return
            if following == cursor:
                raise HistoryUnavailable(f"{path} repeats its cursor: the end cannot be reached")
            cursor = following
        raise HistoryUnavailable(f"{path} has more than {_PAGES_MAX} pages")


def _batches(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
