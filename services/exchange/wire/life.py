"""What happens by itself: time passes, heartbeats stop, windows open and resolve, traders trade.

Called by the application at its start, while it runs and at its end. All of it runs on the event
loop's thread, between requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from whaletrader.services.exchange.engine.model import NS, NegRiskEvent
from whaletrader.services.exchange.livebook.follower import Followed, Follower
from whaletrader.services.exchange.traders.crowd import Crowd, CrowdSettings
from whaletrader.services.exchange.wire import account, catalogue, player, saved
from whaletrader.services.exchange.wire.rewards import RewardTerms
from whaletrader.services.exchange.wire.venue import Venue
from whaletrader.services.exchange.wire.weather_api import strike_by_itself

# How often stopped heartbeats are looked for and spot prices told.
TICK_S: Final = 1.0
# The traders act at most this often; each time they catch up on the time that passed.
STEP_S_MIN: Final = 0.05
MARKET_ORDER_SHARE: Final = 0.15
# Default liquidity rewards of plain default markets, in dollars a day.
DEFAULT_REWARDS: Final = RewardTerms(daily_rate=50.0, min_size=20.0, max_spread=3.5, min_age_s=3)


def begin(venue: Venue) -> None:
    """Take up what was saved, or list what there is at first. Raises `BadState`, `BadTape`."""
    folder, is_restored = venue.config.state, False
    if folder is not None:
        saved.prepare(folder)
        is_restored = saved.restore(venue, folder)
    if venue.config.tape is not None:
        player.list_markets(venue, venue.config.tape)
    if venue.config.lists_defaults and not is_restored:
        now_ns = venue.wall_ns()
        for market in catalogue.default_markets(now_ns, venue.config.generation):
            _list(venue, market)
        for event_id, members in catalogue.default_events(venue.config.generation).items():
            venue.exchange.list_event(NegRiskEvent(event_id, members))
    venue.publish()


def tasks(venue: Venue) -> list[Coroutine[Any, Any, None]]:
    """Return what must run beside the requests."""
    running = [_tick(venue)]
    if venue.config.state is not None:
        running.append(_save_often(venue, venue.config.state))
    if venue.config.mode != "tape":
        running.append(_follow_due_times(venue))
    elif venue.config.tape is not None:
        running.append(player.play(venue, venue.config.tape, venue.config.tape_speed))
    if venue.config.mode == "live-book":
        running.append(_follow_book(venue))
    if venue.config.mode == "agents" and venue.config.lists_defaults and venue.config.traders:
        running.append(_drive_traders(venue))
    return running


def end(venue: Venue) -> None:
    """Leave nothing half told, and write everything down."""
    venue.publish()
    if venue.config.state is not None:
        saved.save(venue, venue.config.state, is_clean=True)


async def _tick(venue: Venue) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        account.expire_heartbeats(venue)
        strike_by_itself(venue)
        now_ns = venue.wall_ns()
        if venue.config.mode != "tape":
            _turn_windows(venue, now_ns)
            venue.exchange.advance(now_ns)
            venue.publish()
        venue.hub.keep_alive(now_ns)
        venue.live.tell_spot(venue, now_ns // NS)
        venue.prices.tell_spot(venue, now_ns // NS)


async def _save_often(venue: Venue, folder: Path) -> None:
    while True:
        await asyncio.sleep(venue.config.state_every_s)
        saved.save(venue, folder, is_clean=False)


async def _follow_due_times(venue: Venue) -> None:
    """Let the engine act at the very moment when something is due: delays, settlements."""
    while True:
        due_ns = venue.exchange.next_due_ns
        wait_s = TICK_S if due_ns is None else min(TICK_S, (due_ns - venue.wall_ns()) / NS)
        if wait_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(venue.changed.wait(), wait_s)
            venue.changed.clear()
            continue
        venue.exchange.advance(venue.wall_ns())
        venue.publish()
        # Never spin, should the same thing stay due.
        await asyncio.sleep(0.001)


async def _follow_book(venue: Venue) -> None:
    config = venue.config
    followed = Followed(config.follow_url, config.stream_url, config.followed)
    venue.follower = Follower(followed, venue.exchange, venue.wall_ns, venue.publish)
    venue.followers.append(venue.follower.paper.note)
    await venue.follower.run()


async def _drive_traders(venue: Venue) -> None:
    """Have zero-intelligence traders trade in every default market, new windows included."""
    crowd: Crowd | None = None
    joined: set[str] = set()
    pause_s = max(STEP_S_MIN, 1.0 / venue.config.trader_steps_per_s)
    while True:
        markets = venue.exchange.state.markets.values()
        is_open = {m.condition_id for m in markets if m.winning_index is None and not m.is_implicit}
        if crowd is None:
            crowd = Crowd(_crowd_settings(venue, len(is_open)))
        if is_open - joined:
            crowd.join(venue.exchange, sorted(is_open - joined))
            joined |= is_open
        crowd.drive(venue.exchange, venue.wall_ns(), venue.publish)
        await asyncio.sleep(pause_s)


def _crowd_settings(venue: Venue, markets: int) -> CrowdSettings:
    config = venue.config
    per_market = config.trader_steps_per_s / max(1, markets)
    return CrowdSettings(
        seed=config.seed,
        traders=max(2, config.traders),
        limit_per_s=per_market * (1 - MARKET_ORDER_SHARE),
        market_per_s=per_market * MARKET_ORDER_SHARE,
    )


def _turn_windows(venue: Venue, now_ns: int) -> None:
    """Resolve crypto windows that ended by the spot walk, and list those to come."""
    if not venue.config.lists_defaults:
        return
    for market in tuple(venue.exchange.state.markets.values()):
        open_s = catalogue.window_of(market.slug)
        if open_s is not None and market.winning_index is None and market.end_ns <= now_ns:
            winner = venue.spot.winner("btc", open_s, market.end_ns // NS)
            venue.exchange.resolve(market.condition_id, winner, now_ns)
    for market in catalogue.crypto_windows(now_ns, venue.config.generation):
        if market.condition_id not in venue.exchange.state.markets:
            _list(venue, market)


def _list(venue: Venue, market: Any) -> None:
    venue.exchange.list_market(market)
    if not market.neg_risk and catalogue.window_of(market.slug) is None:
        venue.rewards.setdefault(market.condition_id, DEFAULT_REWARDS)
