"""Drawdown from the high-water mark, in integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.risk.high_water import HighWater


def test_a_rise_a_fall_and_a_recovery() -> None:
    mark = HighWater(100, 100).updated(120).updated(90)
    assert (mark.high_micro, mark.drawdown_micro, mark.drawdown_micro_ratio) == (120, 30, 250_000)
    assert mark.updated(119).drawdown_micro == 1
    assert mark.updated(130) == HighWater(130, 130)


def test_money_paid_in_or_out_is_no_profit_and_no_loss() -> None:
    mark = HighWater(120, 90)
    assert mark.moved(50) == HighWater(170, 140)
    assert mark.moved(-50).drawdown_micro == mark.drawdown_micro


def test_a_ratio_is_rounded_up_so_that_no_limit_is_reached_unseen() -> None:
    assert HighWater(3, 2).drawdown_micro_ratio == 333_334
    assert HighWater(0, -5).drawdown_micro_ratio == 1_000_000
    assert HighWater(0, 0).drawdown_micro_ratio == 0


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=30))
def test_the_mark_is_the_maximum(levels: list[int]) -> None:
    mark = HighWater(levels[0], levels[0])
    for level in levels[1:]:
        mark = mark.updated(level)
    assert mark == HighWater(max(levels), levels[-1])


def test_a_mark_below_equity_is_refused() -> None:
    with pytest.raises(ValueError, match="high-water"):
        HighWater(1, 2)
