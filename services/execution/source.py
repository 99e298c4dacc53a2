"""The venue's user stream as messages for the agent; reads fill every gap of it.

Each (re)connect is followed by a reconciliation at once and by another a moment later, since the
venue does not say when a subscription takes effect.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import Message

from whaletrader.services.execution.news import News
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.venues.errors import VenueUnavailable
from whaletrader.venues.port import (
    OrderPlaced,
    StreamOpened,
    TradeChanged,
    Venue,
    VenueFill,
    VenueOrder,
)

_LOG = logging.getLogger(__name__)

# How long after a subscription was sent it is surely in force.
_SUBSCRIBED_AFTER_S: Final = 1.0
_RETRY_S: Final = 0.5
_RETRY_MAX_S: Final = 8.0


class VenueSource:
    """Brings in what happens to our orders."""

    def __init__(
        self, venue: Venue, news: News, reconciler: Reconciler, reconcile_every_s: float
    ) -> None:
        self._venue = venue
        self._news = news
        self._reconciler = reconciler
        self._every_s = reconcile_every_s
        self._opened = asyncio.Event()

    async def run(self, put: Callable[[Message], None]) -> None:
        """Put facts until cancelled. Raises VenueStop: a person must look."""
        self._news.attach(put)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._reconcile())
        finally:
            self._news.detach()

    def facts(self) -> Mapping[str, int]:
        return self._news.facts()

    async def _listen(self) -> None:
        async for event in self._venue.events():
            match event:
                case StreamOpened():
                    self._opened.set()
                case VenueFill():
                    self._news.tell_fill(event)
                case VenueOrder():
                    self._news.tell_order(event, event.at_ns)
                case OrderPlaced():
                    self._news.tell_open(event.order_id, event.at_ns)
                case TradeChanged():
                    await self._ask_for(event.trade_id)

    async def _ask_for(self, trade_id: str) -> None:
        try:
            await self._reconciler.trade(trade_id)
        except VenueUnavailable as error:
            _LOG.warning("trade %s is asked for later: %s", trade_id, error)
            self._opened.set()

    async def _reconcile(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._every_s):
                    await self._opened.wait()
            except TimeoutError:
                await self._until_done()
                continue
            self._opened.clear()
            await self._until_done()
            await asyncio.sleep(_SUBSCRIBED_AFTER_S)
            await self._until_done()

    async def _until_done(self) -> None:
        pause_s = _RETRY_S
        while True:
            try:
                await self._reconciler.all()
            except VenueUnavailable as error:
                _LOG.warning("reconciliation is tried again: %s", error)
                await asyncio.sleep(max(pause_s, error.retry_after_s))
                pause_s = min(2 * pause_s, _RETRY_MAX_S)
            else:
                return
