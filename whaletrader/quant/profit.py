"""Profit by leader, and how far chance alone could have moved it.

What is copied within one market wins or loses together, so the market is the unit that repeats:
profits are summed by market first and the interval is Student's t over those totals, which is
the cluster-robust interval of a total (Liang and Zeger 1986; Cameron and Miller 2015, "A
practitioner's guide to cluster-robust inference", section II, with the G / (G - 1) correction
and G - 1 degrees of freedom). Called by reports. Units are the caller's.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.student import t_multiplier


@dataclass(frozen=True, slots=True)
class LeaderProfit:
    """One leader's total. The bounds are None with a single market: nothing repeats there."""

    leader: str
    total: float
    markets: int
    lower: float | None
    upper: float | None


def profit_by_leader(
    leaders: ArrayLike, markets: ArrayLike, profits: ArrayLike, confidence: float = 0.95
) -> list[LeaderProfit]:
    """Return totals with intervals, sorted by total, best first (ties by name).

    The three arrays have shape (n,): labels, labels, and finite profits in any one unit.
    `confidence` is two-sided, in (0, 1). Raises ValueError.
    """
    leader_labels, market_labels = np.asarray(leaders, dtype=str), np.asarray(markets, dtype=str)
    amounts = np.asarray(profits, dtype=np.float64)
    if not leader_labels.shape == market_labels.shape == amounts.shape or amounts.ndim != 1:
        raise ValueError("leaders, markets and profits must be arrays of one and the same length")
    if not np.isfinite(amounts).all():
        raise ValueError("a profit is not a finite number")
    if amounts.size == 0:
        return []
    names, leader_codes = np.unique(leader_labels, return_inverse=True)
    _, market_codes = np.unique(market_labels, return_inverse=True)
    pairs, pair_codes = np.unique(
        np.stack([leader_codes, market_codes]), axis=1, return_inverse=True
    )
    totals = np.bincount(pair_codes.ravel(), weights=amounts)
    found = [
        _leader_profit(str(name), totals[pairs[0] == code], confidence)
        for code, name in enumerate(names)
    ]
    return sorted(found, key=lambda one: (-one.total, one.leader))


def _leader_profit(
    name: str, totals: "np.ndarray[tuple[int], np.dtype[np.float64]]", confidence: float
) -> LeaderProfit:
    total, count = float(totals.sum()), len(totals)
    if count < 2:
        return LeaderProfit(name, total, count, None, None)
    error = sqrt(count) * float(totals.std(ddof=1))
    half = t_multiplier(confidence, count - 1) * error
    return LeaderProfit(name, total, count, total - half, total + half)
