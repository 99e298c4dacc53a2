"""When a wallet's edge changed, if it did: in hindsight, and as detectors would have told then.

Owns the series: the edge a share of each settled market, the market's bets counting as in the
verdict, in the order of results. The detectors are quant's, set to alarm falsely about once in
500 markets; what "as usual" means they learn from the first markets and alarm on nothing before.
Called by `run`.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.evidence.bets import settled_bets
from whaletrader.lab.evidence.description import Turns
from whaletrader.lab.evidence.estimates import known
from whaletrader.lab.evidence.markets import NEVER_S, Markets, Trades
from whaletrader.lab.evidence.record import settled_s
from whaletrader.quant.change import adwin, cusum, page_hinkley
from whaletrader.quant.change.breaks import VALUES_MAX, breaks
from whaletrader.quant.edge import counted_once
from whaletrader.quant.ragged import sums_by

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Below this a break is two handfuls of markets held against each other.
MARKETS_MIN: Final = 30
LEARNT: Final = 20
BETWEEN_FALSE_ALARMS: Final = 500.0
SLACK: Final = 0.5


def turns_of(trades: Trades, markets: Markets) -> dict[int, Turns]:
    """Return the turns of every wallet with MARKETS_MIN settled markets, by wallet."""
    threshold = cusum.calibrated_threshold(SLACK, BETWEEN_FALSE_ALARMS)
    return {
        wallet: _turns(edges, days, threshold) for wallet, edges, days in _series(trades, markets)
    }


def _series(trades: Trades, markets: Markets) -> Iterator[tuple[int, FloatArray, IntArray]]:
    """Each wallet's edges a market and the seconds of their results, the newest VALUES_MAX."""
    bets = counted_once(settled_bets(trades, markets, markets.main_results))
    size = len(markets.slug)
    keys, label = np.unique(bets.wallet * size + bets.market, return_inverse=True)
    label = label.ravel()
    weight = sums_by(label, bets.weight, len(keys))
    gain = sums_by(label, bets.weight * bets.edge, len(keys))
    when = settled_s(trades, markets)[keys % size]
    is_used = (weight > 0) & (when < NEVER_S)
    keys, edge, when = keys[is_used], gain[is_used] / weight[is_used], when[is_used]
    order = np.lexsort((keys, when, keys // size))
    owners = (keys // size)[order]
    for places in np.split(order, np.flatnonzero(np.diff(owners)) + 1):
        if len(places) >= MARKETS_MIN:
            kept = places[-VALUES_MAX:]
            yield int(keys[kept[0]] // size), edge[kept], when[kept]


def _turns(edges: FloatArray, when: IntArray, threshold: float) -> Turns:
    found = breaks(edges)
    usual = edges[:LEARNT]
    spread = float(usual.std(ddof=1))
    # Equal edges have no usual spread: a cent a share stands in for it.
    deviation = max(spread, 0.01)
    falls = {
        "cusum": _fall(_by_cusum(edges, float(usual.mean()), deviation, threshold)),
        "page_hinkley": _fall(_by_page_hinkley(edges, deviation, threshold)),
        "adwin": _fall(_by_adwin(edges)),
    }
    return Turns(
        markets=len(edges),
        breaks=[_day(when[place]) for place in found.positions],
        sup_f=known(found.sup_f),
        **{name: None if place is None else _day(when[place]) for name, place in falls.items()},
    )


def _by_cusum(
    edges: FloatArray, target: float, deviation: float, threshold: float
) -> Iterator[int]:
    options = cusum.CusumOptions(target, deviation, SLACK, threshold)
    state = cusum.Cusum()
    for place, edge in enumerate(edges):
        if place >= LEARNT:
            state = cusum.updated(state, float(edge), options)
        yield cusum.signal(state, options)


def _by_page_hinkley(edges: FloatArray, deviation: float, threshold: float) -> Iterator[int]:
    options = page_hinkley.PageHinkleyOptions(
        SLACK * deviation, threshold * deviation, count_min=LEARNT
    )
    state = page_hinkley.PageHinkley()
    for edge in edges:
        state = page_hinkley.updated(state, float(edge), options)
        yield page_hinkley.drift(state, options)


def _by_adwin(edges: FloatArray) -> Iterator[int]:
    state = adwin.Adwin()
    for edge in edges:
        step = adwin.updated(state, float(edge))
        state = step.state
        yield step.change


def _fall(told: Iterator[int]) -> int | None:
    """The place of the first fall; a rise is no alarm, and stops nothing."""
    return next((place for place, direction in enumerate(told) if direction < 0), None)


def _day(at_s: int) -> str:
    return dt.datetime.fromtimestamp(int(at_s), dt.UTC).date().isoformat()
