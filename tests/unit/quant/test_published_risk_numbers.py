"""docs/published-numbers.md, sections from risk on: every row is computed here."""

from collections.abc import Callable

import numpy as np
import pytest
import ruptures
import statsmodels.api
from river import drift
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf

from tests.unit.quant.published import rows
from whaletrader.quant import kelly
from whaletrader.quant.change import adwin, cusum, page_hinkley
from whaletrader.quant.change.breaks import breaks
from whaletrader.quant.risk.backtest import (
    CoverageTest,
    christoffersen,
    conditional_coverage,
    kupiec,
    traffic_light,
)
from whaletrader.quant.risk.binary import MICRO, Stake, exposure
from whaletrader.quant.risk.contributions import component_var
from whaletrader.quant.risk.cornish_fisher import Moments, modified_var
from whaletrader.quant.risk.correlation import ledoit_wolf
from whaletrader.quant.risk.diversification import diversification_ratio
from whaletrader.quant.risk.exact import (
    independent_distribution,
    vasicek_quantile,
    vasicek_shortfall,
)
from whaletrader.quant.risk.scenarios import ScenarioBook, ScenarioOptions
from whaletrader.quant.together.mfdcca import mfdcca

SECTIONS = ("Risk and sizing", "Change", "Togetherness", "Risk and change against libraries")


def z_modified(skew: float, excess: float, confidence: float = 0.99) -> float:
    return modified_var(Moments(0.0, 1.0, skew, excess), confidence).z_modified


def priips(coefficient: str) -> float:
    up, none, down = (z_modified(skew, 0.0, 0.975) for skew in (1.0, 0.0, -1.0))
    if coefficient == "skew":
        return (up - down) / 2
    if coefficient == "square":
        return (up + down) / 2 - none
    return z_modified(0.0, 1.0, 0.975) - none


def exceeded() -> np.ndarray:
    """1,043 days with 932, 53, 53 and 4 pairs of calm and exceeded days: MathWorks' example."""
    return np.array([0] * 880 + [1, 1, 1, 1, 1, 0] + [1, 0] * 52 + [0] * 53)


def mathworks(test: Callable[[], CoverageTest], what: str) -> float:
    return float(getattr(test(), what))


def kept(days: int, probability: float, end: int) -> float:
    """The least (0) or greatest (-1) number of exceptions that Kupiec's test lets pass at 5 %."""
    passed = [n for n in range(days // 2) if kupiec(n, days, probability).p_value > 0.05]
    return float(passed[end])


def jorion(place: int) -> float:
    parts = component_var([2_000_000, 1_000_000], np.diag([0.05**2, 0.12**2]), 0.95)
    # He rounds the normal quantile to 1.65.
    return float(parts[place]) * 1.65 / 1.6448536269514722


def both_sides(threshold: float, shift: float) -> float:
    up, down = (cusum.run_length(0.5, threshold, it) for it in (shift, -shift))
    return cusum.both_sides(up, down)


def nile() -> np.ndarray:
    return np.asarray(statsmodels.api.datasets.nile.load_pandas().data.volume, dtype=float)


def cascade(share: float) -> np.ndarray:
    measure = np.ones(1)
    for _ in range(14):
        measure = np.column_stack([measure * share, measure * (1 - share)]).ravel()
    return measure


def spread_of_exponents(one: float, other: float) -> float:
    scales = [2**power for power in range(4, 13)]
    found = mfdcca(cascade(one), cascade(other), scales, [-4.0, 1.0, 4.0])
    return float(found.hurst[0] - found.hurst[2])


def ten_markets() -> tuple[float, float]:
    """CVaR of ten uneven independent positions in dollars: drawn, and added up exactly."""
    book = ScenarioBook(
        ScenarioOptions(seed=1, scenarios=100_000, group_correlation=0.0, common_correlation=0.0)
    )
    for number in range(10):
        price, shares = 0.25 + 0.05 * number, (100 + 37 * number) * MICRO
        stake = Stake(0, number % 3 > 0, shares, int(shares * price))
        book.put(exposure(f"market-{number}", "", [price], [stake]))
    exact = independent_distribution(list(book.exposures.values())).tail(0.975)
    return book.tail(0.975).cvar / MICRO, exact.cvar / MICRO


def loan_book() -> float:
    """Share lost at 97.5 % of 400 like positions lost with 10 %, correlation 0.2."""
    book = ScenarioBook(ScenarioOptions(seed=1, group_correlation=0.2, common_correlation=0.2))
    for number in range(400):
        book.put(exposure(f"e{number}", "", [0.9], [Stake(0, True, MICRO, MICRO)]))
    return book.tail(0.975).cvar / (400 * MICRO)


def returns() -> np.ndarray:
    chance = np.random.default_rng(5)
    return chance.standard_normal((60, 20)) + chance.standard_normal((60, 1))


def stepped() -> np.ndarray:
    chance = np.random.default_rng(9)
    return np.concatenate([chance.normal(0, 1, 300), chance.normal(-1, 1, 200)])


def first_adwin() -> float:
    state = adwin.Adwin()
    for place, value in enumerate(stepped()):
        step = adwin.updated(state, float(value))
        if step.change:
            return float(place)
        state = step.state
    return -1.0


def first_page_hinkley() -> float:
    options = page_hinkley.PageHinkleyOptions(0.1, 20.0)
    state = page_hinkley.PageHinkley()
    for place, value in enumerate(stepped()):
        state = page_hinkley.updated(state, float(value), options)
        if page_hinkley.drift(state, options):
            return float(place)
    return -1.0


def first_of_river(peer: drift.ADWIN | drift.PageHinkley) -> float:
    for place, value in enumerate(stepped()):
        peer.update(float(value))
        if peer.drift_detected:
            return float(place)
    return -1.0


def dynp(number: int) -> float:
    search = ruptures.Dynp(model="l2", min_size=15, jump=1).fit(nile())
    return float(search.cost.sum_of_costs(search.predict(n_bkps=number)))


OURS: dict[str, Callable[[], float]] = {
    "Quantile at 1 %, skew 0.1": lambda: z_modified(0.1, 0.0),
    "Quantile at 1 %, skew 0.1, excess kurtosis 1": lambda: z_modified(0.1, 1.0),
    "Quantile at 1 %, skew 0.1, excess kurtosis -1": lambda: z_modified(0.1, -1.0),
    "Modified VaR at 99 %, mean -0.1, deviation 0.2, skew -0.1, kurtosis 1": lambda: (
        modified_var(Moments(-0.1, 0.2, -0.1, 1.0), 0.99).var
    ),
    "Coefficient of skew at 97.5 %": lambda: priips("skew"),
    "Coefficient of excess kurtosis at 97.5 %": lambda: priips("kurtosis"),
    "Coefficient of squared skew at 97.5 %": lambda: priips("square"),
    "Kupiec: 57 exceptions in 1,043 days at 5 %": lambda: mathworks(
        lambda: kupiec(57, 1043, 0.05), "statistic"
    ),
    "Kupiec: its p-value": lambda: mathworks(lambda: kupiec(57, 1043, 0.05), "p_value"),
    "Christoffersen: independence of the same days": lambda: mathworks(
        lambda: christoffersen(exceeded()), "statistic"
    ),
    "Christoffersen: its p-value": lambda: mathworks(lambda: christoffersen(exceeded()), "p_value"),
    "Christoffersen: conditional coverage": lambda: mathworks(
        lambda: conditional_coverage(exceeded(), 0.05), "statistic"
    ),
    "Christoffersen: its p-value, both": lambda: mathworks(
        lambda: conditional_coverage(exceeded(), 0.05), "p_value"
    ),
    "Fewest exceptions kept, 1 %, 1,000 days": lambda: kept(1000, 0.01, 0),
    "Most exceptions kept, 1 %, 1,000 days": lambda: kept(1000, 0.01, -1),
    "Fewest exceptions kept, 5 %, 255 days": lambda: kept(255, 0.05, 0),
    "Most exceptions kept, 5 %, 255 days": lambda: kept(255, 0.05, -1),
    "First exception in the yellow zone, of 250 days": lambda: float(
        next(n for n in range(20) if traffic_light(n) == "yellow")
    ),
    "First exception in the red zone": lambda: float(
        next(n for n in range(20) if traffic_light(n) == "red")
    ),
    "Worst-case default rate, 2 %, correlation 0.1, 99.9 %": lambda: vasicek_quantile(
        0.02, 0.1, 0.999
    ),
    "Component VaR of 2 million CAD at 5 %": lambda: jorion(0),
    "Component VaR of 1 million EUR at 12 %": lambda: jorion(1),
    "Diversification ratio, 20 % and 10 %, correlation 0.5, inverse to risk": lambda: (
        diversification_ratio([1 / 3, 2 / 3], [[0.04, 0.01], [0.01, 0.01]])
    ),
    "Kelly stake at 53 %, even money": lambda: kelly.kelly_fraction(0.53, 0.5),
    "Its growth a bet": lambda: float(kelly.growth_rate(0.06, 0.53, 0.5)),
    "Each of two such bets at once": lambda: float(
        kelly.independent_kelly([0.53, 0.53], [0.5, 0.5])[0]
    ),
    "CUSUM run length, h 4, no shift": lambda: both_sides(4, 0),
    "CUSUM run length, h 4, shift 1": lambda: both_sides(4, 1),
    "CUSUM run length, h 4, shift 3": lambda: both_sides(4, 3),
    "CUSUM run length, h 5, no shift": lambda: both_sides(5, 0),
    "CUSUM run length, h 5, shift 1": lambda: both_sides(5, 1),
    "CUSUM run length, h 5, shift 3": lambda: both_sides(5, 3),
    "Siegmund's run length, one side, h 5, no shift": lambda: cusum.siegmund_run_length(0.5, 5, 0),
    "Siegmund's run length, one side, h 5, shift 1": lambda: cusum.siegmund_run_length(0.5, 5, 1),
    "Nile: year of the one break": lambda: float(1870 + breaks(nile()).positions[0]),
    "Nile: sup-F": lambda: breaks(nile()).sup_f,
    "Nile: residual sum of squares, no break": lambda: breaks(nile()).squares[0],
    "Nile: residual sum of squares, one break": lambda: breaks(nile()).squares[1],
    "Nile: residual sum of squares, two breaks": lambda: breaks(nile()).squares[2],
    "Nile: criterion, no break": lambda: breaks(nile()).criteria[0],
    "Nile: criterion, one break": lambda: breaks(nile()).criteria[1],
    "Nile: criterion, two breaks": lambda: breaks(nile()).criteria[2],
    "Binomial cascade 0.3: h(-4) - h(4)": lambda: spread_of_exponents(0.3, 0.3),
    "Binomial cascade 0.4: h(-4) - h(4)": lambda: spread_of_exponents(0.4, 0.4),
    "Cascades 0.3 and 0.4 together: h(-4) - h(4)": lambda: spread_of_exponents(0.3, 0.4),
    "CVaR 97.5 % of ten positions in dollars, drawn 100,000 times": lambda: ten_markets()[0],
    "CVaR 97.5 % of 400 correlated positions, a share": loan_book,
    "Ledoit-Wolf intensity, 60 rows of 20": lambda: ledoit_wolf(returns()).intensity,
    "Nile: squares with three breaks": lambda: breaks(nile()).squares[3],
    "Page-Hinkley: value of the first alarm": first_page_hinkley,
    "ADWIN: value of the first cut": first_adwin,
}

PEERS: dict[str, Callable[[], float]] = {
    "CVaR 97.5 % of ten positions in dollars, drawn 100,000 times": lambda: ten_markets()[1],
    "CVaR 97.5 % of 400 correlated positions, a share": lambda: vasicek_shortfall(0.1, 0.2, 0.975),
    "Ledoit-Wolf intensity, 60 rows of 20": lambda: float(sklearn_ledoit_wolf(returns())[1]),
    "Nile: squares with three breaks": lambda: dynp(3),
    "Page-Hinkley: value of the first alarm": lambda: first_of_river(
        drift.PageHinkley(min_instances=30, delta=0.1, threshold=20.0, alpha=1.0)
    ),
    "ADWIN: value of the first cut": lambda: first_of_river(drift.ADWIN(delta=0.002, clock=1)),
}


@pytest.mark.parametrize("row", rows(SECTIONS), ids=lambda row: row[0])
def test_a_row_of_the_table_is_what_we_compute(row: list[str]) -> None:
    name, _, theirs, ours, tolerance = row
    computed = OURS[name]()
    assert abs(computed - float(theirs)) <= float(tolerance), computed
    assert f"{computed:.{len(ours.partition('.')[2])}f}" == ours
    if name in PEERS:
        assert f"{PEERS[name]():.{len(theirs.partition('.')[2])}f}" == theirs


def test_the_table_lists_every_example() -> None:
    assert [row[0] for row in rows(SECTIONS)] == list(OURS)
