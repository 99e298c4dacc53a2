"""Overlap of markets, against Python sets and by hand."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from whaletrader.quant.together.overlap import jaccard_matrix, overlaps

trades = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 12)), max_size=60)


@given(trades)
def test_it_is_what_sets_give(pairs: list[tuple[int, int]]) -> None:
    held: dict[int, set[int]] = {}
    for wallet, market in pairs:
        held.setdefault(wallet, set()).add(market)
    expected = {
        (one, other): (len(held[one] & held[other]), len(held[one] | held[other]))
        for one, other in combinations(sorted(held), 2)
        if held[one] & held[other]
    }
    found = overlaps([w for w, _ in pairs], [m for _, m in pairs])
    listed = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert listed == sorted(expected)
    assert found.tested == len(held) * (len(held) - 1) // 2
    for place, pair in enumerate(listed):
        shared, union = expected[pair]
        assert found.shared[place] == shared
        assert found.jaccard[place] == pytest.approx(shared / union)
        smaller = min(len(held[pair[0]]), len(held[pair[1]]))
        assert found.overlap[place] == pytest.approx(shared / smaller)
        sizes = len(held[pair[0]]), len(held[pair[1]])
        peer = hypergeom.sf(shared - 1, len({m for _, m in pairs}), *sizes)
        assert found.p_value[place] == pytest.approx(peer, rel=1e-9)


def test_the_chance_of_sharing_by_hand() -> None:
    # Two wallets in 3 of 10 markets each, all three the same: 1 in 10 over 3.
    wallets, markets = [0] * 3 + [1] * 3 + [2] * 7, [0, 1, 2] * 2 + list(range(3, 10))
    found = overlaps(wallets, markets)
    assert found.shared.tolist() == [3]
    assert found.p_value == pytest.approx([1 / comb(10, 3)])


def test_repeats_count_once_and_a_minimum_is_kept() -> None:
    found = overlaps([0, 0, 0, 1, 1, 2], [5, 5, 6, 5, 6, 6], shared_min=2)
    assert (found.first.tolist(), found.second.tolist()) == ([0], [1])
    assert found.jaccard.tolist() == [1.0]
    matrix = jaccard_matrix(overlaps([0, 1, 2], [5, 5, 6]), 3)
    assert matrix.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_a_copier_stands_out_among_two_thousand_wallets() -> None:
    chance = np.random.default_rng(2)
    wallets = np.repeat(np.arange(2_000), 30)
    markets = chance.integers(0, 5_000, wallets.size)
    markets[30:55] = markets[:25]
    found = overlaps(wallets, markets, shared_min=3)
    best = int(np.argmin(found.p_value))
    assert (found.first[best], found.second[best]) == (0, 1)
    assert found.p_value[best] * found.tested < 1e-20


def test_nothing_gives_nothing() -> None:
    assert overlaps([], []).first.size == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: overlaps([0], [0, 1]), "length"),
        (lambda: overlaps([-1], [0]), "codes"),
        (lambda: overlaps([0.5], [0]), "codes"),
        (lambda: overlaps([0], [0], shared_min=0), "shared_min"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
