"""How returns move together, estimated so that few observations do not pretend to know much.

Owns two estimators: exponentially weighted covariance of returns (never of prices) with mean zero
(J.P. Morgan and Reuters 1996, "RiskMetrics technical document", 4th ed., eq. 5.3 and 5.7, decay
0.94 a day), and the sample covariance shrunk towards a multiple of the identity (Ledoit and Wolf
2004, "A well-conditioned estimator for large-dimensional covariance matrices", eq. 14). Also which
groups of columns move together. Called by risk, discovery and reports.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from whaletrader.quant.risk.contributions import checked
from whaletrader.quant.risk.tail import Floats, Ints

DAILY_DECAY = 0.94


@dataclass(frozen=True, slots=True)
class EwmaCovariance:
    """Covariance (n, n) after `count` rows of returns. Start with `EwmaCovariance.of(row)`."""

    matrix: Floats
    decay: float
    count: int

    @classmethod
    def of(cls, row: ArrayLike, decay: float = DAILY_DECAY) -> "EwmaCovariance":
        """Start with one row of n returns: its outer product. Raises ValueError."""
        _check_decay(decay)
        returns = _row(row)
        return cls(np.outer(returns, returns), decay, 1)

    def updated(self, row: ArrayLike) -> "EwmaCovariance":
        """Return lambda Sigma + (1 - lambda) r r' (RiskMetrics eq. 5.7). Raises ValueError."""
        returns = _row(row)
        if returns.size != len(self.matrix):
            raise ValueError(f"{returns.size} returns for a matrix of {len(self.matrix)}")
        stepped = self.decay * self.matrix + (1 - self.decay) * np.outer(returns, returns)
        return EwmaCovariance(stepped, self.decay, self.count + 1)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A covariance (n, n); `intensity` in [0, 1] is how much of it is the target."""

    covariance: Floats
    intensity: float


def ewma_covariance(returns: ArrayLike, decay: float = DAILY_DECAY) -> Floats:
    """Return the weighted covariance of returns (t, n), oldest first: weights sum to one.

    The weight of a row k steps back is proportional to decay^k (eq. 5.3, normalised for a short
    history). Raises ValueError.
    """
    _check_decay(decay)
    values = _matrix(returns)
    weights = decay ** np.arange(len(values) - 1, -1, -1.0)
    weights /= weights.sum()
    weighted: Floats = (values * weights[:, None]).T @ values
    return weighted


def ledoit_wolf(returns: ArrayLike) -> Shrunk:
    """Shrink the sample covariance of returns (t, n), t of at least 2, towards mean variance * I.

    intensity = min(1, b^2 / d^2): b^2 the sampling error of the sample covariance, d^2 its
    distance from the target (Ledoit and Wolf 2004, lemmas 3.3 to 3.5). Columns are centred and
    divided by t. Raises ValueError.
    """
    values = _matrix(returns)
    periods, columns = values.shape
    if periods < 2:
        raise ValueError("one row of returns has no covariance")
    centred = values - values.mean(axis=0)
    sample = centred.T @ centred / periods
    level = float(np.trace(sample)) / columns
    target = level * np.eye(columns)
    distance = float(((sample - target) ** 2).sum())
    if distance <= 1e-30 * max(1.0, level**2):
        return Shrunk(target, 1.0)
    # Mean over rows of |x x' - S|^2 = mean |x|^4 - |S|^2, and once more divided by t.
    fourth = float(((centred**2).sum(axis=1) ** 2).mean())
    error = max(0.0, fourth - float((sample**2).sum())) / periods
    intensity = min(1.0, error / distance)
    return Shrunk(intensity * target + (1 - intensity) * sample, intensity)


def correlation_of(covariance: ArrayLike) -> Floats:
    """Return the correlations (n, n); 1 on the diagonal, 0 beside a column that never moved."""
    matrix = np.asarray(covariance, dtype=np.float64)
    checked(np.zeros(len(matrix)), matrix)
    if (np.diag(matrix) < 0).any():
        raise ValueError("a variance is below zero")
    deviation = np.sqrt(np.diag(matrix))
    scale = np.outer(deviation, deviation)
    moved = scale > 0
    correlation = np.where(moved, matrix / np.where(moved, scale, 1.0), 0.0).clip(-1, 1)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def portfolio_correlation(weights: ArrayLike, correlation: ArrayLike) -> float:
    """Return the mean correlation of pairs, weighted by |w_i w_j|; 0 with fewer than two.

    Signs of holdings count: a short position in something alike is a hedge. Raises ValueError.
    """
    held, matrix = checked(weights, correlation)
    products = np.outer(held, held)
    np.fill_diagonal(products, 0.0)
    total = float(np.abs(products).sum())
    return float((products * matrix).sum()) / total if total > 0 else 0.0


def correlated_groups(correlation: ArrayLike, threshold: float = 0.7) -> Ints:
    """Return a group number for each column, shape (n,): columns linked by pairs at or above.

    Chains count: a with b and b with c puts all three together, which is the careful side for a
    limit. Numbers ascend with each group's first column. Raises ValueError.
    """
    matrix = np.asarray(correlation, dtype=np.float64)
    checked(np.zeros(len(matrix)), matrix)
    if not 0 < threshold <= 1:
        raise ValueError(f"a threshold of {threshold} is not above 0 and at most 1")
    _, labels = connected_components(csr_array(matrix >= threshold), directed=False)
    return np.asarray(labels, dtype=np.int64)


def _matrix(returns: ArrayLike) -> Floats:
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise ValueError("returns must be finite and of shape (periods, columns)")
    return values


def _row(row: ArrayLike) -> Floats:
    values = np.asarray(row, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("a row of returns must be finite and of shape (columns,)")
    return values


def _check_decay(decay: float) -> None:
    if not 0 < decay < 1:
        raise ValueError(f"a decay of {decay} is not between 0 and 1")
