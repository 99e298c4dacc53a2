"""docs/published-numbers.md, first sections: every row is computed here and must stay true."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import statsmodels

from tests.unit.quant.published import rows
from whaletrader.quant.cluster_errors import ols
from whaletrader.quant.concentration import herfindahl
from whaletrader.quant.edge import Bets, fee_per_share
from whaletrader.quant.empirical_bayes import james_stein
from whaletrader.quant.fair_price import fair_price_p
from whaletrader.quant.multiple_testing import benjamini_hochberg, bonferroni
from whaletrader.quant.performance import sortino_ratio, time_scale
from whaletrader.quant.ragged import Ragged
from whaletrader.quant.sharpe_inference import (
    SharpeMoments,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_standard_error,
)
from whaletrader.quant.win_rate import posterior_win_rate

SECTIONS = ("Performance", "Luck", "Edge and scores")

# Efron and Morris (1975), table 1, and (1977): first 45 at bats of 18 batters.
BATTING = [0.400, 0.378, 0.356, 0.333, 0.311, 0.311, 0.289, 0.267, 0.244, 0.244]
BATTING += [0.222, 0.222, 0.222, 0.222, 0.222, 0.200, 0.178, 0.156]
# Benjamini and Hochberg (1995), section 4.1: 15 tests of one study.
THROMBOLYSIS = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
THROMBOLYSIS += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]


def moments(sharpe: float, periods: float, skewness: float, kurtosis: float) -> SharpeMoments:
    one, many, three, four = (np.array([it]) for it in (sharpe, periods, skewness, kurtosis))
    return SharpeMoments(one, many, three, four)


def lo_scale(correlation: float, periods: int) -> float:
    powers = np.array([[correlation**lag] for lag in range(1, periods)])
    return float(time_scale(powers, periods)[0])


def lo_error(sharpe: float, months: int) -> float:
    return float(sharpe_standard_error(moments(sharpe, months, 0, 3))[0])


def track_record_years(
    periods_per_year: int, skewness: float = 0.0, kurtosis: float = 3.0
) -> float:
    root = np.sqrt(periods_per_year)
    observed = moments(2 / root, periods_per_year, skewness, kurtosis)
    return float(minimum_track_record(observed, 1 / root)[0]) / periods_per_year


def psr(months: int, skewness: float, kurtosis: float) -> float:
    return float(probabilistic_sharpe(moments(0.458, months, skewness, kurtosis))[0])


def dsr(trials: int, skewness: float, kurtosis: float) -> float:
    observed = moments(2.5 / np.sqrt(250), 1_250, skewness, kurtosis)
    return float(deflated_sharpe(observed, 0.5 / 250, trials)[0])


def batter(index: int) -> float:
    average = float(np.mean(BATTING))
    return float(james_stein(BATTING, average * (1 - average) / 45)[index])


def petersen(first: int, second: int | None, coefficient: int) -> float:
    # Petersen's file is part of statsmodels' own tests: firm, year, x, y.
    path = Path(statsmodels.__file__).parent / "stats" / "tests" / "test_data.txt"
    data = np.loadtxt(path)
    design = np.column_stack([np.ones(len(data)), data[:, 2]])
    other = None if second is None else data[:, second]
    return float(ols(design, data[:, 3], data[:, first], other).errors[coefficient])


def girls(end: str, base_rate: float, strength: float) -> float:
    return float(getattr(posterior_win_rate([437], [980], [base_rate], strength), end)[0])


def tea_cups() -> float:
    won = np.array([1.0] * 10)
    codes = np.arange(10)
    bets = Bets(codes * 0, codes, codes, won > 0, won * 0.5, won, won)
    return float(fair_price_p(bets, 1).p_value[0])


OURS: dict[str, Callable[[], float]] = {
    "Scale of an AR(1) Sharpe ratio, rho 0, 12 periods": lambda: lo_scale(0.0, 12),
    "Scale of an AR(1) Sharpe ratio, rho 0.2, 12 periods": lambda: lo_scale(0.2, 12),
    "Scale of an AR(1) Sharpe ratio, rho -0.2, 12 periods": lambda: lo_scale(-0.2, 12),
    "Standard error of a Sharpe ratio of 0.5, 12 months": lambda: lo_error(0.5, 12),
    "Standard error of a Sharpe ratio of 1.5, 60 months": lambda: lo_error(1.5, 60),
    "Sortino ratio of eight years, target 0": lambda: float(
        sortino_ratio(Ragged.of([[0.17, 0.15, 0.23, -0.05, 0.12, 0.09, 0.13, -0.04]]), 1)[0]
    ),
    "PSR, 24 months, normal": lambda: psr(24, 0, 3),
    "PSR, 24 months, skewness -2.448, kurtosis 10.164": lambda: psr(24, -2.448, 10.164),
    "MinTRL in years, daily, Sharpe 2 against 1": lambda: track_record_years(252),
    "MinTRL in years, weekly": lambda: track_record_years(52),
    "MinTRL in years, monthly": lambda: track_record_years(12),
    "MinTRL in years, monthly, skewness -0.72, kurtosis 5.78": lambda: track_record_years(
        12, -0.72, 5.78
    ),
    "Expected maximum Sharpe of 100 trials, a day": lambda: float(
        expected_maximum_sharpe(0.5 / 250, 100)
    ),
    "DSR, 100 trials, skewness -3, kurtosis 10": lambda: dsr(100, -3, 10),
    "DSR, 46 trials": lambda: dsr(46, -3, 10),
    "DSR, 88 trials, normal": lambda: dsr(88, 0, 3),
    "Rejected at 5 % by Benjamini-Hochberg, of 15": lambda: float(
        (benjamini_hochberg(THROMBOLYSIS) <= 0.05).sum()
    ),
    "Rejected at 5 % by Bonferroni, of 15": lambda: float((bonferroni(THROMBOLYSIS) <= 0.05).sum()),
    "Batting average 0.400, shrunk": lambda: batter(0),
    "Batting average 0.156, shrunk": lambda: batter(-1),
    "Error of the slope, clustered by firm": lambda: petersen(0, None, 1),
    "Error of the constant, clustered by firm": lambda: petersen(0, None, 0),
    "Error of the slope, clustered by year": lambda: petersen(1, None, 1),
    "Error of the constant, clustered by year": lambda: petersen(1, None, 0),
    "Error of the slope, by firm and year": lambda: petersen(0, 1, 1),
    "Error of the constant, by firm and year": lambda: petersen(0, 1, 0),
    "437 girls of 980, uniform prior: median": lambda: girls("median", 0.5, 2),
    "437 girls of 980, uniform prior: lower end": lambda: girls("lower", 0.5, 2),
    "437 girls of 980, uniform prior: upper end": lambda: girls("upper", 0.5, 2),
    "437 girls of 980, base rate 0.485, strength 20: median": lambda: girls("median", 0.485, 20),
    "437 girls of 980, strength 20: lower end": lambda: girls("lower", 0.485, 20),
    "437 girls of 980, strength 20: upper end": lambda: girls("upper", 0.485, 20),
    "Taker fee of 100 shares at 0.50, rate 0.07": lambda: float(fee_per_share(0.5, 0.07)) * 100,
    "Taker fee of 22.84 shares at 0.52, rate 0.05": lambda: float(
        fee_per_share(0.52, 0.05) * 22.84
    ),
    "Ten of ten at a price of 0.50 by luck": tea_cups,
    "Herfindahl index of shares 30, 30, 20, 20, in points": lambda: float(
        herfindahl(Ragged.of([[30, 30, 20, 20]]))[0] * 10_000
    ),
}


@pytest.mark.parametrize("row", rows(SECTIONS), ids=lambda row: row[0])
def test_a_row_of_the_table_is_what_we_compute(row: list[str]) -> None:
    name, _, theirs, ours, tolerance = row
    computed = OURS[name]()
    assert abs(computed - float(theirs)) <= float(tolerance), computed
    decimals = len(ours.partition(".")[2])
    assert f"{computed:.{decimals}f}" == ours


def test_the_table_lists_every_example() -> None:
    assert [row[0] for row in rows(SECTIONS)] == list(OURS)
