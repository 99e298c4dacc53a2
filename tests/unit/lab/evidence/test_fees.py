"""What a taker was charged, by date and category."""

import datetime as dt

import numpy as np
import pytest

from whaletrader.lab.evidence.fees import terms_then, terms_today, window_kind


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp())


@pytest.mark.parametrize(
    ("slug", "category", "day", "fee"),
    [
        ("btc-updown-15m-1767571200", "crypto", "2026-01-04", 0.0),
        ("btc-updown-15m-1767571200", "crypto", "2026-01-05", 0.25 * 0.25**2),
        ("btc-updown-5m-1767571200", "crypto", "2026-02-11", 0.0),
        ("btc-updown-5m-1767571200", "crypto", "2026-02-12", 0.25 * 0.25**2),
        ("will-bitcoin-reach-100k", "crypto", "2026-03-05", 0.0),
        ("will-bitcoin-reach-100k", "crypto", "2026-03-06", 0.25 * 0.25**2),
        ("will-it-rain", "weather", "2026-03-29", 0.0),
        ("will-it-rain", "weather", "2026-03-30", 0.05 * 0.25),
        ("ceasefire-by-june", "geopolitics", "2026-08-01", 0.0),
    ],
)
def test_the_schedule_in_force_is_charged(slug: str, category: str, day: str, fee: float) -> None:
    window = np.array([window_kind(slug)])
    terms = terms_then(np.array([category]), window, np.array([at(day)]))
    assert terms.per_share(np.array([0.5]))[0] == pytest.approx(fee)


def test_todays_schedule_holds_for_any_date() -> None:
    terms = terms_today(np.array(["crypto", "sports", "geopolitics"]))
    assert terms.per_share(np.full(3, 0.5)) == pytest.approx([0.0175, 0.0125, 0.0])
