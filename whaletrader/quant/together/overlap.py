"""Which wallets are in the same markets more than chance would have them.

Owns the overlap of sets of markets for all pairs at once: Jaccard's index (1912), the overlap
coefficient (Szymkiewicz 1934), and the probability of so many shared markets if each wallet chose
its markets freely (hypergeometric; Tumminello et al. 2011, "Statistically validated networks in
bipartite complex systems", eq. 1). Sparse: pairs that share nothing cost nothing. Called by
discovery and by studies.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, triu  # type: ignore[import-untyped]
from scipy.special import gammaln  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of wallets that share a market, first < second, sorted; all of shape (pairs,).

    `jaccard` and `overlap` in (0, 1]; `p_value` of sharing so many or more by chance, not
    corrected for the number of pairs, of which there are `tested`.
    """

    first: Ints
    second: Ints
    shared: Ints
    jaccard: Floats
    overlap: Floats
    p_value: Floats
    tested: int


def overlaps(wallets: ArrayLike, markets: ArrayLike, shared_min: int = 1) -> Overlaps:
    """Return every pair that shares at least `shared_min` markets.

    `wallets` and `markets` are codes from 0, shape (n,), one entry a trade or a position; an entry
    that repeats counts once. The universe of markets is the distinct ones given. Raises ValueError.
    """
    owners, places = _codes(wallets, "wallets"), _codes(markets, "markets")
    if owners.shape != places.shape:
        raise ValueError("wallets and markets must be of one and the same length")
    if shared_min < 1:
        raise ValueError("pairs that share nothing are not listed: shared_min is at least 1")
    if owners.size == 0:
        none, no_share = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Overlaps(none, none, none, no_share, no_share, no_share, 0)
    _, places = np.unique(places, return_inverse=True)
    held = csr_array((np.ones(owners.size, dtype=np.int64), (owners, places)))
    held.data[:] = 1  # repeated entries were added up
    held.sum_duplicates()
    held.data[:] = 1
    sizes = np.asarray(held.sum(axis=1), dtype=np.int64).ravel()
    together = triu(held @ held.T, k=1).tocoo()
    enough = together.data >= shared_min
    first = together.row[enough].astype(np.int64)
    second = together.col[enough].astype(np.int64)
    shared = together.data[enough].astype(np.int64)
    order = np.lexsort((second, first))
    first, second, shared = first[order], second[order], shared[order]
    one, other = sizes[first], sizes[second]
    universe = int(places.max()) + 1
    active = int((sizes > 0).sum())
    return Overlaps(
        first,
        second,
        shared,
        shared / (one + other - shared),
        shared / np.minimum(one, other),
        _as_many_or_more(shared, universe, one, other),
        active * (active - 1) // 2,
    )


def jaccard_matrix(found: Overlaps, wallets: int) -> Floats:
    """Return the indices as a dense symmetric matrix (wallets, wallets), 1 on the diagonal."""
    matrix = np.eye(wallets)
    matrix[found.first, found.second] = found.jaccard
    matrix[found.second, found.first] = found.jaccard
    return matrix


def _as_many_or_more(shared: Ints, universe: int, one: Ints, other: Ints) -> Floats:
    """P(at least `shared` in common) of sets of those sizes, drawn freely from the universe."""
    term = np.exp(
        _log_choose(one, shared)
        + _log_choose(universe - one, other - shared)
        - _log_choose(np.full_like(one, universe), other)
    )
    total, common = term.copy(), shared.astype(np.float64)
    # Each term from the one before; none is left once one of the sets is used up.
    for _ in range(int((np.minimum(one, other) - shared).max(initial=0))):
        more = (one - common) * (other - common)
        term = term * more / ((common + 1) * (universe - one - other + common + 1))
        common += 1
        total += term
        if term.max(initial=0.0) < 1e-18 * total.min(initial=1.0):
            break
    return np.asarray(np.minimum(total, 1.0), dtype=np.float64)


def _log_choose(count: Ints, chosen: Ints) -> Floats:
    ways = gammaln(count + 1) - gammaln(chosen + 1) - gammaln(count - chosen + 1)
    return np.asarray(ways, dtype=np.float64)


def _codes(values: ArrayLike, name: str) -> Ints:
    codes = np.asarray(values)
    if codes.size == 0:
        return np.zeros(0, dtype=np.int64)
    if codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer) or codes.min() < 0:
        raise ValueError(f"{name} must be codes from 0 in one dimension")
    return codes.astype(np.int64)
