"""The null that fits binary contracts: every market resolves with the probability that was paid.

Owns one question: how likely is a profit at least this high for somebody who paid those prices
and knew nothing? It needs no variance from the sample, so it is honest at 0.03 and at 0.97, where
a t statistic is not, and its tail is right far out, where ten thousand wallets are compared. The
cost includes the fee: the null is an edge of 0 after fees. Called by the skill verdict.

How the null is made joint, each time so that luck is not made smaller than it is:

- trades of one wallet on one side of one market are one bet at their average cost;
- its bets on both sides of a market share one uniform draw, YES winning below it, NO above;
- its markets of one event share that draw too, turned so that its positions win together, the
  largest sum in convex order (Dhaene et al. 2002, "The concept of comonotonicity", theorem 7);
- events are independent.

So a wallet's profit is a sum of independent steps of uniforms. Its tail: exact by convolution
while there are few outcomes, exact where everything was won, else the saddlepoint formula of
Lugannani and Rice (1980), eq. 3.1, with the argument moved by half the median stake (the
continuity correction of Daniels 1987, section 3, for equal stakes; for unequal ones it only makes
the p-value larger).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr  # type: ignore[import-untyped]

from whaletrader.quant.cluster_errors import clusters_within
from whaletrader.quant.edge import Bets
from whaletrader.quant.ragged import (
    Floats,
    Ints,
    Ragged,
    codes_in_range,
    divided,
    running_sums,
    sums_by,
)
from whaletrader.quant.resampling import monte_carlo_p

# A wallet with at most so many joint outcomes is convolved exactly.
_OUTCOMES_MAX: Final = 4_096
_NEWTON_STEPS_MAX: Final = 60
# Newton stops when the mean is met to this share of a deviation.
_MET: Final = 1e-10
# Nearer to the mean than this many deviations the saddlepoint formula loses its digits.
_NEAR: Final = 1e-3
# Outcomes that differ by less than this share of the largest stake are one outcome.
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class FairPrice:
    """The test of each wallet, arrays (wallets,), nan without a bet.

    `p_value` = P(profit >= observed), `p_value_below` = P(profit <= observed), both under the
    null; `profit` observed and `deviation` under the null, in weights times dollars a share.
    """

    p_value: Floats
    p_value_below: Floats
    profit: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True)
class _Steps:
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


@dataclass(frozen=True, slots=True)
class _Legs:
    """One row a wallet's side of a market: weight, cost paid, payoff; ordered by wallet, event."""

    owner: Ints
    event: Ints
    weight: Floats
    cost: Floats
    # Whether it wins below its threshold, as most of the wallet's stake in that market does.
    is_aligned: NDArray[np.bool_]


def fair_price_p(bets: Bets, wallets: int) -> FairPrice:
    """Return the test of wallets 0..wallets-1. Raises ValueError for a code out of range."""
    codes = codes_in_range(bets.wallet, wallets)
    profit = sums_by(codes, bets.weight * bets.edge, wallets)
    steps = _steps_of(_legs_of(bets, codes), wallets)
    observed = divided(profit, steps.scale)
    variance = _variance(steps)
    above = _upper_tail(steps, observed - steps.half_stake, variance)
    below = _upper_tail(_mirrored(steps), -observed - steps.half_stake, variance)
    above = _at_the_top(steps, observed, above)
    below = _at_the_top(_mirrored(steps), -observed, below)
    _make_exact(steps, observed, above, below)
    has_bets = np.bincount(codes, weights=bets.weight, minlength=wallets) > 0
    return FairPrice(
        p_value=np.where(has_bets, above, np.nan),
        p_value_below=np.where(has_bets, below, np.nan),
        profit=np.where(has_bets, profit, np.nan),
        deviation=np.where(has_bets, np.sqrt(variance) * steps.scale, np.nan),
    )


def fair_price_monte_carlo(
    bets: Bets, wallets: int, draws: int, random: np.random.Generator
) -> Floats:
    """Return P(profit >= observed) by drawing the uniforms, shape (wallets,): the slow check."""
    codes = codes_in_range(bets.wallet, wallets)
    profit = sums_by(codes, bets.weight * bets.edge, wallets)
    steps = _steps_of(_legs_of(bets, codes), wallets)
    observed = divided(profit, steps.scale)
    pieces = Ragged.by(steps.block, steps.length, len(steps.owner))
    found = np.full(wallets, np.nan)
    for wallet in np.unique(steps.owner):
        total = np.zeros(draws)
        for block in np.flatnonzero(steps.owner == wallet):
            ends = np.cumsum(pieces.group(int(block)))
            chosen = np.searchsorted(ends, random.random(draws) * ends[-1], side="right")
            start = pieces.offsets[block]
            total += steps.value[start + np.minimum(chosen, len(ends) - 1)]
        found[wallet] = monte_carlo_p((total >= observed[wallet] - _SAME).sum(), draws)
    return found


def _legs_of(bets: Bets, codes: Ints) -> _Legs:
    bets, codes = bets.rows(bets.weight > 0), codes[bets.weight > 0]
    markets = clusters_within(codes, bets.market)
    side = clusters_within(markets.labels, bets.is_yes.astype(np.int64))
    weight = sums_by(side.labels, bets.weight, side.total)
    cost = sums_by(side.labels, bets.weight * bets.cost, side.total) / weight
    is_yes = np.zeros(side.total, dtype=np.bool_)
    is_yes[side.labels] = bets.is_yes
    # The event of a market: the same for all of its bets, so any row may set it.
    event = np.zeros(markets.total, dtype=np.int64)
    event[markets.labels] = bets.event
    net = sums_by(side.owners, np.where(is_yes, weight, -weight), markets.total)
    is_aligned = is_yes == (net >= 0)[side.owners]
    return _Legs(markets.owners[side.owners], event[side.owners], weight, cost, is_aligned)


def _steps_of(legs: _Legs, wallets: int) -> _Steps:
    scale = np.zeros(wallets)
    np.maximum.at(scale, legs.owner, legs.weight)
    blocks = clusters_within(legs.owner, legs.event)
    stake = legs.weight / scale[legs.owner]
    chance = np.clip(legs.cost, 0.0, 1.0)
    won = stake * np.where(legs.is_aligned, 1 - legs.cost, -legs.cost)
    first_value = sums_by(blocks.labels, won, blocks.total)
    # One piece begins at 0, one more at each threshold; a stake is lost or won when crossing it.
    begins = np.concatenate([np.zeros(blocks.total), np.where(legs.is_aligned, chance, 1 - chance)])
    owner = np.concatenate([np.arange(blocks.total), blocks.labels])
    jump = np.concatenate([np.zeros(blocks.total), np.where(legs.is_aligned, -stake, stake)])
    order = np.lexsort((begins, owner))
    begins, owner, jump = begins[order], owner[order], jump[order]
    ends = np.append(begins[1:], 1.0)
    ends[np.flatnonzero(np.diff(owner))] = 1.0
    moved = Ragged.by(owner, jump, blocks.total)
    value = first_value[owner] + running_sums(moved)
    length = np.maximum(ends - begins, 0.0)
    is_real = length > 0
    half = _median_stakes(legs.owner, stake, wallets) / 2
    pieces = (length[is_real], value[is_real], owner[is_real])
    return _Steps(*pieces, blocks.owners, scale, half, wallets)


def _median_stakes(owner: Ints, stake: Floats, wallets: int) -> Floats:
    """The median stake of each wallet (the upper one of two), 0 without a stake."""
    order = np.lexsort((stake, owner))
    grouped = Ragged.by(owner[order], stake[order], wallets)
    middle = np.minimum(grouped.offsets[:-1] + grouped.counts // 2, max(len(stake) - 1, 0))
    values = grouped.values if len(stake) else np.zeros(1)
    return np.where(grouped.counts > 0, values[middle], 0.0)


def _variance(steps: _Steps) -> Floats:
    mean = sums_by(steps.block, steps.length * steps.value, len(steps.owner))
    squares = sums_by(steps.block, steps.length * steps.value**2, len(steps.owner))
    return sums_by(steps.owner, np.maximum(squares - mean**2, 0.0), steps.wallets)


def _mirrored(steps: _Steps) -> _Steps:
    return replace(steps, value=-steps.value)


def _upper_tail(steps: _Steps, argument: Floats, variance: Floats) -> Floats:
    """P(sum >= argument) by the saddlepoint; 1 or 0 beyond what is possible, nan without a bet."""
    edges = _extremes(steps)
    is_inside = (argument > edges[0]) & (argument < edges[1]) & (variance > 0)
    tail = np.where(argument <= edges[0], 1.0, 0.0)
    if is_inside.any():
        point = _solved(steps, argument, variance, is_inside)
        solved = _tail_at(steps, argument, variance, point)
        tail = np.where(is_inside, np.clip(solved, 0.0, 1.0), tail)
    return tail


def _extremes(steps: _Steps) -> tuple[Floats, Floats]:
    starts = np.flatnonzero(np.diff(steps.block, prepend=-1))
    if not len(starts):
        return np.zeros(steps.wallets), np.zeros(steps.wallets)
    low = np.minimum.reduceat(steps.value, starts)
    high = np.maximum.reduceat(steps.value, starts)
    return (
        sums_by(steps.owner, low, steps.wallets),
        sums_by(steps.owner, high, steps.wallets),
    )


def _tilted(steps: _Steps, point: Floats) -> tuple[Floats, Floats, Floats]:
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
    steps: _Steps, argument: Floats, variance: Floats, is_wanted: NDArray[np.bool_]
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


def _of_wallets(steps: _Steps, is_kept: NDArray[np.bool_]) -> _Steps:
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


def _tail_at(steps: _Steps, argument: Floats, variance: Floats, point: Floats) -> Floats:
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


def _edgeworth(steps: _Steps, score: Floats, variance: Floats) -> Floats:
    """Normal tail with its correction for skewness, for arguments next to the mean."""
    mean = sums_by(steps.block, steps.length * steps.value, len(steps.owner))
    cubes = steps.length * (steps.value - mean[steps.block]) ** 3
    third = sums_by(steps.owner, sums_by(steps.block, cubes, len(steps.owner)), steps.wallets)
    skewness = np.nan_to_num(divided(third, variance**1.5))
    density = np.exp(-(score**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(ndtr(-score) + density * skewness / 6 * (score**2 - 1), np.float64)


def _at_the_top(steps: _Steps, observed: Floats, tail: Floats) -> Floats:
    """Replace the tail of wallets that won all there was to win by the chance of just that."""
    blocks = len(steps.owner)
    if not blocks:
        return tail
    starts = np.flatnonzero(np.diff(steps.block, prepend=-1))
    high = np.maximum.reduceat(steps.value, starts)
    is_best = steps.value >= high[steps.block] - _SAME
    best = sums_by(steps.block, np.where(is_best, steps.length, 0.0), blocks)
    chance = np.exp(sums_by(steps.owner, np.log(best), steps.wallets))
    most = sums_by(steps.owner, high, steps.wallets)
    return np.where(observed >= most - _SAME, np.minimum(chance, 1.0), tail)


def _make_exact(steps: _Steps, observed: Floats, above: Floats, below: Floats) -> None:
    """Replace the tails of wallets with few joint outcomes by their exact values."""
    pieces = np.bincount(steps.block, minlength=len(steps.owner)).astype(np.float64)
    outcomes = np.exp(sums_by(steps.owner, np.log(pieces), steps.wallets))
    blocks = Ragged.by(steps.owner, np.arange(len(steps.owner), dtype=np.float64), steps.wallets)
    first = np.concatenate([[0], np.cumsum(pieces)]).astype(np.int64)
    is_exact = (outcomes <= _OUTCOMES_MAX + 0.5) & (blocks.counts > 0)
    for wallet in np.flatnonzero(is_exact):
        value, chance = np.zeros(1), np.ones(1)
        for block in blocks.group(int(wallet)).astype(np.int64):
            part = slice(first[block], first[block + 1])
            value = np.add.outer(value, steps.value[part]).ravel()
            chance = np.multiply.outer(chance, steps.length[part]).ravel()
        is_above = value >= observed[wallet] - _SAME
        is_below = value <= observed[wallet] + _SAME
        above[wallet] = min(float(chance[is_above].sum()), 1.0)
        below[wallet] = min(float(chance[is_below].sum()), 1.0)
