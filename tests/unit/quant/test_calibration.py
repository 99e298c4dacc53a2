"""Brier score, its partition and reliability curves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.calibration import brier, reliability_curve

forecasts = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@given(forecasts)
def test_the_parts_add_up_to_the_score(rows: list[tuple[float, bool]]) -> None:
    chance, came = np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])
    found = brier(chance, came)
    assert found.score == pytest.approx(np.mean((chance - came) ** 2))
    total = found.reliability - found.resolution + found.uncertainty + found.within_bins
    assert total == pytest.approx(found.score)
    assert min(found.reliability, found.resolution, found.uncertainty) >= 0
    assert found.uncertainty == pytest.approx(came.mean() * (1 - came.mean()))


def test_murphys_partition_is_whole_when_bins_hold_one_probability() -> None:
    chance = np.repeat([0.15, 0.55, 0.85], [20, 30, 50])
    came = np.concatenate([np.arange(20) < 5, np.arange(30) < 15, np.arange(50) < 45]).astype(float)
    found = brier(chance, came)
    assert found.within_bins == pytest.approx(0, abs=1e-12)
    gaps = 0.2 * 0.10**2 + 0.3 * 0.05**2 + 0.5 * 0.05**2
    assert found.reliability == pytest.approx(gaps)
    lifts = 0.2 * 0.4**2 + 0.3 * 0.15**2 + 0.5 * 0.25**2
    assert found.resolution == pytest.approx(lifts)


def test_what_is_left_within_bins_is_that_of_stephenson_and_others() -> None:
    random = np.random.default_rng(1)
    chance = random.random(300)
    came = (random.random(300) < chance).astype(float)
    label = np.minimum((chance * 10).astype(int), 9)
    inner = chance - np.array([chance[label == k].mean() for k in range(10)])[label]
    outer = came - np.array([came[label == k].mean() for k in range(10)])[label]
    # Within-bin variance less twice the within-bin covariance.
    expected = (inner**2).mean() - 2 * (inner * outer).mean()
    assert brier(chance, came).within_bins == pytest.approx(expected)


def test_fair_prices_lie_on_the_diagonal_and_an_edge_lies_above() -> None:
    random = np.random.default_rng(2)
    price = random.uniform(0.02, 0.98, 20_000)
    fair = reliability_curve(price, random.random(20_000) < price)
    assert ((fair.lower <= fair.predicted) & (fair.predicted <= fair.upper)).mean() >= 0.8
    skilled = reliability_curve(price, random.random(20_000) < np.minimum(price + 0.08, 1))
    assert (skilled.lower > skilled.predicted)[1:-1].all()
    assert fair.counts.sum() == 20_000


def test_a_bin_that_always_won_has_an_open_end_and_empty_ones_are_left_out() -> None:
    curve = reliability_curve([0.95] * 5 + [0.05] * 5, [1] * 5 + [0] * 5)
    assert curve.observed.tolist() == [0.0, 1.0]
    assert (curve.lower[0], curve.upper[1]) == (0.0, 1.0)
    assert 0 < curve.upper[0] < 0.5 < curve.lower[1] < 1


@pytest.mark.parametrize(
    ("chance", "came", "bins"),
    [([], [], 10), ([1.2], [1], 10), ([0.5], [np.nan], 10), ([0.5, 0.5], [1], 10), ([0.5], [1], 0)],
)
def test_bad_input_is_refused(chance: list[float], came: list[float], bins: int) -> None:
    with pytest.raises(ValueError, match=r"probabilities|bin"):
        brier(chance, came, bins)
