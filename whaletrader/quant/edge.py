"""The right yardstick of a prediction market: what a share earned against what was paid for it.

Owns bets (every trade as the purchase of one side at an all-in cost), their edge, and edges by
wallet with errors clustered by event. A win rate says nothing at a price of 0.95; the difference
between payout and cost does. Called by the fair-price test, the skill verdict and the evidence
study. Prices, costs, fees and edges are dollars a share.

Selling YES at p is buying NO at 1 - p: both pay p - payout. So a sale is a bet on the other side,
and a position that was closed early is two bets that together earn what the round trip earned.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]

from whaletrader.quant.cluster_errors import MeanErrors, clusters_within, mean_errors
from whaletrader.quant.ragged import (
    Floats,
    Ints,
    Ragged,
    codes_in_range,
    divided,
    running_sums,
    sums_by,
)

# Half a share each is how a tie is paid; nothing else lies between losing and winning.
_COST_MAX = 1.5


@dataclass(frozen=True, slots=True)
class Bets:
    """One row a trade, arrays (n,) in any order.

    `wallet`, `event`, `market` integer codes (a market belongs to one event; what has none is its
    own event); `is_yes` the side bought; `cost` paid a share with fee; `payoff` a share of that
    side, 0 to 1; `weight` what a row counts, such as shares, not negative. Raises ValueError.
    """

    wallet: Ints
    event: Ints
    market: Ints
    is_yes: NDArray[np.bool_]
    cost: Floats
    payoff: Floats
    weight: Floats

    def __post_init__(self) -> None:
        kinds = {"wallet": np.int64, "event": np.int64, "market": np.int64, "is_yes": np.bool_}
        for field in fields(self):
            array = np.asarray(getattr(self, field.name))
            kind = kinds.get(field.name, np.float64)
            if array.ndim != 1 or len(array) != len(np.asarray(self.wallet)):
                raise ValueError(f"{field.name} must be flat and as long as the other columns")
            if kind is np.int64 and array.size and array.dtype.kind not in "iu":
                raise ValueError(f"{field.name} must be integer codes: number the names first")
            object.__setattr__(self, field.name, array.astype(kind))
        if not (np.isfinite(self.cost).all() and np.isfinite(self.payoff).all()):
            raise ValueError("a cost or payoff is not finite: leave out what is not resolved")
        if ((self.cost < 0) | (self.cost > _COST_MAX)).any():
            raise ValueError("a cost lies outside 0 to 1.5 dollars a share: is it in cents?")
        if ((self.payoff < 0) | (self.payoff > 1)).any():
            raise ValueError("a payoff lies outside 0 to 1 dollar a share")
        if not np.isfinite(self.weight).all() or (self.weight < 0).any():
            raise ValueError("a weight is negative or not finite")

    def __len__(self) -> int:
        return len(self.wallet)

    @property
    def edge(self) -> Floats:
        """Payoff less all-in cost, shape (n,)."""
        return self.payoff - self.cost

    def rows(self, is_kept: NDArray[np.bool_] | Ints) -> "Bets":
        """Return some of the rows, by mask or by index."""
        return Bets(*(getattr(self, field.name)[is_kept] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class WalletEdges:
    """Edge of each wallet; arrays (wallets,), nan where not defined.

    `error` is clustered by event, and at least what the prices alone would give; `lower` and
    `upper` by Student's t with events - 1 degrees of freedom. `effective_events` is
    (sum w)^2 / sum w^2 over events: how many equal bets it comes to.
    """

    edge: Floats
    error: Floats
    lower: Floats
    upper: Floats
    t: Floats
    events: Ints
    markets: Ints
    trades: Ints
    effective_events: Floats
    clustered: MeanErrors


def counted_once(bets: Bets) -> Bets:
    """Return the bets with weights by which a market counts once, 0 to 1, whatever its size.

    The first stakes in a market count until they come to the wallet's usual first stake (the
    median over its markets), later ones not at all. Rows of one wallet and market must be in the
    order of trading.

    These are the weights to ask about skill with: when a wallet's odds are better than the price
    by one factor, the sum of payoff - cost with equal weights is the locally most powerful
    statistic (the score of a logistic shift; Cox and Hinkley 1974, section 4.8), and by size a
    few large bets drown the rest. To divide by all that was staked in a market would be wrong:
    who doubles when the price falls has staked most where he lost, and would look skilled. What
    a trade counts may depend on what came before it only.
    """
    markets = clusters_within(bets.wallet, bets.market)
    order = np.argsort(markets.labels, kind="stable")
    stakes = Ragged.by(markets.labels, bets.weight, markets.total)
    first = stakes.values[stakes.offsets[:-1]]
    cap = _medians(markets.owners, first)[markets.owners][stakes.labels]
    upto = running_sums(stakes)
    counted = np.minimum(upto, cap) - np.minimum(upto - stakes.values, cap)
    weight = np.zeros(len(bets))
    weight[order] = np.nan_to_num(divided(np.maximum(counted, 0.0), cap))
    return replace(bets, weight=weight)


def _medians(owners: Ints, values: Floats) -> Floats:
    """The median of the positive values of each owner, (owners' highest + 1,); 0 without one."""
    is_positive = values > 0
    owner, kept = owners[is_positive], values[is_positive]
    groups = int(owners.max(initial=-1)) + 1
    order = np.lexsort((kept, owner))
    grouped = Ragged.by(owner[order], kept[order], groups)
    found = np.zeros(groups)
    has_any = grouped.counts > 0
    start, count = grouped.offsets[:-1][has_any], grouped.counts[has_any]
    low, high = start + (count - 1) // 2, start + count // 2
    found[has_any] = (grouped.values[low] + grouped.values[high]) / 2
    return found


def fee_per_share(price: ArrayLike, rate: ArrayLike, exponent: ArrayLike = 1.0) -> Floats:
    """Return the taker fee of one share, rate (p (1 - p))^exponent, as the venue's schedule has it.

    All broadcast; the rate and exponent in force at the time of each trade, 0 for a maker.
    Raises ValueError for a price outside 0 to 1 or a negative rate.
    """
    at, share = np.asarray(price, np.float64), np.asarray(rate, np.float64)
    if ((at < 0) | (at > 1)).any() or (share < 0).any():
        raise ValueError("a price must be from 0 to 1, a fee rate not negative")
    return np.asarray(share * (at * (1 - at)) ** np.asarray(exponent, np.float64), np.float64)


def trade_edges(is_buy: ArrayLike, price: ArrayLike, payout: ArrayLike, fee: ArrayLike) -> Floats:
    """Return what a share earned: payout - price when bought, price - payout when sold, less fee.

    `payout` is what a share of the traded outcome paid in the end, 0 to 1.
    """
    gain = np.asarray(payout, np.float64) - np.asarray(price, np.float64)
    signed = np.where(np.asarray(is_buy, dtype=bool), gain, -gain)
    return np.asarray(signed - np.asarray(fee, np.float64), np.float64)


def sides_and_costs(
    is_buy: ArrayLike, is_yes_outcome: ArrayLike, price: ArrayLike, fee: ArrayLike
) -> tuple[NDArray[np.bool_], Floats]:
    """Return the side that each trade is a purchase of, and its all-in cost a share.

    A sale of one outcome at p is a purchase of the other at 1 - p; the fee comes on top.
    """
    bought = np.asarray(is_buy, dtype=bool)
    yes = np.asarray(is_yes_outcome, dtype=bool)
    at = np.asarray(price, dtype=np.float64)
    cost = np.where(bought, at, 1 - at) + np.asarray(fee, np.float64)
    return yes == bought, np.asarray(cost, np.float64)


def copied(bets: Bets, entry_price: ArrayLike, fee: ArrayLike) -> Bets:
    """Return the bets as a copier made them: same sides and payoffs, at the copier's own cost.

    `entry_price` of the bought side some seconds later, nan where nothing could be had: those
    rows are left out, not counted as break-even.
    """
    price = np.asarray(entry_price, dtype=np.float64)
    if price.shape != bets.cost.shape:
        raise ValueError("every bet needs an entry price, nan where there was none")
    charged = np.broadcast_to(np.asarray(fee, np.float64), price.shape)
    had = ~np.isnan(price)
    return replace(bets.rows(had), cost=price[had] + charged[had])


def wallet_edges(bets: Bets, wallets: int, confidence: float = 0.95) -> WalletEdges:
    """Return each wallet's weighted edge a share with its interval, wallets 0..wallets-1.

    `confidence` is two-sided. Raises ValueError.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    codes = codes_in_range(bets.wallet, wallets)
    order = np.argsort(codes, kind="stable")
    edges = Ragged.by(codes, bets.edge, wallets)
    weights = bets.weight[order]
    found = mean_errors(edges, weights, bets.event[order])
    total = sums_by(edges.labels, weights, wallets)
    by_prices = divided(_chance_deviation(bets.rows(order), edges.labels, wallets), total)
    error = np.fmax(found.error, by_prices)
    reach = stdtrit(np.maximum(found.clusters - 1, 1), (1 + confidence) / 2) * error
    squares = sums_by(found.shares.labels, found.shares.values**2, wallets)
    return WalletEdges(
        edge=found.mean,
        error=error,
        lower=found.mean - reach,
        upper=found.mean + reach,
        t=divided(found.mean, np.nan_to_num(error)),
        events=found.clusters,
        markets=_distinct(edges.labels, bets.market[order], wallets),
        trades=edges.counts,
        effective_events=divided(1.0, squares),
        clustered=found,
    )


def _chance_deviation(bets: Bets, labels: Ints, wallets: int) -> Floats:
    """Deviation of the wallet's total if each market were a fair coin at the price paid.

    Same side of one market: one coin, W^2 c (1 - c). A longshot player who has not won yet has
    no variance in the sample, but all of it in the prices.
    """
    legs = clusters_within(labels, bets.market * 2 + bets.is_yes)
    weight = sums_by(legs.labels, bets.weight, legs.total)
    paid = sums_by(legs.labels, bets.weight * np.clip(bets.cost, 0, 1), legs.total)
    # W^2 c (1 - c) with c = paid / W.
    return np.sqrt(np.maximum(sums_by(legs.owners, paid * (weight - paid), wallets), 0.0))


def _distinct(labels: Ints, codes: Ints, groups: int) -> Ints:
    owners = clusters_within(labels, codes).owners
    return np.bincount(owners, minlength=groups).astype(np.int64)
