"""The wallets among each other: the best of them, who is alike, and how fast the choice fades.

Owns what one wallet alone cannot say: corrections for how many were tried, the best of all against
chance (White's and Hansen's tests), the decay of the first half's ranking, pairs in the same
markets, wallets whose results or habits go together, and round trips that only paid fees. None of
it enters the verdict. Sources of funds and counterparties are not in the folder, so shared hands
are told by habits alone, and wash trades not at all. Called by `run`.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.detectors.hands import WALLETS_MAX, behaviour, cluster_wallets
from whaletrader.lab.evidence.description import (
    BestOfAll,
    Closest,
    Correction,
    Crowd,
    Fading,
    SharedMarkets,
)
from whaletrader.lab.evidence.estimates import known
from whaletrader.lab.evidence.evidence import WalletSkill
from whaletrader.lab.evidence.fees import terms_today
from whaletrader.lab.evidence.halves import Cut, Halves
from whaletrader.lab.evidence.markets import Markets, Trades
from whaletrader.lab.evidence.options import StudyOptions
from whaletrader.lab.evidence.record import DAY_S, Calendar
from whaletrader.quant import multiple_testing
from whaletrader.quant.data_snooping import reality_check
from whaletrader.quant.information import ic_half_life, information_coefficient
from whaletrader.quant.ragged import Ragged
from whaletrader.quant.rescoring import best_of_all, common_block_length
from whaletrader.quant.risk.correlation import correlation_of, ewma_covariance
from whaletrader.quant.surveillance.churn import Trades as ChurnTrades
from whaletrader.quant.surveillance.churn import find_churn
from whaletrader.quant.together.hierarchy import hierarchy
from whaletrader.quant.together.mfdcca import SCALE_MIN, dcca_coefficient, mfdcca
from whaletrader.quant.together.overlap import overlaps

IntArray = NDArray[np.int64]

# Parts of the second half whose order the first half is held against, and wallets it takes.
THIRDS: Final = 3
WALLETS_MIN: Final = 8
# Days with a result that a correlation needs, and how high it is in the mean of a group.
DAYS_MIN: Final = 10
CORRELATION_MIN: Final = 0.5
# A correlation of a few days is noise: a day counts half after so many.
HALF_LIFE_DAYS: Final = 60.0
# Orders of the joint fluctuations: the second is the usual one.
ORDERS: Final = (-2.0, 0.0, 2.0)
PAIRS_SHOWN_MAX: Final = 20
# Two wallets in one market say nothing; habits need some trades.
SHARED_MIN: Final = 3
TRADES_MIN: Final = 20


def crowd_of(
    tables: tuple[Trades, Markets, Calendar],
    skills: Sequence[WalletSkill],
    fading: Fading | None,
    options: StudyOptions,
    names: list[str],
) -> Crowd:
    """Return what the wallets are to each other; `names` by wallet code."""
    trades, markets, calendar = tables
    tested, together, shown = _shared(trades, options.discovery_rate, names)
    groups, closest = _moving(calendar, names)
    return Crowd(
        corrections=_corrections(skills, options.discovery_rate),
        best_of_all=_best(calendar, options, names),
        fading=fading,
        pairs_tested=tested,
        pairs_together=together,
        shared_markets=shown,
        moving_together=groups,
        closest=closest,
        alike=_alike(trades, names),
        churning=_churning(trades, markets, names),
    )


def fading_of(halves: Halves, cut: Cut) -> Fading | None:
    """Hold the ranking at the cut against each third of what followed; None with few wallets."""
    pairs, rank = halves.pairs, dict(zip(halves.wallet.tolist(), halves.first_lower, strict=True))
    ranked, later, waits = [], [], []
    for wallet, lower in rank.items():
        own = pairs.only(pairs.wallet == wallet)
        if len(own.paid) < THIRDS:
            continue
        parts = np.array_split(np.argsort(own.first_s, kind="stable"), THIRDS)
        ranked.append(float(lower))
        later.append([own.profit[part].sum() / own.paid[part].sum() for part in parts])
        waits.append([(own.first_s[part] - cut.at_s[wallet]).mean() / DAY_S for part in parts])
    if len(ranked) < WALLETS_MIN:
        return None
    horizons = np.median(np.array(waits), axis=0)
    found = information_coefficient(
        Ragged.of([ranked] * THIRDS), Ragged.of(list(np.array(later).T))
    )
    decay = ic_half_life(found, horizons)
    return Fading(
        horizon_days=horizons.tolist(),
        information_coefficient=[known(one) for one in found],
        wallets=len(ranked),
        half_life_days=known(decay.half_life),
    )


def _corrections(skills: Sequence[WalletSkill], rate: float) -> list[Correction]:
    p_values = np.array([it.p_value for it in skills if it.p_value is not None], dtype=np.float64)
    if not len(p_values):
        return []
    adjusted = {
        "none": p_values,
        "Benjamini-Hochberg": multiple_testing.benjamini_hochberg(p_values),
        "Benjamini-Yekutieli": multiple_testing.benjamini_yekutieli(p_values),
        "Holm": multiple_testing.holm(p_values),
        "Bonferroni": multiple_testing.bonferroni(p_values),
    }
    return [
        Correction(name=name, passing=int((values <= rate).sum()), least=float(values.min()))
        for name, values in adjusted.items()
    ]


def _best(calendar: Calendar, options: StudyOptions, names: list[str]) -> BestOfAll | None:
    profit = calendar.profit
    length = common_block_length(profit)
    random = np.random.default_rng(options.seed)
    spa = best_of_all(profit, options.draws, length, random)
    if spa is None:
        return None
    return BestOfAll(
        wallets=profit.shape[1],
        days=len(profit),
        block_length_days=length,
        reality_check_p=reality_check(profit, options.draws, length, random),
        spa_p=spa.consistent,
        spa_p_lower=spa.lower,
        spa_p_upper=spa.upper,
        best=names[int(calendar.wallet[spa.best])],
    )


def _shared(trades: Trades, rate: float, names: list[str]) -> tuple[int, int, list[SharedMarkets]]:
    """Pairs tried, pairs that chance does not explain, and the closest of those."""
    found = overlaps(trades.wallet, trades.market)
    # Pairs without a common market were tried, too; their p-value is 1.
    p_values = np.concatenate([found.p_value, np.ones(found.tested - len(found.p_value))])
    q_values = multiple_testing.benjamini_hochberg(p_values)[: len(found.p_value)]
    told = np.flatnonzero((q_values <= rate) & (found.shared >= SHARED_MIN))
    closest = told[np.lexsort((told, -found.jaccard[told]))][:PAIRS_SHOWN_MAX]
    return (
        found.tested,
        len(told),
        [
            SharedMarkets(
                first=names[found.first[one]],
                second=names[found.second[one]],
                shared=int(found.shared[one]),
                jaccard=float(found.jaccard[one]),
                overlap=float(found.overlap[one]),
                q_value=float(q_values[one]),
            )
            for one in closest
        ],
    )


def _moving(calendar: Calendar, names: list[str]) -> tuple[list[list[str]], Closest | None]:
    """Groups of wallets whose daily results move together, by the tree of their correlations."""
    moved = np.flatnonzero((calendar.profit != 0).sum(axis=0) >= DAYS_MIN)
    if len(moved) < 2:
        return [], None
    covariance = ewma_covariance(calendar.profit[:, moved], 0.5 ** (1 / HALF_LIFE_DAYS))
    correlation = correlation_of(covariance)
    found = hierarchy(correlation, CORRELATION_MIN)
    groups = _groups(found.clusters, calendar.wallet[moved], names)
    apart = np.where(np.eye(len(moved), dtype=bool), -2.0, correlation)
    one, other = np.unravel_index(int(np.argmax(apart)), apart.shape)
    pair = (int(moved[one]), int(moved[other]))
    return groups, _closest(calendar, pair, float(apart[one, other]), names)


def _closest(
    calendar: Calendar, pair: tuple[int, int], correlation: float, names: list[str]
) -> Closest | None:
    """How two wallets go together over spans of days; None where both hardly ever have results."""
    first_day = min(calendar.first[column] for column in pair)
    last_day = max(calendar.last[column] for column in pair)
    one, other = (calendar.profit[first_day : last_day + 1, column] for column in pair)
    scales = [SCALE_MIN * 2**step for step in range(8) if SCALE_MIN * 2**step <= len(one) // 4]
    try:
        found = mfdcca(one, other, scales, ORDERS) if len(scales) > 1 else None
        coefficients = dcca_coefficient(one, other, scales)
    except ValueError:
        return None  # Too few days, or days on which only one of them had a result.
    return Closest(
        first=names[calendar.wallet[pair[0]]],
        second=names[calendar.wallet[pair[1]]],
        correlation=correlation,
        scale_days=scales,
        coefficients=coefficients.tolist(),
        hurst=float(found.hurst[ORDERS.index(2.0)]) if found else None,
        width=found.width if found else None,
    )


def _alike(trades: Trades, names: list[str]) -> list[list[str]]:
    """Groups of wallets with one set of habits: sizes, prices, hours, pauses."""
    counts = np.bincount(trades.wallet[trades.usdc > 0], minlength=len(names))
    chosen = np.flatnonzero(counts >= TRADES_MIN)[:WALLETS_MAX]
    if not len(chosen):
        return []
    kept = trades.only(np.isin(trades.wallet, chosen) & (trades.usdc > 0))
    features = behaviour(
        np.searchsorted(chosen, kept.wallet), kept.at_s.astype(np.float64), kept.usdc, kept.price
    )
    unknown = np.full(len(chosen), -1, dtype=np.int64)
    return _groups(cluster_wallets(features, unknown).labels, chosen, names)


def _churning(trades: Trades, markets: Markets, names: list[str]) -> list[str]:
    """Wallets whose volume is round trips that earn no more than today's taker fee."""
    terms = terms_today(markets.category[trades.market])
    found = find_churn(
        ChurnTrades(
            wallet=trades.wallet,
            token=2 * trades.market + trades.outcome,
            size=np.where(trades.is_buy, trades.size, -trades.size),
            price=trades.price,
            fee=terms.per_share(trades.price) * trades.size,
            time_s=trades.at_s.astype(np.float64),
        )
    )
    return [names[one.wallet] for one in found if one.is_churn]


def _groups(labels: IntArray, wallets: IntArray, names: list[str]) -> list[list[str]]:
    """Wallets by label, groups of two and more, in the order of their first."""
    return [
        [names[wallet] for wallet in wallets[labels == label]]
        for label in dict.fromkeys(labels[labels >= 0].tolist())
        if np.count_nonzero(labels == label) > 1
    ]
