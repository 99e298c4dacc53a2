"""Performers: ask the venue's public services what the agent wants to know.

A service that does not answer is an answer, too: it says why, and the agent asks again later. Reads
have no effect, so each may be repeated.
"""

import logging
from collections.abc import AsyncIterator
from typing import Final

from google.protobuf.message import Message

from whaletrader.domain.money import MICRO
from whaletrader.runtime.agent import Effect
from whaletrader.schemas import follow_pb2
from whaletrader.services.feeds.following.deeds import KINDS, listed, seen
from whaletrader.venues.polymarket.history.calls import HistoryRefused, HistoryUnavailable
from whaletrader.venues.polymarket.history.data_api import DataApi
from whaletrader.venues.polymarket.history.gamma import Gamma
from whaletrader.venues.polymarket.history.rows import Deed, UnreadableRow

_LOG = logging.getLogger(__name__)

# Deeds of one kind that are read at once; the seconds they end in are read whole.
ROWS_MAX: Final = 300
_FAILURES: Final = (HistoryUnavailable, HistoryRefused, UnreadableRow)


class WalletReader:
    """Performs ReadWallet."""

    def __init__(self, api: DataApi) -> None:
        self._api = api

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - a read
        asked = effect.message
        if not isinstance(asked, follow_pb2.ReadWallet):
            raise TypeError(f"{type(asked).__name__} is no question about a wallet")
        read = follow_pb2.WalletRead(wallet=asked.wallet, since_s=asked.since_s)
        try:
            deeds, next_s = await self._deeds(asked.wallet, asked.since_s)
        except _FAILURES as error:
            _LOG.warning("wallet %s was not read, and will be again: %s", asked.wallet, error)
            read.error = str(error)
            return read
        read.deeds.extend(seen(deeds))
        read.has_more = next_s is not None
        last_s = max((deed.at_s for deed in deeds), default=asked.since_s)
        read.until_s = next_s - 1 if next_s is not None else last_s
        return read

    async def _deeds(self, wallet: str, since_s: int) -> tuple[list[Deed], int | None]:
        """Return deeds of all kinds by time, and the second from which on there are more."""
        found: list[Deed] = []
        next_s: int | None = None
        for kind in KINDS:
            rows, more_s = await _some(self._api.activity(wallet, kind, since_s))
            # The service may take `start` as it likes.
            found += [deed for deed in rows if deed.at_s >= since_s]
            if more_s is not None:
                next_s = more_s if next_s is None else min(next_s, more_s)
        found.sort(key=lambda deed: deed.at_s)
        if next_s is not None:
            found = [deed for deed in found if deed.at_s < next_s]
        return found, next_s


class MarketReader:
    """Performs LookUpMarkets."""

    def __init__(self, gamma: Gamma) -> None:
        self._gamma = gamma

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - a read
        asked = effect.message
        if not isinstance(asked, follow_pb2.LookUpMarkets):
            raise TypeError(f"{type(asked).__name__} is no question about markets")
        found = follow_pb2.MarketsFound(condition_ids=asked.condition_ids)
        try:
            listings = await self._gamma.listings(asked.condition_ids)
        except _FAILURES as error:
            _LOG.warning("%d markets were not looked up: %s", len(asked.condition_ids), error)
            found.error = str(error)
            return found
        found.listed.extend(listed(one) for one in listings.values())
        return found


class EndReader:
    """Performs LookUpEnds."""

    def __init__(self, api: DataApi) -> None:
        self._api = api

    async def __call__(self, effect: Effect, again: bool) -> Message:  # noqa: ARG002 - a read
        asked = effect.message
        if not isinstance(asked, follow_pb2.LookUpEnds):
            raise TypeError(f"{type(asked).__name__} is no question about ends")
        found = follow_pb2.EndsFound()
        try:
            ends = await self._api.ends(asked.condition_ids)
        except _FAILURES as error:
            _LOG.warning(
                "the ends of %d markets are not known: %s", len(asked.condition_ids), error
            )
            found.error = str(error)
            return found
        for end in ends.values():
            if end.winner is None:
                paid = [it / MICRO for it in end.payouts_micro]
                _LOG.warning("market %s paid %s: no winner can be told", end.condition_id, paid)
            found.ends.add(condition_id=end.condition_id, payouts_micro=end.payouts_micro)
        return found


async def _some(rows: AsyncIterator[Deed]) -> tuple[list[Deed], int | None]:
    """Return some rows that end with a whole second, and the second in which more begin."""
    found: list[Deed] = []
    async for deed in rows:
        if len(found) >= ROWS_MAX and deed.at_s > found[-1].at_s:
            return found, deed.at_s
        found.append(deed)
    return found, None
