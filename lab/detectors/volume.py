"""Matched trades and round trips in which we know who is honest.

Owns two small worlds: one of matches with wash rings among honest wallets and market makers, one
of round trips with churners among traders who hold, who scalp with an edge and who only hope for
one. Judges nobody. Called by `trials`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whaletrader.quant.surveillance.churn import Trades
from whaletrader.quant.surveillance.wash import DAY_S, HOUR_S, Matches

Bools = NDArray[np.bool_]
Row = tuple[float, ...]

DAYS = 14
MARKETS = 40
MAKERS = 6
HONEST = 300
# Pairs of honest wallets that trade with each other more than with anybody.
FAITHFUL = 16


@dataclass(frozen=True, slots=True)
class WashWorld:
    """Matches; which of them are wash; the rings planted, as sets of wallets."""

    matches: Matches
    is_wash: Bools
    rings: frozenset[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ChurnWorld:
    """Trades, and the wallets that churn."""

    trades: Trades
    churners: frozenset[int]


def wash_world(seed: int) -> WashWorld:
    """Honest wallets trade with makers, some there and back; rings of one to five among them."""
    chance = np.random.default_rng([seed, 1])
    rows = _honest_matches(chance)
    rows += _faithful_matches(chance)
    first = MAKERS + HONEST + FAITHFUL
    rings = []
    for members in (*[1] * 3, *[2] * 8, *[3] * 3, *[4] * 2, 5):
        ring = tuple(range(first, first + members))
        first += members
        rings.append(ring)
        rows += _wash_of(chance, ring)
    table = np.array(sorted(rows, key=lambda row: row[4]))
    buyer, seller, market = (table[:, column].astype(np.int64) for column in range(3))
    matches = Matches(buyer, seller, market, table[:, 3], table[:, 4])
    return WashWorld(matches, table[:, 5] > 0, frozenset(rings))


def _honest_matches(chance: np.random.Generator) -> list[Row]:
    rows: list[Row] = []
    for wallet in range(MAKERS, MAKERS + HONEST):
        for _ in range(int(chance.integers(10, 50))):
            maker, market = int(chance.integers(MAKERS)), int(chance.integers(MARKETS))
            size = float(np.round(chance.lognormal(4, 1), 2))
            time_s = float(chance.uniform(0, DAYS * DAY_S))
            rows.append((wallet, maker, market, size, time_s, 0.0))
            kind = chance.random()
            if kind < 0.2:
                # Out again, often with whoever quotes then, sometimes with the same maker.
                other = maker if chance.random() < 0.4 else int(chance.integers(MAKERS))
                later = time_s + float(chance.exponential(HOUR_S))
                rows.append((other, wallet, market, size, later, 0.0))
            elif kind < 0.3:
                # Two takers may meet, too.
                peer = int(chance.integers(MAKERS, MAKERS + HONEST))
                if peer != wallet:
                    rows.append((peer, wallet, market, size / 2, time_s + 60, 0.0))
    return rows


def _faithful_matches(chance: np.random.Generator) -> list[Row]:
    """A client and the one dealer it calls: in, and some days later out of a part."""
    rows: list[Row] = []
    start = MAKERS + HONEST
    for client in range(start, start + FAITHFUL, 2):
        dealer = client + 1
        for _ in range(int(chance.integers(5, 20))):
            market, size = float(chance.integers(MARKETS)), float(chance.lognormal(5, 1))
            time_s = float(chance.uniform(0, DAYS * DAY_S))
            rows.append((client, dealer, market, size, time_s, 0.0))
            # The dealer passes some of it on.
            maker = float(chance.integers(MAKERS))
            rows.append((dealer, maker, market, size / 2, time_s + 300, 0.0))
            if chance.random() < 0.5:
                share = float(chance.choice([0.5, 1.0]))
                later = time_s + float(chance.exponential(2 * DAY_S))
                rows.append((dealer, client, market, size * share, later, 0.0))
    return rows


def _wash_of(chance: np.random.Generator, ring: tuple[int, ...]) -> list[Row]:
    """Bursts that bring everybody back to the start; some honest trades as a cover."""
    rows: list[Row] = []
    markets = chance.integers(0, MARKETS, 2)
    slip = float(chance.choice([0.0005, 0.002, 0.01]))
    for _ in range(int(chance.integers(3, 8))):
        market = float(chance.choice(markets))
        start_s = float(chance.uniform(0, (DAYS - 1) * DAY_S))
        spread_s = float(chance.choice([600.0, 4 * HOUR_S, DAY_S / 2]))
        for _ in range(int(chance.integers(1, 5))):
            size = float(np.round(chance.lognormal(6, 0.7), 2))
            times = np.sort(start_s + chance.uniform(0, spread_s, max(2, len(ring))))
            for step, time_s in enumerate(times.tolist()):
                seller, buyer = ring[step % len(ring)], ring[(step + 1) % len(ring)]
                # Off by a little, so that no sum is exactly nothing; some are careless.
                off = size * (1 + float(chance.uniform(-slip, slip)))
                if chance.random() > 0.02:
                    rows.append((buyer, seller, market, off, time_s, 1.0))
    for wallet in ring:
        for _ in range(int(chance.integers(0, 6))):
            maker, market = int(chance.integers(MAKERS)), float(chance.choice(markets))
            size, time_s = float(chance.lognormal(4, 1)), float(chance.uniform(0, DAYS * DAY_S))
            sides = (wallet, maker) if chance.random() < 0.5 else (maker, wallet)
            rows.append((*sides, market, size, time_s, 0.0))
    return rows


@dataclass(frozen=True, slots=True)
class _Habit:
    """How a kind of wallet trades: gross gain a dollar and its spread, seconds held."""

    wallets: int
    gain: float
    spread: float
    hold_s: float
    is_churn: bool = False


# Fees are about 0.025 a dollar both ways at these prices. Day traders hope as often as they know.
_HABITS = (
    _Habit(20, gain=0.0, spread=0.004, hold_s=300, is_churn=True),
    _Habit(10, gain=-0.002, spread=0.01, hold_s=1_200, is_churn=True),
    _Habit(20, gain=0.06, spread=0.10, hold_s=900),
    _Habit(20, gain=0.03, spread=0.10, hold_s=2_400),
    _Habit(30, gain=0.0, spread=0.30, hold_s=2_000),
    _Habit(60, gain=0.0, spread=0.25, hold_s=3 * DAY_S),
)


def churn_world(seed: int) -> ChurnWorld:
    """Wallets that make round trips, for a gain or for none; and wallets that hold to the end."""
    chance = np.random.default_rng([seed, 2])
    rows: list[Row] = []
    churners, wallet = set(), 0
    for habit in _HABITS:
        for _ in range(habit.wallets):
            rows += _round_trips(chance, wallet, habit)
            if habit.is_churn:
                churners.add(wallet)
            wallet += 1
    for _ in range(60):
        for _ in range(int(chance.integers(20, 80))):
            rows.append(_trade(chance, wallet, float(chance.uniform(0, DAYS * DAY_S))))
        wallet += 1
    table = np.array(rows)
    owner, token = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    trades = Trades(owner, token, table[:, 2], table[:, 3], table[:, 4], table[:, 5])
    return ChurnWorld(trades, frozenset(churners))


def _round_trips(chance: np.random.Generator, wallet: int, habit: _Habit) -> list[Row]:
    rows: list[Row] = []
    for _ in range(int(chance.integers(40, 120))):
        bought = _trade(chance, wallet, float(chance.uniform(0, (DAYS - 5) * DAY_S)))
        _, token, size, price, _, time_s = bought
        gain = float(chance.normal(habit.gain, habit.spread))
        out = float(np.clip(price * (1 + gain), 0.01, 0.99))
        later = time_s + float(chance.exponential(habit.hold_s))
        rows += [bought, (wallet, token, -size, out, _fee(size, out), later)]
    return rows


def _trade(chance: np.random.Generator, wallet: int, time_s: float) -> Row:
    price = float(np.round(chance.uniform(0.3, 0.7), 2))
    size = float(np.round(chance.lognormal(5, 0.5), 2))
    return (wallet, float(chance.integers(MARKETS)), size, price, _fee(size, price), time_s)


def _fee(size: float, price: float) -> float:
    # The venue's taker rate of a middling category.
    return size * 0.025 * price * (1 - price)
