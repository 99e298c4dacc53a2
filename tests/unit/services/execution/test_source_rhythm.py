"""How long the source waits between heartbeats, and what a second look at the holdings rests on."""

import asyncio
from typing import Any

import pytest

from tests.unit.services.execution.execution_bench import T0
from whaletrader.services.execution.news import News
from whaletrader.services.execution.source import Rhythm, VenueSource, beat_pause_s
from whaletrader.venues.capabilities import POLYMARKET
from whaletrader.venues.errors import OutcomeUnknown, VenueUnavailable


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (None, 5.0),
        (OutcomeUnknown("no answer"), 1.0),
        (VenueUnavailable("away"), 1.0),
        (VenueUnavailable("limited", 3.0), 3.0),
        (VenueUnavailable("restarting", 60.0), 5.0),
    ],
)
def test_a_heartbeat_that_failed_is_sent_again_soon_but_not_sooner_than_the_venue_asks(
    error: VenueUnavailable | OutcomeUnknown | None, pause_s: float
) -> None:
    assert beat_pause_s(5.0, error) == pause_s


def test_one_heartbeat_may_fail_before_the_venue_loses_patience() -> None:
    every_s = POLYMARKET.heartbeat_every_s
    again_s = beat_pause_s(every_s, OutcomeUnknown("no answer"))
    assert every_s + again_s < POLYMARKET.heartbeat_timeout_s


class Differing:
    """A desk whose holdings differed when they were looked at last, or did not."""

    def __init__(self, is_differing: bool) -> None:
        self.is_differing = is_differing
        self.has_opening = True

    def venue_closed_orders(self) -> tuple[str, ...]:
        return ()


class Reads:
    """Notes from when on fills are read for a look at the holdings."""

    def __init__(self, news: News) -> None:
        self.news = news
        self.read_from_ns: asyncio.Queue[int] = asyncio.Queue()

    async def holdings(self, _: int) -> None:
        self.read_from_ns.put_nowait(self.news.read_from_ns)
        await asyncio.Event().wait()


@pytest.mark.parametrize(("is_differing", "read_from_ns"), [(False, T0), (True, 0)])
async def test_a_look_after_one_that_differed_reads_everything(
    is_differing: bool, read_from_ns: int
) -> None:
    desk: Any = Differing(is_differing)
    news = News("0xours", desk)
    news.attach(lambda _: None)
    news.mark_read(T0)
    reads: Any = Reads(news)
    venue: Any = None
    source = VenueSource(venue, news, reads, Rhythm(30.0, holdings_s=0.01, second_look_s=0.01))
    looking = asyncio.create_task(source._look_at_holdings())
    assert await asyncio.wait_for(reads.read_from_ns.get(), 30) == read_from_ns
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
