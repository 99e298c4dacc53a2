"""Trades on their way to the chain: ghost fills, retries, delays, as the rules in force have it.

Takes the place of the engine's own settlement weather, which knows chances but no scopes. Set while
a rule strikes trades, and taken out again before a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from whaletrader.services.exchange.engine.plans import SettlementPlan, SettlementWeather
from whaletrader.services.exchange.weather.rules import TRADE_EFFECTS, Effect
from whaletrader.services.exchange.weather.sky import Occasion, Strike
from whaletrader.services.exchange.wire.venue import Venue

MS_NS: Final = 1_000_000
_ALL: Final = frozenset(TRADE_EFFECTS)


class ScopedWeather(SettlementWeather, frozen=True, forbid_unknown_fields=True):
    """Asks `choose` what befalls a trade; by default nothing does."""

    choose: Callable[[str, SettlementPlan], SettlementPlan] = lambda _, plain: plain

    def plan(self, trade_id: str, plain: SettlementPlan) -> SettlementPlan:
        return self.choose(trade_id, plain)


def apply(venue: Venue) -> None:
    """Have the engine ask the sky about trades while any rule strikes them."""
    is_wanted = bool(_ALL & venue.sky.effects)
    weather = ScopedWeather(choose=lambda i, plain: _plan(venue, i, plain)) if is_wanted else None
    venue.exchange.settlement_weather(weather)


def _plan(venue: Venue, trade_id: str, plain: SettlementPlan) -> SettlementPlan:
    trade = venue.exchange.state.trades[trade_id]
    parties = frozenset(leg.principal for leg in trade.legs if leg.principal)
    occasion = Occasion(
        now_ns=venue.wall_ns(),
        account=trade.taker.principal,
        others=parties,
        markets=frozenset((trade.market.condition_id,)),
        what=f"trade {trade_id}",
    )
    plan = plain
    for strike in venue.sky.strikes(_ALL, occasion):
        plan = _changed(plan, strike)
    return plan


def _changed(plan: SettlementPlan, strike: Strike) -> SettlementPlan:
    rule = strike.rule
    changed = msgspec.structs.replace(
        plan,
        mined_ns=plan.mined_ns + rule.mined_ms * MS_NS,
        confirmed_ns=plan.confirmed_ns + rule.confirmed_ms * MS_NS,
    )
    match rule.effect:
        case Effect.GHOST_FILL:
            return msgspec.structs.replace(changed, fails=True, retries=rule.retries)
        case Effect.RETRYING:
            retry_ns = max(1, rule.retry_ms) * MS_NS
            return msgspec.structs.replace(changed, retries=max(1, rule.retries), retry_ns=retry_ns)
        case Effect.MATCHED_AGAIN:
            return msgspec.structs.replace(changed, repeats_matched=True)
        case _:
            return changed
