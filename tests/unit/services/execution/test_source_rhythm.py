"""How long the source waits between heartbeats."""

import pytest

from whaletrader.services.execution.source import beat_pause_s
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
