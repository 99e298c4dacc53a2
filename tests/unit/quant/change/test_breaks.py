"""Bai-Perron: the Nile as published, ruptures, and planted breaks."""

import numpy as np
import pytest
import ruptures
import statsmodels.api
from hypothesis import given, settings
from hypothesis import strategies as st

from whaletrader.quant.change.breaks import SUP_F_CRITICAL, breaks


def nile() -> np.ndarray:
    data = statsmodels.api.datasets.nile.load_pandas().data
    return np.asarray(data.volume, dtype=float)


def test_the_nile_breaks_in_1898() -> None:
    # Zeileis, Leisch, Hornik and Kleiber 2002 and 2003 (strucchange): one break, in 1898; residual
    # sums of squares and criteria of 0 to 4 breaks; sup-F 75.93.
    found = breaks(nile())
    assert [1871 + it - 1 for it in found.positions] == [1898]
    assert found.means == pytest.approx((1097.75, 849.97), abs=0.005)
    published = [2835157, 1597457, 1552924, 1538097, 1507888]
    assert [round(it) for it in found.squares[:5]] == published
    assert [round(it) for it in found.criteria[:5]] == [1318, 1270, 1276, 1285, 1292]
    assert found.sup_f == pytest.approx(75.93, abs=0.005)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(40, 120))
def test_the_squares_are_those_of_ruptures(seed: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(0, 1, count) + np.repeat(chance.normal(0, 2, 4), -(-count // 4))[:count]
    found = breaks(values, breaks_max=3, trim=0.1)
    piece_min = int(np.ceil(0.1 * count - 1e-9))
    search = ruptures.Dynp(model="l2", min_size=piece_min, jump=1).fit(values)
    for number in (1, 2, 3):
        ends = search.predict(n_bkps=number)
        cost = search.cost.sum_of_costs(ends)
        assert found.squares[number] == pytest.approx(cost, rel=1e-8)
    if found.positions:
        assert list(found.positions) == search.predict(n_bkps=len(found.positions))[:-1]


def test_planted_breaks_are_found_where_they_are() -> None:
    chance = np.random.default_rng(2)
    levels = np.repeat([0.0, 1.5, -1.0], 80)
    found = breaks(levels + chance.normal(0, 0.5, 240))
    assert len(found.positions) == 2
    assert found.positions == pytest.approx((80, 160), abs=3)
    assert found.means == pytest.approx((0.0, 1.5, -1.0), abs=0.2)


def test_a_level_far_from_zero_costs_no_digits() -> None:
    values = np.random.default_rng(5).normal(0, 1, 60)
    near, far = breaks(values), breaks(values + 1e7)
    assert far.positions == near.positions
    assert far.squares == pytest.approx(near.squares, rel=1e-6)


def test_the_critical_value_is_exceeded_by_chance_once_in_twenty() -> None:
    chance = np.random.default_rng(8)
    over = [breaks(chance.normal(0, 1, 100), 1).sup_f > SUP_F_CRITICAL for _ in range(800)]
    # Two standard errors of 800 draws about 5 %, and some for the finite series.
    assert 0.03 < np.mean(over) < 0.08


def test_a_constant_series_and_a_clean_step() -> None:
    assert breaks([1.0] * 20).positions == ()
    assert breaks([1.0] * 20).sup_f == 0.0
    step = breaks([0.0] * 10 + [1.0] * 10)
    assert step.positions == (10,)
    assert step.sup_f == float("inf")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: breaks([1.0, 2.0, 3.0]), "two pieces"),
        (lambda: breaks([1.0, float("nan")] * 20), "finite"),
        (lambda: breaks(np.zeros(2001)), "2000 finite"),
        (lambda: breaks(np.zeros((5, 5))), "one dimension"),
        (lambda: breaks(np.zeros(50), trim=0.5), "trim"),
        (lambda: breaks(np.zeros(50), breaks_max=0), "at least one break"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
