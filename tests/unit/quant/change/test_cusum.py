"""CUSUM: published run lengths, and the chart itself against them."""

import numpy as np
import pytest

from whaletrader.quant.change.cusum import (
    Cusum,
    CusumOptions,
    both_sides,
    calibrated_threshold,
    run_length,
    siegmund_run_length,
    signal,
    updated,
)

# Montgomery, Introduction to Statistical Quality Control, table of run lengths of the two-sided
# chart with k = 1/2 (Hawkins and Olwell 1998): shift, threshold 4, threshold 5.
TABLE = [
    (0.0, 168.0, 465.0),
    (0.25, 74.2, 139.0),
    (0.5, 26.6, 38.0),
    (0.75, 13.3, 17.0),
    (1.0, 8.38, 10.4),
    (1.5, 4.75, 5.75),
    (2.0, 3.34, 4.01),
    (2.5, 2.62, 3.11),
    (3.0, 2.19, 2.57),
    (4.0, 1.71, 2.01),
]


@pytest.mark.parametrize(("shift", "at_four", "at_five"), TABLE)
def test_the_table_of_run_lengths(shift: float, at_four: float, at_five: float) -> None:
    for threshold, published in ((4.0, at_four), (5.0, at_five)):
        up, down = (run_length(0.5, threshold, it) for it in (shift, -shift))
        assert both_sides(up, down) == pytest.approx(published, rel=5e-3)


def test_siegmunds_approximation_as_montgomery_works_it() -> None:
    # h = 5, k = 1/2: 938.2 on each side in control, 469.1 for both; 10.34 after a shift of one.
    assert siegmund_run_length(0.5, 5.0, 0.0) == pytest.approx(938.2, abs=0.05)
    both = both_sides(*[siegmund_run_length(0.5, 5.0, 0.0)] * 2)
    assert both == pytest.approx(469.1, abs=0.05)
    assert siegmund_run_length(0.5, 5.0, 1.0) == pytest.approx(10.34, abs=0.005)
    assert siegmund_run_length(0.5, 5.0, 0.5) == pytest.approx(6.166**2)


def test_a_chart_runs_as_long_as_the_equation_says() -> None:
    chance = np.random.default_rng(4)
    options = CusumOptions(target=10.0, deviation=2.0, slack=0.5, threshold=3.0)
    lengths = []
    for _ in range(300):
        state = Cusum()
        while signal(state, options) == 0:
            state = updated(state, float(chance.normal(11.0, 2.0)), options)
        lengths.append(state.count)
    expected = both_sides(run_length(0.5, 3.0, 0.5), run_length(0.5, 3.0, -0.5))
    error = np.std(lengths) / len(lengths) ** 0.5
    assert np.mean(lengths) == pytest.approx(expected, abs=4 * error)


def test_by_hand_and_the_direction_is_told() -> None:
    options = CusumOptions(target=0.0, deviation=1.0, slack=0.5, threshold=3.0)
    state = Cusum()
    for value, upper, lower in ((1.0, 0.5, 0.0), (-2.0, 0.0, 1.5), (-2.0, 0.0, 3.0)):
        state = updated(state, value, options)
        assert (state.upper, state.lower) == (upper, lower)
    assert signal(state, options) == 0, "at the threshold is not beyond it"
    assert signal(updated(state, -1.0, options), options) == -1
    assert signal(Cusum(3.1, 0.0, 9), options) == 1


def test_a_threshold_is_found_for_a_rate_of_false_alarms() -> None:
    threshold = calibrated_threshold(0.5, 1000.0)
    assert run_length(0.5, threshold, 0.0) == pytest.approx(1000.0, rel=1e-6)
    assert threshold == pytest.approx(5.07, abs=0.01)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: CusumOptions(0.0, 0.0), "deviation"),
        (lambda: CusumOptions(0.0, 1.0, slack=-1), "slack"),
        (lambda: CusumOptions(0.0, 1.0, threshold=0), "threshold"),
        (lambda: updated(Cusum(), float("nan"), CusumOptions(0, 1)), "finite"),
        (lambda: run_length(0.5, 25.0, 0.0), "threshold up to"),
        (lambda: siegmund_run_length(-1, 5.0, 0.0), "slack"),
        (lambda: calibrated_threshold(0.0, 1e9), "take more slack"),
        (lambda: calibrated_threshold(0.5, 1.5), "more patient"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
