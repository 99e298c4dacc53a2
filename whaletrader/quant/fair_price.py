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
- events are independent;
- nothing has a chance below the finest tick, whatever it cost.

So a wallet's profit is a sum of independent steps of uniforms, whose tail step_sums knows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
from whaletrader.quant.step_sums import SAME, Steps, tails, variances

# The finest tick of the venue. A cost below is rounding of a dust fill or a gift, and what was
# free and won would else be proof of anything.
CHANCE_MIN: Final = 1e-4


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
    above, below = tails(steps, observed)
    has_bets = np.bincount(codes, weights=bets.weight, minlength=wallets) > 0
    return FairPrice(
        p_value=np.where(has_bets, above, np.nan),
        p_value_below=np.where(has_bets, below, np.nan),
        profit=np.where(has_bets, profit, np.nan),
        deviation=np.where(has_bets, np.sqrt(variances(steps)) * steps.scale, np.nan),
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
        found[wallet] = monte_carlo_p((total >= observed[wallet] - SAME).sum(), draws)
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


def _steps_of(legs: _Legs, wallets: int) -> Steps:
    scale = np.zeros(wallets)
    np.maximum.at(scale, legs.owner, legs.weight)
    blocks = clusters_within(legs.owner, legs.event)
    stake = legs.weight / scale[legs.owner]
    chance = np.clip(legs.cost, CHANCE_MIN, 1.0)
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
    return Steps(*pieces, blocks.owners, scale, half, wallets)


def _median_stakes(owner: Ints, stake: Floats, wallets: int) -> Floats:
    """The median stake of each wallet (the upper one of two), 0 without a stake."""
    order = np.lexsort((stake, owner))
    grouped = Ragged.by(owner[order], stake[order], wallets)
    middle = np.minimum(grouped.offsets[:-1] + grouped.counts // 2, max(len(stake) - 1, 0))
    values = grouped.values if len(stake) else np.zeros(1)
    return np.where(grouped.counts > 0, values[middle], 0.0)
