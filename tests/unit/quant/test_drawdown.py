"""Drawdowns of curves that were drawn by hand, and against their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.drawdown import drawdowns, equity_of, underwater
from whaletrader.quant.ragged import Ragged

curves = st.lists(st.integers(1, 50).map(float), min_size=1, max_size=15)


def test_depth_length_and_recovery_of_a_curve_drawn_by_hand() -> None:
    found = drawdowns(Ragged.of([[10, 12, 9, 6, 8, 12, 11, 13]]))
    assert found.depth[0] == 6
    assert found.depth_share[0] == 0.5
    # From the peak of 12 at 1 to its return at 5; the trough was at 3.
    assert (found.length[0], found.recovery[0], found.longest[0]) == (4, 2, 4)


def test_a_drawdown_that_did_not_end_has_no_recovery() -> None:
    found = drawdowns(Ragged.of([[5, 7, 3, 4]]))
    assert (found.depth[0], found.length[0]) == (4, 2)
    assert np.isnan(found.recovery[0])


def test_the_longest_spell_need_not_be_the_deepest() -> None:
    found = drawdowns(Ragged.of([[10, 4, 10, 9, 9, 9, 9, 11]]))
    assert (found.depth[0], found.length[0], found.longest[0]) == (6, 2, 5)


def test_a_curve_that_only_rose_has_none_and_an_empty_one_nothing() -> None:
    found = drawdowns(Ragged.of([[1, 2, 3], [], [4]]))
    assert found.depth[[0, 2]].tolist() == [0, 0]
    assert np.isnan(found.depth[1])


def test_a_share_of_a_peak_that_is_not_positive_means_nothing() -> None:
    assert np.isnan(drawdowns(Ragged.of([[0, -3, 2]])).depth_share[0])


@given(curves)
def test_the_depth_is_the_worst_of_all_pairs(curve: list[float]) -> None:
    worst = max(curve[i] - curve[j] for i in range(len(curve)) for j in range(i, len(curve)))
    share = max(
        (curve[i] - curve[j]) / curve[i] for i in range(len(curve)) for j in range(i, len(curve))
    )
    found = drawdowns(Ragged.of([curve]))
    assert found.depth[0] == worst
    assert found.depth_share[0] == pytest.approx(share)
    assert underwater(Ragged.of([curve])).values.max() == worst


def test_curves_add_up_profits_or_compound_returns() -> None:
    changes = Ragged.of([[1.0, -2.0], []])
    added = equity_of(changes, 10.0, is_compounded=False)
    assert [added.group(0).tolist(), added.group(1).tolist()] == [[10, 11, 9], [10]]
    grown = equity_of(Ragged.of([[0.1, -0.5]]), 100.0, is_compounded=True)
    assert grown.group(0) == pytest.approx([100, 110, 55])
    with pytest.raises(ValueError, match="positive start"):
        equity_of(changes, 0.0, is_compounded=True)
