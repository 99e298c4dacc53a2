"""What a Sharpe ratio proves. Printed examples: test_published_numbers."""

import numpy as np
import pytest

from whaletrader.quant.ragged import Ragged
from whaletrader.quant.sharpe_inference import (
    SharpeMoments,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
    sharpe_standard_error,
)


def test_the_error_is_what_samples_scatter_by_also_for_skewed_returns() -> None:
    random = np.random.default_rng(1)
    samples = random.gamma(2, 1, (4_000, 200)) - 1.5
    found = sharpe_moments(Ragged.of(list(samples)))
    assert float(np.std(found.sharpe)) == pytest.approx(
        float(np.mean(sharpe_standard_error(found))), rel=0.05
    )


def test_the_best_of_many_without_skill_is_as_good_as_expected() -> None:
    best = np.random.default_rng(2).normal(0, 0.3, (5_000, 50)).max(axis=1).mean()
    assert float(expected_maximum_sharpe(0.09, 50)) == pytest.approx(best, rel=0.02)
    assert float(expected_maximum_sharpe(0.09, 1)) == 0.0


def test_a_record_of_the_minimum_length_is_just_believed() -> None:
    one = [np.array([it]) for it in (0.2, 0.0, -1.0, 6.0)]
    needed = minimum_track_record(SharpeMoments(*one), 0.05, 0.95)
    at_length = SharpeMoments(one[0], needed, one[2], one[3])
    assert probabilistic_sharpe(at_length, 0.05)[0] == pytest.approx(0.95)


def test_no_record_is_long_enough_for_what_lies_below_the_benchmark() -> None:
    found = sharpe_moments(Ragged.of([[-1.0, 0.5, 0.2]]))
    assert minimum_track_record(found)[0] == np.inf


def test_more_trials_deflate_more() -> None:
    found = sharpe_moments(Ragged.of([np.random.default_rng(3).normal(0.2, 1, 250)]))
    deflated = [float(deflated_sharpe(found, 0.01, trials)[0]) for trials in (1, 10, 1_000)]
    assert deflated == sorted(deflated, reverse=True)
    assert deflated[0] == pytest.approx(float(probabilistic_sharpe(found)[0]))


def test_without_variance_nothing_is_proved() -> None:
    found = sharpe_moments(Ragged.of([[1.0, 1.0], [], [2.0]]))
    assert np.isnan(found.sharpe).all()
    assert np.isnan(probabilistic_sharpe(found)).all()
    assert np.isnan(minimum_track_record(found)).all()


def test_bad_input_is_refused() -> None:
    found = sharpe_moments(Ragged.of([[1.0, 2.0, 4.0]]))
    with pytest.raises(ValueError, match="confidence"):
        minimum_track_record(found, confidence=0.4)
    with pytest.raises(ValueError, match="one trial"):
        expected_maximum_sharpe(0.1, 0)
    with pytest.raises(ValueError, match="one trial"):
        expected_maximum_sharpe(-0.1, 5)
