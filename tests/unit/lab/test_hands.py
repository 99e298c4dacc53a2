"""Shared hands: behaviour and funds together, not either alone."""

import numpy as np
import pytest

from whaletrader.lab.detectors.hands import (
    ClusterRules,
    behaviour,
    cluster_wallets,
)


def crowd(seed: int = 1, strangers: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Strangers of unknown funds, then six wallets that behave alike, all from source 7."""
    chance = np.random.default_rng(seed)
    features = chance.normal(0, 1, (strangers + 6, 5))
    features[strangers:] = chance.normal(0, 1, 5) + chance.normal(0, 0.05, (6, 5))
    funding = np.full(strangers + 6, -1)
    funding[strangers:] = 7
    return features, funding


def test_alike_and_paid_from_one_place_is_one_hand() -> None:
    found = cluster_wallets(*crowd())
    assert found.labels.tolist() == [-1] * 60 + [0] * 6
    assert (found.strength[60:] > 0).all()
    assert (found.strength[:60] == 0).all()


def test_alike_alone_is_not_enough() -> None:
    features, _ = crowd()
    assert (cluster_wallets(features, np.full(66, -1)).labels == -1).all()


def test_paid_from_one_place_alone_is_not_enough() -> None:
    features, funding = crowd()
    features[60:] = np.random.default_rng(2).normal(0, 5, (6, 5))
    labels = cluster_wallets(features, funding).labels
    assert np.count_nonzero(labels[60:] >= 0) < 3


def test_an_exchange_pays_everybody() -> None:
    features, funding = crowd()
    assert (cluster_wallets(features, np.full(66, 7)).labels == -1).all()
    rules = ClusterRules(source_wallets_max=5)
    assert (cluster_wallets(features, funding, rules).labels == -1).all()


def test_no_unit_matters() -> None:
    features, funding = crowd()
    scaled = features * np.array([1e6, 1e-6, 1, 50, 3]) + 1000
    assert cluster_wallets(scaled, funding).labels.tolist() == [-1] * 60 + [0] * 6


def test_too_few_wallets_are_no_cluster() -> None:
    assert cluster_wallets(np.zeros((2, 3)), np.array([1, 1])).labels.tolist() == [-1, -1]


def test_behaviour_by_hand() -> None:
    wallet = np.array([0, 0, 0, 1])
    time_s = np.array([0.0, 86_400.0, 2 * 86_400.0, 21_600.0])
    found = behaviour(
        wallet, time_s, np.array([10.0, 10.0, 10.5, 2.5]), np.array([0.2, 0.2, 0.8, 0.5])
    )
    assert found[0, 0] == pytest.approx(np.log(10))
    assert found[0, 2] == pytest.approx(0.2)
    assert found[0, 4:6] == pytest.approx([1, 0])
    assert found[1, 4:6] == pytest.approx([0, 1], abs=1e-12), "six in the morning"
    assert found[0, 6] == pytest.approx(np.log1p(86_400))
    assert found[:, 7] == pytest.approx([2 / 3, 0])


ONE = np.ones(2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cluster_wallets(np.zeros(3), np.zeros(3)), "features"),
        (lambda: cluster_wallets(np.zeros((3, 2)), np.zeros(2)), "source"),
        (lambda: cluster_wallets(np.full((3, 2), np.nan), np.zeros(3)), "finite"),
        (lambda: cluster_wallets(np.zeros((5001, 1)), np.zeros(5001)), "at most 5000"),
        (lambda: ClusterRules(wallets_min=1), "two wallets"),
        (lambda: ClusterRules(distance_max=0), "distance_max"),
        (lambda: behaviour(np.array([0, 2]), ONE, ONE, ONE), "gap"),
        (lambda: behaviour(np.array([0, 1]), ONE, 0 * ONE, ONE), "above 0"),
        (lambda: behaviour(np.array([], dtype=int), ONE, ONE, ONE), "at least one trade"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
