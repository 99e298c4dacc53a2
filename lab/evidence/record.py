"""Each wallet's track record in the usual ratios, from the daily profit of its settled markets.

Owns the calendar: a market's profit falls on the day of its result, days without one count as 0,
and the capital that returns are shares of is the most that a wallet had at stake at one time. The
ratios describe; none of them is held against a wallet, and the verdict does not read them: they
know neither prices nor how many wallets were tried. All are quant's, over all wallets at once.
Called by `run`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri  # type: ignore[import-untyped]

from whaletrader.lab.evidence.description import Range, TrackRecord
from whaletrader.lab.evidence.estimates import known
from whaletrader.lab.evidence.markets import NEVER_S, Markets, Trades
from whaletrader.lab.evidence.options import StudyOptions
from whaletrader.lab.evidence.pairs import Pairs
from whaletrader.quant import performance, rolling
from whaletrader.quant.concentration import effective_number
from whaletrader.quant.drawdown import drawdowns, equity_of
from whaletrader.quant.ragged import Ragged, divided, sums_by
from whaletrader.quant.sharpe_inference import (
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
    sharpe_standard_error,
)
from whaletrader.quant.win_rate import category_base_rates, posterior_win_rate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DAY_S: Final = 86_400
DAYS_PER_YEAR: Final = 365
# Autocorrelation that a Sharpe ratio is corrected for, and the window of its rolling form, in days.
LAGS: Final = 5
WINDOW_DAYS: Final = 30
# A record on fewer days has no ratio worth a line.
DAYS_MIN: Final = 10


@dataclass(frozen=True)
class Calendar:
    """Daily results of the wallets that have enough of them, on one calendar.

    `wallet` (n,) codes; `profit` and `favourite` (days, n), shares of each wallet's capital, 0 on
    days without a result; `first` (n,) and `last` (n,) its own first and last day; `capital` (n,).
    `pairs` are the markets behind it.
    """

    wallet: IntArray
    profit: FloatArray
    favourite: FloatArray
    first: IntArray
    last: IntArray
    capital: FloatArray
    pairs: Pairs

    def own(self, table: FloatArray) -> Ragged:
        """Return each wallet's days of a table, from its first result to its last."""
        columns = range(len(self.wallet))
        return Ragged.of(
            [table[self.first[column] : self.last[column] + 1, column] for column in columns]
        )


def calendar_of(trades: Trades, markets: Markets, pairs: Pairs, wallets: int) -> Calendar:
    """Return the daily results of settled markets whose record is whole."""
    is_settled = np.isfinite(markets.values(markets.main_results))
    when = settled_s(trades, markets)
    is_dated = when[pairs.market] < NEVER_S
    kept = pairs.only(is_settled[pairs.market] & pairs.is_whole & (pairs.paid > 0) & is_dated)
    day = when[kept.market] // DAY_S
    day = day - (int(day.min()) if len(day) else 0)
    first, last = _span(day, kept.wallet, wallets)
    found = np.flatnonzero(last - first + 1 >= DAYS_MIN)
    place = np.full(wallets, -1, dtype=np.int64)
    place[found] = np.arange(len(found))
    is_used = place[kept.wallet] >= 0
    kept, day = kept.only(is_used), day[is_used]
    capital = np.array(
        [_at_stake(kept, when, wallet) for wallet in found.tolist()], dtype=np.float64
    )
    days = int(last[found].max(initial=-1)) + 1
    column = place[kept.wallet]
    share = 1.0 / capital[column]
    profit, favourite = np.zeros((days, len(found))), np.zeros((days, len(found)))
    np.add.at(profit, (day, column), kept.profit * share)
    np.add.at(favourite, (day, column), _favourite_profit(trades, markets, kept) * share)
    return Calendar(found, profit, favourite, first[found], last[found], capital, kept)


def settled_s(trades: Trades, markets: Markets) -> IntArray:
    """Return when each market's profit counts (markets,); NEVER_S where nothing says when.

    A date in a name can lie after the result, even after the last row: then the last row's time.
    """
    end_s = int(trades.at_s.max()) + 1 if trades.count else NEVER_S
    is_late = (markets.resolved_s > end_s) & (markets.resolved_s < NEVER_S)
    return np.where(is_late, end_s, markets.resolved_s)


def records_of(
    calendar: Calendar, markets: Markets, options: StudyOptions
) -> dict[int, TrackRecord]:
    """Return the track record of each wallet of the calendar, by wallet."""
    if not len(calendar.wallet):
        return {}
    returns, benchmark = calendar.own(calendar.profit), calendar.own(calendar.favourite)
    moments = sharpe_moments(returns)
    fall = drawdowns(equity_of(returns, start=1.0, is_compounded=False))
    ages = (calendar.last[returns.labels] - _days_of(calendar, returns)).astype(np.float64)
    steady = rolling.sharpe_consistency(returns, WINDOW_DAYS)
    sharpe = performance.sharpe_ratio(returns, DAYS_PER_YEAR)
    reach = ndtri((1 + options.confidence) / 2) * sharpe_standard_error(moments)
    reach = reach * np.sqrt(DAYS_PER_YEAR)
    columns = {
        "days": returns.counts.astype(np.float64),
        "capital": calendar.capital,
        "profit": returns.sums() * calendar.capital,
        "sharpe": sharpe,
        "sharpe_autocorrelated": performance.sharpe_ratio_lo(returns, DAYS_PER_YEAR, LAGS),
        "sharpe_lower": sharpe - reach,
        "sharpe_upper": sharpe + reach,
        "sortino": performance.sortino_ratio(returns, DAYS_PER_YEAR),
        "calmar": performance.calmar_ratio(returns, DAYS_PER_YEAR),
        "information_ratio": performance.information_ratio(returns, benchmark, DAYS_PER_YEAR),
        "profit_factor": performance.profit_factor(returns),
        "deepest_fall": fall.depth * calendar.capital,
        "longest_fall_days": fall.longest,
        "recent_sharpe": rolling.decayed_sharpe(returns, ages) * np.sqrt(DAYS_PER_YEAR),
        "recent_sortino": rolling.decayed_sortino(returns, ages) * np.sqrt(DAYS_PER_YEAR),
        "recent_profit_factor": rolling.decayed_profit_factor(returns, ages),
        "steady_share": steady.positive_share,
        "probabilistic_sharpe": probabilistic_sharpe(moments),
        "days_needed": minimum_track_record(moments, confidence=options.confidence),
        "effective_events": _effective_events(calendar, markets),
    }
    rates = _win_rates(calendar, markets, options.confidence)
    return {
        int(wallet): TrackRecord(
            win_rate=rates[place],
            **{name: known(values[place]) for name, values in columns.items()},
        )
        for place, wallet in enumerate(calendar.wallet)
    }


def _span(day: IntArray, wallet: IntArray, wallets: int) -> tuple[IntArray, IntArray]:
    first = np.full(wallets, NEVER_S, dtype=np.int64)
    last = np.full(wallets, -1, dtype=np.int64)
    np.minimum.at(first, wallet, day)
    np.maximum.at(last, wallet, day)
    return np.where(last < 0, 0, first), last


def _at_stake(pairs: Pairs, when: IntArray, wallet: int) -> float:
    """The most dollars that a wallet had in markets entered and not yet settled."""
    own = pairs.only(pairs.wallet == wallet)
    times = np.concatenate([own.first_s, when[own.market]])
    moves = np.concatenate([own.paid, -own.paid])
    # What settles in a second can be staked again in it.
    order = np.lexsort((moves, times))
    # One bet at least was open at some time, whatever rounding leaves of the sums.
    return max(float(np.cumsum(moves[order]).max()), float(own.paid.max()))


def _favourite_profit(trades: Trades, markets: Markets, pairs: Pairs) -> FloatArray:
    """What a market's dollars had made on the favourite at the wallet's first purchase in it."""
    bought = trades.only(trades.is_buy)
    size = len(markets.slug)
    keys, places = np.unique(bought.wallet * size + bought.market, return_index=True)
    place = places[np.searchsorted(keys, pairs.wallet * size + pairs.market)]
    first = np.where(bought.outcome[place] == 0, bought.price[place], 1 - bought.price[place])
    pays = markets.values(markets.main_results)[pairs.market]
    is_first = first >= 0.5
    price = np.where(is_first, first, 1 - first)
    return np.asarray(pairs.paid * (np.where(is_first, pays, 1 - pays) / price - 1))


def _days_of(calendar: Calendar, returns: Ragged) -> IntArray:
    place = np.arange(len(returns.values)) - returns.offsets[:-1][returns.labels]
    return np.asarray(calendar.first[returns.labels] + place, np.int64)


def _effective_events(calendar: Calendar, markets: Markets) -> FloatArray:
    """1 / Herfindahl of the dollars by event: how many equal events the money was in."""
    pairs, size = calendar.pairs, int(markets.event.max(initial=0)) + 1
    keys, label = np.unique(pairs.wallet * size + markets.event[pairs.market], return_inverse=True)
    dollars = sums_by(label.ravel(), pairs.paid, len(keys))
    column = np.searchsorted(calendar.wallet, keys // size)
    return effective_number(Ragged.by(column, dollars, len(calendar.wallet)))


def _win_rates(calendar: Calendar, markets: Markets, confidence: float) -> list[Range]:
    """Share of markets in profit, shrunk towards how often such markets of its categories are."""
    pairs, count = calendar.pairs, len(calendar.wallet)
    names, category = np.unique(markets.category[pairs.market], return_inverse=True)
    category = category.ravel()
    is_won = (pairs.profit > 0).astype(np.float64)
    rates = category_base_rates(is_won, np.ones_like(is_won), category, len(names))
    column = np.searchsorted(calendar.wallet, pairs.wallet)
    tried = sums_by(column, np.ones_like(is_won), count)
    base = divided(sums_by(column, rates[category], count), tried)
    found = posterior_win_rate(sums_by(column, is_won, count), tried, base, confidence=confidence)
    return [
        Range(value=float(mean), lower=float(low), upper=float(high))
        for mean, low, high in zip(found.mean, found.lower, found.upper, strict=True)
    ]
