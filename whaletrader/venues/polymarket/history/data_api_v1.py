"""The retired Data API, version 1: for recordings and for hosts that still serve it.

Bare lists in pages by offset, newest first, and nothing beyond a depth: a history that is longer
is cut, and the reader says so instead of passing it off as whole.
"""

from dataclasses import dataclass
from typing import Final

from whaletrader.venues.polymarket.history.calls import Caller, HistoryRefused
from whaletrader.venues.polymarket.history.rows import Deed, Kind, UnreadableRow, deed_v1

ROWS_MAX: Final = 500
DEPTH_MAX: Final = 10_000
_KINDS: Final = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class History:
    """A wallet's deeds, oldest first. `is_cut`: older ones exist that the host does not give."""

    deeds: tuple[Deed, ...]
    is_cut: bool


async def history_v1(caller: Caller, wallet: str) -> History:
    """Return what version 1 gives of a wallet. Kinds that we do not know are left out.

    Raises HistoryUnavailable, HistoryRefused, UnreadableRow.
    """
    found: list[Deed] = []
    for offset in range(0, DEPTH_MAX + 1, ROWS_MAX):
        params: dict[str, str | int] = {"user": wallet, "limit": ROWS_MAX, "offset": offset}
        try:
            rows = await caller.get("/activity", params)
        except HistoryRefused:
            # Hosts have drawn the line at other depths, too.
            if offset == 0:
                raise
            return _history(found, is_cut=True)
        if not isinstance(rows, list):
            raise UnreadableRow(f"/activity answers no list: {rows!r}"[:300])
        found += [deed_v1(row) for row in rows if row.get("type") in _KINDS]
        if len(rows) < ROWS_MAX:
            return _history(found, is_cut=False)
    return _history(found, is_cut=True)


def _history(newest_first: list[Deed], is_cut: bool) -> History:
    return History(tuple(reversed(newest_first)), is_cut)
