"""Positions in contracts that pay one dollar or nothing, gathered by the event that decides them.

Owns what an event's outcomes do to its positions together: outcomes of one event exclude each
other, exactly one of them or none that is held comes true, so YES in several of them cannot win
twice nor lose less than all but one. A plain market is an event with one outcome. Called by risk,
and by the modules that draw scenarios or add up distributions. Money is integer micro-dollars.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

MICRO = 1_000_000
# Ask prices of an event's outcomes may add to more than one; far more is another event's price.
PROBABILITY_SUM_MAX = 1.5


@dataclass(frozen=True, slots=True)
class Stake:
    """A holding of YES or NO in outcome number `outcome`: a share pays a dollar if it wins.

    `size_micro` shares in millionths, `cost_micro` paid for all of them with fees.
    """

    outcome: int
    is_yes: bool
    size_micro: int
    cost_micro: int


@dataclass(frozen=True, slots=True)
class EventExposure:
    """What each outcome of an event would earn.

    `probabilities` of shape (k,) for k named outcomes, adding to at most 1. `pnl_micro` of shape
    (k + 1,): the last is what is earned when none of the named comes true. `group` names what
    moves together with it, such as a topic; "" for nothing.
    """

    event: str
    group: str
    probabilities: tuple[float, ...]
    pnl_micro: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.probabilities:
            raise ValueError(f"event {self.event!r} has no outcome")
        if len(self.pnl_micro) != len(self.probabilities) + 1:
            raise ValueError(
                f"event {self.event!r}: {len(self.probabilities)} outcomes need a profit each and"
                f" one for none of them, not {len(self.pnl_micro)}"
            )
        if not all(isfinite(p) and 0 <= p <= 1 for p in self.probabilities):
            raise ValueError(f"event {self.event!r}: a probability is not between 0 and 1")
        if sum(self.probabilities) > 1 + 1e-9:
            raise ValueError(f"event {self.event!r}: probabilities add to more than 1")


def exposure(
    event: str, group: str, probabilities: Sequence[float], stakes: Iterable[Stake]
) -> EventExposure:
    """Gather the stakes of one event. Probabilities that add to more than 1 are scaled down.

    Prices are probabilities with the spread in them, so their sum may reach
    PROBABILITY_SUM_MAX. Raises ValueError for more, for an unknown outcome, for a size or cost
    below zero.
    """
    total = sum(probabilities)
    if not total <= PROBABILITY_SUM_MAX:
        raise ValueError(
            f"event {event!r}: probabilities add to {total:.3f}; outcomes that can come true"
            " together are events of their own, in one group"
        )
    scale = max(1.0, total)
    profits = [0] * (len(probabilities) + 1)
    for stake in stakes:
        _check(event, stake, len(probabilities))
        for winner in range(len(profits)):
            is_won = (winner == stake.outcome) == stake.is_yes
            profits[winner] += (stake.size_micro if is_won else 0) - stake.cost_micro
    return EventExposure(event, group, tuple(p / scale for p in probabilities), tuple(profits))


def worst_case_micro(exposures: Iterable[EventExposure]) -> int:
    """Return what is lost when every event takes its worst turn; never below zero for one event.

    An outcome of probability zero counts: a mark of 0 does not make a loss impossible.
    """
    return sum(max(0, -min(it.pnl_micro)) for it in exposures)


def all_lose_micro(stakes: Iterable[Stake]) -> int:
    """Return what is lost if each position loses, though some pairs of them cannot: the costs."""
    return sum(stake.cost_micro for stake in stakes)


def expected_pnl_micro(exposures: Iterable[EventExposure]) -> float:
    """Return the mean profit at the probabilities given, in micro-dollars."""
    return sum(
        p * pnl
        for it in exposures
        for p, pnl in zip(all_probabilities(it), it.pnl_micro, strict=True)
    )


def all_probabilities(of: EventExposure) -> tuple[float, ...]:
    """Return the probabilities with that of no named outcome last; they add to 1."""
    return (*of.probabilities, max(0.0, 1 - sum(of.probabilities)))


def worst_first(of: EventExposure) -> tuple[list[float], list[int]]:
    """Return (cumulative probabilities below each next outcome, profits), the worst profit first.

    The first list has one entry less than the second. Outcomes of equal profit become one.
    """
    return merged(sorted(zip(of.pnl_micro, all_probabilities(of), strict=True)))


def merged(ascending: list[tuple[int, float]]) -> tuple[list[float], list[int]]:
    """Return boundaries between neighbours of different profit, and those profits."""
    boundaries, profits, below = [], [ascending[0][0]], 0.0
    for (before, probability), (after, _) in pairwise(ascending):
        below += probability
        if after != before:
            boundaries.append(min(1.0, below))
            profits.append(after)
    return boundaries, profits


def _check(event: str, stake: Stake, outcomes: int) -> None:
    if not 0 <= stake.outcome < outcomes:
        raise ValueError(f"event {event!r} has {outcomes} outcomes, no number {stake.outcome}")
    if stake.size_micro < 0 or stake.cost_micro < 0:
        raise ValueError(f"event {event!r}: a size or cost is below zero; a sale is the other side")
