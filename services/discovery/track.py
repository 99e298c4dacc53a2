"""A wallet's settled past, and how one more market changes it.

Owns the sums that a score is made of; `followed` is pure and costs the same however long the past
is. The rule for an edge that dies is `quant.decay`: its tilt, what a bet tells and its threshold
come from the wallet's own bets before the watch began. Called by state and by the agent.
"""

from typing import Final

import msgspec

from whaletrader.domain.money import MICRO
from whaletrader.quant import decay
from whaletrader.services.discovery.config import NS_PER_DAY, Rules
from whaletrader.services.discovery.evidence import NOTHING, Wealth, moved
from whaletrader.services.discovery.stake import Settled
from whaletrader.services.discovery.statistics import EventSums, WalletStats

# An event whose markets settle further apart than so many others of the wallet counts anew.
EVENTS_MAX: Final = 256
# Bets that a watch learns from, and settled markets that "of late" means.
BETS_MAX: Final = 256
RECENT_MAX: Final = 60
NANO: Final = 1_000_000_000
# As lab.universe has it: nearer to 0 or 1 a bet tells nothing that a fee does not drown.
_COST_MIN: Final = 0.01


class Watch(msgspec.Struct, frozen=True):
    """A running watch for the end of an edge; all in 1e-9."""

    tilt_nano: int
    limit_nano: int
    score_nano: int = 0
    bets: int = 0

    @property
    def is_flagged(self) -> bool:
        return self.score_nano >= self.limit_nano


class Track(msgspec.Struct, frozen=True):
    """Everything settled. Changed by `followed` only."""

    stats: WalletStats = msgspec.field(default_factory=WalletStats)
    events: dict[str, EventSums] = msgspec.field(default_factory=dict)
    # Log wealth of a bettor on this wallet, by fraction; and what open losses take off it.
    wealth: Wealth = NOTHING
    # Edges of the last settled markets, oldest first.
    recent: tuple[int, ...] = ()
    # Costs of the last sides held, negative where they lost.
    bets: tuple[int, ...] = ()
    sides: int = 0
    first_settled_ns: int = 0
    last_settled_ns: int = 0
    # Settled since the stage of life was entered.
    stage_markets: int = 0
    watch: Watch | None = None
    peak_micro: int = 0
    drawdown_micro: int = 0
    # Of the markets it was in: dollars that all wallets traded there.
    depth_micro: int = 0


class MarketEnd(msgspec.Struct, frozen=True):
    """What a settled market means to one wallet: its books, and its bets if they count."""

    event: str
    at_ns: int
    profit_micro: int
    fees_micro: int
    volume_micro: int
    trades: int
    depth_micro: int
    is_whole: bool
    # None where the result proves nothing.
    bets: Settled | None


def followed(track: Track, end: MarketEnd) -> Track:
    """Return the past with one more settled market."""
    stats = track.stats
    profit = stats.profit_micro + end.profit_micro
    peak = max(track.peak_micro, profit)
    after = msgspec.structs.replace(
        track,
        stats=msgspec.structs.replace(
            stats,
            profit_micro=profit,
            fees_micro=stats.fees_micro + end.fees_micro,
            volume_micro=stats.volume_micro + end.volume_micro,
            markets_inferred=stats.markets_inferred + (end.bets is None),
        ),
        peak_micro=peak,
        drawdown_micro=max(track.drawdown_micro, peak - profit),
        depth_micro=track.depth_micro + end.depth_micro,
        first_settled_ns=track.first_settled_ns or end.at_ns,
        last_settled_ns=end.at_ns,
    )
    if end.bets is None or end.bets.weight_micro == 0:
        return after
    return _with_bets(after, end, end.bets)


def watching(track: Track, rules: Rules) -> Track:
    """Return the past with a watch that begins now, from what the bets so far say."""
    if not track.bets:
        return msgspec.structs.replace(track, watch=None)
    costs = [_clipped(abs(bet)) for bet in track.bets]
    wins = sum(bet > 0 for bet in track.bets)
    edge = (wins - sum(costs)) / len(costs)
    tilt = decay.tilt_of(edge, sum(cost * (1 - cost) for cost in costs) / len(costs))
    told = sum(decay.information(cost, tilt) for cost in costs) / len(costs)
    days = max(1.0, (track.last_settled_ns - track.first_settled_ns) / NS_PER_DAY)
    between = max(1.0, track.sides / days * rules.false_flag_ns / NS_PER_DAY)
    limit = decay.threshold(between, told)
    watch = Watch(round(tilt * NANO), round(limit * NANO))
    return msgspec.structs.replace(track, watch=watch)


def _with_bets(track: Track, end: MarketEnd, bets: Settled) -> Track:
    before = track.events.get(end.event)
    was = before or EventSums()
    event = EventSums(
        max(was.counted_micro, was.weight_micro + bets.weight_micro),
        was.weight_micro + bets.weight_micro,
        was.gain_micro + bets.gain_micro,
        was.chance + bets.chance,
    )
    events = {**track.events, end.event: event}
    stats = track.stats.replaced(before, event)
    edge = bets.gain_micro * MICRO // bets.weight_micro
    signed = tuple(side.cost_micro if side.is_won else -side.cost_micro for side in bets.sides)
    return msgspec.structs.replace(
        track,
        stats=msgspec.structs.replace(
            stats,
            markets=stats.markets + 1,
            markets_won=stats.markets_won + (bets.gain_micro > 0),
            trades=stats.trades + end.trades,
        ),
        events=events,
        wealth=moved(track.wealth, was.gain_micro, event.gain_micro),
        recent=(*track.recent, edge)[-RECENT_MAX:],
        bets=(*track.bets, *signed)[-BETS_MAX:],
        sides=track.sides + len(signed),
        stage_markets=track.stage_markets + 1,
        watch=_watched(track.watch, bets),
    )


def _watched(watch: Watch | None, bets: Settled) -> Watch | None:
    if watch is None:
        return None
    state = decay.Decay(watch.score_nano / NANO, watch.bets)
    for side in bets.sides:
        if watch.limit_nano <= round(state.score * NANO):
            break  # Flagged: it stands until a new watch begins.
        tilt = watch.tilt_nano / NANO
        state = decay.updated(state, _clipped(side.cost_micro), side.is_won, tilt)
    return msgspec.structs.replace(watch, score_nano=round(state.score * NANO), bets=state.bets)


def _clipped(cost_micro: int) -> float:
    return min(max(cost_micro / MICRO, _COST_MIN), 1 - _COST_MIN)
