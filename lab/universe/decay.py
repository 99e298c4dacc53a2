"""How soon the end of a wallet's skill is noticed, and how often it is noticed in error.

Owns the measurement; the rule is `quant.decay`, the same that discovery quarantines by. Each
wallet's tilt is estimated from its own settled markets before the watch begins, as discovery
does. Called by the command and by tests.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from whaletrader.lab.universe.world import Floats, Universe, UniverseOptions, draw_universe
from whaletrader.quant.decay import Decay, information, threshold, tilt_of, updated

WATCH_DAY: Final = 60.0
END_DAY: Final = 120.0
DAYS: Final = 240.0
# A wallet that keeps its skill is flagged at most once in about so many days: quarantine is lifted
# again, so it bears that.
DAYS_BETWEEN_ALARMS: Final = 30.0


@dataclass(frozen=True, slots=True)
class DecayCase:
    """One kind of wallet. `delays_days`: from the end of its skill to the flag, sorted."""

    edge: float
    markets_a_day: float
    delays_days: Floats
    wallets: int
    false_flags: int
    watched_days: float

    @property
    def median_days(self) -> float:
        """Median over all wallets; infinite if less than half were flagged."""
        missing = np.full(self.wallets - len(self.delays_days), np.inf)
        return float(np.median(np.r_[self.delays_days, missing]))

    @property
    def days_between_false_flags(self) -> float:
        """Per wallet that keeps its skill; infinite without any."""
        return self.watched_days / self.false_flags if self.false_flags else np.inf


def measure_decay(edge: float, markets_a_day: float, wallets: int, seed: int) -> DecayCase:
    """Draw wallets that all lose their skill on one day, and watch each of them."""
    per_position = 2.5
    universe = draw_universe(
        UniverseOptions(
            wallets=wallets,
            skilled_share=1.0,
            edge=edge,
            trades_median=markets_a_day * DAYS * per_position,
            trades_sigma=0.0,
            trades_max=50_000,
            trades_per_position=per_position,
            days=DAYS,
            event_days_median=1.0,
            events=12_000,
            markets_per_event_max=4,
            edge_dies_day=END_DAY,
        ),
        seed,
    )
    delays, false_flags = [], 0
    for wallet in range(wallets):
        flags = _flag_days(universe, wallet)
        false_flags += int(np.sum(flags < END_DAY))
        after = flags[flags >= END_DAY]
        if len(after):
            delays.append(float(after[0] - END_DAY))
    return DecayCase(
        edge=edge,
        markets_a_day=markets_a_day,
        delays_days=np.sort(delays),
        wallets=wallets,
        false_flags=false_flags,
        watched_days=wallets * (END_DAY - WATCH_DAY),
    )


def _flag_days(universe: Universe, wallet: int) -> Floats:
    """Return the days on which a wallet is flagged; the watch starts anew after each flag."""
    day, cost, is_won = _settled_markets(universe, wallet)
    known = day < WATCH_DAY
    edge = float(np.mean(is_won[known] - cost[known]))
    tilt = tilt_of(edge, float(np.mean(cost[known] * (1 - cost[known]))))
    told = float(np.mean([information(float(one), tilt) for one in cost[known]]))
    per_day = np.sum(known) / WATCH_DAY
    limit = threshold(max(1.0, per_day * DAYS_BETWEEN_ALARMS), told)
    state, flags = Decay(), []
    for index in np.flatnonzero(~known):
        state = updated(state, float(cost[index]), bool(is_won[index]), tilt)
        if state.score >= limit:
            flags.append(day[index])
            state = Decay()
    return np.array(flags)


def _settled_markets(universe: Universe, wallet: int) -> tuple[Floats, Floats, Floats]:
    """Return day of settlement, mean cost and outcome of each side held, by settlement."""
    mine = universe.wallet == wallet
    bets, index = np.unique(
        universe.market[mine] * 2 + universe.bought_yes[mine], return_inverse=True
    )
    count = np.bincount(index)
    paid = universe.price[mine] + universe.fee[mine]
    cost = np.bincount(index, paid) / count
    day = np.bincount(index, universe.settled_day[mine]) / count
    is_won = np.bincount(index, universe.is_won[mine].astype(np.float64)) / count
    order = np.lexsort((bets, day))
    return day[order], np.clip(cost[order], 0.01, 0.99), is_won[order]
