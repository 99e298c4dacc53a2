"""Orders and wallets in which we know who spoofs and who is one hand.

Owns two small worlds: one of orders with spoofers among market makers and people who merely change
their minds, one of wallets some of which belong to one hand. Judges nobody. Called by `trials`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whaletrader.quant.surveillance.spoofing import Fills, Orders

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Row = tuple[float, ...]

DAYS = 14
DAY_S = 86_400
MARKETS = 40


@dataclass(frozen=True, slots=True)
class SpoofingWorld:
    """Orders and fills, and the wallets that spoof."""

    orders: Orders
    fills: Fills
    spoofers: frozenset[int]


@dataclass(frozen=True, slots=True)
class HandsWorld:
    """Trades by wallet, each wallet's source of funds, and its hand (-1: its own)."""

    wallet: Ints
    time_s: Floats
    size_usd: Floats
    price: Floats
    funding: Ints
    hand: Ints


def spoofing_world(seed: int) -> SpoofingWorld:
    """200 traders, 10 makers, 10 large and impatient ones, 8 spoofers."""
    chance = np.random.default_rng([seed, 3])
    orders: list[Row] = []
    fills: list[Row] = []
    for wallet in range(200):
        _plain(chance, wallet, orders, fills)
    for wallet in range(200, 210):
        _quotes(chance, wallet, orders, fills)
    for wallet in range(210, 220):
        _changes_mind(chance, wallet, orders, fills)
    spoofers = range(220, 228)
    for wallet in spoofers:
        _plain(chance, wallet, orders, fills)
        _spoofs(chance, wallet, orders, fills)
    o, f = np.array(orders), np.array(fills)
    who, market, side = (o[:, column].astype(np.int64) for column in range(3))
    owner, place, way = (f[:, column].astype(np.int64) for column in range(3))
    return SpoofingWorld(
        Orders(who, market, side, o[:, 3], o[:, 4], o[:, 5], o[:, 6]),
        Fills(owner, place, way, f[:, 3]),
        frozenset(spoofers),
    )


def _moment(chance: np.random.Generator) -> tuple[float, float, float]:
    """A market, a side and a time."""
    side = float(chance.choice([-1, 1]))
    return float(chance.integers(MARKETS)), side, float(chance.uniform(0, DAYS * DAY_S))


def _plain(chance: np.random.Generator, wallet: int, orders: list[Row], fills: list[Row]) -> None:
    for _ in range(int(chance.integers(10, 40))):
        market, side, time_s = _moment(chance)
        size, end_s = float(chance.lognormal(4, 0.8)), time_s + float(chance.exponential(1_800))
        is_filled = chance.random() < 0.6
        orders.append((wallet, market, side, size, size * is_filled, time_s, end_s))
        if is_filled:
            fills.append((wallet, market, side, end_s))


def _quotes(chance: np.random.Generator, wallet: int, orders: list[Row], fills: list[Row]) -> None:
    # Both sides at once, large, renewed every few seconds; either may be hit.
    for _ in range(300):
        market, _, time_s = _moment(chance)
        size, end_s = float(chance.lognormal(6, 0.3)), time_s + float(chance.uniform(5, 40))
        hit = float(chance.choice([-1, 0, 0, 1]))
        orders += [(wallet, market, side, size, 0.0, time_s, end_s) for side in (-1.0, 1.0)]
        if hit:
            orders.append((wallet, market, hit, size / 10, size / 10, time_s, end_s))
            fills.append((wallet, market, hit, float(chance.uniform(time_s, end_s))))


def _changes_mind(
    chance: np.random.Generator, wallet: int, orders: list[Row], fills: list[Row]
) -> None:
    # Large and soon withdrawn to be placed again nearer: then filled on the same side, or turned.
    for _ in range(40):
        market, side, time_s = _moment(chance)
        size, end_s = float(chance.lognormal(6.5, 0.4)), time_s + float(chance.uniform(3, 50))
        orders.append((wallet, market, side, size, 0.0, time_s, end_s))
        if chance.random() < 0.5:
            turned = side if chance.random() < 0.75 else -side
            fills.append((wallet, market, turned, end_s + float(chance.uniform(0, 4))))


def _spoofs(chance: np.random.Generator, wallet: int, orders: list[Row], fills: list[Row]) -> None:
    for _ in range(int(chance.integers(12, 30))):
        market, side, time_s = _moment(chance)
        size, end_s = float(chance.lognormal(6.8, 0.4)), time_s + float(chance.uniform(2, 30))
        orders.append((wallet, market, side, size, 0.0, time_s, end_s))
        # Not every spoof finds somebody; some are hit themselves.
        luck = chance.random()
        if luck < 0.75:
            fills.append((wallet, market, -side, float(chance.uniform(time_s, end_s + 2))))
        elif luck < 0.8:
            fills.append((wallet, market, side, float(chance.uniform(time_s, end_s))))


def hands_world(seed: int) -> HandsWorld:
    """250 wallets of their own, 12 hands of 3 to 8 wallets; funds that tell, and that do not."""
    chance = np.random.default_rng([seed, 4])
    habits: list[Row] = []
    funding: list[int] = []
    hand: list[int] = []
    for number in range(250):
        habits.append(_habit(chance))
        # A third come from one exchange, a few share a source by chance, others are unknown.
        kind = chance.random()
        funding.append(0 if kind < 0.35 else -1 if kind < 0.6 else 100 + number // 2)
        hand.append(-1)
    for number in range(12):
        common, members = _habit(chance), int(chance.integers(3, 9))
        for _ in range(members):
            habits.append(_alike(chance, common))
            # One in eight was paid in by a detour.
            funding.append(1_000 + number if chance.random() < 0.875 else -1)
            hand.append(number)
    rows = [
        (wallet, *row) for wallet, habit in enumerate(habits) for row in _trades_of(chance, habit)
    ]
    table = np.array(rows)
    return HandsWorld(
        table[:, 0].astype(np.int64),
        table[:, 1],
        table[:, 2],
        table[:, 3],
        np.array(funding, dtype=np.int64),
        np.array(hand, dtype=np.int64),
    )


def _habit(chance: np.random.Generator) -> Row:
    """Log size and its spread, price and its spread, hour and its spread, round dollars."""
    return (
        float(chance.normal(4.5, 1.2)),
        float(chance.uniform(0.1, 1.0)),
        float(chance.uniform(0.1, 0.9)),
        float(chance.uniform(0.03, 0.25)),
        float(chance.uniform(0, 24)),
        float(chance.uniform(0.5, 6)),
        float(chance.choice([0.0, 1.0], p=[0.7, 0.3])),
    )


def _alike(chance: np.random.Generator, habit: Row) -> Row:
    size, size_spread, price, price_spread, hour, hours, is_round = habit
    return (
        size + float(chance.normal(0, 0.15)),
        size_spread * float(chance.uniform(0.85, 1.15)),
        price + float(chance.normal(0, 0.03)),
        price_spread * float(chance.uniform(0.85, 1.15)),
        hour + float(chance.normal(0, 0.4)),
        hours * float(chance.uniform(0.85, 1.15)),
        is_round,
    )


def _trades_of(chance: np.random.Generator, habit: Row) -> list[Row]:
    size, size_spread, price, price_spread, hour, hours, is_round = habit
    count = int(chance.integers(40, 120))
    days = chance.integers(0, DAYS, count)
    times = (days * 24 + chance.normal(hour, hours, count)) * 3_600 + DAYS * DAY_S
    sizes = np.exp(chance.normal(size, size_spread, count))
    sizes = np.maximum(1.0, np.round(sizes)) if is_round else sizes
    prices = np.clip(chance.normal(price, price_spread, count), 0.01, 0.99)
    return list(zip(times.tolist(), sizes.tolist(), prices.tolist(), strict=True))
