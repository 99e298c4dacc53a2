"""Cross-correlation of two series over scales: do they wander together, and evenly so?

Owns multifractal detrended cross-correlation analysis (Zhou 2008, "Multifractal detrended
cross-correlation analysis for two nonstationary signals", eq. 1 to 6; with one series twice it is
the MF-DFA of Kantelhardt et al. 2002) and the coefficient by scale (Zebende 2011, "DCCA
cross-correlation coefficient"). Called by studies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SCALE_MIN = 8


@dataclass(frozen=True, slots=True)
class MfDcca:
    """Fluctuations and their exponents, for orders q (n_q,) and scales s (n_s,).

    `fluctuations` F_q(s) (n_q, n_s); `hurst` h(q), the slope of log F against log s; `tau` the
    mass exponents q h(q) - 1; `alpha` and `spectrum` the singularities and how many there are.
    """

    orders: Floats
    scales: Floats
    fluctuations: Floats
    hurst: Floats
    tau: Floats
    alpha: Floats
    spectrum: Floats

    @property
    def width(self) -> float:
        """Greatest less least singularity: 0 for a series that is the same on every scale."""
        return float(self.alpha.max() - self.alpha.min())


def mfdcca(
    first: ArrayLike,
    second: ArrayLike,
    scales: Sequence[int],
    orders: ArrayLike,
    degree: int = 1,
) -> MfDcca:
    """Analyse two series of shape (n,), such as returns of two wallets on a common clock.

    `scales` are two or more window lengths from SCALE_MIN to n / 4, `orders` ascend (0 is taken as
    its limit), `degree` of the trend taken out of each window. Windows are laid from both ends. A
    window's covariance counts by its size, whichever its sign. Raises ValueError.
    """
    profiles = _profiles(first, second, scales, degree)
    if len(set(scales)) < 2:
        raise ValueError("an exponent is a slope over scales: give at least two of them")
    exponents = np.asarray(orders, dtype=np.float64)
    if exponents.ndim != 1 or exponents.size < 3 or not (np.diff(exponents) > 0).all():
        raise ValueError("give at least three ascending orders")
    fluctuations = np.empty((exponents.size, len(scales)))
    for column, scale in enumerate(scales):
        sizes = np.abs(_covariances(*profiles, scale, degree))
        sizes = sizes[sizes > 0]
        if sizes.size == 0:
            raise ValueError(f"the series do not fluctuate together at scale {scale}")
        fluctuations[:, column] = [_mean_of_order(sizes, float(q)) for q in exponents]
    lengths = np.asarray(scales, dtype=np.float64)
    hurst = np.polyfit(np.log(lengths), np.log(fluctuations).T, 1)[0]
    tau = exponents * hurst - 1
    # Legendre transform, eq. 6.
    alpha = np.gradient(tau, exponents)
    return MfDcca(exponents, lengths, fluctuations, hurst, tau, alpha, exponents * alpha - tau)


def dcca_coefficient(
    first: ArrayLike, second: ArrayLike, scales: Sequence[int], degree: int = 1
) -> Floats:
    """Return the cross-correlation in [-1, 1] at each scale, shape (n_s,). Raises ValueError."""
    one, other = _profiles(first, second, scales, degree)
    found = []
    for scale in scales:
        both = float(_covariances(one, other, scale, degree).mean())
        mine = float(_covariances(one, one, scale, degree).mean())
        theirs = float(_covariances(other, other, scale, degree).mean())
        if mine <= 0 or theirs <= 0:
            raise ValueError(f"a series does not move at scale {scale}")
        found.append(both / np.sqrt(mine * theirs))
    return np.asarray(np.clip(found, -1, 1), dtype=np.float64)


def _covariances(one: Floats, other: Floats, scale: int, degree: int) -> Floats:
    """Detrended covariance of each window, from the front and from the back."""
    windows = len(one) // scale
    used = windows * scale
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, scale), degree + 1))

    def residuals(profile: Floats) -> Floats:
        cut = np.concatenate([profile[:used], profile[len(profile) - used :]])
        pieces = cut.reshape(2 * windows, scale)
        rest: Floats = pieces - pieces @ basis @ basis.T
        return rest

    found: Floats = (residuals(one) * residuals(other)).mean(axis=1)
    return found


def _mean_of_order(sizes: Floats, order: float) -> float:
    logs = np.log(sizes) / 2
    if order == 0:
        return float(np.exp(logs.mean()))
    # Scaled by the largest term, so that high orders do not overflow.
    terms = order * logs
    top = terms.max()
    return float(np.exp((top + np.log(np.exp(terms - top).mean())) / order))


def _profiles(
    first: ArrayLike, second: ArrayLike, scales: Sequence[int], degree: int
) -> tuple[Floats, Floats]:
    one, other = (np.asarray(it, dtype=np.float64) for it in (first, second))
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError("the two series must be of one and the same length")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("the series must be finite")
    if not 0 <= degree <= 3:
        raise ValueError(f"a trend of degree {degree} is not from 0 to 3")
    if len(scales) < 1 or min(scales) < SCALE_MIN or max(scales) > len(one) // 4:
        raise ValueError(
            f"scales must be from {SCALE_MIN} to a quarter of the series' {len(one)} values"
        )
    return np.cumsum(one - one.mean()), np.cumsum(other - other.mean())
