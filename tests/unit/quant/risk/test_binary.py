"""What an event's outcomes do to its positions together."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.risk.binary import (
    MICRO,
    EventExposure,
    Stake,
    all_lose_micro,
    expected_pnl_micro,
    exposure,
    worst_case_micro,
    worst_first,
)

stakes_of_three = st.lists(
    st.builds(
        Stake, st.integers(0, 2), st.booleans(), st.integers(0, 10**9), st.integers(0, 10**9)
    ),
    max_size=6,
)


def test_yes_in_two_outcomes_of_one_event_cannot_both_win() -> None:
    held = exposure(
        "election",
        "politics",
        [0.5, 0.3, 0.1],
        [Stake(0, True, 100 * MICRO, 50 * MICRO), Stake(1, True, 100 * MICRO, 30 * MICRO)],
    )
    assert held.pnl_micro == (20 * MICRO, 20 * MICRO, -80 * MICRO, -80 * MICRO)
    assert worst_case_micro([held]) == 80 * MICRO
    assert expected_pnl_micro([held]) == pytest.approx(0.0, abs=1e-6)


def test_no_in_two_outcomes_loses_at_most_one() -> None:
    stakes = [Stake(0, False, 100 * MICRO, 50 * MICRO), Stake(1, False, 100 * MICRO, 70 * MICRO)]
    held = exposure("election", "", [0.5, 0.3], stakes)
    assert held.pnl_micro == (-20 * MICRO, -20 * MICRO, 80 * MICRO)
    assert worst_case_micro([held]) == 20 * MICRO
    assert all_lose_micro(stakes) == 120 * MICRO


def test_a_full_set_has_no_bad_outcome() -> None:
    held = exposure(
        "game", "", [0.6], [Stake(0, True, MICRO, 600_000), Stake(0, False, MICRO, 390_000)]
    )
    assert held.pnl_micro == (10_000, 10_000)
    assert worst_case_micro([held]) == 0


@given(stakes_of_three)
def test_the_worst_case_is_never_more_than_all_losing(stakes: list[Stake]) -> None:
    held = exposure("e", "", [0.2, 0.3, 0.4], stakes)
    assert 0 <= worst_case_micro([held]) <= all_lose_micro(stakes)
    assert -min(held.pnl_micro) <= all_lose_micro(stakes)


@given(stakes_of_three)
def test_worst_first_is_the_same_distribution(stakes: list[Stake]) -> None:
    held = exposure("e", "", [0.2, 0.3, 0.4], stakes)
    boundaries, profits = worst_first(held)
    assert profits == sorted(set(held.pnl_micro))
    edges = [0.0, *boundaries, 1.0]
    shares = [high - low for low, high in pairwise(edges)]
    mean = sum(share * profit for share, profit in zip(shares, profits, strict=True))
    assert mean == pytest.approx(expected_pnl_micro([held]), rel=1e-9, abs=1e-3)


def test_ask_prices_above_one_are_scaled_and_far_above_refused() -> None:
    assert exposure("e", "", [0.6, 0.6], []).probabilities == (0.5, 0.5)
    with pytest.raises(ValueError, match="events of their own"):
        exposure("e", "", [0.8, 0.8], [])
    with pytest.raises(ValueError, match="events of their own"):
        exposure("e", "", [float("nan")], [])


@pytest.mark.parametrize(
    ("stake", "words"),
    [
        (Stake(1, True, 1, 1), "no number 1"),
        (Stake(-1, True, 1, 1), "no number -1"),
        (Stake(0, True, -1, 1), "below zero"),
        (Stake(0, True, 1, -1), "below zero"),
    ],
)
def test_a_stake_that_cannot_be_is_refused(stake: Stake, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        exposure("e", "", [0.5], [stake])


@pytest.mark.parametrize(
    ("probabilities", "pnl", "words"),
    [
        ((), (1,), "no outcome"),
        ((0.5,), (1,), "a profit each"),
        ((1.5,), (1, 2), "not between 0 and 1"),
        ((-0.1,), (1, 2), "not between 0 and 1"),
        ((0.6, 0.6), (1, 2, 3), "more than 1"),
    ],
)
def test_an_exposure_that_cannot_be_is_refused(
    probabilities: tuple[float, ...], pnl: tuple[int, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        EventExposure("e", "", probabilities, pnl)
