"""Integer money: micro-dollars, micro-shares and prices in micro-dollars a share.

One unit everywhere, 1e-6, as on chain. A price lies in [0, MICRO]. Floats never enter here.
"""

import math

MICRO = 1_000_000


class MoneyError(ValueError):
    """A price or size out of range: refuse it at the border, do not clip it."""


def checked_price(price_micro: int) -> int:
    """Return the price, or raise MoneyError unless 0 < price < 1 dollar."""
    if not 0 < price_micro < MICRO:
        raise MoneyError(f"price {price_micro} is not between 0 and {MICRO} micro-dollars")
    return price_micro


def notional(price_micro: int, size_micro: int, *, up: bool = False) -> int:
    """Return price times size in micro-dollars, rounded down, or up for what we must pay."""
    product = price_micro * size_micro
    return -(-product // MICRO) if up else product // MICRO


def taker_fee(price_micro: int, size_micro: int, rate_micro: int, exponent: int = 1) -> int:
    """Return the venue's taker fee in micro-dollars.

    shares * rate * (price * (1 - price)) ^ exponent, rounded half up to 5 decimals as the venue
    does (fee documentation of 2026-07; the smallest fee is 0.00001, below that it is none).
    """
    spread = math.prod([price_micro * (MICRO - price_micro)] * exponent)
    numerator = size_micro * rate_micro * spread
    scale = math.prod([MICRO] * (1 + 2 * exponent))
    ten_micro = 10
    return (2 * numerator + ten_micro * scale) // (2 * ten_micro * scale) * ten_micro


def floor_to(value: int, step: int) -> int:
    """Return the largest multiple of step that is not above value; step must be positive."""
    if step <= 0:
        raise MoneyError(f"step {step} must be positive")
    return value // step * step
