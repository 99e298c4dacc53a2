"""Spot prices of a few coins: a seeded walk that anybody can compute again, for RTDS and windows.

The price at a second is a pure function of (seed, symbol, second): a sum of smooth noises from
minutes to days. No process moves it and nothing has to be stored.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# Where each walk is centred, in dollars; the order of magnitude is what matters.
BASE_USD: Final = {"btc": 80_000.0, "eth": 4_000.0, "sol": 180.0, "xrp": 2.5}
# (period in seconds, amplitude as a part of the price): some basis points a minute, 1 % a day.
OCTAVES: Final = ((86_400, 0.02), (7_200, 0.008), (600, 0.003), (60, 0.0006), (5, 0.0001))
TWAP_S: Final = 60
E18: Final = 10**18


@dataclass(frozen=True, slots=True)
class Spot:
    """Prices of all coins for one seed."""

    seed: int

    def price(self, coin: str, second: int) -> float:
        """Return dollars at a UTC second, rounded to cents (six decimals below ten dollars)."""
        base = BASE_USD[coin]
        moved = sum(size * self._noise(coin, period, second) for period, size in OCTAVES)
        return round(base * math.exp(moved), 2 if base > 10 else 6)

    def twap(self, coin: str, second: int, window_s: int = TWAP_S) -> float:
        """Return the mean of the seconds before the given one."""
        prices = [self.price(coin, second - back) for back in range(1, window_s + 1)]
        return round(sum(prices) / len(prices), 8)

    def winner(self, coin: str, open_s: int, close_s: int) -> int:
        """Return 0 (Up) if the closing mean is at or above the opening one, else 1 (Down)."""
        return 0 if self.twap(coin, close_s) >= self.twap(coin, open_s) else 1

    def _noise(self, coin: str, period: int, second: int) -> float:
        knot, part = divmod(second, period)
        share = part / period
        smooth = share * share * (3 - 2 * share)
        first = _level(self.seed, coin, period, knot)
        return first + (_level(self.seed, coin, period, knot + 1) - first) * smooth


@lru_cache(maxsize=65_536)
def _level(seed: int, coin: str, period: int, knot: int) -> float:
    """Return a fixed number in [-1, 1) for a knot."""
    text = f"{seed}:{coin}:{period}:{knot}".encode()
    raw = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
    return raw / (1 << 63) - 1.0


def coin_of(symbol: str) -> str | None:
    """Return the coin behind btcusdt, btc/usd or btcusd; None for one that is not priced."""
    plain = symbol.lower().replace("/", "").removesuffix("t").removesuffix("usd")
    return plain if plain in BASE_USD else None


def exact(value: float) -> str:
    """Write a price as a plain decimal."""
    return f"{value:.8f}".rstrip("0").rstrip(".")


def scaled(value: float) -> str:
    """Write a price as the integer of 18 decimals that oracle topics carry."""
    return str(round(value * 10**8) * 10**10)
