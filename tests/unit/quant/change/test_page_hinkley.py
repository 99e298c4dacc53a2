"""Page-Hinkley against river's, value by value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import drift as river_drift

from whaletrader.quant.change.page_hinkley import (
    PageHinkley,
    PageHinkleyOptions,
    drift,
    updated,
)


def first_drift(values: np.ndarray, options: PageHinkleyOptions) -> tuple[int, int]:
    state = PageHinkley()
    for place, value in enumerate(values):
        state = updated(state, float(value), options)
        if direction := drift(state, options):
            return place, direction
    return -1, 0


@given(st.integers(0, 10**6), st.sampled_from([-0.8, 0.0, 0.8]), st.sampled_from([1.0, 0.9999]))
def test_the_first_alarm_is_rivers(seed: int, shift: float, memory: float) -> None:
    chance = np.random.default_rng(seed)
    values = np.concatenate([chance.normal(0, 1, 100), chance.normal(shift, 1, 150)])
    peer = river_drift.PageHinkley(min_instances=30, delta=0.1, threshold=20.0, alpha=memory)
    place = -1
    for number, value in enumerate(values):
        peer.update(float(value))
        if peer.drift_detected:
            place = number
            break
    assert first_drift(values, PageHinkleyOptions(0.1, 20.0, memory))[0] == place


def test_it_tells_which_way_and_soon() -> None:
    chance = np.random.default_rng(1)
    for shift in (1.0, -1.0):
        values = np.concatenate([chance.normal(0, 0.5, 200), chance.normal(shift, 0.5, 100)])
        place, direction = first_drift(values, PageHinkleyOptions(0.25, 8.0))
        assert direction == np.sign(shift)
        assert 200 <= place < 220


def test_no_alarm_before_there_are_enough_values() -> None:
    options = PageHinkleyOptions(0.0, 1.0, count_min=10)
    assert first_drift(np.array([0.0, 100.0, 100.0]), options) == (-1, 0)
    assert first_drift(np.array([0.0] + [100.0] * 10), options)[0] == 9


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: PageHinkleyOptions(-1.0, 1.0), "tolerance"),
        (lambda: PageHinkleyOptions(0.0, 0.0), "threshold"),
        (lambda: PageHinkleyOptions(0.0, 1.0, memory=0.0), "memory"),
        (lambda: PageHinkleyOptions(0.0, 1.0, count_min=0), "one value"),
        (lambda: updated(PageHinkley(), float("inf"), PageHinkleyOptions(0, 1)), "finite"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
