"""Groups of different lengths in one array."""

import numpy as np
import pytest

from whaletrader.quant.ragged import Ragged, divided


def test_groups_come_back_as_they_went_in() -> None:
    ragged = Ragged.of([[1.0, 2.0], [], [5.0]])
    assert ragged.groups == 3
    assert ragged.counts.tolist() == [2, 0, 1]
    assert ragged.labels.tolist() == [0, 0, 2]
    assert [ragged.group(index).tolist() for index in range(3)] == [[1.0, 2.0], [], [5.0]]
    assert ragged.sums().tolist() == [3.0, 0.0, 5.0]
    assert ragged.means()[[0, 2]].tolist() == [1.5, 5.0]
    assert np.isnan(ragged.means()[1])


def test_codes_group_values_in_their_order() -> None:
    ragged = Ragged.by([2, 0, 2, 0], [1.0, 2.0, 3.0, 4.0], 3)
    assert [ragged.group(index).tolist() for index in range(3)] == [[2.0, 4.0], [], [1.0, 3.0]]


def test_parts_keep_their_groups() -> None:
    ragged = Ragged.of([[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]])
    assert ragged.between(1, 3).offsets.tolist() == [0, 1, 4]
    assert ragged.between(1, 3).values.tolist() == [3.0, 4.0, 5.0, 6.0]
    chosen = ragged.select(ragged.values > 2.5)
    assert chosen.counts.tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("values", "offsets"),
    [([1.0], [0, 2]), ([1.0], [1]), ([1.0, 2.0], [0, 2, 1, 2]), ([np.nan], [0, 1]), ([1.0], [])],
)
def test_a_layout_that_does_not_fit_is_refused(values: list[float], offsets: list[int]) -> None:
    with pytest.raises(ValueError, match=r"offset|finite"):
        Ragged(np.array(values), np.array(offsets, dtype=np.int64))


@pytest.mark.parametrize("codes", [[0, 3], [-1, 0], [0.5, 1.0], [[0, 1]]])
def test_codes_outside_their_groups_are_refused(codes: list[float]) -> None:
    with pytest.raises(ValueError, match="codes"):
        Ragged.by(codes, [1.0, 2.0], 3)


def test_values_of_another_length_are_refused() -> None:
    ragged = Ragged.of([[1.0, 2.0]])
    with pytest.raises(ValueError, match="length"):
        ragged.with_values(np.ones(3))
    with pytest.raises(ValueError, match="length"):
        Ragged.by([0, 0], [1.0], 1)


def test_a_quotient_over_nothing_is_not_a_number() -> None:
    assert np.isnan(divided([1.0, 0.0], 0.0)).all()
    assert divided([1.0, 4.0], [2.0, 8.0]).tolist() == [0.5, 0.5]
