"""How far risk is spread. Called by risk and by reports.

Owns the diversification ratio (Choueifaty and Coignard 2008, "Toward maximum diversification",
eq. 1) and the effective number of bets on principal portfolios (Meucci 2009, "Managing
diversification", eq. 11 to 14).
"""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from whaletrader.quant.risk.contributions import checked


def diversification_ratio(weights: ArrayLike, covariance: ArrayLike) -> float:
    """Return sum |w_i| sigma_i over sigma of the whole: 1 for one bet, sqrt(n) for n free ones.

    `weights` (n,), `covariance` (n, n). 1 where nothing is at risk; infinity where positions
    cancel to none. Raises ValueError.
    """
    held, matrix = checked(weights, covariance)
    apart = float(np.abs(held) @ np.sqrt(np.diag(matrix).clip(0)))
    together = sqrt(max(0.0, float(held @ matrix @ held)))
    if apart == 0:
        return 1.0
    return apart / together if together > 0 else float("inf")


def effective_bets(weights: ArrayLike, covariance: ArrayLike) -> float:
    """Return exp of the entropy of variance by principal portfolio, from 1 to n; 0 without risk.

    With E the eigenvectors: p_k = lambda_k (e_k . w)^2 / variance. Where eigenvalues are equal
    the axes are free, and so is the figure: it describes the axes that LAPACK gives.
    """
    held, matrix = checked(weights, covariance)
    eigenvalues, vectors = np.linalg.eigh(matrix)
    parts = eigenvalues.clip(0) * (vectors.T @ held) ** 2
    if parts.sum() <= 0:
        return 0.0
    shares = parts / parts.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def diversification_score(weights: ArrayLike, covariance: ArrayLike) -> float:
    """Return 1 - 1 / ratio^2, from 0 for one bet to 1 - 1/n for n equal free ones.

    The squared ratio counts independent bets (Choueifaty, Froidure and Reynier 2013, "Properties
    of the most diversified portfolio", section 4.1), so this is the share of the variance that
    spreading took away. Raises ValueError.
    """
    ratio = diversification_ratio(weights, covariance)
    return max(0.0, 1 - ratio**-2)
