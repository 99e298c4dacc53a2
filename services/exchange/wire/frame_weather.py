"""Frames on their way to a subscriber: twice, late, in the wrong order, never, or the socket gone.

Stands between whoever has something to tell and the subscriber's queue. Without rules that strike
frames it adds one set lookup.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from whaletrader.services.exchange.weather.rules import FRAME_EFFECTS, Effect
from whaletrader.services.exchange.weather.sky import Occasion, Sky, Strike
from whaletrader.services.exchange.wire.subscribers import Subscriber

# How long an overtaken frame waits for another one to overtake it.
OVERTAKEN_MS_MAX: Final = 1_000
_ALL: Final = frozenset(FRAME_EFFECTS)
_PONG_EFFECTS: Final = frozenset({Effect.FREEZE, Effect.DROP})


@dataclass(frozen=True, slots=True)
class About:
    """What a frame tells of: the market, and a trade's or order's status or the frame's kind."""

    market: str = ""
    status: str = ""
    what: str = ""


class FrameWeather:
    """Delivers frames through the weather of one venue."""

    def __init__(self, sky: Sky, wall_ns: Callable[[], int]) -> None:
        self._sky = sky
        self._wall_ns = wall_ns

    def deliver(self, subscriber: Subscriber, frame: Any, about: About) -> None:
        """Send a frame as the weather lets it pass."""
        if not _ALL & self._sky.effects:
            subscriber.send(frame)
            return
        encoded = frame if isinstance(frame, bytes) else msgspec.json.encode(frame)
        strikes = {s.rule.effect: s for s in self._strikes(_ALL, subscriber, about)}
        if (dropped := strikes.get(Effect.DROP)) is not None:
            subscriber.close(dropped.rule.close_code, "dropped by the weather")
            return
        if Effect.FREEZE in strikes or Effect.LOST in strikes:
            return
        if (overtaken := strikes.get(Effect.REORDER)) is not None:
            subscriber.held.append(encoded)
            later_ms = overtaken.rule.delay_ms or OVERTAKEN_MS_MAX
            self._later(later_ms, lambda: _release(subscriber))
            return
        delay_ms = strikes[Effect.LATE].jittered_ms if Effect.LATE in strikes else 0
        self._send(subscriber, encoded, delay_ms)
        if (twice := strikes.get(Effect.DUPLICATE)) is not None:
            self._repeat(subscriber, encoded, twice, delay_ms)

    def pong(self, subscriber: Subscriber) -> None:
        """Answer a PING, unless the socket is frozen to the bone or gone."""
        for strike in self._strikes(_PONG_EFFECTS, subscriber, About(what="PING")):
            if strike.rule.effect is Effect.DROP:
                subscriber.close(strike.rule.close_code, "dropped by the weather")
                return
            if not strike.rule.pongs:
                return
        subscriber.send(b"PONG")

    def drop(self, subscriber: Subscriber) -> None:
        """Close an open socket if a rule for dropping them strikes it now."""
        about = About(what="open socket")
        for strike in self._strikes(frozenset({Effect.DROP}), subscriber, about):
            subscriber.close(strike.rule.close_code, "dropped by the weather")

    def _repeat(self, subscriber: Subscriber, frame: bytes, strike: Strike, base_ms: int) -> None:
        for copy in range(1, strike.rule.copies + 1):
            self._send(subscriber, frame, base_ms + copy * strike.rule.delay_ms)

    def _send(self, subscriber: Subscriber, frame: bytes, delay_ms: int) -> None:
        if delay_ms:
            self._later(delay_ms, lambda: subscriber.send(frame))
            return
        subscriber.send(frame)
        _release(subscriber)

    def _later(self, delay_ms: int, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_ms / 1_000, act)

    def _strikes(
        self, effects: frozenset[Effect], subscriber: Subscriber, about: About
    ) -> list[Strike]:
        occasion = Occasion(
            now_ns=self._wall_ns(),
            account=subscriber.account,
            markets=frozenset((about.market,)) if about.market else frozenset(),
            channel=subscriber.channel,
            status=about.status,
            what=about.what,
        )
        return self._sky.strikes(effects, occasion)


def _release(subscriber: Subscriber) -> None:
    held, subscriber.held = subscriber.held, []
    for frame in held:
        subscriber.send(frame)
