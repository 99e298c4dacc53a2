"""The taker fee: shares x rate x p x (1 - p), to five decimals of collateral."""

from whaletrader.services.exchange.engine.model import MICRO

# 0.00001 of collateral is the smallest fee charged; anything below half of it is free.
FEE_STEP_MICRO = 10


def taker_fee_micro(*, shares_micro: int, price_micro: int, rate_micro: int) -> int:
    """Return the fee in micro-units of collateral, rounded half up to `FEE_STEP_MICRO`."""
    exact_e24 = shares_micro * rate_micro * price_micro * (MICRO - price_micro)
    step_e24 = FEE_STEP_MICRO * MICRO**3
    return (2 * exact_e24 + step_e24) // (2 * step_e24) * FEE_STEP_MICRO
