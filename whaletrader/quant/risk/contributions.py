"""Which position brings the risk, where returns are summed up by a covariance.

Owns the split of a normal VaR (Jorion 2006, "Value at Risk", 3rd ed., section 7.2; Euler's rule,
Tasche 1999). For positions that win or lose all, `scenarios.ScenarioBook.contributions` splits
CVaR instead. Called by risk and by reports.
"""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri  # type: ignore[import-untyped]

from whaletrader.quant.risk.tail import Floats, check_confidence


def marginal_var(weights: ArrayLike, covariance: ArrayLike, confidence: float) -> Floats:
    """Return what VaR grows by for one more unit of each position: z (Sigma w) / sigma.

    `weights` (n,) in money or shares of capital, `covariance` (n, n) of returns, mean zero.
    All zero for a portfolio without risk. Raises ValueError.
    """
    check_confidence(confidence)
    held, matrix = checked(weights, covariance)
    sigma = sqrt(max(0.0, float(held @ matrix @ held)))
    if sigma == 0:
        return np.zeros_like(held)
    gradient: Floats = float(ndtri(confidence)) * (matrix @ held) / sigma
    return gradient


def component_var(weights: ArrayLike, covariance: ArrayLike, confidence: float) -> Floats:
    """Return each position's part of VaR, shape (n,); they add to z sigma. Raises ValueError."""
    held, _ = checked(weights, covariance)
    parts: Floats = held * marginal_var(weights, covariance, confidence)
    return parts


def checked(weights: ArrayLike, covariance: ArrayLike) -> tuple[Floats, Floats]:
    """Return both as arrays that fit together, or raise ValueError."""
    held = np.asarray(weights, dtype=np.float64)
    matrix = np.asarray(covariance, dtype=np.float64)
    if held.ndim != 1 or held.size == 0 or matrix.shape != (held.size, held.size):
        raise ValueError("weights must have shape (n,) and the matrix (n, n), n at least 1")
    if not (np.isfinite(held).all() and np.isfinite(matrix).all()):
        raise ValueError("weights and matrix must be finite")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12):
        raise ValueError("the matrix is not symmetric")
    return held, matrix
