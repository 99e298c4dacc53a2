"""Wallets heard on the venue's stream of trades: a choice that knows nothing of their profit.

Leaders by profit are winners picked afterwards; who trades now is picked before the outcome. Owns
the count, and how long a lost connection is tried again. Called by the command.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from whaletrader.domain.money import MICRO
from whaletrader.runtime.clock import monotonic_s
from whaletrader.venues.polymarket.history.calls import HistoryUnavailable
from whaletrader.venues.polymarket.history.rows import Deed, UnreadableRow
from whaletrader.venues.polymarket.history.rtds import trades_in
from whaletrader.venues.polymarket.history.trade_stream import LOSSES, frames

_PAUSE_FIRST_S: Final = 0.5
_PAUSE_MAX_S: Final = 10.0

# Told the seconds that are over, and how many trades and wallets were heard.
Tell = Callable[[float, int, int], None]


@dataclass(slots=True)
class Heard:
    """What every wallet traded while we listened, in micro-dollars."""

    turnover_micro: Counter[str] = field(default_factory=Counter)
    trades: int = 0
    # Frames that say something else than documented; the first one is kept to be shown.
    unreadable: int = 0
    first_unreadable: str = ""
    # Connections that ended before the time was over: what was said in between was not heard.
    losses: int = 0

    def take(self, frame: str) -> None:
        """Count a frame's trades."""
        try:
            deeds = trades_in(frame)
        except UnreadableRow as error:
            self.unreadable += 1
            self.first_unreadable = self.first_unreadable or str(error)
            return
        for deed in deeds:
            self._count(deed)

    def most_active(self, wanted: int) -> list[str]:
        """Return the wallets that traded the most dollars; ties by address."""
        ranked = sorted(self.turnover_micro.items(), key=lambda item: (-item[1], item[0]))
        return [wallet for wallet, _ in ranked[:wanted]]

    def _count(self, deed: Deed) -> None:
        self.trades += 1
        self.turnover_micro[deed.wallet] += deed.size_micro * deed.price_micro // MICRO


async def listen(url: str, for_s: float, tell: Tell) -> Heard:
    """Hear all trades for a time; connections that are lost are made again.

    Raises HistoryUnavailable when no trade was heard at all.
    """
    heard = Heard()
    began_s = monotonic_s()
    pause_s, said = _PAUSE_FIRST_S, ""
    while (left_s := began_s + for_s - monotonic_s()) > 0:
        try:
            async with asyncio.timeout(left_s):
                before = heard.trades
                await _hear(url, heard, lambda: tell(monotonic_s() - began_s, *_sizes(heard)))
        except LOSSES as error:
            if monotonic_s() - began_s >= for_s:
                break
            heard.losses += 1
            said = repr(error)
            pause_s = _PAUSE_FIRST_S if heard.trades > before else min(pause_s * 2, _PAUSE_MAX_S)
            await asyncio.sleep(min(pause_s, max(0.0, began_s + for_s - monotonic_s())))
    if not heard.trades:
        reason = said or heard.first_unreadable or "the connection stood and said nothing"
        raise HistoryUnavailable(
            f"{url}: no trade was heard in {for_s:g} s ({reason}). Listen longer, give another "
            "--listen-url, or leave --listen out to take the leaders"
        )
    return heard


async def _hear(url: str, heard: Heard, tell: Callable[[], None]) -> None:
    """Take what one connection says until it ends."""
    async with contextlib.aclosing(frames(url)) as said:
        async for frame in said:
            heard.take(frame)
            tell()


def _sizes(heard: Heard) -> tuple[int, int]:
    return heard.trades, len(heard.turnover_micro)
