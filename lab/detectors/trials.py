"""Precision and recall of each detector on its planted world, summed over seeds.

Owns what counts as found: wash by trade and by ring, churn and spoofing by wallet, shared hands
by pair of wallets. Called by the command and by tests. Same seeds, same numbers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.detectors.conduct import hands_world, spoofing_world
from whaletrader.lab.detectors.hands import behaviour, cluster_wallets
from whaletrader.lab.detectors.volume import churn_world, wash_world
from whaletrader.quant.surveillance.churn import find_churn
from whaletrader.quant.surveillance.spoofing import find_spoofing
from whaletrader.quant.surveillance.wash import find_wash

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Score:
    """How many were planted, reported, and both, among `innocent` others."""

    detector: str
    planted: int
    reported: int
    right: int
    innocent: int

    @property
    def precision(self) -> float:
        """Share of what is reported that was planted; 1 when nothing is reported."""
        return self.right / self.reported if self.reported else 1.0

    @property
    def recall(self) -> float:
        """Share of what was planted that is reported; 1 when nothing was planted."""
        return self.right / self.planted if self.planted else 1.0

    def __add__(self, other: "Score") -> "Score":
        if other.detector != self.detector:
            raise ValueError(f"{self.detector} and {other.detector} are not one score")
        return Score(
            self.detector,
            self.planted + other.planted,
            self.reported + other.reported,
            self.right + other.right,
            self.innocent + other.innocent,
        )


def run(seed: int, worlds: int = 1) -> list[Score]:
    """Return the scores of each detector over that many worlds, from seed on. Raises ValueError."""
    if worlds < 1 or seed < 0:
        raise ValueError("need at least one world and a seed of 0 or more")
    totals = [score for trial in TRIALS for score in trial(seed)]
    for extra in range(1, worlds):
        more = [score for trial in TRIALS for score in trial(seed + extra)]
        totals = [one + other for one, other in zip(totals, more, strict=True)]
    return totals


def table(scores: Iterable[Score]) -> str:
    """Return the scores as text, a line each."""
    head = f"{'detector':<28}{'planted':>9}{'innocent':>10}{'reported':>10}{'right':>8}"
    lines = [head + f"{'precision':>11}{'recall':>9}"]
    for it in scores:
        counts = f"{it.planted:>9,}{it.innocent:>10,}{it.reported:>10,}{it.right:>8,}"
        lines.append(f"{it.detector:<28}{counts}{it.precision:>11.3f}{it.recall:>9.3f}")
    return "\n".join(lines)


def wash_trial(seed: int) -> list[Score]:
    """Wash trades, and the rings behind them by their exact members."""
    world = wash_world(seed)
    report = find_wash(world.matches)
    planted, found = world.is_wash, report.is_wash
    by_trade = Score(
        "wash trades",
        int(planted.sum()),
        int(found.sum()),
        int((planted & found).sum()),
        int((~planted).sum()),
    )
    rings = {ring.wallets for ring in report.rings}
    wallets = len(np.unique(np.concatenate([world.matches.buyer, world.matches.seller])))
    honest = wallets - sum(len(ring) for ring in world.rings)
    by_ring = _sets("wash and circular rings", set(world.rings), rings, honest)
    return [by_trade, by_ring]


def churn_trial(seed: int) -> list[Score]:
    """Wallets that churn."""
    world = churn_world(seed)
    judged = find_churn(world.trades)
    found = {it.wallet for it in judged if it.is_churn}
    honest = len(judged) - len(world.churners)
    return [_sets("fee-insensitive churn", set(world.churners), found, honest)]


def spoofing_trial(seed: int) -> list[Score]:
    """Wallets that spoof."""
    world = spoofing_world(seed)
    found = {int(it) for it in find_spoofing(world.orders, world.fills).wallets}
    honest = len(np.unique(world.orders.wallet)) - len(world.spoofers)
    return [_sets("spoofing", set(world.spoofers), found, honest)]


def hands_trial(seed: int) -> list[Score]:
    """Pairs of wallets that are one hand."""
    world = hands_world(seed)
    features = behaviour(world.wallet, world.time_s, world.size_usd, world.price)
    labels = cluster_wallets(features, world.funding).labels
    planted, found = (_pairs(it) for it in (world.hand, labels))
    wallets = len(world.hand)
    strangers = wallets * (wallets - 1) // 2 - len(planted)
    return [_sets("one hand (pairs of wallets)", planted, found, strangers)]


TRIALS: tuple[Callable[[int], list[Score]], ...] = (
    wash_trial,
    churn_trial,
    spoofing_trial,
    hands_trial,
)


def _sets(detector: str, planted: set[Found], found: set[Found], innocent: int) -> Score:
    return Score(detector, len(planted), len(found), len(planted & found), innocent)


def _pairs(labels: NDArray[np.int64]) -> set[tuple[int, int]]:
    members = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0])]
    return {
        (int(one), int(other))
        for group in members
        for place, one in enumerate(group)
        for other in group[place + 1 :]
    }
