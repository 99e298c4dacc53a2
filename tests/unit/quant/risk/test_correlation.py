"""Covariances against scikit-learn and weights written out; groups and spread by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf as reference  # type: ignore[import-untyped]

from whaletrader.quant.risk.contributions import component_var, marginal_var
from whaletrader.quant.risk.correlation import (
    EwmaCovariance,
    correlated_groups,
    correlation_of,
    ewma_covariance,
    ledoit_wolf,
    portfolio_correlation,
)
from whaletrader.quant.risk.diversification import (
    diversification_ratio,
    diversification_score,
    effective_bets,
)

shapes = st.tuples(st.integers(2, 40), st.integers(1, 12), st.integers(0, 10**6))


def drawn(periods: int, columns: int, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    common = chance.standard_normal((periods, 1))
    return 0.01 * (common + chance.standard_normal((periods, columns)) * (1 + np.arange(columns)))


@given(shapes)
def test_ledoit_wolf_is_that_of_scikit_learn(shape: tuple[int, int, int]) -> None:
    returns = drawn(*shape)
    covariance, intensity = reference(returns)
    found = ledoit_wolf(returns)
    if returns.shape[1] > 1:  # one column has no target to be shrunk to
        assert found.intensity == pytest.approx(intensity, abs=1e-9)
    assert found.covariance == pytest.approx(covariance, rel=1e-9, abs=1e-15)


def test_few_rows_are_shrunk_more_than_many() -> None:
    few, many = ledoit_wolf(drawn(8, 10, 1)), ledoit_wolf(drawn(4_000, 10, 1))
    assert few.intensity > 5 * many.intensity
    assert np.linalg.eigvalsh(few.covariance).min() > 0, "invertible with fewer rows than columns"


def test_ewma_weights_are_powers_of_the_decay() -> None:
    returns = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    weights = np.array([0.94**2, 0.94, 1.0]) / (0.94**2 + 0.94 + 1)
    expected = sum(w * np.outer(r, r) for w, r in zip(weights, returns, strict=True))
    assert ewma_covariance(returns) == pytest.approx(expected)


def test_one_row_at_a_time_is_riskmetrics_recursion_and_ends_at_the_weighted_sum() -> None:
    returns = drawn(400, 3, 2)
    state = EwmaCovariance.of(returns[0])
    for row in returns[1:]:
        before = state
        state = state.updated(row)
    assert state.matrix == pytest.approx(
        0.94 * before.matrix + 0.06 * np.outer(returns[-1], returns[-1])
    )
    assert state.count == 400
    assert state.matrix == pytest.approx(ewma_covariance(returns), rel=1e-8)


def test_returns_and_not_prices_are_squared() -> None:
    # A price that stands still at 0.9 has no variance; its returns are zero.
    assert ewma_covariance(np.zeros((10, 1)))[0, 0] == 0.0


def test_correlation_of_what_never_moved_is_zero() -> None:
    found = correlation_of([[4.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    assert found.tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]


def test_portfolio_correlation_by_hand() -> None:
    matrix = [[1, 0.8, 0], [0.8, 1, 0.2], [0, 0.2, 1]]
    assert portfolio_correlation([1, 1, 1], matrix) == pytest.approx((0.8 + 0 + 0.2) / 3)
    assert portfolio_correlation([1, -1, 0], matrix) == pytest.approx(-0.8)
    assert portfolio_correlation([3, 0, 0], matrix) == 0.0


def test_chains_of_correlated_columns_are_one_group() -> None:
    matrix = np.eye(5)
    for one, other, value in ((0, 2, 0.7), (2, 4, 0.9), (1, 3, 0.69)):
        matrix[one, other] = matrix[other, one] = value
    assert correlated_groups(matrix, 0.7).tolist() == [0, 1, 0, 2, 0]
    assert correlated_groups(matrix, 0.69).tolist() == [0, 1, 0, 1, 0]


def test_n_equal_free_bets_and_n_times_one_bet() -> None:
    weights = np.full(4, 0.25)
    assert diversification_ratio(weights, np.eye(4)) == pytest.approx(2.0)
    assert diversification_score(weights, np.eye(4)) == pytest.approx(0.75)
    together = np.ones((4, 4))
    assert diversification_ratio(weights, together) == pytest.approx(1.0)
    assert diversification_score(weights, together) == pytest.approx(0.0)
    assert effective_bets(weights, together) == pytest.approx(1.0)
    assert effective_bets(weights, np.diag([1.0, 1.001, 1.002, 1.003])) == pytest.approx(
        4, rel=1e-5
    )


def test_the_two_asset_example_of_choueifaty_and_coignard() -> None:
    # Volatilities 20 % and 10 %, correlation 0.5, weights 1/3 and 2/3: both bring 6.67 %, so the
    # ratio is 2 / sqrt(2 + 2 * 0.5).
    covariance = [[0.04, 0.01], [0.01, 0.01]]
    assert diversification_ratio([1 / 3, 2 / 3], covariance) == pytest.approx(2 / 3**0.5)


def test_nothing_at_risk_and_a_perfect_hedge() -> None:
    assert diversification_ratio([0, 0], np.eye(2)) == 1.0
    assert effective_bets([0, 0], np.eye(2)) == 0.0
    assert diversification_ratio([1, -1], np.ones((2, 2))) == float("inf")
    assert diversification_score([1, -1], np.ones((2, 2))) == 1.0
    assert component_var([0, 0], np.eye(2), 0.99).tolist() == [0, 0]


@given(shapes)
def test_components_add_to_var_and_margins_are_its_slope(shape: tuple[int, int, int]) -> None:
    covariance = np.atleast_2d(np.cov(drawn(*shape), rowvar=False))
    weights = np.random.default_rng(shape[2]).uniform(0.1, 1, len(covariance))

    def var(held: np.ndarray) -> float:
        return 2.3263478740408408 * float(np.sqrt(held @ covariance @ held))

    assert component_var(weights, covariance, 0.99).sum() == pytest.approx(var(weights))
    step = 1e-6 * np.eye(len(weights))
    slopes = [(var(weights + it) - var(weights - it)) / 2e-6 for it in step]
    assert marginal_var(weights, covariance, 0.99) == pytest.approx(slopes, rel=1e-4, abs=1e-8)


def test_jorions_two_currencies() -> None:
    # Jorion, Value at Risk, 3rd ed., section 7.2: 2 million CAD at 5 % and 1 million EUR at 12 %,
    # uncorrelated, 95 %: VaR 257,738, of it 105,630 CAD and 152,108 EUR.
    parts = component_var([2_000_000, 1_000_000], [[0.05**2, 0], [0, 0.12**2]], 0.95)
    # He rounds z to 1.65.
    scaled = parts * 1.65 / 1.6448536269514722
    assert scaled.sum() == pytest.approx(257_738, abs=1)
    assert scaled == pytest.approx([105_630, 152_108], abs=1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ewma_covariance([[1.0]], 1.0), "decay"),
        (lambda: EwmaCovariance.of([1.0], 0.0), "decay"),
        (lambda: EwmaCovariance.of([1.0]).updated([1.0, 2.0]), "2 returns"),
        (lambda: EwmaCovariance.of([float("nan")]), "finite"),
        (lambda: ewma_covariance([1.0, 2.0]), "shape"),
        (lambda: ledoit_wolf([[1.0, 2.0]]), "one row"),
        (lambda: ledoit_wolf([[float("inf")], [1.0]]), "finite"),
        (lambda: correlation_of([[1, 2], [3, 4]]), "symmetric"),
        (lambda: correlation_of([[-1.0]]), "below zero"),
        (lambda: correlated_groups([[1.0]], 0.0), "threshold"),
        (lambda: portfolio_correlation([1, 2], [[1.0]]), "shape"),
        (lambda: component_var([1.0], [[1.0]], 99), "confidence"),
        (lambda: diversification_ratio([float("nan")], [[1.0]]), "finite"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
