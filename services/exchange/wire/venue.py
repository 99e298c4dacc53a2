"""What all handlers share: the engine, the keys, the clock and the streams.

The engine is only touched from the event loop's thread and never across an await, so each call is
atomic. After a change `publish` turns the engine's events into frames.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.requests import HTTPConnection, Request

from whaletrader.services.exchange.config import ExchangeConfig
from whaletrader.services.exchange.engine.events import EngineEvent
from whaletrader.services.exchange.engine.exchange import Exchange
from whaletrader.services.exchange.engine.model import NS, Market
from whaletrader.services.exchange.engine.rules import UNKNOWN_TOKEN
from whaletrader.services.exchange.weather.limits import RateLimits
from whaletrader.services.exchange.weather.sky import Sky
from whaletrader.services.exchange.wire.answers import WireError
from whaletrader.services.exchange.wire.credentials import (
    ApiKey,
    ApiKeys,
    SignedRequest,
    check_login,
    check_request,
)
from whaletrader.services.exchange.wire.frame_weather import FrameWeather
from whaletrader.services.exchange.wire.hub import Hub
from whaletrader.services.exchange.wire.notes import Notes
from whaletrader.services.exchange.wire.rewards import RewardTerms
from whaletrader.services.exchange.wire.spot import Spot
from whaletrader.services.exchange.wire.subscribers import Subscriber

if TYPE_CHECKING:
    from whaletrader.services.exchange.livebook.follower import Follower
    from whaletrader.services.exchange.wire.polybolt import PriceFeed
    from whaletrader.services.exchange.wire.relayer import Relayed
    from whaletrader.services.exchange.wire.rtds import LiveFeed

WallClock = Callable[[], int]


def _draw_key() -> bytes:
    return secrets.token_bytes(32)


@dataclass(slots=True)
class Venue:
    """One running exchange.

    `wall_ns` is the seam for the wall clock (UTC epoch nanoseconds), `draw_key` the one for the
    private keys (32 bytes) of accounts that the exchange makes.
    """

    config: ExchangeConfig
    wall_ns: WallClock
    exchange: Exchange
    keys: ApiKeys
    hub: Hub
    sky: Sky
    frames: FrameWeather
    live: LiveFeed
    prices: PriceFeed
    spot: Spot
    limits: RateLimits | None = None
    sockets: set[Subscriber] = field(default_factory=set)
    notes: Notes = field(default_factory=Notes)
    rewards: dict[str, RewardTerms] = field(default_factory=dict)
    relayed: dict[str, Relayed] = field(default_factory=dict)
    # Hear every engine event, after the streams were told: the followed book's other side.
    followers: list[Callable[[list[EngineEvent]], None]] = field(default_factory=list)
    follower: Follower | None = None
    # Set when something may be due sooner than before.
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    # Changes with every start, so that a caller notices that memory was lost.
    boot_id: str = field(default_factory=lambda: str(uuid4()))
    draw_key: Callable[[], bytes] = _draw_key
    # Heartbeats that were begun: key -> (next id, wall time of the last one).
    heartbeats: dict[str, tuple[str, int]] = field(default_factory=dict)
    # Wallets that an operator bound to an owner (lower case -> lower case).
    wallet_owners: dict[str, str] = field(default_factory=dict)

    @property
    def now_ns(self) -> int:
        """The matching clock: the tape's in tape mode, else the wall's."""
        return self.exchange.now_ns if self.config.mode == "tape" else self.wall_ns()

    def wake(self) -> None:
        """Have due times looked at anew."""
        self.changed.set()

    def publish(self) -> None:
        """Tell everybody what the engine did since the last call."""
        events = self.exchange.take_events()
        if events:
            self.notes.take(events)
            self.hub.publish(events)
            self.live.publish(self, events)
            self.prices.publish(self, events)
            for follow in self.followers:
                follow(events)

    def market_of_token(self, token_id: str | None) -> tuple[Market, int]:
        """Return a token's market and outcome index; 400 or 404 in the venue's words."""
        if not token_id or not token_id.isdecimal():
            raise WireError(400, "Invalid token id")
        market = self.exchange.state.market_of_token.get(token_id)
        if market is None:
            raise WireError(404, UNKNOWN_TOKEN)
        return market, market.index_of(token_id)


def venue_of(connection: HTTPConnection) -> Venue:
    venue = connection.app.state.venue
    if not isinstance(venue, Venue):
        raise TypeError("the application has no venue")
    return venue


def logged_in(request: Request) -> tuple[str, int]:
    """Return (address, nonce) of a wallet-signed request (L1)."""
    venue = venue_of(request)
    now_s = venue.wall_ns() // NS
    return check_login(request.headers, now_s, venue.config.auth_skew_s_max)


async def authorized(request: Request) -> ApiKey:
    """Return the API key behind a request (L2)."""
    venue = venue_of(request)
    signed = SignedRequest(request.headers, request.method, request.url.path, await request.body())
    now_s = venue.wall_ns() // NS
    return check_request(venue.keys, signed, now_s, venue.config.auth_skew_s_max)
