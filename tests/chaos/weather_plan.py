"""Seeded bad weather over one wallet: what blows all the time, and spells that come and go.

Pure: the same seed and number give the same rules.
"""

from random import Random
from typing import Any

# An engine's answer that is refused, lost or late, and reads that fail; all the time.
_ORDERS = ["POST /order", "DELETE /order"]
_READS = ["GET /data/orders", "GET /data/trades", "GET /balance-allowance"]
_BASE: tuple[dict[str, Any], ...] = (
    {"effect": "error", "status": 503, "probability": 0.02, "endpoints": _ORDERS},
    {"effect": "error_after", "status": 502, "probability": 0.02, "endpoints": _ORDERS},
    {"effect": "timeout_before", "hold_ms": 150, "probability": 0.01, "endpoints": _ORDERS},
    {"effect": "timeout_after", "hold_ms": 150, "probability": 0.01, "endpoints": _ORDERS},
    {"effect": "rate_limit", "retry_after_s": 1, "probability": 0.005, "endpoints": _ORDERS},
    {"effect": "error", "id": "read-error", "probability": 0.02, "endpoints": _READS},
    {"effect": "delayed", "delay_ms": 150, "probability": 0.03},
    {"effect": "duplicate", "delay_ms": 80, "copies": 2, "probability": 0.1},
    {"effect": "reorder", "delay_ms": 250, "probability": 0.1},
    {"effect": "late", "delay_ms": 50, "jitter_ms": 900, "probability": 0.1},
    {"effect": "lost", "channels": ["user"], "probability": 0.05},
    {"effect": "ghost_fill", "mined_ms": 300, "retries": 1, "probability": 0.04},
    {"effect": "retrying", "retries": 2, "retry_ms": 120, "probability": 0.06},
    {"effect": "slow_settlement", "mined_ms": 150, "confirmed_ms": 300, "probability": 0.3},
    {"effect": "matched_again", "confirmed_ms": 50, "probability": 0.1},
)
# One of these at a time, for a while.
_SPELLS: tuple[tuple[dict[str, Any], ...], ...] = (
    (),
    ({"effect": "restart", "for_ms": 700, "post_only_ms": 700},),
    ({"effect": "cancel_only", "for_ms": 1_000},),
    ({"effect": "disabled", "for_ms": 800},),
    ({"effect": "freeze", "channels": ["user"], "for_ms": 3_000},),
    ({"effect": "freeze", "channels": ["user"], "for_ms": 3_000, "pongs": False},),
    ({"effect": "drop", "channels": ["user"], "for_ms": 1_200},),
    ({"effect": "heartbeat_expiry"},),
    ({"effect": "latency", "latency_ms": 60, "jitter_ms": 250, "for_ms": 2_000},),
)
SPELL_S = 5.0


def rules(seed: int, number: int) -> list[dict[str, Any]]:
    """Return the rules of a run's n-th stretch of `SPELL_S` seconds."""
    chance = Random(f"{seed}:{number}")
    spell = _SPELLS[0] if number == 0 else chance.choice(_SPELLS)
    return [*_BASE, *spell]
