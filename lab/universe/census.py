"""Counts what the skill verdict finds in universes where the truth is known.

Owns the counting and its uncertainty; the verdict itself is `quant.skill`, the same that the
evidence report and the discovery agent use. Called by the command and by tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.universe.world import Universe, UniverseOptions, draw_universe
from whaletrader.quant.edge import Bets, counted_once
from whaletrader.quant.skill import SkillOptions, Verdict, skill_verdicts

Flags = NDArray[np.bool_]

# Settled trades a wallet, lower ends; the last bin is open.
TRADE_BINS: Final = (20, 100, 250, 500, 1_000, 2_000)
# So many wallets lead a published leaderboard; null ones among them had luck.
LEADERS: Final = 50
_SEED_STEP: Final = 1_000_003


@dataclass(frozen=True, slots=True)
class Tally:
    """One universe. The two arrays have shape (bins,): skilled wallets, and those found."""

    discoveries: int
    false: int
    skilled: NDArray[np.int64]
    found: NDArray[np.int64]
    # Wallets without skill among the leaders by profit, and how many of those were called skilled.
    lucky: int
    lucky_called: int

    @property
    def false_share(self) -> float:
        """The false discovery proportion; 0 without a discovery (Benjamini and Hochberg 1995)."""
        return self.false / max(1, self.discoveries)


@dataclass(frozen=True, slots=True)
class Census:
    """Many universes of one kind."""

    edge: float
    tallies: tuple[Tally, ...]

    @property
    def false_discovery_rate(self) -> float:
        return float(np.mean([tally.false_share for tally in self.tallies]))

    @property
    def false_discovery_error(self) -> float:
        """Standard error of the rate over the universes; nan with fewer than two."""
        shares = [tally.false_share for tally in self.tallies]
        return float(np.std(shares, ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else np.nan

    @property
    def power(self) -> NDArray[np.float64]:
        """Share of the skilled wallets that were found, by bin of trades; nan for an empty bin."""
        skilled = np.sum([tally.skilled for tally in self.tallies], axis=0)
        found = np.sum([tally.found for tally in self.tallies], axis=0)
        empty = np.full(len(TRADE_BINS), np.nan)
        return np.asarray(np.divide(found, skilled, out=empty, where=skilled > 0), np.float64)

    @property
    def skilled(self) -> NDArray[np.int64]:
        return np.asarray(np.sum([tally.skilled for tally in self.tallies], axis=0))

    @property
    def lucky(self) -> tuple[int, int]:
        """Lucky leaders over all universes, and how many of them were called skilled."""
        return (
            sum(tally.lucky for tally in self.tallies),
            sum(tally.lucky_called for tally in self.tallies),
        )


def take_census(
    options: UniverseOptions,
    universes: int,
    seed: int,
    on_universe: Callable[[], None] = lambda: None,
) -> Census:
    """Draw and judge universes. `on_universe` is called after each, for progress."""
    tallies = []
    for number in range(universes):
        universe = draw_universe(options, seed + _SEED_STEP * number)
        called = called_skilled(universe, seed + number)
        tallies.append(tally(universe, called))
        on_universe()
    return Census(options.edge, tuple(tallies))


def called_skilled(universe: Universe, seed: int, options: SkillOptions | None = None) -> Flags:
    """Return who is called skilled, shape (wallets,), on all trades of the universe."""
    verdicts = skill_verdicts(
        counted_once(bets_of(universe)),
        len(universe.is_skilled),
        options or SkillOptions(),
        np.random.default_rng(seed),
    )
    return np.asarray(verdicts.verdict == Verdict.SKILLED)


def bets_of(universe: Universe) -> Bets:
    """Return the trades of a universe as the verdict takes them."""
    return Bets(
        wallet=universe.wallet,
        event=universe.event,
        market=universe.market,
        is_yes=universe.bought_yes,
        cost=universe.price + universe.fee,
        payoff=universe.is_won.astype(np.float64),
        weight=universe.shares,
    )


def tally(universe: Universe, called: Flags) -> Tally:
    """Compare who was called skilled with who is."""
    wallets = len(universe.is_skilled)
    trades = np.bincount(universe.wallet, minlength=wallets)
    bin_of = np.digitize(trades, TRADE_BINS[1:])
    count = len(TRADE_BINS)
    profit = np.bincount(
        universe.wallet, universe.edge_per_share * universe.shares, minlength=wallets
    )
    leaders = np.argsort(-profit, kind="stable")[:LEADERS]
    lucky = leaders[~universe.is_skilled[leaders]]
    hits = called & universe.is_skilled
    return Tally(
        discoveries=int(called.sum()),
        false=int((called & ~universe.is_skilled).sum()),
        skilled=np.bincount(bin_of[universe.is_skilled], minlength=count),
        found=np.bincount(bin_of[hits], minlength=count),
        lucky=len(lucky),
        lucky_called=int(called[lucky].sum()),
    )
