"""Groups of different lengths in one flat array: how wallets are vectorised over.

Owns the layout (values beside offsets) and the sums over it; knows no statistic. Called by all
of quant that works on many wallets. Sums are taken in the order of the values, one after the
other, so that every machine finds the same bits (numpy's own sums depend on the vector unit).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Variance below this share of the mean square is rounding: 1e-12 of the values, squared.
_ROUNDING: Final = 1e-24


@dataclass(frozen=True)
class Ragged:
    """Group i is `values[offsets[i]:offsets[i + 1]]`; `values` (n,), `offsets` (groups + 1,).

    Values must be finite; a group may be empty. Raises ValueError.
    """

    values: Floats
    offsets: Ints

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.ascontiguousarray(self.values, dtype=np.float64))
        object.__setattr__(self, "offsets", np.ascontiguousarray(self.offsets, dtype=np.int64))
        if self.values.ndim != 1 or self.offsets.ndim != 1 or len(self.offsets) < 1:
            raise ValueError("values and offsets must be flat, with one offset more than groups")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.values):
            raise ValueError("offsets must begin with 0 and end with the number of values")
        if (np.diff(self.offsets) < 0).any():
            raise ValueError("offsets must not fall")
        if not np.isfinite(self.values).all():
            raise ValueError("a value is not a finite number: leave out what is not known")

    @classmethod
    def of(cls, groups: Sequence[ArrayLike]) -> "Ragged":
        """Return the groups as given, each a flat array."""
        arrays = [np.asarray(group, dtype=np.float64).ravel() for group in groups]
        lengths = np.array([0, *(len(array) for array in arrays)], dtype=np.int64)
        flat = np.concatenate(arrays) if arrays else np.empty(0)
        return cls(flat, np.cumsum(lengths))

    @classmethod
    def by(cls, codes: ArrayLike, values: ArrayLike, groups: int) -> "Ragged":
        """Return values grouped by codes 0..groups-1, each group in the order given."""
        labels = codes_in_range(codes, groups)
        flat = np.asarray(values, dtype=np.float64)
        if flat.shape != labels.shape:
            raise ValueError("codes and values must have one and the same length")
        order = np.argsort(labels, kind="stable")
        return cls(flat[order], offsets_of(labels, groups))

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.offsets) - 1

    @cached_property
    def counts(self) -> Ints:
        """Values in each group, shape (groups,)."""
        return np.diff(self.offsets)

    @cached_property
    def labels(self) -> Ints:
        """The group of each value, shape (n,)."""
        return np.repeat(np.arange(self.groups), self.counts)

    def group(self, index: int) -> Floats:
        """Return one group's values."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def sums(self) -> Floats:
        """Return the sum of each group, 0 for an empty one."""
        return sums_by(self.labels, self.values, self.groups)

    def means(self) -> Floats:
        """Return the mean of each group, nan for an empty one."""
        return divided(self.sums(), self.counts)

    def with_values(self, values: Floats) -> "Ragged":
        """Return other values in the same layout."""
        if values.shape != self.values.shape:
            raise ValueError("other values must have the length of those they stand for")
        return Ragged(values, self.offsets)

    def between(self, first: int, last: int) -> "Ragged":
        """Return the groups first..last - 1."""
        start, end = self.offsets[first], self.offsets[last]
        return Ragged(self.values[start:end], self.offsets[first : last + 1] - start)

    def select(self, is_kept: NDArray[np.bool_]) -> "Ragged":
        """Return the values for which `is_kept` (n,) holds; no group goes away."""
        return Ragged(self.values[is_kept], offsets_of(self.labels[is_kept], self.groups))


def centred_squares(values: Ragged) -> tuple[Floats, Floats]:
    """Return each value less its group's mean (n,), and the sums of their squares (groups,).

    Both are exactly 0 for a group whose values differ by less than rounding: equal returns have
    no risk, and a ratio to what rounding leaves of it would be astronomical.
    """
    centred = values.values - values.means()[values.labels]
    squares = sums_by(values.labels, centred**2, values.groups)
    sizes = sums_by(values.labels, values.values**2, values.groups)
    is_flat = squares <= _ROUNDING * sizes
    return np.where(is_flat[values.labels], 0.0, centred), np.where(is_flat, 0.0, squares)


def codes_in_range(codes: ArrayLike, groups: int) -> Ints:
    """Return codes as integers. Raises ValueError unless all are in 0..groups-1."""
    labels = np.asarray(codes)
    if labels.ndim != 1 or (labels.size and not np.issubdtype(labels.dtype, np.integer)):
        raise ValueError("codes must be a flat array of integers")
    if labels.size and (labels.min() < 0 or labels.max() >= groups):
        raise ValueError(f"codes must be from 0 to {groups - 1}: number the groups first")
    return labels.astype(np.int64)


def offsets_of(labels: Ints, groups: int) -> Ints:
    """Return where each group begins and the last one ends, (groups + 1,)."""
    counts = np.bincount(labels, minlength=groups)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def sums_by(labels: Ints, values: Floats, groups: int) -> Floats:
    """Return sums by label, (groups,), added one after the other."""
    return np.bincount(labels, weights=values, minlength=groups).astype(np.float64)


def running_sums(values: Ragged) -> Floats:
    """Return the sum of each value and those before it in its group, (n,)."""
    total = np.cumsum(values.values)
    before = np.concatenate([[0.0], total])[values.offsets[:-1]]
    return np.asarray(total - before[values.labels], np.float64)


def divided(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Return the quotient, nan where the denominator is 0."""
    above, below = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    above, below = np.broadcast_arrays(above, below)
    found = np.full(below.shape, np.nan)
    np.divide(above, below, out=found, where=below != 0)
    return found
