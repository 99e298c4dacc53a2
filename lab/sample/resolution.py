"""When a market counts as resolved, and what its outcomes are called.

The source gives neither; this module owns the rules that stand in for them. They read
names, dates and redemptions, never the winner. Called by `selection`.
"""

import calendar
import datetime as dt
import re

from whaletrader.lab.sample.source import SourceMarket

# Results of dated markets are proposed and challenged for hours; noon UTC of the next day is
# after the end of the named day in every time zone the venue uses.
DATED_RESULT_DELAY_S = 12 * 3600
DAY_S = 86_400

_WINDOW_S = {"5m": 300, "15m": 900, "1h": 3600, "4h": 14_400}
_WINDOW_SLUG = re.compile(r"-updown-(5m|15m|1h|4h)-(\d{10})$")
_ISO_DATE = re.compile(r"-(20\d\d)-(\d\d)-(\d\d)(?=-|$)")
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_WORD_DATE = re.compile(rf"-({'|'.join(_MONTHS)})-(\d{{1,2}})(?:-(20\d\d))?(?=-|$)")

_OPPOSITES = {"Yes": "No", "Up": "Down", "Over": "Under"}
_OPPOSITES |= {second: first for first, second in _OPPOSITES.items()}


def resolution_time(market: SourceMarket) -> tuple[int, str] | None:
    """Return (second, basis) of the market's resolution, always after its last trade.

    Basis: `window_end` (the slug names the window), `first_redeem` (the first redemption by
    any wallet of the source) or `named_date` (noon UTC after the day in the slug). None when
    nothing says when: such a market may have resolved long after the data ends, and taking
    its result earlier would show the agents the future.
    """
    last_trade_s = max(fill.at_s for fill in market.fills)
    found = _window_end(market.slug)
    if found is None and market.first_redeem_s is not None:
        found = (market.first_redeem_s, "first_redeem")
    if found is None:
        found = _named_date(market.slug, min(fill.at_s for fill in market.fills))
    if found is None:
        return None
    return max(found[0], last_trade_s + 1), found[1]


def complete_outcomes(market: SourceMarket) -> tuple[str, str]:
    """Return both outcome names.

    The name of an outcome nobody traded is its plain opposite (Yes/No, Up/Down, Over/Under),
    else the other side of a title "A vs. B", else `not <the traded outcome>`.
    """
    names = list(market.outcomes)
    for fill in market.fills:
        names[fill.outcome_index] = names[fill.outcome_index] or fill.outcome
    for index in (0, 1):
        if not names[index]:
            names[index] = _other_outcome(names[1 - index], 1 - index, market.title)
    return names[0], names[1]


def _window_end(slug: str) -> tuple[int, str] | None:
    found = _WINDOW_SLUG.search(slug)
    if found is None:
        return None
    return int(found[2]) + _WINDOW_S[found[1]], "window_end"


def _named_date(slug: str, first_trade_s: int) -> tuple[int, str] | None:
    day = _iso_day(slug) or _word_day(slug, first_trade_s)
    if day is None:
        return None
    midnight_s = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
    return midnight_s + DAY_S + DATED_RESULT_DELAY_S, "named_date"


def _iso_day(slug: str) -> dt.date | None:
    found = _ISO_DATE.search(slug)
    return _day(int(found[1]), int(found[2]), int(found[3])) if found else None


def _word_day(slug: str, first_trade_s: int) -> dt.date | None:
    # The last date counts: "december-23-december-30" ends on the second one.
    found = list(_WORD_DATE.finditer(slug))
    if not found:
        return None
    month, day_of_month = _MONTHS[found[-1][1]], int(found[-1][2])
    if found[-1][3]:
        return _day(int(found[-1][3]), month, day_of_month)
    first_day = dt.datetime.fromtimestamp(first_trade_s, dt.UTC).date()
    day = _day(first_day.year, month, day_of_month)
    # A slug without a year means the next such day; one day of slack for time zones west.
    if day is not None and day < first_day - dt.timedelta(days=1):
        return _day(first_day.year + 1, month, day_of_month)
    return day


def _day(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _other_outcome(known: str, known_index: int, title: str) -> str:
    if known in _OPPOSITES:
        return _OPPOSITES[known]
    sides = re.split(r": | - ", title)[-1].split(" vs. ")
    if len(sides) == 2 and sides[known_index] == known:
        return sides[1 - known_index]
    return f"not {known}"
