"""What tells the agent whom to follow, and when a wallet was heard.

The stream is a doorbell and no source of facts: what it says is read from the history, which is
whole. While it is lost, the agent's own rhythm goes on.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.ids import derived_id
from whaletrader.runtime.clock import Clock, monotonic_s
from whaletrader.schemas import follow_pb2
from whaletrader.venues.polymarket.history.rows import UnreadableRow
from whaletrader.venues.polymarket.history.rtds import trades_in
from whaletrader.venues.polymarket.history.trade_stream import LOSSES, frames

_LOG = logging.getLogger(__name__)

_NS: Final = 1_000_000_000
_DAY_S: Final = 86_400
_PAUSE_FIRST_S: Final = 1.0
_PAUSE_MAX_S: Final = 60.0
# The history of a wallet is cached for seconds: ringing more often shows nothing new.
RING_EVERY_S: Final = 5.0


class Roster:
    """Says at each start whom to follow."""

    def __init__(self, wallets: Sequence[str], history_days: int, clock: Clock) -> None:
        self._wallets = wallets
        self._history_s = history_days * _DAY_S
        self._clock = clock

    async def run(self, put: Callable[[Message], None]) -> None:
        now_ns = self._clock.now_ns()
        begin_s = max(0, now_ns // _NS - self._history_s)
        given = follow_pb2.RosterGiven(wallets=self._wallets, begin_s=begin_s)
        given.meta.id = given.meta.correlation = derived_id("roster", now_ns, *self._wallets)
        given.meta.event_time_ns = now_ns
        put(given)

    def facts(self) -> Mapping[str, int]:
        return {}


class Doorbell:
    """Rings when a followed wallet is heard on the stream of all trades."""

    def __init__(self, url: str, wallets: Sequence[str]) -> None:
        self._url = url
        self._wallets = frozenset(wallets)
        self._rung_s: dict[str, float] = {}

    async def run(self, put: Callable[[Message], None]) -> None:
        """Ring until cancelled; a stream that is lost is connected to again."""
        pause_s = _PAUSE_FIRST_S
        while True:
            began_s = monotonic_s()
            try:
                async with contextlib.aclosing(frames(self._url)) as said:
                    async for frame in said:
                        self._take(frame, put)
            except LOSSES as error:
                # One that stood for a while is no venue that refuses us.
                stood = monotonic_s() - began_s > _PAUSE_MAX_S
                pause_s = _PAUSE_FIRST_S if stood else min(pause_s * 2, _PAUSE_MAX_S)
                _LOG.warning("the stream of trades is lost, again in %g s: %r", pause_s, error)
            await asyncio.sleep(pause_s)

    def facts(self) -> Mapping[str, int]:
        return {}

    def _take(self, frame: str, put: Callable[[Message], None]) -> None:
        try:
            deeds = trades_in(frame)
        except UnreadableRow as error:
            _LOG.warning("not understood on the stream of trades: %s", error)
            return
        for deed in deeds:
            now_s = monotonic_s()
            rung_s = self._rung_s.get(deed.wallet, float("-inf"))
            if deed.wallet not in self._wallets or now_s - rung_s < RING_EVERY_S:
                continue
            self._rung_s[deed.wallet] = now_s
            heard = follow_pb2.WalletHeard(wallet=deed.wallet)
            heard.meta.id = derived_id("heard", deed.wallet, deed.at_s, deed.tx_hash, frame)
            heard.meta.correlation = heard.meta.id
            heard.meta.event_time_ns = deed.at_s * _NS
            put(heard)
