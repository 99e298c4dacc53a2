"""The convolution against counting all outcomes, and Vasicek against published figures."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, multivariate_normal, norm

from whaletrader.quant.risk.binary import EventExposure, all_probabilities
from whaletrader.quant.risk.exact import (
    independent_distribution,
    vasicek_quantile,
    vasicek_shortfall,
)
from whaletrader.quant.risk.tail import tail

exposures = st.lists(
    st.builds(
        lambda p, q, pnl: EventExposure("e", "", (p / 20, q / 20), pnl),
        st.integers(0, 10),
        st.integers(0, 10),
        st.tuples(*[st.integers(-(10**8), 10**8)] * 3),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(exposures, st.sampled_from([0.5, 0.9, 0.975]))
def test_it_is_what_counting_every_combination_gives(
    held: list[EventExposure], confidence: float
) -> None:
    turns = [list(zip(all_probabilities(it), it.pnl_micro, strict=True)) for it in held]
    losses, weights = [], []
    for combination in product(*turns):
        weights.append(float(np.prod([p for p, _ in combination])))
        losses.append(-sum(pnl for _, pnl in combination))
    counted = tail(losses, confidence, weights)
    found = independent_distribution(held)
    assert found.error_micro == 0
    assert found.probabilities.sum() == pytest.approx(1)
    assert found.tail(confidence).cvar == pytest.approx(counted.cvar, rel=1e-9, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(exposures, st.integers(8, 64))
def test_a_grid_errs_on_the_side_of_loss_and_by_no_more_than_it_says(
    held: list[EventExposure], cells: int
) -> None:
    exact, coarse = independent_distribution(held), independent_distribution(held, cells)
    assert len(coarse.pnl_micro) <= max(cells, len(exact.pnl_micro))
    for confidence in (0.5, 0.9, 0.99):
        off_var = coarse.tail(confidence).var - exact.tail(confidence).var
        off_cvar = coarse.tail(confidence).cvar - exact.tail(confidence).cvar
        slack = 1e-6 * (1 + coarse.error_micro + abs(exact.tail(confidence).cvar))
        assert -slack <= off_cvar <= coarse.error_micro + slack
        assert -slack <= off_var <= coarse.error_micro + slack


def test_two_hundred_uneven_positions_stay_within_a_thousandth() -> None:
    chance = np.random.default_rng(3)
    held = [
        EventExposure(f"e{n}", "", (float(p),), (int(win), -int(lose)))
        for n, (p, win, lose) in enumerate(
            zip(
                chance.uniform(0.05, 0.95, 200),
                chance.integers(1_000_000, 90_000_000, 200),
                chance.integers(1_000_000, 90_000_000, 200),
                strict=True,
            )
        )
    ]
    found = independent_distribution(held, 2**18)
    mean = float(found.pnl_micro @ found.probabilities)
    truth = sum(
        p * x for it in held for p, x in zip(all_probabilities(it), it.pnl_micro, strict=True)
    )
    assert found.error_micro > 0
    assert truth - found.error_micro <= mean <= truth
    assert found.error_micro < 1e-2 * found.tail(0.975).cvar


def test_a_hundred_like_bets_are_the_binomial() -> None:
    held = [EventExposure(f"e{n}", "", (0.9,), (0, -1)) for n in range(100)]
    found = independent_distribution(held)
    assert found.tail(0.975).var == binom(100, 0.1).ppf(0.975)
    assert found.probabilities == pytest.approx(binom(100, 0.1).pmf(-found.pnl_micro), abs=1e-15)


def test_nothing_held_is_one_certain_zero() -> None:
    found = independent_distribution([])
    assert found.pnl_micro.tolist() == [0]
    assert found.tail(0.9).cvar == 0.0
    with pytest.raises(ValueError, match="cells"):
        independent_distribution([], 1)


def test_the_worst_case_default_rate_of_hulls_example() -> None:
    # Hull, Risk Management and Financial Institutions: 2 % a year, correlation 0.1, 99.9 %: 12.8 %.
    assert vasicek_quantile(0.02, 0.1, 0.999) == pytest.approx(0.128, abs=5e-4)


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("probability", [0.01, 0.3])
def test_the_shortfall_is_the_bivariate_normal(probability: float, correlation: float) -> None:
    root = correlation**0.5
    matrix = [[1, root], [root, 1]]
    at = [norm.ppf(probability), norm.ppf(0.025)]
    joint = float(multivariate_normal([0, 0], matrix).cdf(at))
    found = vasicek_shortfall(probability, correlation, 0.975)
    assert found == pytest.approx(joint / 0.025, rel=2e-3)
    assert found >= vasicek_quantile(probability, correlation, 0.975) - 1e-12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.0, 0.1, 0.9), "probability"),
        ((1.0, 0.1, 0.9), "probability"),
        ((0.1, 1.0, 0.9), "correlation"),
        ((0.1, -0.1, 0.9), "correlation"),
        ((0.1, 0.1, 99.0), "confidence"),
    ],
)
def test_arguments_out_of_range_are_refused(
    arguments: tuple[float, float, float], words: str
) -> None:
    for function in (vasicek_quantile, vasicek_shortfall):
        with pytest.raises(ValueError, match=words):
            function(*arguments)
