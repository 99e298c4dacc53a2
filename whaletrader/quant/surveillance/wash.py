"""Wash trading: trades among few wallets after which nobody holds more or less than before.

Owns the method of Victor and Weintraud (2021), "Detecting and quantifying wash trading on
decentralized cryptocurrency exchanges", section 4: wallets that trade in a circle are strongly
connected components of the graph of a market's trades, and a set of trades within a window in
which each member's position returns to where it was, to within a margin of the mean trade, is
wash; windows of an hour, a day and a week in turn. Three things are added: any run of trades may
balance, not only one from the window's start, so that a leg left out hides nothing else; and
because in a prediction market everybody trades with a few market makers, an edge counts only
where each side does a good part of its volume with the other, and a ring only if it repeats.
Called by discovery's studies and the lab. numpy and scipy only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOUR_S, DAY_S, WEEK_S = 3_600, 86_400, 604_800
# Trades of one component in one window that are searched: the work grows with their square.
RUN_TRADES_MAX = 500


class Ring(StrEnum):
    """Who trades with whom: with itself, two with each other, more in a circle."""

    SELF = "self"
    PAIR = "pair"
    CIRCLE = "circle"


@dataclass(frozen=True, slots=True)
class Matches:
    """Trades with both sides known, shape (n,): codes, shares and seconds.

    In terms of one outcome: who buys NO is the seller of YES, also where the venue mints a pair
    for two buyers.
    """

    buyer: Ints
    seller: Ints
    market: Ints
    size: Floats
    time_s: Floats

    def __post_init__(self) -> None:
        arrays = (self.buyer, self.seller, self.market, self.size, self.time_s)
        if any(it.shape != (len(self.buyer),) for it in arrays):
            raise ValueError("buyer, seller, market, size and time_s must be of one length")
        if not (np.isfinite(self.size).all() and (self.size > 0).all()):
            raise ValueError("sizes must be finite and above 0")
        if not np.isfinite(self.time_s).all():
            raise ValueError("times must be finite")


@dataclass(frozen=True, slots=True)
class WashRules:
    """Seconds, counts and shares of 1.

    `margin` of the mean trade by which a position may miss its start; `mutual_share_min` of each
    side's volume in the window that an edge must have; `inside_share_min` of each member's
    volume in the ring's markets, over all time, that the ring must have.
    """

    windows_s: tuple[int, ...] = (HOUR_S, DAY_S, WEEK_S)
    margin: float = 0.01
    wallets_max: int = 8
    mutual_share_min: float = 0.2
    inside_share_min: float = 0.3
    trades_min: int = 6

    def __post_init__(self) -> None:
        if not self.windows_s or min(self.windows_s) <= 0 or self.wallets_max < 2:
            raise ValueError("need a window above 0 s and rings of at least two wallets")
        if not 0 <= self.margin < 1 or self.trades_min < 2:
            raise ValueError("need a margin from 0 to below 1 and at least two trades")


@dataclass(frozen=True, slots=True)
class WashRing:
    """Wallets that trade among themselves, sorted; their wash trades' places, ascending."""

    kind: Ring
    wallets: tuple[int, ...]
    trades: tuple[int, ...]
    size: float


@dataclass(frozen=True, slots=True)
class WashReport:
    """`is_wash` of each trade, shape (n,), and the rings, largest first."""

    is_wash: Bools
    rings: tuple[WashRing, ...]


def find_wash(matches: Matches, rules: WashRules | None = None) -> WashReport:
    """Return what is wash among the trades. Trades of a wallet with itself always are."""
    limits = rules or WashRules()
    candidates: dict[tuple[int, ...], list[int]] = {}
    selves = np.flatnonzero(matches.buyer == matches.seller)
    is_taken = np.zeros(len(matches.buyer), dtype=bool)
    is_taken[selves] = True
    for window_s in limits.windows_s:
        for offset_s in (0.0, window_s / 2):
            share = limits.mutual_share_min
            for places in _windows(matches, is_taken, window_s, offset_s, share):
                for wallets, found in _balanced_sets(matches, places, limits):
                    candidates.setdefault(wallets, []).extend(found)
                    is_taken[found] = True
    rings = [
        _ring(matches, wallets, found)
        for wallets, found in candidates.items()
        if len(found) >= limits.trades_min and _is_inside(matches, wallets, found, limits)
    ]
    for wallet in np.unique(matches.buyer[selves]):
        own = selves[matches.buyer[selves] == wallet]
        rings.append(_ring(matches, (int(wallet),), own.tolist()))
    is_wash = np.zeros(len(matches.buyer), dtype=bool)
    for ring in rings:
        is_wash[list(ring.trades)] = True
    rings.sort(key=lambda it: (-it.size, it.wallets))
    return WashReport(is_wash, tuple(rings))


def _windows(
    matches: Matches, is_taken: Bools, window_s: float, offset_s: float, share_min: float
) -> Iterator[Ints]:
    """Places of mutual trades not taken yet, by market and window, in order of time."""
    left = np.flatnonzero(~is_taken)
    number = np.floor((matches.time_s[left] + offset_s) / window_s)
    _, group = np.unique(
        np.column_stack([matches.market[left], number]), axis=0, return_inverse=True
    )
    group = group.ravel()
    is_kept = _is_mutual(matches, left, group, share_min)
    left, group = left[is_kept], group[is_kept]
    order = np.lexsort((left, matches.time_s[left], group))
    left, group = left[order], group[order]
    for places in np.split(left, np.flatnonzero(np.diff(group)) + 1):
        if len(places) >= 2:
            yield places


def _balanced_sets(
    matches: Matches, places: Ints, limits: WashRules
) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    names, codes = np.unique(
        np.concatenate([matches.seller[places], matches.buyer[places]]), return_inverse=True
    )
    edges = (codes[: len(places)], codes[len(places) :])
    graph = csr_array((np.ones(len(places)), edges), shape=(len(names), len(names)))
    _, labels = connected_components(graph, directed=True, connection="strong")
    for label in np.flatnonzero(np.bincount(labels) >= 2):
        members = names[labels == label]
        if len(members) > limits.wallets_max:
            continue
        buys, sells = (np.isin(it[places], members) for it in (matches.buyer, matches.seller))
        inside = places[buys & sells][:RUN_TRADES_MAX]
        found = _balanced(matches, inside, members, limits.margin)
        if found:
            yield tuple(members.tolist()), found


def _is_mutual(matches: Matches, places: Ints, group: Ints, share_min: float) -> Bools:
    """Whether each side of a trade does that share of its volume in the group with the other."""
    wallets = int(max(matches.buyer.max(initial=0), matches.seller.max(initial=0))) + 1
    buyers, sellers, sizes = (it[places] for it in (matches.buyer, matches.seller, matches.size))
    sides = np.concatenate([group * wallets + buyers, group * wallets + sellers])
    _, side = np.unique(sides, return_inverse=True)
    volume = np.bincount(side, weights=np.concatenate([sizes, sizes]))[side]
    lower, upper = np.minimum(buyers, sellers), np.maximum(buyers, sellers)
    _, pair = np.unique((group * wallets + lower) * wallets + upper, return_inverse=True)
    mutual = np.bincount(pair, weights=sizes)[pair]
    busier = np.maximum(volume[: len(places)], volume[len(places) :])
    enough: Bools = mutual >= share_min * busier
    return enough


def _balanced(matches: Matches, places: Ints, members: Ints, margin: float) -> list[int]:
    """Runs of trades after which every member is back where it was, longest first, all of them."""
    if len(places) < 2:
        return []
    buyer = np.searchsorted(members, matches.buyer[places])
    seller = np.searchsorted(members, matches.seller[places])
    rows = np.arange(len(places))
    steps = np.zeros((len(places) + 1, len(members)))
    np.add.at(steps, (rows + 1, buyer), matches.size[places])
    np.add.at(steps, (rows + 1, seller), -matches.size[places])
    held = np.cumsum(steps, axis=0)
    sizes = np.concatenate([[0.0], np.cumsum(matches.size[places])])
    found: list[int] = []
    parts = [(0, len(places))]
    while parts:
        start, end = parts.pop()
        run = _longest_run(held[start : end + 1], sizes[start : end + 1], margin)
        if run is not None:
            first, last = start + run[0], start + run[1]
            found += places[first:last].tolist()
            parts += [(start, first), (last, end)]
    return sorted(found)


def _longest_run(held: Floats, sizes: Floats, margin: float) -> tuple[int, int] | None:
    """The first of the longest runs [i, j) of at least two trades that changes nobody's position.

    `held` (k + 1, members) and `sizes` (k + 1,) are what was held and traded before each trade.
    """
    for length in range(len(sizes) - 1, 1, -1):
        missed = np.abs(held[length:] - held[:-length]).max(axis=1)
        mean = (sizes[length:] - sizes[:-length]) / length
        balanced = np.flatnonzero(missed <= margin * mean)
        if balanced.size:
            return int(balanced[0]), int(balanced[0]) + length
    return None


def _is_inside(
    matches: Matches, wallets: tuple[int, ...], found: list[int], limits: WashRules
) -> bool:
    is_here = np.isin(matches.market, np.unique(matches.market[found]))
    for wallet in wallets:
        involved = (matches.buyer == wallet) | (matches.seller == wallet)
        total = float(matches.size[is_here & involved].sum())
        inside = float(matches.size[found][involved[found]].sum())
        if inside < limits.inside_share_min * total:
            return False
    return True


def _ring(matches: Matches, wallets: tuple[int, ...], found: list[int]) -> WashRing:
    kinds = {1: Ring.SELF, 2: Ring.PAIR}
    kind = kinds.get(len(wallets), Ring.CIRCLE)
    return WashRing(kind, wallets, tuple(sorted(found)), float(matches.size[found].sum()))
