"""How much to buy: the Kelly stake, and the largest order that a budget pays for.

Integers throughout, so that the answer is the same on every machine. Source of the binary Kelly
formula: Kelly (1956), for a contract that costs c and pays 1 with probability p.
"""

from typing import Final

from whaletrader.domain.money import MICRO, floor_to, notional, taker_fee
from whaletrader.services.risk.views import Market

# The venue takes sizes with two decimals (seen 2026-09).
LOT_MICRO: Final = 10_000
# The venue rounds the fee of each fill to 10 micro-dollars and each fill's cost to one: up to 6
# more a fill than for the whole order. A cent covers more than 1,600 fills of one order.
ROUNDING_SLACK_MICRO: Final = 10_000
# What an order in a market without known terms is set aside for: above every rate in force.
UNKNOWN_FEE_RATE_MICRO: Final = 100_000


def fee_of(market: Market | None, price_micro: int, size_micro: int) -> int:
    """Return the taker fee in micro-dollars; a high one where the terms are not known."""
    if market is None:
        return taker_fee(price_micro, size_micro, UNKNOWN_FEE_RATE_MICRO)
    return taker_fee(price_micro, size_micro, market.fee_rate_micro, market.fee_exponent)


def worst_cost(market: Market | None, price_micro: int, size_micro: int) -> int:
    """Return the most that a buy of that size at that limit can cost, but for rounding.

    The fee is taken at the price up to the limit where it is highest: at one half, or the limit.
    """
    dearest = min(price_micro, MICRO // 2)
    return notional(price_micro, size_micro, up=True) + fee_of(market, dearest, size_micro)


def reserve_for(market: Market | None, price_micro: int, size_micro: int) -> int:
    """Return what is set aside for a buy: its worst cost and slack for rounding."""
    if size_micro <= 0:
        return 0
    return worst_cost(market, price_micro, size_micro) + ROUNDING_SLACK_MICRO


def cost_per_share(market: Market | None, price_micro: int) -> int:
    """Return price plus taker fee of one share, in micro-dollars."""
    return price_micro + fee_of(market, price_micro, MICRO)


def kelly_stake(
    fair_micro: int, cost_micro: int, capital_micro: int, fraction_micro_ratio: int
) -> int:
    """Return the stake in micro-dollars: capital * fraction * (p - c) / (1 - c), or 0.

    p is the win probability in millionths and c the cost of a share with its fee.
    """
    if cost_micro >= MICRO or fair_micro <= cost_micro or capital_micro <= 0:
        return 0
    edge = min(fair_micro, MICRO) - cost_micro
    return capital_micro * fraction_micro_ratio * edge // ((MICRO - cost_micro) * MICRO)


def largest_size(market: Market, price_micro: int, budget_micro: int) -> int:
    """Return the largest size in whole lots whose reserve is within the budget, or 0."""
    low, high = 0, max(0, budget_micro) * MICRO // price_micro // LOT_MICRO
    # Price and fee of a share lead close to the answer; most often it lies between these two.
    dearest = cost_per_share(market, min(price_micro, MICRO // 2)) - min(price_micro, MICRO // 2)
    near = (budget_micro - ROUNDING_SLACK_MICRO) * MICRO // (price_micro + dearest) // LOT_MICRO
    if 0 < near < high:
        if reserve_for(market, price_micro, (near + 2) * LOT_MICRO) > budget_micro:
            high = min(high, near + 1)
        if reserve_for(market, price_micro, near * LOT_MICRO) <= budget_micro:
            low = near
    # The reserve grows with the size, so the answer is found by halving: 40 steps at most.
    while low < high:
        middle = (low + high + 1) // 2
        if reserve_for(market, price_micro, middle * LOT_MICRO) <= budget_micro:
            low = middle
        else:
            high = middle - 1
    return low * LOT_MICRO


def smallest_size(market: Market, price_micro: int, notional_micro_min: int) -> int:
    """Return the smallest size in whole lots that the venue takes as a buy."""
    by_notional = -(-notional_micro_min * MICRO // price_micro)
    return ceil_to(max(market.min_size_micro, by_notional, LOT_MICRO), LOT_MICRO)


def ceil_to(value: int, step: int) -> int:
    """Return the smallest multiple of step that is not below value."""
    return -floor_to(-value, step)
