"""Watches while we trade what the pre-flight looked at before: the region, and the clock's skew.

Fails closed: until the first look succeeded, and once looks keep failing, trading is not allowed.
It stops nothing itself; it tells when trading must stop and when it may go on. Used by execution's
composition root in live mode, and by the pre-flight for its first two checks.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from whaletrader.venues.errors import VenueError
from whaletrader.venues.report import Check
from whaletrader.venues.terms import Region

_NS: Final = 1_000_000_000
# The venue tells whole seconds: on the average half a second has passed since.
_HALF_SECOND_NS: Final = _NS // 2

REGION: Final = "region"
CLOCK: Final = "clock"


class Outside(Protocol):
    """What is watched; the venue port is one."""

    async def region(self) -> Region:
        """Return where the venue sees us."""

    async def server_time_ns(self) -> int:
        """Return the venue's clock."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How often, how strict. A look that fails `misses_max` times running counts as a no."""

    now_ns: Callable[[], int]
    every_s: float = 15.0
    skew_max_s: float = 2.0
    misses_max: int = 2
    look_timeout_s: float = 10.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class TradingAllowed:
    """Trading may go on."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class TradingForbidden:
    """No new order may leave; cancels still may. `reasons` are the checks that failed."""

    at_ns: int
    reasons: tuple[Check, ...]

    def __str__(self) -> str:
        return "; ".join(f"{check.name}: {check.found}" for check in self.reasons)


WatchEvent = TradingAllowed | TradingForbidden


class Watch:
    """Looks now and then, and tells changes."""

    def __init__(self, outside: Outside, options: WatchOptions) -> None:
        if options.misses_max < 1 or options.every_s <= 0:
            raise ValueError("at least one miss must count, and time must pass between looks")
        self._outside = outside
        self._options = options
        self._misses = {REGION: 0, CLOCK: 0}
        self._latest: WatchEvent | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether trading is allowed by the last look; no before the first."""
        return isinstance(self._latest, TradingAllowed)

    async def events(self) -> AsyncIterator[WatchEvent]:
        """Yield what the first look says, then each change, for ever.

        A change of the reasons is told too. Raises nothing of the venue's.
        """
        while True:
            before, event = self._latest, await self.look()
            if before is None or _differ(before, event):
                yield event
            await self._options.sleep(self._options.every_s)

    async def look(self) -> WatchEvent:
        """Look once; return the verdict, in which a single failed look is forgiven."""
        options = self._options
        reasons = []
        for name, check in await self._checks():
            is_readable = check is not None
            self._misses[name] = 0 if is_readable else self._misses[name] + 1
            if check is not None and not check.is_ok:
                reasons.append(check)
            elif not is_readable and (
                self._misses[name] >= options.misses_max or not self.is_allowed
            ):
                found = f"could not be read {self._misses[name]} times running"
                reasons.append(Check(name, False, found, "look at the connection to the venue"))
        at_ns = options.now_ns()
        self._latest = TradingForbidden(at_ns, tuple(reasons)) if reasons else TradingAllowed(at_ns)
        return self._latest

    async def _checks(self) -> list[tuple[str, Check | None]]:
        options = self._options

        async def seen(check: Awaitable[Check]) -> Check | None:
            try:
                async with asyncio.timeout(options.look_timeout_s):
                    return await check
            except (VenueError, TimeoutError):
                return None

        return [
            (REGION, await seen(_region(self._outside))),
            (CLOCK, await seen(_clock(self._outside, options.now_ns, options.skew_max_s))),
        ]


async def region_check(outside: Outside, timeout_s: float = 10.0) -> Check:
    """Return whether the venue lets us trade from here; what cannot be read is a no."""
    return await _closed(REGION, _region(outside), timeout_s)


async def clock_check(
    outside: Outside, now_ns: Callable[[], int], skew_max_s: float, timeout_s: float = 10.0
) -> Check:
    """Return whether our clocks agree; what cannot be read is a no."""
    return await _closed(CLOCK, _clock(outside, now_ns, skew_max_s), timeout_s)


async def _closed(name: str, check: Awaitable[Check], timeout_s: float) -> Check:
    try:
        async with asyncio.timeout(timeout_s):
            return await check
    except TimeoutError:
        return Check(name, False, f"no answer within {timeout_s:g} s", _CONNECTION)
    except VenueError as error:
        return Check(name, False, f"cannot be read: {error}", _CONNECTION)


async def _region(outside: Outside) -> Check:
    found = await outside.region()
    place = "-".join(part for part in (found.country, found.region) if part) or "unknown"
    if found.is_blocked:
        return Check(REGION, False, f"blocked in {place}", "the venue may not be used from here")
    return Check(REGION, True, f"{place}, not blocked")


async def _clock(outside: Outside, now_ns: Callable[[], int], skew_max_s: float) -> Check:
    asked_ns = now_ns()
    theirs_ns = await outside.server_time_ns()
    answered_ns = now_ns()
    # The answer was made somewhere between the two.
    skew_s = ((asked_ns + answered_ns) // 2 - theirs_ns - _HALF_SECOND_NS) / _NS
    taken_s = (answered_ns - asked_ns) / _NS
    found = f"{skew_s:+.1f} s from the venue's, answered in {taken_s:.2f} s"
    if taken_s < 0:
        return Check(CLOCK, False, "went back while it was looked at", _SYNCHRONISE)
    if abs(skew_s) > skew_max_s:
        return Check(CLOCK, False, f"{found}; at most {skew_max_s:g} s", _SYNCHRONISE)
    if taken_s > 2 * skew_max_s:
        return Check(CLOCK, False, f"{found}: too slow to compare", _CONNECTION)
    return Check(CLOCK, True, found)


def _differ(before: WatchEvent, now: WatchEvent) -> bool:
    if isinstance(before, TradingForbidden) and isinstance(now, TradingForbidden):
        return [check.name for check in before.reasons] != [check.name for check in now.reasons]
    return type(before) is not type(now)


_CONNECTION: Final = "check the connection to the venue"
_SYNCHRONISE: Final = "synchronise this machine's clock (chronyc tracking, timedatectl)"
