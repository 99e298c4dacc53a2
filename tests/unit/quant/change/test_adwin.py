"""ADWIN against river's, and what its window must be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift

from whaletrader.quant.change.adwin import Adwin, updated


def first_cut(values: np.ndarray) -> tuple[int, int]:
    state = Adwin()
    for place, value in enumerate(values):
        step = updated(state, float(value))
        if step.change:
            return place, step.change
        state = step.state
    return -1, 0


def rivers_first_cut(values: np.ndarray) -> int:
    # clock=1: look at each value, as ours does.
    peer = drift.ADWIN(delta=0.002, clock=1)
    for place, value in enumerate(values):
        peer.update(float(value))
        if peer.drift_detected:
            return place
    return -1


@pytest.mark.parametrize("shift", [-1.0, 0.6, 2.0])
def test_the_first_cut_is_where_rivers_is(shift: float) -> None:
    # river leaves the newest bucket of each size out of its cuts: a few values' difference.
    off = []
    for seed in range(6):
        chance = np.random.default_rng(seed)
        values = np.concatenate([chance.normal(0, 1, 300), chance.normal(shift, 1, 500)])
        place, direction = first_cut(values)
        assert direction == np.sign(shift)
        off.append(abs(place - rivers_first_cut(values)))
    assert max(off) <= 8
    assert np.median(off) <= 1


def test_nothing_is_cut_where_nothing_changes() -> None:
    cuts = [first_cut(np.random.default_rng(seed).random(600))[0] for seed in range(5)]
    assert cuts == [-1] * 5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=150))
def test_the_buckets_hold_the_window_and_are_few(values: list[float]) -> None:
    state = Adwin()
    for value in values:
        state = updated(state, value).state
    kept = values[len(values) - state.count :]
    assert state.mean == pytest.approx(np.mean(kept), abs=1e-9)
    # Sum of squares of the whole, from the buckets.
    within = sum(it.squares for it in state.buckets)
    between = sum(it.count * (it.total / it.count - state.mean) ** 2 for it in state.buckets)
    assert within + between == pytest.approx(np.var(kept) * len(kept), abs=1e-6)
    sizes = [it.count for it in state.buckets]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes.count(size) for size in sizes) <= 5


def test_after_a_change_the_window_forgets_what_was_before() -> None:
    chance = np.random.default_rng(3)
    state = Adwin()
    for value in np.concatenate([chance.normal(0, 1, 400), chance.normal(3, 1, 200)]):
        state = updated(state, float(value)).state
    assert state.count < 240
    assert state.mean == pytest.approx(3.0, abs=0.3)


def test_an_empty_window_has_no_mean() -> None:
    assert (Adwin().count, Adwin().mean) == (0, 0.0)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="delta"):
        updated(Adwin(), 1.0, 1.0)
    with pytest.raises(ValueError, match="finite"):
        updated(Adwin(), float("nan"))
