"""Region and clock while we trade: what cannot be known forbids."""

import asyncio
from dataclasses import dataclass, field

import pytest

from whaletrader.venues.errors import VenueStop, VenueUnavailable
from whaletrader.venues.terms import Region
from whaletrader.venues.watch import (
    TradingAllowed,
    TradingForbidden,
    Watch,
    WatchEvent,
    WatchOptions,
    clock_check,
    region_check,
)

NS = 1_000_000_000
T0 = 1_700_000_000 * NS
FREE, BLOCKED = Region(False, "CH"), Region(True, "US", "NY")


@dataclass
class World:
    """A venue, a clock and a sleep that a test owns. `offset_s` is how far we are ahead."""

    regions: list[Region | Exception] = field(default_factory=lambda: [FREE])
    offset_s: float = 0.0
    delay_s: float = 0.0
    time_error: Exception | None = None
    now_ns: int = T0
    looks: int = 0

    def clock(self) -> int:
        return self.now_ns

    async def region(self) -> Region:
        found = self.regions[min(self.looks, len(self.regions) - 1)]
        self.looks += 1
        if isinstance(found, Exception):
            raise found
        return found

    async def server_time_ns(self) -> int:
        if self.time_error is not None:
            raise self.time_error
        # The answer is made halfway, and told in whole seconds.
        self.now_ns += int(self.delay_s * NS)
        middle = self.now_ns - int(self.delay_s * NS) // 2
        return (middle - int(self.offset_s * NS)) // NS * NS

    async def sleep(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS)
        await asyncio.sleep(0)

    def watch(self, **options: object) -> Watch:
        return Watch(self, WatchOptions(self.clock, sleep=self.sleep, **options))  # type: ignore[arg-type]


async def told(watch: Watch, count: int) -> list[WatchEvent]:
    found: list[WatchEvent] = []
    async for event in watch.events():
        found.append(event)
        if len(found) == count:
            break
    return found


async def test_nothing_is_allowed_before_the_first_look() -> None:
    watch = World().watch()
    assert not watch.is_allowed
    assert isinstance(await watch.look(), TradingAllowed)
    assert watch.is_allowed


async def test_only_changes_are_told_and_when_they_happened() -> None:
    world = World([FREE, FREE, FREE, BLOCKED, BLOCKED, FREE])
    events = await told(world.watch(every_s=15), 3)
    kinds = [type(event) for event in events]
    assert kinds == [TradingAllowed, TradingForbidden, TradingAllowed]
    assert [event.at_ns - T0 for event in events] == [0, 45 * NS, 75 * NS]
    assert "blocked in US-NY" in str(events[1])


@pytest.mark.parametrize("offset_s", [-2.6, 2.6, 40.0, -3_600.0])
async def test_a_clock_that_is_off_forbids(offset_s: float) -> None:
    event = await World(offset_s=offset_s).watch().look()
    assert isinstance(event, TradingForbidden)
    [reason] = event.reasons
    assert reason.name == "clock"
    assert "synchronise" in reason.to_do


@pytest.mark.parametrize("offset_s", [-1.4, -0.5, 0.0, 0.5, 1.4])
@pytest.mark.parametrize("second", [0.0, 0.01, 0.5, 0.99])
async def test_whole_seconds_and_a_slow_answer_are_no_skew(offset_s: float, second: float) -> None:
    world = World(offset_s=offset_s, delay_s=0.4, now_ns=T0 + int(second * NS))
    assert (await clock_check(world, world.clock, 2.0)).is_ok


async def test_an_answer_that_took_too_long_to_compare_is_no_agreement() -> None:
    world = World(delay_s=9.0)
    check = await clock_check(world, world.clock, 2.0)
    assert not check.is_ok
    assert "too slow" in check.found


async def test_one_look_that_fails_is_forgiven_and_the_second_is_not() -> None:
    lost = VenueUnavailable("no answer")
    world = World([FREE, lost, FREE, lost, lost, lost, FREE])
    watch = world.watch()
    verdicts = [isinstance(await watch.look(), TradingAllowed) for _ in range(7)]
    assert verdicts == [True, True, True, True, False, False, True]


async def test_a_first_look_that_fails_is_not_forgiven() -> None:
    watch = World([VenueUnavailable("no answer"), FREE]).watch()
    assert isinstance(await watch.look(), TradingForbidden)
    assert isinstance(await watch.look(), TradingAllowed)


async def test_what_was_forbidden_stays_so_while_it_cannot_be_read() -> None:
    watch = World([BLOCKED, VenueUnavailable("no answer"), FREE]).watch()
    verdicts = [isinstance(await watch.look(), TradingAllowed) for _ in range(3)]
    assert verdicts == [False, False, True]


@pytest.mark.parametrize("error", [VenueUnavailable("gone"), VenueStop("403"), TimeoutError()])
async def test_a_clock_that_cannot_be_read_forbids(error: Exception) -> None:
    world = World(time_error=error)
    event = await world.watch(misses_max=1).look()
    assert isinstance(event, TradingForbidden)
    assert [reason.name for reason in event.reasons] == ["clock"]


async def test_another_reason_is_told_though_it_is_forbidden_already() -> None:
    world = World([BLOCKED, BLOCKED])
    watch = world.watch()
    events = watch.events()
    first = await anext(events)
    world.offset_s = 30
    second = await anext(events)
    assert isinstance(first, TradingForbidden)
    assert isinstance(second, TradingForbidden)
    assert [len(event.reasons) for event in (first, second)] == [1, 2]


async def test_a_look_that_hangs_counts_as_failed() -> None:
    class Hanging(World):
        async def region(self) -> Region:
            await asyncio.sleep(3_600)
            return FREE

    event = await Hanging().watch(look_timeout_s=0.01).look()
    assert isinstance(event, TradingForbidden)
    assert not (await region_check(Hanging(), timeout_s=0.01)).is_ok


@pytest.mark.parametrize("options", [{"misses_max": 0}, {"every_s": 0}])
def test_a_watch_that_would_never_forbid_or_never_rest_is_refused(
    options: dict[str, float],
) -> None:
    with pytest.raises(ValueError, match="must"):
        World().watch(**options)
