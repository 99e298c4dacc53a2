"""VaR and CVaR of samples and distributions, with the atoms that binary contracts bring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whaletrader.quant.risk.tail import of_sorted, tail, tail_of_pnl

losses_lists = st.lists(st.integers(-1000, 1000), min_size=1, max_size=60)
confidences = st.sampled_from([0.5, 0.9, 0.95, 0.975, 0.99])


def minimised(losses: np.ndarray, confidence: float) -> float:
    """CVaR by its own definition: the least of z + E[(L - z)+] / (1 - q), at one of the atoms."""
    z = losses.astype(float)
    return float(min(at + np.maximum(0, z - at).mean() / (1 - confidence) for at in np.unique(z)))


def test_a_hundred_losses_from_1_to_100_by_hand() -> None:
    # VaR 95 is the 95th; beyond it are 96..100, which are all of the worst five hundredths.
    found = tail(np.arange(1, 101), 0.95)
    assert (found.var, found.cvar) == (95.0, pytest.approx(98.0))


def test_the_atom_at_var_is_split() -> None:
    # A loss of 100 with probability 4 %, else nothing: 4 of the worst 5 hundredths lose it.
    found = tail([0.0, 100.0], 0.95, weights=[0.96, 0.04])
    assert found.var == 0.0
    assert found.cvar == pytest.approx(80.0)
    # With 6 % all of the worst twentieth lose it, and it is the VaR too.
    found = tail([100.0, 0.0], 0.95, weights=[6, 94])
    assert (found.var, found.cvar) == (100.0, pytest.approx(100.0))


@given(losses_lists, confidences)
def test_cvar_is_the_minimum_of_rockafellar_and_uryasev(
    losses: list[int], confidence: float
) -> None:
    found = tail(losses, confidence)
    assert found.cvar == pytest.approx(minimised(np.array(losses), confidence), abs=1e-6)
    assert found.var <= found.cvar + 1e-9
    assert found.var in losses


@given(losses_lists, confidences)
def test_all_three_ways_in_agree(losses: list[int], confidence: float) -> None:
    pnl = -np.array(losses, dtype=np.int64)
    plain, weighted = tail(losses, confidence), tail(losses, confidence, np.ones(len(losses)))
    fast = tail_of_pnl(pnl, confidence)
    for other in (weighted, fast):
        assert other.var == plain.var
        assert other.cvar == pytest.approx(plain.cvar, abs=1e-6)


def test_a_gain_is_a_negative_loss() -> None:
    assert tail_of_pnl(np.array([5, 5, 5], dtype=np.int64), 0.9).cvar == pytest.approx(-5)


def test_profits_are_left_as_they_are() -> None:
    pnl = np.array([3, -1, 2], dtype=np.int64)
    tail_of_pnl(pnl, 0.9)
    assert pnl.tolist() == [3, -1, 2]


@pytest.mark.parametrize("confidence", [0.0, 1.0, 97.5, -0.1, float("nan")])
def test_a_confidence_in_per_cent_is_refused(confidence: float) -> None:
    for call in (
        lambda: tail([1.0], confidence),
        lambda: tail_of_pnl(np.array([1], dtype=np.int64), confidence),
        lambda: of_sorted(np.array([1.0]), np.array([1.0]), confidence),
    ):
        with pytest.raises(ValueError, match="not between 0 and 1"):
            call()


@pytest.mark.parametrize("losses", [[], [[1.0]], [float("nan")], [float("inf")]])
def test_losses_that_are_none_are_refused(losses: list[float]) -> None:
    with pytest.raises(ValueError, match="losses must be"):
        tail(losses, 0.95)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [float("nan"), 1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must"):
        tail([1.0, 2.0], 0.95, weights)
