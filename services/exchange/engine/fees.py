"""The taker fee: shares x rate x (p x (1 - p))^exponent, to five decimals of collateral."""

from __future__ import annotations

from whaletrader.services.exchange.engine.units import MICRO

# 0.00001 of collateral is the smallest fee charged; anything below half of it is free.
FEE_STEP_MICRO = 10
_STEP_E24 = FEE_STEP_MICRO * MICRO**3


def taker_fee_micro(
    *, shares_micro: int, price_micro: int, rate_micro: int, exponent: int = 1
) -> int:
    """Return the fee in micro-units of collateral, rounded half up to `FEE_STEP_MICRO`."""
    if exponent == 1:
        exact_e24 = shares_micro * rate_micro * price_micro * (MICRO - price_micro)
        return (2 * exact_e24 + _STEP_E24) // (2 * _STEP_E24) * FEE_STEP_MICRO
    exact, step = shares_micro * rate_micro, FEE_STEP_MICRO * MICRO
    for _ in range(exponent):
        exact *= price_micro * (MICRO - price_micro)
        step *= MICRO * MICRO
    return (2 * exact + step) // (2 * step) * FEE_STEP_MICRO
