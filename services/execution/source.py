"""The venue's user stream as messages for the agent; reads fill every gap of it.

Each (re)connect is followed by a reconciliation at once and by another a moment later, since the
venue does not say when a subscription takes effect. The venue is told all the time that we live;
what the wallet holds is looked at after each connect and every so often.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from whaletrader.services.execution.news import News
from whaletrader.services.execution.reconcile import Reconciler
from whaletrader.venues.errors import OutcomeUnknown, VenueUnavailable
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
# A beat that failed is sent again after this share of the pause: two in a row that fail may be
# all that the venue's patience has.
_BEAT_AGAIN: Final = 0.2
# A difference is looked at again after this long: what was on its way has arrived by then.
_SECOND_LOOK_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often what is done, in seconds; 0 means never."""

    reconcile_s: float
    heartbeat_s: float = 0.0
    holdings_s: float = 0.0
    second_look_s: float = _SECOND_LOOK_S


class VenueSource:
    """Brings in what happens to our orders and holdings."""

    def __init__(self, venue: Venue, news: News, reconciler: Reconciler, rhythm: Rhythm) -> None:
        self._venue = venue
        self._news = news
        self._reconciler = reconciler
        self._rhythm = rhythm
        self._opened = asyncio.Event()
        self._look_now = asyncio.Event()
        self._looks = 0

    async def run(self, put: Callable[[Message], None]) -> None:
        """Put facts until cancelled. Raises VenueStop: a person must look."""
        self._news.attach(put)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._reconcile())
                if self._rhythm.heartbeat_s:
                    group.create_task(self._beat())
                if self._rhythm.holdings_s:
                    group.create_task(self._look_at_holdings())
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
                async with asyncio.timeout(self._rhythm.reconcile_s):
                    await self._opened.wait()
            except TimeoutError:
                await self._until_done()
                continue
            self._opened.clear()
            self._look_now.set()
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

    async def _beat(self) -> None:
        """Tell the venue that we live, from the first moment on, whether an order rests or not.

        The venue ends all orders when it hears nothing for a while. A silence between two orders,
        or between a former life and this one, would end the orders that came meanwhile. After a
        lapse, and once a beat is taken after one that failed, everything is read anew.
        """
        has_failed = False
        while True:
            error: VenueUnavailable | OutcomeUnknown | None = None
            try:
                beat = await self._venue.heartbeat()
            except (VenueUnavailable, OutcomeUnknown) as failure:
                error = failure
                _LOG.warning("a heartbeat failed: %s", error)
            else:
                if beat.has_lapsed:
                    _LOG.warning("heartbeats had lapsed: orders may have been cancelled")
                if beat.has_lapsed or has_failed:
                    self._opened.set()
            has_failed = error is not None
            await asyncio.sleep(beat_pause_s(self._rhythm.heartbeat_s, error))

    async def _look_at_holdings(self) -> None:
        failed_pause_s = _RETRY_S
        while True:
            pause_s = self._rhythm.holdings_s
            desk = self._news.desk
            if desk.is_differing or not desk.has_opening:
                pause_s = min(pause_s, self._rhythm.second_look_s)
            try:
                async with asyncio.timeout(pause_s):
                    await self._look_now.wait()
            except TimeoutError:
                pass
            self._look_now.clear()
            self._looks += 1
            if self._news.desk.is_differing:
                # The look that may stop the wallet must not rest on what we think was told.
                self._news.doubt()
            try:
                seen = await self._reconciler.holdings(self._looks)
            except VenueUnavailable as error:
                _LOG.warning("the holdings are looked at again: %s", error)
                # A look is many reads: one that keeps failing must not crowd out orders.
                await asyncio.sleep(max(failed_pause_s, error.retry_after_s))
                failed_pause_s = min(2 * failed_pause_s, _RETRY_MAX_S)
                self._look_now.set()
            else:
                failed_pause_s = _RETRY_S
                self._news.tell(seen)
                # The agent's word on it decides when the next look is due.
                await asyncio.sleep(_SUBSCRIBED_AFTER_S)


def beat_pause_s(every_s: float, error: VenueUnavailable | OutcomeUnknown | None) -> float:
    """Return the pause before the next heartbeat, in seconds; `error`: how the last one failed."""
    if error is None:
        return every_s
    asked_s = error.retry_after_s if isinstance(error, VenueUnavailable) else 0.0
    return min(every_s, max(every_s * _BEAT_AGAIN, asked_s))
