"""What a market pays for resting liquidity, and which orders would score. Pure.

The terms are the operator's; nothing is paid out here, so earnings are empty.
"""

from __future__ import annotations

import msgspec

from whaletrader.services.exchange.engine.model import MICRO, NS, Order


class RewardTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`max_spread` is in cents from the midpoint; `min_age_s` is how long an order has rested."""

    daily_rate: float = 0.0
    min_size: float = 0.0
    max_spread: float = 0.0
    min_age_s: int = 0


def is_scoring(order: Order, terms: RewardTerms | None, midpoint_micro: int, now_ns: int) -> bool:
    """Whether an order earns rewards now: open, old, large and close enough."""
    if terms is None or not order.is_open or terms.daily_rate <= 0:
        return False
    is_near = abs(order.price_micro - midpoint_micro) <= terms.max_spread * MICRO / 100
    is_large = order.remaining_micro >= terms.min_size * MICRO
    return is_near and is_large and now_ns - order.arrival_ns >= terms.min_age_s * NS
