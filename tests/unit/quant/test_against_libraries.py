"""docs/published-numbers.md, "Against libraries": the same input to a library and to ours.

Each row is computed twice here; the document must show both figures, and they must agree.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from arch.bootstrap import SPA, StationaryBootstrap
from arch.bootstrap import optimal_block_length as arch_block_length
from scipy import signal, stats
from sklearn.metrics import brier_score_loss
from statsmodels.stats.multitest import multipletests

from whaletrader.quant.calibration import brier
from whaletrader.quant.cluster_errors import ols
from whaletrader.quant.data_snooping import bootstrap_variance, superior_predictive_ability
from whaletrader.quant.edge import Bets
from whaletrader.quant.fair_price import fair_price_p
from whaletrader.quant.multiple_testing import benjamini_hochberg, benjamini_yekutieli, holm
from whaletrader.quant.permutation import sign_flip_test, two_sample_test
from whaletrader.quant.persistence import rank_correlation
from whaletrader.quant.ragged import Floats, Ragged
from whaletrader.quant.resampling import optimal_block_length, stationary_counts
from whaletrader.quant.rolling import decayed_mean
from whaletrader.quant.sharpe_inference import sharpe_moments

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "published-numbers.md"
P_VALUES = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]

Pair = tuple[float, float]


def autoregression(seed: int = 2, periods: int = 800) -> Floats:
    noise = np.random.default_rng(seed).standard_normal(periods)
    return np.asarray(signal.lfilter([1], [1, -0.5], noise))


def block_length() -> Pair:
    series = autoregression()
    theirs = arch_block_length(series)["stationary"].iloc[0]
    return float(theirs), float(optimal_block_length(series).stationary[0])


def bootstrap_error() -> Pair:
    series = autoregression()
    theirs = StationaryBootstrap(8, series, seed=5)
    drawn = theirs.apply(np.mean, 2_000)
    counts = stationary_counts(len(series), 2_000, 8, np.random.default_rng(5))
    return float(drawn.std()), float((series @ counts / len(series)).std())


def spa(which: str) -> Pair:
    random = np.random.default_rng(5)
    gains = random.normal(-0.02, 1, (400, 20)) * random.uniform(0.5, 2, 20)
    gains[:, 3] += 0.12
    # arch does not studentise what it compares; with every variance at 1 there is no difference.
    gains /= np.sqrt(bootstrap_variance(gains, 5))
    theirs = SPA(np.zeros(400), -gains, block_size=5, reps=2_000, seed=3)
    theirs.compute()
    ours = superior_predictive_ability(gains, 2_000, 5, np.random.default_rng(3))
    return float(theirs.pvalues[which]), float(getattr(ours, which))


def clustered(is_two_way: bool) -> Pair:
    table = sm.datasets.grunfeld.load_pandas().data
    firm = np.unique(table["firm"], return_inverse=True)[1]
    year = table["year"].to_numpy().astype(int)
    design = sm.add_constant(table[["value", "capital"]].to_numpy())
    groups = np.column_stack([firm, year]) if is_two_way else firm
    theirs = sm.OLS(table["invest"].to_numpy(), design).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True}
    )
    ours = ols(design, table["invest"], firm, year if is_two_way else None)
    return float(theirs.bse[1]), float(ours.errors[1])


def flipped_signs() -> Pair:
    values = np.random.default_rng(8).normal(0.4, 1, 12)
    # All 4,096 flips, by scipy; ours draws 20,000.
    theirs = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative="greater", n_resamples=10_000
    )
    ours = sign_flip_test(Ragged.of([values]), 20_000, np.random.default_rng(1))
    return float(theirs.pvalue), float(ours[0])


def shuffled_samples() -> Pair:
    random = np.random.default_rng(9)
    first, second = random.normal(0.5, 1, 8), random.normal(0, 1, 9)
    theirs = stats.permutation_test(
        (first, second),
        lambda x, y: np.mean(x) - np.mean(y),
        alternative="greater",
        n_resamples=25_000,
    )
    return float(theirs.pvalue), two_sample_test(first, second, 40_000, np.random.default_rng(2))


def longshots(wins: int, bets: int, price: float) -> Pair:
    codes = np.arange(bets)
    columns = (codes * 0, codes, codes, codes >= 0, codes * 0.0 + price)
    found = fair_price_p(Bets(*columns, (codes < wins) * 1.0, codes * 0.0 + 1), 1)
    return float(stats.binom.sf(wins - 1, bets, price)), float(found.p_value[0])


def brier_score() -> Pair:
    random = np.random.default_rng(4)
    chance = random.random(500)
    came = random.random(500) < chance
    return float(brier_score_loss(came, chance)), brier(chance, came).score


def decayed() -> Pair:
    values = np.random.default_rng(6).normal(size=50)
    ages = np.arange(50)[::-1] * 3.0
    days = pd.Timestamp("2026-01-01") - pd.to_timedelta(ages, unit="D")
    theirs = pd.Series(values).ewm(halflife="60 days", times=days).mean().iloc[-1]
    return float(theirs), float(decayed_mean(Ragged.of([values]), ages)[0])


def shape(name: str) -> Pair:
    values = np.random.default_rng(7).gamma(2, 1, 300)
    theirs = stats.skew(values) if name == "skewness" else stats.kurtosis(values, fisher=False)
    return float(theirs), float(getattr(sharpe_moments(Ragged.of([values])), name)[0])


def spearman() -> Pair:
    random = np.random.default_rng(3)
    first = np.round(random.normal(size=80), 1)
    second = np.round(first + random.normal(size=80), 1)
    return float(stats.spearmanr(first, second).statistic), rank_correlation(first, second)


PAIRS: dict[str, Callable[[], Pair]] = {
    "Block length of an AR(1) with 0.5, 800 periods": block_length,
    "Stationary bootstrap's error of its mean": bootstrap_error,
    "SPA, consistent p-value, 20 models": lambda: spa("consistent"),
    "SPA, lower p-value": lambda: spa("lower"),
    "Grunfeld data, error clustered by firm": lambda: clustered(False),
    "Grunfeld data, error by firm and year": lambda: clustered(True),
    "Benjamini-Hochberg, fifth of ten": lambda: (
        float(stats.false_discovery_control(P_VALUES)[4]),
        float(benjamini_hochberg(P_VALUES)[4]),
    ),
    "Benjamini-Yekutieli, fifth of ten": lambda: (
        float(stats.false_discovery_control(P_VALUES, method="by")[4]),
        float(benjamini_yekutieli(P_VALUES)[4]),
    ),
    "Holm, fifth of ten": lambda: (
        float(multipletests(P_VALUES, method="holm")[1][4]),
        float(holm(P_VALUES)[4]),
    ),
    "Sign flips of 12 values": flipped_signs,
    "Permutation of 8 and 9 values": shuffled_samples,
    "Six of 40 longshots at 0.03 by luck": lambda: longshots(6, 40, 0.03),
    "33 of 40 at 0.50 by luck": lambda: longshots(33, 40, 0.5),
    "Five of 10 at 0.20 by luck, exact": lambda: longshots(5, 10, 0.2),
    "Brier score of 500 forecasts": brier_score,
    "Mean with a half-life of 60 days": decayed,
    "Skewness of 300 values": lambda: shape("skewness"),
    "Kurtosis of 300 values": lambda: shape("kurtosis"),
    "Spearman's correlation with ties": spearman,
}


def rows() -> list[list[str]]:
    text = DOCUMENT.read_text().partition("## Against libraries")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_is_what_the_library_and_ours_say(row: list[str]) -> None:
    name, _, theirs, ours, tolerance = row
    library, computed = PAIRS[name]()
    assert abs(library - computed) <= float(tolerance), (library, computed)
    for shown, value in ((theirs, library), (ours, computed)):
        decimals = len(shown.partition(".")[2])
        # A library's own last digit is not ours to promise.
        assert float(shown) == pytest.approx(value, abs=0.51 * 10.0**-decimals)


def test_the_table_lists_every_pair() -> None:
    assert [row[0] for row in rows()] == list(PAIRS)
