"""Drawing samples again: the stationary bootstrap, its block length, and shared weights.

Owns draws and the sums over them; the tests that use them have modules of their own. Reads no
random source: a `numpy.random.Generator` is handed in. One matrix of weights is shared by all
wallets, so a draw of every wallet is one product of matrices; values are first rounded to a grid
so fine (2^-50 of a group's size) that every sum is exact, and so the same in whatever order a
machine adds. Called by quant.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whaletrader.quant.ragged import Floats, Ints, Ragged, divided

# Rows of groups multiplied at once: keeps the padded block within tens of megabytes.
_GROUPS_AT_ONCE = 512
_EXACT_BITS = 50


@dataclass(frozen=True, slots=True)
class BlockLength:
    """Expected block lengths in periods, one a series: stationary and circular bootstrap."""

    stationary: Floats
    circular: Floats


def optimal_block_length(series: ArrayLike) -> BlockLength:
    """Return the block length that makes the error of a mean's variance least.

    Politis and White (2004), "Automatic block-length selection for the dependent bootstrap", as
    corrected by Patton, Politis and White (2009): (2 g^2 / d)^(1/3) n^(1/3), with d = 2 lrv^2
    (stationary) or 4/3 lrv^2 (circular), sums over the flat-top kernel of width 2 m, m the first
    lag that begins K_n insignificant autocorrelations. `series` (periods,) or (periods, series).
    A series without variance has length 1. Raises ValueError below ten periods and for what is
    no finite number.
    """
    values = np.asarray(series, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    periods = len(values)
    if values.ndim != 2 or periods < 10:
        raise ValueError("a block length needs at least ten periods")
    if not np.isfinite(values).all():
        raise ValueError("a value is not a finite number: a period without a result has 0")
    centred = values - values.mean(axis=0)
    run = max(5, int(np.log10(periods)))
    lags_max = int(np.ceil(np.sqrt(periods))) + run
    lags_max = min(lags_max, periods - 2)
    covariances, correlations = _autocovariances(centred, lags_max)
    band = 2 * np.sqrt(np.log10(periods) / periods)
    width = np.minimum(2 * _first_quiet_lag(correlations < band, run), lags_max)
    lag = np.arange(1, lags_max + 1)[:, None]
    kernel = np.clip(2 * (1 - lag / np.maximum(width, 1)), 0.0, 1.0)
    slope = 2 * (kernel * lag * covariances[1:]).sum(axis=0)
    long_run = covariances[0] + 2 * (kernel * covariances[1:]).sum(axis=0)
    length_max = np.ceil(min(3 * np.sqrt(periods), periods / 3))
    lengths = []
    for constant in (2.0, 4 / 3):
        raw = np.cbrt(divided(2 * slope**2, constant * long_run**2) * periods)
        raw = np.where(np.isnan(raw), 1.0, raw)
        # The last digits are a machine's own; a length decides draws, so it has six decimals.
        lengths.append(np.round(np.minimum(raw, length_max), 6))
    return BlockLength(*lengths)


def stationary_indices(
    length: int, draws: int, block_length: float, random: np.random.Generator
) -> Ints:
    """Return indices of `draws` stationary bootstrap samples, shape (draws, length).

    Politis and Romano (1994), "The stationary bootstrap", section 2: blocks of geometric length
    with mean `block_length`, beginning anywhere, wrapped around the end. Raises ValueError.
    """
    if length < 1 or draws < 1:
        raise ValueError("needs at least one period and one draw")
    check_block_length(block_length)
    starts = random.integers(0, length, size=(draws, length))
    is_new = random.random(size=(draws, length)) < 1 / block_length
    is_new[:, 0] = True
    place = np.arange(length)
    began = np.maximum.accumulate(np.where(is_new, place, 0), axis=1)
    return (np.take_along_axis(starts, began, axis=1) + place - began) % length


def stationary_counts(
    length: int, draws: int, block_length: float, random: np.random.Generator
) -> Floats:
    """Return how often each period comes up in each draw, shape (length, draws).

    The samples of `stationary_indices` as weights: sums over draws become a product of matrices.
    """
    indices = stationary_indices(length, draws, block_length, random)
    flat = (indices * draws + np.arange(draws)[:, None]).ravel()
    return np.bincount(flat, minlength=length * draws).reshape(length, draws).astype(np.float64)


def check_block_length(block_length: float) -> None:
    """Raise ValueError for a mean length of blocks below one period, or none."""
    if not block_length >= 1:
        raise ValueError(f"a block length of {block_length} is below one period")


def sign_weights(rows: int, draws: int, random: np.random.Generator) -> Floats:
    """Return independent signs, -1 or 1 with even odds (Rademacher), shape (rows, draws)."""
    if rows < 0 or draws < 1:
        raise ValueError("needs at least one draw")
    return (2 * random.integers(0, 2, size=(rows, draws), dtype=np.int8) - 1).astype(np.float64)


def on_grid(values: Ragged, weight_max: float = 1.0) -> Ragged:
    """Return the values rounded so that sums of them times whole weights are exact.

    Each group has a grid of its own, a power of two about 2^-50 of the sum of its sizes.
    """
    sizes = values.with_values(np.abs(values.values)).sums() * weight_max
    exponents = np.frexp(np.where(sizes > 0, sizes, 1.0))[1]
    scale = np.ldexp(1.0, _EXACT_BITS - exponents)[values.labels]
    return values.with_values(np.rint(values.values * scale) / scale)


def resampled_sums(values: Ragged, weights: Floats) -> Floats:
    """Return sums of each group's values times the first rows of `weights`: (groups, draws).

    Row k weighs the k-th value of every group; `weights` (rows, draws) are whole numbers and
    have as many rows as the longest group. The same bits on every machine (see `on_grid`).
    """
    longest = int(values.counts.max(initial=0))
    if len(weights) < longest:
        raise ValueError(f"{len(weights)} rows of weights for a group of {longest} values")
    exact = on_grid(values, float(np.abs(weights).max(initial=1.0)))
    found = np.zeros((values.groups, weights.shape[1]))
    # By length, so that groups padded to one width have about that width.
    order = np.argsort(values.counts, kind="stable")
    for first in range(0, values.groups, _GROUPS_AT_ONCE):
        rows = order[first : first + _GROUPS_AT_ONCE]
        padded = _padded(exact, rows)
        found[rows] = padded @ weights[: padded.shape[1]]
    return found


def monte_carlo_p(exceeding: ArrayLike, draws: int) -> Floats:
    """Return (1 + exceeding) / (1 + draws): never 0 (Davison and Hinkley 1997, eq. 4.11)."""
    return (1.0 + np.asarray(exceeding, dtype=np.float64)) / (1.0 + draws)


def _padded(values: Ragged, rows: Ints) -> Floats:
    counts = values.counts[rows]
    width = int(counts.max(initial=0))
    places = np.arange(width)
    is_value = places < counts[:, None]
    where = np.where(is_value, values.offsets[rows][:, None] + places, 0)
    source = values.values if len(values.values) else np.zeros(1)
    return np.where(is_value, source[where], 0.0)


def _autocovariances(centred: Floats, lags_max: int) -> tuple[Floats, Floats]:
    periods = len(centred)
    covariances = np.empty((lags_max + 1, centred.shape[1]))
    correlations = np.empty_like(covariances)
    for lag in range(lags_max + 1):
        late, early = centred[lag:], centred[: periods - lag]
        product = (late * early).sum(axis=0)
        covariances[lag] = product / periods
        norm = np.sqrt((late**2).sum(axis=0) * (early**2).sum(axis=0))
        correlations[lag] = np.abs(np.where(norm > 0, divided(product, norm), 0.0))
    return covariances, correlations


def _first_quiet_lag(is_quiet: NDArray[np.bool_], run: int) -> Ints:
    """First lag from 1 on that begins `run` quiet ones; as many lags as there are without one."""
    lags_max = len(is_quiet) - 1
    windows = np.lib.stride_tricks.sliding_window_view(is_quiet[1:], min(run, lags_max), axis=0)
    is_start = windows.all(axis=-1)
    return np.where(is_start.any(axis=0), is_start.argmax(axis=0) + 1, lags_max)
