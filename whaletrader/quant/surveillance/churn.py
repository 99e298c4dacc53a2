"""Churn: buying and selling back at once, paying fees that no gain could be meant to cover.

Owns the rule by which volume is told from trading: a wallet whose volume is mostly round trips,
closed soon, on which it surely neither earns nor loses before fees as much as the fees are (both
one-sided bounds of the mean within the fee, by Student's t, clustered by market: an equivalence
test, Schuirmann 1987), trades for something else, such as a reward for volume (Cong, Li, Tang and
Yang 2023, "Crypto wash trading", section 2). Who loses more is a bad trader, and who may have
hoped for more is let be. Called by discovery's studies and the lab. numpy and scipy only.
"""

from collections import deque
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from whaletrader.quant.student import t_multiplier

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Shares left over by rounding are no position.
_DUST = 1e-9


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades of wallets, shape (n,), wallet and token as codes.

    `size` in shares, below zero when sold; `price` in dollars a share, `fee` in dollars.
    """

    wallet: Ints
    token: Ints
    size: Floats
    price: Floats
    fee: Floats
    time_s: Floats

    def __post_init__(self) -> None:
        arrays = (self.wallet, self.token, self.size, self.price, self.fee, self.time_s)
        if any(it.shape != (len(self.wallet),) for it in arrays):
            raise ValueError("all columns must be one-dimensional and of one length")
        if not (self.size != 0).all() or not ((self.price >= 0) & (self.price <= 1)).all():
            raise ValueError("sizes must not be 0, prices from 0 to 1")
        if not all(np.isfinite(it).all() for it in (self.size, self.fee, self.time_s)):
            raise ValueError("sizes, fees and times must be finite")


@dataclass(frozen=True, slots=True)
class ChurnRules:
    """Counts, shares of 1, seconds. A confidence of 0.9 both ways is 0.95 one way."""

    trips_min: int = 30
    markets_min: int = 3
    trip_share_min: float = 0.8
    hold_s_max: float = 3_600.0
    confidence: float = 0.9


@dataclass(frozen=True, slots=True)
class WalletChurn:
    """What one wallet does. Gains and fees in dollars a dollar of round trip.

    `gross_lower` and `gross_upper` bound the mean gain before fees, each one-sided; infinite where
    nothing can be said.
    """

    wallet: int
    trips: int
    trip_share: float
    hold_s: float
    gross_mean: float
    gross_lower: float
    gross_upper: float
    fee_mean: float
    is_churn: bool


def find_churn(trades: Trades, rules: ChurnRules | None = None) -> list[WalletChurn]:
    """Return what each wallet does, sorted by code."""
    limits = rules or ChurnRules()
    order = np.lexsort((trades.time_s, trades.token, trades.wallet))
    owners = trades.wallet[order]
    groups = np.split(order, np.flatnonzero(np.diff(owners)) + 1)
    return [_judged(trades, places, limits) for places in groups if places.size]


@dataclass(frozen=True, slots=True)
class _Trips:
    """Closed round trips: token, dollars that went in, gain before fees, fees, seconds held."""

    token: Ints
    notional: Floats
    gain: Floats
    fee: Floats
    hold_s: Floats


def _judged(trades: Trades, places: Ints, limits: ChurnRules) -> WalletChurn:
    trips = _round_trips(trades, places)
    wallet = int(trades.wallet[places[0]])
    volume = float(np.abs(trades.size[places] * trades.price[places]).sum())
    put_in = float(trips.notional.sum())
    if put_in <= 0 or volume <= 0:
        return WalletChurn(wallet, 0, 0.0, 0.0, 0.0, -inf, inf, 0.0, is_churn=False)
    # What came out again counts as volume, too.
    share = min(1.0, (2 * put_in + float(trips.gain.sum())) / volume)
    mean = float(trips.gain.sum()) / put_in
    fee = float(trips.fee.sum()) / put_in
    half = _half_width(trips, mean, limits)
    hold_s = float(np.median(trips.hold_s))
    is_churn = (
        len(trips.gain) >= limits.trips_min
        and share >= limits.trip_share_min
        and hold_s <= limits.hold_s_max
        and abs(mean) + half < fee
    )
    return WalletChurn(
        wallet,
        len(trips.gain),
        share,
        hold_s,
        mean,
        mean - half,
        mean + half,
        fee,
        is_churn,
    )


def _half_width(trips: _Trips, mean: float, limits: ChurnRules) -> float:
    """Of the interval of total gain over total put in, a ratio clustered by token."""
    _, codes = np.unique(trips.token, return_inverse=True)
    clusters = int(codes.max()) + 1
    if clusters < max(2, limits.markets_min):
        return inf
    rest = np.bincount(codes, weights=trips.gain - mean * trips.notional)
    error = np.sqrt(clusters / (clusters - 1) * float((rest**2).sum())) / trips.notional.sum()
    return t_multiplier(limits.confidence, clusters - 1) * float(error)


def _round_trips(trades: Trades, places: Ints) -> _Trips:
    """First in, first out, on either side of nothing; `places` by token, then time."""
    rows: list[tuple[int, float, float, float, float]] = []
    lots: deque[list[float]] = deque()
    token = -1
    for place in places.tolist():
        if int(trades.token[place]) != token:
            token, lots = int(trades.token[place]), deque()
        left, price = float(trades.size[place]), float(trades.price[place])
        fee, now_s = float(trades.fee[place] / abs(left)), float(trades.time_s[place])
        while lots and abs(left) > _DUST and lots[0][0] * left < 0:
            lot = lots[0]
            closed = min(abs(lot[0]), abs(left))
            sign = 1.0 if lot[0] > 0 else -1.0
            rows.append(
                (
                    token,
                    closed * lot[1],
                    sign * closed * (price - lot[1]),
                    closed * (fee + lot[2]),
                    now_s - lot[3],
                )
            )
            lot[0] -= sign * closed
            left += sign * closed
            if abs(lot[0]) <= _DUST:
                lots.popleft()
        if abs(left) > _DUST:
            lots.append([left, price, fee, now_s])
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return _Trips(table[:, 0].astype(np.int64), table[:, 1], table[:, 2], table[:, 3], table[:, 4])
