import pytest

from benchmarks.figures import (
    Better,
    Figure,
    Samples,
    latency_figures,
    percentile,
    rate_per_s,
)


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed():
    values = list(range(1, 101))

    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile(values, 100) == 100
    assert percentile(values[::-1], 99) == 99


def test_a_percentile_of_few_values_is_one_of_them():
    assert percentile([7], 99) == 7
    assert percentile([3, 1], 50) == 1
    assert percentile([3, 1], 99) == 3


@pytest.mark.parametrize("percent", [0, -1, 100.5])
def test_what_is_no_percentage_is_refused(percent):
    with pytest.raises(ValueError, match="no percentage"):
        percentile([1], percent)


def test_nothing_measured_is_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="no value"):
        Samples(missing=3).percentile_ms(50)


def test_the_ratio_is_the_cost_in_floors_for_latencies_and_for_rates():
    assert Figure("wait", 3.0, "ms", floor=2.0).ratio == 1.5
    assert Figure("events", 50.0, "/s", floor=100.0, better=Better.HIGHER).ratio == 2.0


@pytest.mark.parametrize("floor", [None, 0.0])
def test_without_a_floor_there_is_no_ratio(floor):
    assert Figure("wait", 3.0, "ms", floor=floor).ratio is None


def test_a_figure_without_an_aim_is_neither_met_nor_missed():
    assert Figure("wait", 3.0, "ms", floor=1.0).is_met is None


@pytest.mark.parametrize(("value", "is_met"), [(2.9, True), (3.0, True), (3.1, False)])
def test_a_ratio_up_to_its_aim_is_met(value, is_met):
    assert Figure("wait", value, "ms", floor=2.0, ratio_max=1.5).is_met is is_met


def test_an_aim_for_a_ratio_is_missed_when_the_floor_was_not_measured():
    assert Figure("wait", 1.0, "ms", ratio_max=1.5).is_met is False


def test_an_absolute_aim_follows_the_direction_that_is_better():
    assert Figure("events", 20_000, "/s", better=Better.HIGHER, value_aim=20_000).is_met
    assert Figure("events", 19_999, "/s", better=Better.HIGHER, value_aim=20_000).is_met is False
    assert Figure("wait", 51, "ms", value_aim=50).is_met is False


def test_both_aims_must_be_met():
    fast_enough = {"better": Better.HIGHER, "value_aim": 10.0}

    assert Figure("events", 20, "/s", 60, ratio_max=2, **fast_enough).is_met is False
    assert Figure("events", 20, "/s", 30, ratio_max=2, **fast_enough).is_met is True


def test_latencies_come_as_median_and_99th_in_milliseconds():
    ours = Samples([2_000_000] * 99 + [9_000_000] * 2)
    floor = Samples([1_000_000] * 100)

    median, worst = latency_figures("hop", ours, floor, (1.5, None))

    assert (median.name, median.value, median.floor) == ("hop, p50", 2.0, 1.0)
    assert median.is_met is False
    assert (worst.name, worst.value) == ("hop, p99", 9.0)
    assert worst.is_met is None


def test_a_rate_over_no_time_is_an_error():
    assert rate_per_s(10, 500_000_000) == 20

    with pytest.raises(ValueError, match="no time"):
        rate_per_s(10, 0)
