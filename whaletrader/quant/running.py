"""One wallet's edge, kept up to date trade by trade.

Owns the sums from which `edge.wallet_edges` and the moments of a deflated Sharpe ratio follow, so
that a trade costs the same however many came before. For whoever scores in dollars on every trade
(discovery keeps integers of its own); what compares wallets (q-values, shrinkage) needs them all
and waits for a full rescoring.
"""

from dataclasses import dataclass, field
from math import inf, isfinite, nan, sqrt

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from whaletrader.quant.sharpe_inference import SharpeMoments


@dataclass(frozen=True, slots=True)
class SettledBet:
    """One trade as a bet that has resolved: columns of `edge.Bets` without the wallet."""

    event: int
    market: int
    is_yes: bool
    cost: float
    payoff: float
    weight: float


@dataclass(frozen=True, slots=True)
class EdgeNow:
    """What `wallet_edges` says of a wallet with the same bets; nan where not defined."""

    edge: float
    error: float
    lower: float
    upper: float
    events: int
    markets: int
    trades: int
    effective_events: float


@dataclass(slots=True)
class RunningEdge:
    """Sums of one wallet; `add` takes one bet, in any order. Memory grows with its markets only."""

    trades: int = 0
    # Event -> profit and weight; (market, side) -> weight and cost paid; markets seen.
    _events: dict[int, tuple[float, float]] = field(default_factory=dict)
    _legs: dict[tuple[int, bool], tuple[float, float]] = field(default_factory=dict)
    _markets: dict[int, None] = field(default_factory=dict)
    # Over events, of profit s and weight w: s, w, s^2, s w, w^2, s^3, s^4.
    _sums: list[float] = field(default_factory=lambda: [0.0] * 7)
    # Over legs: W^2 c (1 - c), the variance that prices alone give.
    _chance: float = 0.0

    def add(self, bet: SettledBet) -> None:
        """Take up one bet in constant time. Raises ValueError for one that `Bets` would refuse."""
        _check(bet)
        profit, weight = self._events.get(bet.event, (0.0, 0.0))
        now = (profit + bet.weight * (bet.payoff - bet.cost), weight + bet.weight)
        self._move(profit, weight, -1.0)
        self._move(*now, 1.0)
        self._events[bet.event] = now
        side = (bet.market, bet.is_yes)
        staked, paid = self._legs.get(side, (0.0, 0.0))
        after = (staked + bet.weight, paid + bet.weight * min(bet.cost, 1.0))
        self._chance += after[1] * (after[0] - after[1]) - paid * (staked - paid)
        self._legs[side] = after
        self._markets[bet.market] = None
        self.trades += 1

    def now(self, confidence: float = 0.95) -> EdgeNow:
        """Return the edge and its interval; `confidence` two-sided, in (0, 1)."""
        if not 0 < confidence < 1:
            raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
        gain, weight, squares, crossed, weights = self._sums[:5]
        count = len(self._events)
        if weight <= 0:
            return EdgeNow(nan, nan, nan, nan, count, len(self._markets), self.trades, nan)
        mean = gain / weight
        spread = max(squares - 2 * mean * crossed + mean**2 * weights, 0.0)
        clustered = sqrt(count / (count - 1) * spread) / weight if count > 1 else 0.0
        error = max(clustered, sqrt(max(self._chance, 0.0)) / weight)
        reach = float(stdtrit(max(count - 1, 1), (1 + confidence) / 2)) * error
        return EdgeNow(
            edge=mean,
            error=error,
            lower=mean - reach,
            upper=mean + reach,
            events=count,
            markets=len(self._markets),
            trades=self.trades,
            effective_events=weight**2 / weights if weights > 0 else nan,
        )

    def moments(self) -> SharpeMoments:
        """Return the moments of profit an event, shape (1,), as `sharpe_moments` has them."""
        count = len(self._events)
        first, _, second, _, _, third, fourth = self._sums
        if count < 2:
            return _moments(nan, count, nan, nan)
        mean = first / count
        m2 = second / count - mean**2
        if m2 <= 0:
            return _moments(nan, count, nan, nan)
        m3 = third / count - 3 * mean * second / count + 2 * mean**3
        m4 = fourth / count - 4 * mean * third / count
        m4 += 6 * mean**2 * second / count - 3 * mean**4
        sharpe = mean / sqrt(m2 * count / (count - 1))
        return _moments(sharpe, count, m3 / m2**1.5, m4 / m2**2)

    def _move(self, s: float, w: float, sign: float) -> None:
        for index, term in enumerate((s, w, s * s, s * w, w * w, s**3, s**4)):
            self._sums[index] += sign * term


def _moments(sharpe: float, count: int, skewness: float, kurtosis: float) -> SharpeMoments:
    one, many, three, four = (np.array([it]) for it in (sharpe, float(count), skewness, kurtosis))
    return SharpeMoments(one, many, three, four)


def _check(bet: SettledBet) -> None:
    if not 0 <= bet.cost <= 1.5 or not 0 <= bet.payoff <= 1:
        raise ValueError("a cost lies outside 0 to 1.5, or a payoff outside 0 to 1 dollar a share")
    if not 0 <= bet.weight < inf or not isfinite(bet.weight):
        raise ValueError("a weight is negative or not finite")
