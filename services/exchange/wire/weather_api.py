"""The operator's weather: see it, set it, clear it, and read what it did."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from whaletrader.services.exchange.weather.rules import BadWeather, Effect, Forecast, Rule
from whaletrader.services.exchange.wire import trade_weather
from whaletrader.services.exchange.wire.account import stop_heartbeats
from whaletrader.services.exchange.wire.answers import BAD_JSON, WireError, number, ok
from whaletrader.services.exchange.wire.venue import Venue, venue_of

_forecasts = msgspec.json.Decoder(Forecast)
LOG_PAGE_ROWS = 1_000


async def forecast(request: Request) -> Response:
    sky = venue_of(request).sky
    return ok({"seed": sky.seed, "rules": sky.view()})


async def set_weather(request: Request) -> Response:
    """Replace all rules by those of the body; the answer shows them with their ids."""
    venue = venue_of(request)
    try:
        wanted = _forecasts.decode(await request.body())
        venue.sky.set(wanted, venue.wall_ns())
    except (*BAD_JSON, BadWeather) as error:
        raise WireError(400, str(error)) from error
    trade_weather.apply(venue)
    strike_by_itself(venue)
    return ok({"seed": venue.sky.seed, "rules": venue.sky.view()})


async def clear_weather(request: Request) -> Response:
    """Clear the sky; the log of what it did is gone too."""
    venue = venue_of(request)
    venue.sky.set(Forecast(), venue.wall_ns())
    trade_weather.apply(venue)
    return ok({"seed": venue.sky.seed, "rules": []})


async def weather_log(request: Request) -> Response:
    """Answer what weather did, oldest first, from the entry after `after`."""
    after = number(request, "after", 0)
    rows = [row for row in venue_of(request).sky.log if row["n"] > after]
    return ok({"entries": rows[:LOG_PAGE_ROWS], "more": len(rows) > LOG_PAGE_ROWS})


def strike_by_itself(venue: Venue) -> None:
    """Let rules act that wait for no request or frame; called when set and once a tick."""
    venue.sky.due(
        Effect.HEARTBEAT_EXPIRY, venue.wall_ns(), lambda rule: _stop_heartbeats(venue, rule)
    )
    if Effect.DROP in venue.sky.effects:
        for subscriber in tuple(venue.sockets):
            venue.frames.drop(subscriber)


def _stop_heartbeats(venue: Venue, rule: Rule) -> str:
    stopped = [
        key_id
        for key_id in venue.heartbeats
        if not rule.accounts or _address(venue, key_id) in rule.accounts
    ]
    return f"{stop_heartbeats(venue, stopped)} orders of {len(stopped)} keys canceled"


def _address(venue: Venue, key_id: str) -> str:
    key = venue.keys.find_by_id(key_id)
    return key.address if key is not None else ""
