"""Persistence: does what a wallet did in its first half say what it earns in its second?

Owns the split. Each wallet's settled markets, in the order in which it entered them, are cut in
the middle; the moment of the cut is its entry into the first market of the second half. The first
half is valued on what was known at that moment, so a result that came later does not count; the
second half is what the ledger says was earned there, after fees. A split of all wallets on one
day is given beside it. Called by `run`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from whaletrader.lab.evidence.bets import ValuesThen, bets_of
from whaletrader.lab.evidence.estimates import weighted_mean
from whaletrader.lab.evidence.evidence import Estimate, Half, Persistence
from whaletrader.lab.evidence.markets import NEVER_S, Markets, Trades
from whaletrader.lab.evidence.options import StudyOptions
from whaletrader.lab.evidence.pairs import Pairs
from whaletrader.quant.edge import wallet_edges
from whaletrader.quant.permutation import two_sample_test
from whaletrader.quant.persistence import (
    persistence_regression,
    rank_correlation,
    winners_and_losers,
)
from whaletrader.quant.ragged import sums_by

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

DECILE: Final = 0.10
QUINTILE: Final = 0.20
# Below this a rank correlation says nothing, whatever it is.
WALLETS_MIN: Final = 8


@dataclass(frozen=True)
class Cut:
    """Where each wallet's record is cut: arrays (wallets,); NEVER_S where it is too short."""

    at_s: IntArray

    @property
    def wallets(self) -> IntArray:
        """The wallets that have two halves."""
        return np.flatnonzero(self.at_s < NEVER_S)


@dataclass(frozen=True)
class Halves:
    """Both halves of the wallets that have them; arrays (halves,), pairs of the second half."""

    wallet: IntArray
    # Edge a share, and the lower end of its interval: the ranking of whoever has to choose.
    first_edge: FloatArray
    first_lower: FloatArray
    second_profit: FloatArray
    second_paid: FloatArray
    pairs: Pairs

    @property
    def per_dollar(self) -> FloatArray:
        return np.asarray(self.second_profit / self.second_paid)

    def best(self, share: float) -> IntArray:
        """Return the wallets of the best share by their first half, at least one."""
        count = max(1, round(share * len(self.wallet)))
        order = np.lexsort((self.wallet, -self.first_lower))
        return self.wallet[order[:count]]

    def of(self, wallets: IntArray, confidence: float) -> Estimate:
        """Return these wallets' profit on each dollar of the second half, clustered by market."""
        kept = self.pairs.only(np.isin(self.pairs.wallet, wallets))
        return weighted_mean(kept.profit / kept.paid, kept.paid, kept.market, confidence)


def own_cut(pairs: Pairs, is_counted: BoolArray, wallets: int, markets_min: int) -> Cut:
    """Cut each wallet in the middle of its counted markets, `markets_min` on either side."""
    settled = pairs.only(is_counted[pairs.market])
    at_s = np.full(wallets, NEVER_S, dtype=np.int64)
    # Pairs stand by wallet, then by their first row.
    bounds = np.searchsorted(settled.wallet, np.arange(wallets + 1))
    for wallet in range(wallets):
        entries = settled.first_s[bounds[wallet] : bounds[wallet + 1]]
        middle = len(entries) // 2
        # Markets entered in the second of the cut belong to the second half.
        before = int((entries < entries[middle]).sum()) if len(entries) else 0
        if before >= markets_min and len(entries) - before >= markets_min:
            at_s[wallet] = entries[middle]
    return Cut(at_s)


def calendar_cut(pairs: Pairs, is_counted: BoolArray, at_s: int, sizes: tuple[int, int]) -> Cut:
    """Cut all on one moment; `sizes` are (wallets, markets_min)."""
    wallets, markets_min = sizes
    settled = pairs.only(is_counted[pairs.market])
    before = np.bincount(settled.wallet[settled.first_s < at_s], minlength=wallets)
    after = np.bincount(settled.wallet[settled.first_s >= at_s], minlength=wallets)
    has_both = (before >= markets_min) & (after >= markets_min)
    return Cut(np.where(has_both, at_s, NEVER_S).astype(np.int64))


def split(trades: Trades, pairs: Pairs, markets: Markets, cut: Cut, results: str) -> Halves:
    """Return both halves of every wallet that the cut leaves with two."""
    wallets = len(cut.at_s)
    is_counted = np.isfinite(markets.values(results))
    first = trades.only(
        (trades.at_s < cut.at_s[trades.wallet])
        & (cut.at_s[trades.wallet] < NEVER_S)
        & is_counted[trades.market]
    )
    values = ValuesThen.of(trades, markets).at(first.market, cut.at_s[first.wallet])
    edges = wallet_edges(bets_of(first, markets, values), wallets)
    second = pairs.only(
        is_counted[pairs.market]
        & pairs.is_whole
        & (pairs.paid > 0)
        & (pairs.first_s >= cut.at_s[pairs.wallet])
    )
    profit = sums_by(second.wallet, second.profit, wallets)
    paid = sums_by(second.wallet, second.paid, wallets)
    kept = np.flatnonzero((paid > 0) & np.isfinite(edges.lower))
    return Halves(kept, edges.edge[kept], edges.lower[kept], profit[kept], paid[kept], second)


def correlation(first: FloatArray, second: FloatArray, options: StudyOptions) -> Estimate:
    """Return Spearman's rank correlation of two halves, its interval by the BCa bootstrap.

    Wallets are resampled (Efron 1987, "Better bootstrap confidence intervals"; scipy's).
    """
    drawn = stats.bootstrap(
        (first, second),
        rank_correlation,
        paired=True,
        vectorized=False,
        n_resamples=options.draws,
        confidence_level=options.confidence,
        rng=np.random.default_rng(options.seed),
    ).confidence_interval
    return Estimate(
        value=rank_correlation(first, second),
        lower=float(drawn.low),
        upper=float(drawn.high),
        observations=len(first),
        clusters=len(first),
    )


def persistence_of(
    halves: Halves, results: str, options: StudyOptions, names: list[str]
) -> Persistence | None:
    """Return what the first halves say of the second; None with too few wallets to ask."""
    count = len(halves.wallet)
    if count < WALLETS_MIN:
        return None
    later = halves.per_dollar
    found = persistence_regression(
        halves.first_lower, later, None, options.draws, random=np.random.default_rng(options.seed)
    )
    best = halves.best(QUINTILE)
    rest = np.setdiff1d(halves.wallet, best)
    followed = halves.best(options.followed_share)
    is_best = np.isin(halves.wallet, best)
    table, winners_z = winners_and_losers(halves.first_lower, later)
    return Persistence(
        results=results,
        wallets=count,
        rank_correlation=correlation(halves.first_lower, later, options),
        rank_p_value=found.rank_p_value,
        rank_correlation_of_edges=correlation(halves.first_edge, later, options),
        slope=found.slope,
        slope_p_value=found.p_value,
        quintile=halves.of(best, options.confidence),
        quintile_wallets=len(best),
        decile=halves.of(halves.best(DECILE), options.confidence),
        decile_wallets=len(halves.best(DECILE)),
        rest=halves.of(rest, options.confidence),
        quintile_p_value=two_sample_test(
            later[is_best], later[~is_best], options.draws, np.random.default_rng(options.seed)
        ),
        winners=table.tolist(),
        winners_z=winners_z,
        halves=[
            Half(
                wallet=names[wallet],
                first_edge=float(halves.first_edge[place]),
                first_lower=float(halves.first_lower[place]),
                second_profit_per_dollar=float(later[place]),
                second_dollars=float(halves.second_paid[place]),
                is_followed=bool(wallet in followed),
            )
            for place, wallet in enumerate(halves.wallet.tolist())
        ],
    )
