"""Wallets as they come: whoever trades next on the venue's real-time stream.

Owns how long the stream is listened to. A leaderboard names winners; who happens to trade
is chosen without regard to what he won, so a study of such wallets is not one of survivors. It
favours those who trade often. What a frame means is the reader's. Called by the command.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from whaletrader.venues.polymarket.history.calls import HistoryUnavailable
from whaletrader.venues.polymarket.history.rtds import trades_in
from whaletrader.venues.polymarket.history.trade_stream import LOSSES, frames

_RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Listening:
    """`url` of the stream, how many wallets are wanted, and how long they are waited for."""

    url: str
    wallets: int
    seconds_max: float


async def listened(wanted: Listening, tell: Callable[[int], None]) -> list[str]:
    """Return the first wallets that trade, in the order met; fewer if the time is over before.

    A stream that breaks is taken up again until then. `tell` hears how many there are. Raises
    HistoryUnavailable if nobody was heard, with what went wrong, and UnreadableRow.
    """
    found: dict[str, None] = {}
    trouble = "it was silent"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wanted.seconds_max):
            while len(found) < wanted.wallets:
                try:
                    await _hear(wanted, found, tell)
                except LOSSES as error:
                    trouble = f"{type(error).__name__}: {error}"
                if len(found) < wanted.wallets:
                    await asyncio.sleep(_RETRY_S)
    if not found:
        raise HistoryUnavailable(
            f"nobody was heard trading on {wanted.url} in {wanted.seconds_max:g} seconds: {trouble}"
        )
    return list(found)


async def _hear(wanted: Listening, found: dict[str, None], tell: Callable[[int], None]) -> None:
    """Add wallets until there are enough or the stream ends."""
    async with contextlib.aclosing(frames(wanted.url)) as said:
        async for frame in said:
            for deed in trades_in(frame):
                if len(found) < wanted.wallets:
                    found.setdefault(deed.wallet)
                    tell(len(found))
            if len(found) == wanted.wallets:
                return
