"""One wallet's bets in one open market: each trade as the purchase of one side, all costs in.

Owns what a trade counts. The first stakes in a market count until they come to the wallet's usual
first stake, later ones not at all (`quant.edge.counted_once` says why); an event counts at most
as two markets. What a trade counts is known when it is made: nothing later changes it. A sale of
one outcome at p is a purchase of the other at 1 - p. Money and weights are integers of 1e-6.
"""

from typing import Final

import msgspec

from whaletrader.domain.money import MICRO

# Bounds what one event can win or lose, so that a bet on it can be sized beforehand.
EVENT_WEIGHT_MAX: Final = 2 * MICRO
# The usual first stake is the median of so many.
FIRST_STAKES_MAX: Final = 31


class Stake(msgspec.Struct):
    """A wallet in a market. `weights` and `costs` by outcome that the bet is on."""

    event: str
    # The wallet's usual first stake when it came in, in micro-shares; 0 before its first trade.
    cap_micro: int = 0
    staked_micro: int = 0
    weights: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    # Dollars that the counted weight cost, fee and a copier's slippage included.
    costs: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    trades: int = 0
    # First 64 bits of the ids of its trades and deeds: one that comes again changes nothing.
    met: dict[int, None] = msgspec.field(default_factory=dict)


class SideBet(msgspec.Struct, frozen=True):
    """One side held to the end: what a share cost, and whether it paid."""

    cost_micro: int
    is_won: bool


class Settled(msgspec.Struct, frozen=True):
    """The bets of a market once it pays. `chance` is W^2 c (1 - c) summed over sides, 1e-12."""

    weight_micro: int
    gain_micro: int
    cost_micro: int
    chance: int
    sides: tuple[SideBet, ...]


def usual_stake(first_stakes: list[int], size_micro: int) -> int:
    """Return the median of the wallet's first stakes, this one included: the lower of two."""
    ordered = sorted([*first_stakes, size_micro])
    return ordered[(len(ordered) - 1) // 2]


def counted_weight(stake: Stake, cap_micro: int, size_micro: int, event_weight: int) -> int:
    """Return what a trade of that size counts, 0 to 1e6; `event_weight` is what others took."""
    upto = min(stake.staked_micro + size_micro, cap_micro)
    weight = max(0, upto - stake.staked_micro) * MICRO // cap_micro
    return max(0, min(weight, EVENT_WEIGHT_MAX - event_weight))


def bet_on(outcome: int, is_buy: bool, price_micro: int) -> tuple[int, int]:
    """Return the outcome that a trade bets on, and the price it pays for it."""
    return (outcome, price_micro) if is_buy else (1 - outcome, MICRO - price_micro)


def settled(stake: Stake, payouts: tuple[int, int]) -> Settled:
    """Return what the bets made of the result; payouts in micro-dollars a share."""
    weight = sum(stake.weights)
    gain = sum(w * pay for w, pay in zip(stake.weights, payouts, strict=True)) // MICRO
    held = [
        (weight, cost, pay)
        for weight, cost, pay in zip(stake.weights, stake.costs, payouts, strict=True)
        if weight > 0
    ]
    return Settled(
        weight_micro=weight,
        gain_micro=gain - sum(stake.costs),
        cost_micro=sum(stake.costs),
        chance=sum(min(cost, w) * (w - min(cost, w)) for w, cost, _ in held),
        sides=tuple(SideBet(cost * MICRO // w, 2 * pay > MICRO) for w, cost, pay in held),
    )


def open_loss(stake: Stake, mark_micro: int) -> int:
    """Return what the open bets would lose at the mark of outcome 0, 0 or less.

    A gain not yet settled counts for nothing: of markets that end early when they come true, only
    the winners would be seen.
    """
    if mark_micro < 0:
        return 0
    worth = stake.weights[0] * mark_micro + stake.weights[1] * (MICRO - mark_micro)
    return min(0, worth // MICRO - sum(stake.costs))
