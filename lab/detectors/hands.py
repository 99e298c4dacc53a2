"""Which wallets are one hand: they behave alike and were paid in from one place.

Owns the features and the distance; the clustering is HDBSCAN (Campello, Moulavi and Sander 2013,
"Density-based clustering based on hierarchical density estimates") as scikit-learn has it, which
leaves a wallet alone unless it is near to several. Behaviour is measured in robust deviations, so
that no unit matters. A shared source of funds brings wallets nearer only if few share it: an
exchange's hot wallet pays everybody. Called by `trials` and by studies. Here and
not in quant, as no agent's room installs scikit-learn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist, squareform  # type: ignore[import-untyped]
from sklearn.cluster import HDBSCAN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# All pairs are held: 5,000 wallets take 200 MB.
WALLETS_MAX = 5_000
# A deviation beyond this says no more than "far": one wild value must not be the distance.
SCORE_MAX = 5.0
# Median absolute deviation of a normal variable, in its deviations.
_MAD = 0.6745
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ClusterRules:
    """`funding_weight` in deviations: how far apart wallets of different funds are set.

    A source that more than `source_wallets_max` wallets share counts as none. Clusters have at
    least `wallets_min` wallets; `distance_max` parts what HDBSCAN would join only because all
    else is further away.
    """

    wallets_min: int = 3
    funding_weight: float = 3.0
    source_wallets_max: int = 25
    distance_max: float = 2.5

    def __post_init__(self) -> None:
        if self.wallets_min < 2 or self.source_wallets_max < 2:
            raise ValueError("a cluster and a source need at least two wallets")
        if not self.funding_weight >= 0 or not self.distance_max > 0:
            raise ValueError("need no negative funding_weight and a distance_max above 0")


@dataclass(frozen=True, slots=True)
class Clusters:
    """A cluster's number from 0 or -1 for none, and how surely it belongs, both (w,)."""

    labels: Ints
    strength: Floats


def behaviour(wallet: Ints, time_s: Floats, size_usd: Floats, price: Floats) -> Floats:
    """Return features of each wallet (wallets, 8) from its trades, arrays of shape (n,).

    Wallets are codes 0 to the highest, each with a trade. Log of the median size and its spread;
    the median price and its spread; time of day as a point in the unit disc; log of the median
    pause; share of trades in round dollars. Raises ValueError.
    """
    if not len(wallet) or any(it.shape != wallet.shape for it in (time_s, size_usd, price)):
        raise ValueError("give at least one trade, and all columns of one length")
    if not (size_usd > 0).all():
        raise ValueError("sizes must be above 0")
    order = np.lexsort((time_s, wallet))
    groups = np.split(order, np.flatnonzero(np.diff(wallet[order])) + 1)
    if len(groups) != int(wallet.max()) + 1:
        raise ValueError("wallets must be codes from 0 without a gap")
    rows = []
    for places in groups:
        logs = np.log(size_usd[places])
        angle = 2 * np.pi * (time_s[places] % DAY_S) / DAY_S
        pauses = np.diff(time_s[places])
        rows.append(
            (
                np.median(logs),
                logs.std(),
                np.median(price[places]),
                price[places].std(),
                np.cos(angle).mean(),
                np.sin(angle).mean(),
                np.log1p(np.median(pauses)) if pauses.size else np.log1p(DAY_S),
                np.isclose(size_usd[places] % 1, 0, atol=1e-6).mean(),
            )
        )
    return np.array(rows, dtype=np.float64)


def cluster_wallets(
    features: ArrayLike, funding: ArrayLike, rules: ClusterRules | None = None
) -> Clusters:
    """Cluster wallets by features (w, f) and source of funds (w,), a code, -1 for unknown.

    Raises ValueError.
    """
    limits = rules or ClusterRules()
    table, sources = np.asarray(features, dtype=np.float64), np.asarray(funding)
    if table.ndim != 2 or not np.isfinite(table).all() or sources.shape != (len(table),):
        raise ValueError("features must be finite, (wallets, features), with a source a wallet")
    if len(table) > WALLETS_MAX:
        raise ValueError(f"{len(table)} wallets; at most {WALLETS_MAX} at once")
    if len(table) < limits.wallets_min:
        return Clusters(np.full(len(table), -1, dtype=np.int64), np.zeros(len(table)))
    # Mean squared deviation a feature, so that the number of features does not matter.
    apart = pdist(_scores(table), "sqeuclidean") / table.shape[1]
    distance = squareform(np.sqrt(apart + limits.funding_weight**2 * _strangers(sources, limits)))
    model = HDBSCAN(
        min_cluster_size=limits.wallets_min,
        metric="precomputed",
        cluster_selection_method="leaf",
        allow_single_cluster=False,
        copy=True,
    )
    labels = np.asarray(model.fit_predict(distance), dtype=np.int64)
    labels = _tight(labels, distance, limits)
    strength = np.where(labels >= 0, model.probabilities_, 0.0)
    return Clusters(labels, np.asarray(strength, dtype=np.float64))


def _scores(table: Floats) -> Floats:
    middle = np.median(table, axis=0)
    spread = np.median(np.abs(table - middle), axis=0) / _MAD
    # A feature that most wallets share exactly is measured by its deviation instead.
    spread = np.where(spread > 0, spread, table.std(axis=0))
    scores = (table - middle) / np.where(spread > 0, spread, 1.0)
    return np.asarray(np.clip(scores, -SCORE_MAX, SCORE_MAX), dtype=np.float64)


def _strangers(sources: NDArray[np.generic], limits: ClusterRules) -> Floats:
    """1 for pairs without a telling source in common, 0 for those with, condensed."""
    _, codes, counts = np.unique(sources, return_inverse=True, return_counts=True)
    is_telling = (counts[codes] <= limits.source_wallets_max) & (sources != -1)
    # What tells nothing becomes a source of its own.
    own = np.where(is_telling, codes, len(counts) + np.arange(len(sources)))
    rows, columns = np.triu_indices(len(sources), k=1)
    return np.asarray(own[rows] != own[columns], dtype=np.float64)


def _tight(labels: Ints, distance: Floats, limits: ClusterRules) -> Ints:
    """Drop members too far from their cluster's middle one, and clusters grown too small."""
    kept = labels.copy()
    for label in range(int(labels.max(initial=-1)) + 1):
        places = np.flatnonzero(labels == label)
        inside = distance[np.ix_(places, places)]
        middle = int(np.argmin(inside.sum(axis=1)))
        kept[places[inside[middle] > limits.distance_max]] = -1
        if np.count_nonzero(kept == label) < limits.wallets_min:
            kept[kept == label] = -1
    found = np.unique(kept[kept >= 0])
    return np.where(kept >= 0, np.searchsorted(found, kept), -1).astype(np.int64)
