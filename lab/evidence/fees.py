"""What the venue charged takers, by category and by date.

Owns the history of the fee schedule as the venue documented it (changelog entries of 2026-01-05,
02-12, 03-06, 03-30, 07-10 and the fee page of 2026-07-27): fee a share =
rate * (p * (1 - p)) ^ exponent. Before 2026-01-05 nobody paid; until 2026-03-06 only the short
crypto windows did. The rates of 2026-03-30 to 07-10 are not all recorded, so the later ones stand
for them. Vectorised over trades; called by `copying` and `bets`.
"""

import datetime as dt
import re
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.sample.categories import FEE_RATE_MICRO

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MICRO: Final = 1_000_000


def _day(year: int, month: int, day: int) -> int:
    return int(dt.datetime(year, month, day, tzinfo=dt.UTC).timestamp())


WINDOW_15M_S: Final = _day(2026, 1, 5)
WINDOW_5M_S: Final = _day(2026, 2, 12)
CRYPTO_S: Final = _day(2026, 3, 6)
EVERYTHING_S: Final = _day(2026, 3, 30)
EARLY_CURVE: Final = (0.25, 2.0)

_WINDOW: Final = re.compile(r"-updown-(5m|15m)-\d{10}$")


class Terms(NamedTuple):
    """Rate and exponent of each trade, (trades,)."""

    rate: FloatArray
    exponent: FloatArray

    def per_share(self, price: FloatArray) -> FloatArray:
        """Return the taker fee in dollars a share."""
        spread = np.clip(price * (1.0 - price), 0.0, None)
        return np.asarray(self.rate * spread**self.exponent)


def window_kind(slug: str) -> int:
    """Return 15 or 5 for the short crypto windows of so many minutes, else 0."""
    found = _WINDOW.search(slug)
    return int(found[1][:-1]) if found else 0


def terms_today(category: NDArray[np.str_]) -> Terms:
    """Return the schedule since 2026-07-10, whatever the date of the trade. (trades,)"""
    rate = np.array([FEE_RATE_MICRO[name] / MICRO for name in category], dtype=np.float64)
    return Terms(rate, np.ones_like(rate))


def terms_then(category: NDArray[np.str_], window: IntArray, at_s: IntArray) -> Terms:
    """Return the schedule in force when each trade happened.

    `category` (trades,) names, `window` (trades,) of `window_kind`, `at_s` (trades,) Unix seconds.
    """
    rate, exponent = terms_today(category)
    is_early = at_s < EVERYTHING_S
    is_short = ((window == 15) & (at_s >= WINDOW_15M_S)) | ((window == 5) & (at_s >= WINDOW_5M_S))
    is_charged = is_short | ((category == "crypto") & (at_s >= CRYPTO_S))
    rate = np.where(is_early, np.where(is_charged, EARLY_CURVE[0], 0.0), rate)
    exponent = np.where(is_early, EARLY_CURVE[1], exponent)
    return Terms(rate, exponent)
