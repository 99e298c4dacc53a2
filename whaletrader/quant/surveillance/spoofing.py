"""Spoofing: large orders that are shown, never meant, and gone once the other side has filled.

Owns the rule: an order much larger than those of the wallet that fill, and no small one in its
market, cancelled within moments and all but unfilled, while the same wallet is filled on the
opposite side (the pattern of the definition in the Commodity Exchange Act, sec. 4c(a)(5)(C), and
of Lee, Eom and Park 2013, "Microstructure-based manipulation"). Market makers cancel all the time,
too, but are filled on either side alike: so each wallet's fills on the order's own side are its
control. Called by discovery's studies and the lab. numpy and scipy only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Fewer orders than these have no usual size.
FILLED_MIN = 3


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders that have ended, shape (n,): codes, side 1 buy or -1 sell, shares, seconds."""

    wallet: Ints
    market: Ints
    side: Ints
    size: Floats
    filled: Floats
    placed_s: Floats
    ended_s: Floats

    def __post_init__(self) -> None:
        _check_lengths(
            self.wallet,
            self.market,
            self.side,
            self.size,
            self.filled,
            self.placed_s,
            self.ended_s,
        )
        _check_sides(self.side)
        if not (self.size > 0).all() or not (self.filled >= 0).all():
            raise ValueError("orders need a size above 0 and no negative fill")
        if not (self.ended_s >= self.placed_s).all():
            raise ValueError("an order ends before it is placed")


@dataclass(frozen=True, slots=True)
class Fills:
    """Fills, shape (n,): codes, side 1 bought or -1 sold, seconds."""

    wallet: Ints
    market: Ints
    side: Ints
    time_s: Floats

    def __post_init__(self) -> None:
        _check_lengths(self.wallet, self.market, self.side, self.time_s)
        _check_sides(self.side)


@dataclass(frozen=True, slots=True)
class SpoofingRules:
    """`size_ratio` to the wallet's median filled order; seconds; shares of 1; counts.

    A wallet is reported from `episodes_min` episodes on, if they are `share_min` of its large
    orders, and so many more than fills on the order's own side that chance does it with
    `probability_max` only.
    """

    size_ratio: float = 5.0
    life_s_max: float = 60.0
    filled_share_max: float = 0.05
    grace_s: float = 5.0
    episodes_min: int = 5
    share_min: float = 0.3
    probability_max: float = 0.01


@dataclass(frozen=True, slots=True)
class SpoofingReport:
    """`is_episode` of each order (n,). By reported wallet (k,): its code, episodes and p-value."""

    is_episode: Bools
    wallets: Ints
    episodes: Ints
    p_values: Floats


def find_spoofing(
    orders: Orders, fills: Fills, rules: SpoofingRules | None = None
) -> SpoofingReport:
    """Return which orders look like spoofs, and the wallets that make a habit of them."""
    limits = rules or SpoofingRules()
    is_large = _is_large(orders, limits.size_ratio)
    is_fleeting = orders.ended_s - orders.placed_s <= limits.life_s_max
    is_unfilled = orders.filled <= limits.filled_share_max * orders.size
    is_shown = is_large & is_fleeting & is_unfilled
    is_opposite = _has_fill(orders, fills, -orders.side, limits.grace_s)
    is_same = _has_fill(orders, fills, orders.side, limits.grace_s)
    is_episode = is_shown & is_opposite
    wallets, codes = np.unique(orders.wallet, return_inverse=True)

    def counted(which: Bools) -> Ints:
        return np.bincount(codes, weights=which, minlength=len(wallets)).astype(np.int64)

    episodes, large = counted(is_episode), counted(is_large)
    # Orders with a fill on one side only; a market maker has as many of either.
    only_opposite = counted(is_episode & ~is_same)
    only_same = counted(is_shown & is_same & ~is_opposite)
    trials = only_opposite + only_same
    # bdtrc(k, n, p) is P(more than k); of no trial nothing is known.
    chances = np.where(
        (trials > 0) & (only_opposite > 0),
        bdtrc(np.maximum(only_opposite - 1, 0), np.maximum(trials, 1), 0.5),
        1.0,
    )
    is_reported = (
        (episodes >= limits.episodes_min)
        & (episodes >= limits.share_min * np.maximum(large, 1))
        & (chances <= limits.probability_max)
    )
    return SpoofingReport(
        is_episode, wallets[is_reported], episodes[is_reported], chances[is_reported]
    )


def _is_large(orders: Orders, ratio: float) -> Bools:
    """Large for its wallet, going by what it has filled, and not below its market's median.

    A wallet with hardly a filled order is measured by its market.
    """
    if not len(orders.size):
        return np.zeros(0, dtype=bool)
    everybody = _medians(orders.market, orders.size, np.ones(len(orders.size), dtype=bool))
    is_filled = orders.filled >= orders.size / 2
    own = _medians(orders.wallet, orders.size, is_filled)
    usual = np.where(np.isnan(own), everybody, own)
    large: Bools = (orders.size >= ratio * usual) & (orders.size >= everybody)
    return large


def _medians(groups: Ints, sizes: Floats, which: Bools) -> Floats:
    """For each row the median of its group's rows among those; nan of fewer than FILLED_MIN."""
    names, codes = np.unique(groups, return_inverse=True)
    found = np.full(len(names), np.nan)
    chosen = np.flatnonzero(which)
    chosen = chosen[np.argsort(codes[chosen], kind="stable")]
    for places in np.split(chosen, np.flatnonzero(np.diff(codes[chosen])) + 1):
        if len(places) >= FILLED_MIN:
            found[codes[places[0]]] = np.median(sizes[places])
    return found[codes]


def _has_fill(orders: Orders, fills: Fills, side: Ints, grace_s: float) -> Bools:
    """Whether the order's wallet was filled on that side while the order stood, or just after."""
    count = len(orders.wallet)
    if not count or not len(fills.wallet):
        return np.zeros(count, dtype=bool)
    rows = np.concatenate(
        [
            np.column_stack([orders.wallet, orders.market, side]),
            np.column_stack([fills.wallet, fills.market, fills.side]),
        ]
    )
    _, codes = np.unique(rows, axis=0, return_inverse=True)
    codes = codes.ravel()
    # One sorted line of times, a stretch for each wallet, market and side.
    start = min(float(orders.placed_s.min()), float(fills.time_s.min()))
    end = max(float(orders.ended_s.max()), float(fills.time_s.max())) + grace_s
    stretch = end - start + 1
    line = np.sort(codes[count:] * stretch + fills.time_s - start)
    base = codes[:count] * stretch - start
    first = np.searchsorted(line, base + orders.placed_s, side="left")
    last = np.searchsorted(line, base + orders.ended_s + grace_s, side="right")
    found: Bools = last > first
    return found


def _check_lengths(*arrays: NDArray[np.generic]) -> None:
    if any(it.shape != (len(arrays[0]),) for it in arrays):
        raise ValueError("all columns must be one-dimensional and of one length")


def _check_sides(sides: Ints) -> None:
    if not np.isin(sides, (-1, 1)).all():
        raise ValueError("a side is 1 for buy or -1 for sell")
