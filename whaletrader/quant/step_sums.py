"""Sums of independent step functions of uniforms: how likely is a sum at least this large?

Owns the tail, for many wallets at once, and knows no market. Called by fair_price. By what a
wallet's sum is like:

- few joint outcomes: all of them, convolved exactly;
- everything won that there was: the chance of just that;
- no few blocks dominate: the saddlepoint formula of Lugannani and Rice (1980), eq. 3.1, with the
  argument moved by half a usual stake (the continuity correction of Daniels 1987, section 3, for
  equal stakes; for unequal ones it only makes the tail larger);
- a few blocks dominate, so that no smooth formula holds: those convolved on a grid, each outcome
  rounded up to the next cell, so that the tail is not too small; the small rest as a normal.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr  # type: ignore[import-untyped]

from whaletrader.quant.ragged import Floats, Ints, Ragged, divided, sums_by

# A wallet with at most so many joint outcomes is convolved exactly.
_OUTCOMES_MAX: Final = 4_096
# Below so many blocks of equal variance the saddlepoint is not trusted.
_EFFECTIVE_BLOCKS_MIN: Final = 6.0
# Cells that the range of a sum is divided into: a block's rounding is a 4,096th of the range.
_CELLS: Final = 4_096
# Blocks of a smaller span go together; the normal that they make reaches so many deviations.
_LARGE_CELLS: Final = 4.0
_NORMAL_REACH: Final = 9.0
_NEWTON_STEPS_MAX: Final = 60
# Newton stops when the mean is met to this share of a deviation.
_MET: Final = 1e-10
# Nearer to the mean than this many deviations the saddlepoint formula loses its digits.
_NEAR: Final = 1e-3
# Outcomes that differ by less than this share of the largest stake are one outcome.
SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Steps:
    """Independent blocks (wallet, event), each a step function of one uniform draw.

    `length` and `value` (pieces,) with `block` (pieces,) and `owner` (blocks,) its wallet; blocks
    in order of wallet. Values in units of the wallet's largest stake, `scale` (wallets,).
    """

    length: Floats
    value: Floats
    block: Ints
    owner: Ints
    scale: Floats
    half_stake: Floats
    wallets: int


def tails(steps: Steps, observed: Floats) -> tuple[Floats, Floats]:
    """Return P(sum >= observed) and P(sum <= observed) of each wallet, (wallets,).

    `observed` in the units of the steps. What is returned for a wallet without a block means
    nothing.
    """
    variance = variances(steps)
    mirrored = replace(steps, value=-steps.value)
    above = _upper_tail(steps, observed - steps.half_stake, variance)
    below = _upper_tail(mirrored, -observed - steps.half_stake, variance)
    blocks = Ragged.by(steps.owner, np.arange(len(steps.owner), dtype=np.float64), steps.wallets)
    for wallet in np.flatnonzero(_is_dominated(steps) & (blocks.counts > 0)):
        parts = _pieces_of(steps, blocks.group(int(wallet)).astype(np.int64))
        above[wallet] = _grid_tail(parts, float(observed[wallet]))
        turned = [(-value, chance) for value, chance in parts]
        below[wallet] = _grid_tail(turned, -float(observed[wallet]))
    above = _at_the_top(steps, observed, above)
    below = _at_the_top(mirrored, -observed, below)
    _make_exact(steps, blocks, observed, (above, below))
    return above, below


def variances(steps: Steps) -> Floats:
    """Return the variance of each wallet's sum, (wallets,)."""
    return sums_by(steps.owner, _block_variances(steps), steps.wallets)


def _block_variances(steps: Steps) -> Floats:
    mean = sums_by(steps.block, steps.length * steps.value, len(steps.owner))
    squares = sums_by(steps.block, steps.length * steps.value**2, len(steps.owner))
    return np.asarray(np.maximum(squares - mean**2, 0.0), np.float64)


def _is_dominated(steps: Steps) -> NDArray[np.bool_]:
    own = _block_variances(steps)
    total = sums_by(steps.owner, own, steps.wallets)
    squares = sums_by(steps.owner, own**2, steps.wallets)
    return total**2 < _EFFECTIVE_BLOCKS_MIN * squares


def _pieces_of(steps: Steps, blocks: Ints) -> list[tuple[Floats, Floats]]:
    """Values and chances of the pieces of some blocks."""
    first = np.searchsorted(steps.block, blocks, side="left")
    last = np.searchsorted(steps.block, blocks, side="right")
    return [
        (steps.value[start:end], steps.length[start:end])
        for start, end in zip(first, last, strict=True)
    ]


def _grid_tail(parts: list[tuple[Floats, Floats]], observed: float) -> float:
    """P(sum >= observed) with every outcome rounded up to a cell, and `observed` down."""
    lowest = np.array([value.min() for value, _ in parts])
    spans = np.array([np.ptp(value) for value, _ in parts])
    cell = float(spans.sum()) / _CELLS
    if cell == 0:
        return 1.0 if observed <= lowest.sum() + SAME else 0.0
    is_large = spans >= _LARGE_CELLS * cell
    start, mass = _small_together([parts[index] for index in np.flatnonzero(~is_large)], cell)
    # Small ones of the large first, while the array is short.
    for index in np.argsort(spans, kind="stable")[int((~is_large).sum()) :]:
        value, chance = parts[index]
        places = np.ceil((value - lowest[index]) / cell - SAME).astype(np.int64)
        grown = np.zeros(len(mass) + int(places.max()))
        for place, share in zip(places, chance, strict=True):
            grown[place : place + len(mass)] += share * mass
        mass, start = grown, start + lowest[index]
    from_cell = int(np.floor((observed - SAME - start) / cell))
    return min(float(mass[max(from_cell, 0) :].sum()), 1.0)


def _small_together(parts: list[tuple[Floats, Floats]], cell: float) -> tuple[float, Floats]:
    """The value of the first cell, and the mass of cells, of blocks too small for the grid.

    There are many of them or they do not matter: their sum is taken as normal, rounded up.
    """
    means = [float(value @ chance) for value, chance in parts]
    squares = [float(value**2 @ chance) for value, chance in parts]
    mean = sum(means)
    deviation = sum(max(x - m**2, 0.0) for x, m in zip(squares, means, strict=True)) ** 0.5
    cells = int(np.ceil(_NORMAL_REACH * deviation / cell))
    if cells == 0:
        return mean, np.ones(1)
    edges = np.arange(-cells, cells + 1) * cell / deviation
    below = ndtr(edges)
    below[0], below[-1] = 0.0, 1.0
    return mean - (cells - 1) * cell, np.diff(below)


def _upper_tail(steps: Steps, argument: Floats, variance: Floats) -> Floats:
    """P(sum >= argument) by the saddlepoint; 1 or 0 beyond what is possible, nan without a bet."""
    edges = _extremes(steps)
    is_inside = (argument > edges[0]) & (argument < edges[1]) & (variance > 0)
    tail = np.where(argument <= edges[0], 1.0, 0.0)
    if is_inside.any():
        point = _solved(steps, argument, variance, is_inside)
        solved = _tail_at(steps, argument, variance, point)
        tail = np.where(is_inside, np.clip(solved, 0.0, 1.0), tail)
    return tail


def _extremes(steps: Steps) -> tuple[Floats, Floats]:
    starts = np.flatnonzero(np.diff(steps.block, prepend=-1))
    if not len(starts):
        return np.zeros(steps.wallets), np.zeros(steps.wallets)
    low = np.minimum.reduceat(steps.value, starts)
    high = np.maximum.reduceat(steps.value, starts)
    return (
        sums_by(steps.owner, low, steps.wallets),
        sums_by(steps.owner, high, steps.wallets),
    )


def _tilted(steps: Steps, point: Floats) -> tuple[Floats, Floats, Floats]:
    """Cumulant generating function of each wallet's sum at `point`, and its two derivatives."""
    blocks = len(steps.owner)
    exponent = point[steps.owner][steps.block] * steps.value
    starts = np.flatnonzero(np.diff(steps.block, prepend=-1))
    highest = np.maximum.reduceat(exponent, starts)
    weight = steps.length * np.exp(exponent - highest[steps.block])
    total = sums_by(steps.block, weight, blocks)
    weighted = weight * steps.value
    mean = sums_by(steps.block, weighted, blocks) / total
    spread = sums_by(steps.block, weighted * steps.value, blocks) / total - mean**2
    return (
        sums_by(steps.owner, np.log(total) + highest, steps.wallets),
        sums_by(steps.owner, mean, steps.wallets),
        sums_by(steps.owner, np.maximum(spread, 0.0), steps.wallets),
    )


def _solved(
    steps: Steps, argument: Floats, variance: Floats, is_wanted: NDArray[np.bool_]
) -> Floats:
    """The saddlepoint K'(t) = argument of the wallets wanted: Newton, kept within a bracket."""
    point = np.zeros(steps.wallets)
    low, high = np.full(steps.wallets, -np.inf), np.full(steps.wallets, np.inf)
    left = is_wanted.copy()
    for _ in range(_NEWTON_STEPS_MAX):
        part = _of_wallets(steps, left)
        _, mean, spread = _tilted(part, point)
        miss = np.where(left, argument - mean, 0.0)
        left &= np.abs(miss) > _MET * np.sqrt(variance)
        if not left.any():
            break
        low = np.where(left & (miss > 0), point, low)
        high = np.where(left & (miss < 0), point, high)
        # The derivative falls away in the tails: no step may do more than triple the point.
        reach = 2 * np.maximum(np.abs(point), 1.0)
        step = np.clip(divided(miss, np.maximum(spread, 1e-300)), -reach, reach)
        moved = point + step
        is_out = (moved <= low) | (moved >= high)
        with np.errstate(invalid="ignore"):
            moved = np.where(is_out, (low + high) / 2, moved)
        point = np.where(left, moved, point)
    return point


def _of_wallets(steps: Steps, is_kept: NDArray[np.bool_]) -> Steps:
    """The blocks of some wallets, under the same wallet codes."""
    kept_block = is_kept[steps.owner]
    if kept_block.all():
        return steps
    renumbered = np.cumsum(kept_block) - 1
    kept_piece = kept_block[steps.block]
    return replace(
        steps,
        length=steps.length[kept_piece],
        value=steps.value[kept_piece],
        block=renumbered[steps.block[kept_piece]],
        owner=steps.owner[kept_block],
    )


def _tail_at(steps: Steps, argument: Floats, variance: Floats, point: Floats) -> Floats:
    cumulant, mean, spread = _tilted(steps, point)
    root = np.sign(point) * np.sqrt(np.maximum(2 * (point * argument - cumulant), 0.0))
    slope = point * np.sqrt(spread)
    density = np.exp(-(root**2) / 2) / np.sqrt(2 * np.pi)
    tail = ndtr(-root) + density * (divided(1.0, slope) - divided(1.0, root))
    # Where Newton did not arrive, Chernoff's bound holds for any positive point.
    is_met = np.abs(argument - mean) <= 1e-6 * np.sqrt(variance)
    bound = np.exp(np.minimum(cumulant - point * argument, 0.0))
    tail = np.where(is_met, tail, np.where(point > 0, bound, 1.0))
    score = divided(argument - _tilted(steps, np.zeros_like(point))[1], np.sqrt(variance))
    is_near = np.abs(score) < _NEAR
    return np.where(is_near, _edgeworth(steps, score, variance), tail)


def _edgeworth(steps: Steps, score: Floats, variance: Floats) -> Floats:
    """Normal tail with its correction for skewness, for arguments next to the mean."""
    mean = sums_by(steps.block, steps.length * steps.value, len(steps.owner))
    cubes = steps.length * (steps.value - mean[steps.block]) ** 3
    third = sums_by(steps.owner, sums_by(steps.block, cubes, len(steps.owner)), steps.wallets)
    skewness = np.nan_to_num(divided(third, variance**1.5))
    density = np.exp(-(score**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(ndtr(-score) + density * skewness / 6 * (score**2 - 1), np.float64)


def _at_the_top(steps: Steps, observed: Floats, tail: Floats) -> Floats:
    """Replace the tail of wallets that won all there was to win by the chance of just that."""
    blocks = len(steps.owner)
    if not blocks:
        return tail
    starts = np.flatnonzero(np.diff(steps.block, prepend=-1))
    high = np.maximum.reduceat(steps.value, starts)
    is_best = steps.value >= high[steps.block] - SAME
    best = sums_by(steps.block, np.where(is_best, steps.length, 0.0), blocks)
    chance = np.exp(sums_by(steps.owner, np.log(best), steps.wallets))
    most = sums_by(steps.owner, high, steps.wallets)
    return np.where(observed >= most - SAME, np.minimum(chance, 1.0), tail)


def _make_exact(
    steps: Steps, blocks: Ragged, observed: Floats, found: tuple[Floats, Floats]
) -> None:
    """Replace both tails of wallets with few joint outcomes by their exact values."""
    pieces = np.bincount(steps.block, minlength=len(steps.owner)).astype(np.float64)
    outcomes_log = sums_by(steps.owner, np.log(pieces), steps.wallets)
    is_exact = (outcomes_log <= np.log(_OUTCOMES_MAX + 0.5)) & (blocks.counts > 0)
    above, below = found
    for wallet in np.flatnonzero(is_exact):
        total, chance = np.zeros(1), np.ones(1)
        for values, chances in _pieces_of(steps, blocks.group(int(wallet)).astype(np.int64)):
            total = np.add.outer(total, values).ravel()
            chance = np.multiply.outer(chance, chances).ravel()
        above[wallet] = min(float(chance[total >= observed[wallet] - SAME].sum()), 1.0)
        below[wallet] = min(float(chance[total <= observed[wallet] + SAME].sum()), 1.0)
