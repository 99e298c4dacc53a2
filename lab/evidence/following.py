"""What following these wallets would have earned, and what else the same dollars could have done.

Owns the samples of the copier's part: `followed` are the best by their first half, copied after
their cut only, so nobody is chosen by what he earned there; `everyone` is all purchases of all
wallets, who were picked as winners before we saw them. Baselines spend the same dollars at the
same prints. Called by `run`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from whaletrader.lab.evidence import copying
from whaletrader.lab.evidence.copying import Copier, Copies, Way
from whaletrader.lab.evidence.estimates import weighted_mean
from whaletrader.lab.evidence.evidence import Baseline, Copy, Estimate, RandomWallets
from whaletrader.lab.evidence.evidence import Copier as CopierEvidence
from whaletrader.lab.evidence.halves import Cut, Halves
from whaletrader.lab.evidence.markets import KNOWN, MARKED, NEVER_S, Markets, Trades
from whaletrader.lab.evidence.options import StudyOptions
from whaletrader.lab.evidence.signals import Signals, signals_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FOLLOWED, EVERYONE = "followed", "everyone"
FIRST, EVERY = "first", "every"
DOLLAR, SHARE = "dollar", "share"


@dataclass(frozen=True)
class Sample:
    """Whose purchases are copied, which of them, with which stake."""

    name: str
    signals: Signals
    which: str = FIRST
    # A dollar a signal, or a share a signal: dear signals then weigh more than cheap ones.
    stake: str = DOLLAR


class Following:
    """The copier's part of the study on one folder."""

    def __init__(
        self, trades: Trades, markets: Markets, options: StudyOptions, names: list[str]
    ) -> None:
        self._markets, self._options, self._names = markets, options, names
        self._copier = Copier(trades, markets)
        self._purchases = signals_of(trades, is_buy=True)

    def study(self, halves: Halves, cut: Cut, tell: Callable[[int, int], None]) -> CopierEvidence:
        """Return the copier's result with its variants and baselines."""
        options = self._options
        wallets = np.sort(halves.best(options.followed_share))
        later = self._later(cut, halves.wallet)
        followed = Sample(FOLLOWED, later.only(np.isin(later.wallet, wallets)))
        everyone = Sample(EVERYONE, self._purchases)
        way = Way(
            options.delay_s,
            options.slippage,
            options.patience_s,
            results=self._markets.main_results,
            price_least=options.price_least,
            price_most=options.price_most,
        )
        copies = self._copier.copy(self._picked(followed), way)
        variants = self._variants(followed, everyone, way)
        delays = sorted({*options.delays_s, options.delay_s})
        grid = list(product((followed, everyone), (copying.ANY, copying.OTHERS), delays))
        tell(0, len(grid))
        by_delay = [
            self._copy(sample, replace(way, prints=prints, delay_s=delay_s))
            for sample, prints, delay_s in grid
        ]
        tell(len(grid), len(grid))
        return CopierEvidence(
            followed_wallets=[self._names[wallet] for wallet in wallets],
            main=self._told(followed, way, copies),
            everyone=self._copy(everyone, way),
            baselines=self._baselines(copies),
            random_wallets=self._random_wallets(later, halves.wallet, wallets, way),
            by_delay=by_delay,
            variants=variants,
        )

    def _later(self, cut: Cut, eligible: IntArray) -> Signals:
        """Purchases after the cut, of wallets that have one."""
        found = self._purchases
        moment = cut.at_s[found.wallet]
        is_later = (found.at_s >= moment) & (moment < NEVER_S)
        return found.only(is_later & np.isin(found.wallet, eligible))

    def _variants(self, followed: Sample, everyone: Sample, way: Way) -> list[Copy]:
        ways = (
            replace(way, prints=copying.OTHERS),
            replace(way, fees=copying.TODAY),
            replace(way, fees=copying.NONE, slippage=0.0),
            replace(way, slippage=2 * way.slippage),
            replace(way, exits=copying.FOLLOW),
            replace(way, price_least=0.0, price_most=1.0),
            *(replace(way, results=other) for other in (KNOWN, MARKED) if other != way.results),
        )
        found = []
        for sample in (followed, everyone):
            others = (
                replace(sample, which=EVERY),
                replace(sample, stake=SHARE),
            )
            found += [self._copy(sample, other) for other in ways]
            found += [self._copy(other, way) for other in others]
        return found

    def _copy(self, sample: Sample, way: Way) -> Copy:
        return self._told(sample, way, self._copier.copy(self._picked(sample), way))

    def _picked(self, sample: Sample) -> Signals:
        found = sample.signals
        return found.only(found.is_first) if sample.which == FIRST else found

    def _told(self, sample: Sample, way: Way, copies: Copies) -> Copy:
        filled = copies.is_filled
        waits = (copies.entry_s - copies.signals.at_s)[filled]
        return Copy(
            sample=sample.name,
            prints=way.prints,
            signals=sample.which,
            fees=way.fees,
            exits=way.exits,
            stake=sample.stake,
            results=way.results,
            delay_s=way.delay_s,
            slippage=way.slippage,
            price_least=way.price_least,
            price_most=way.price_most,
            per_dollar=self._mean(copies, copies.gain, stake=sample.stake),
            per_dollar_by_event=self._mean(
                copies, copies.gain, stake=sample.stake, is_by_event=True
            ),
            offered=int(copies.is_offered.sum()),
            filled=int(filled.sum()),
            own_prints_share=_share(copies.is_own_print[filled]),
            median_wait_s=float(np.median(waits)) if len(waits) else np.nan,
        )

    def _mean(
        self,
        copies: Copies,
        gains: FloatArray,
        *,
        stake: str = DOLLAR,
        is_by_event: bool = False,
    ) -> Estimate:
        filled = copies.is_filled
        market = copies.signals.market[filled]
        clusters = self._markets.event[market] if is_by_event else market
        values = gains[filled]
        dollars = copies.cost[filled] if stake == SHARE else np.ones_like(values)
        return weighted_mean(values, dollars, clusters, self._options.confidence)

    def _baselines(self, copies: Copies) -> list[Baseline]:
        return [
            Baseline(
                name=name,
                per_dollar=self._mean(copies, gains),
                copier_less_baseline=self._mean(copies, copies.gain - gains),
            )
            for name, gains in (
                ("favourite", copies.favourite_gain),
                ("coin", copies.coin_gain),
            )
        ]

    def _random_wallets(
        self, later: Signals, eligible: IntArray, followed: IntArray, way: Way
    ) -> RandomWallets:
        """Copy as many wallets as are followed, drawn by lot from all that could have been."""
        copies = self._copier.copy(self._picked(Sample(EVERYONE, later)), way)
        wallet, gain = copies.signals.wallet[copies.is_filled], copies.gain[copies.is_filled]
        size = len(self._names)
        gains = np.bincount(wallet, weights=gain, minlength=size)[eligible]
        counts = np.bincount(wallet, minlength=size)[eligible]
        random = np.random.default_rng(self._options.seed)
        lots = random.random((self._options.draws, len(eligible)))
        picked = np.argsort(lots, axis=1, kind="stable")[:, : len(followed)]
        dollars = counts[picked].sum(axis=1)
        drawn = gains[picked].sum(axis=1)[dollars > 0] / dollars[dollars > 0]
        is_followed = np.isin(eligible, followed)
        spent = counts[is_followed].sum()
        own = gains[is_followed].sum() / spent if spent else np.nan
        tail = (1 - self._options.confidence) / 2
        lower, upper = np.quantile(drawn, (tail, 1 - tail)) if len(drawn) else (np.nan, np.nan)
        return RandomWallets(
            draws=len(drawn),
            wallets=len(followed),
            of_wallets=len(eligible),
            mean=float(drawn.mean()) if len(drawn) else np.nan,
            lower=float(lower),
            upper=float(upper),
            share_at_least_as_good=_share(drawn >= own),
        )


def _share(mask: BoolArray) -> float:
    return float(mask.mean()) if len(mask) else np.nan
