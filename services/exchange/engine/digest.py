"""A fingerprint of the exchange, equal for equal histories.

Covers each account's cash and positions, orders and trades; leaves out API keys, arrival order and
wall-clock times, which may differ between two runs of the same tape.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from whaletrader.services.exchange.engine.state import EngineState


def digest(state: EngineState) -> str:
    """Return the SHA-256 (hex) over canonical JSON."""
    text = json.dumps(canonical(state), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(state: EngineState) -> dict[str, Any]:
    """Return what the fingerprint covers, in plain JSON types and a fixed order."""
    return {
        "accounts": {
            account.address: {
                "cash": account.cash_micro,
                "positions": {t: s for t, s in sorted(account.positions.items()) if s},
            }
            for account in state.ledger.traders()
        },
        "orders": [
            [
                order.order_id,
                order.status.value,
                order.price_micro,
                order.size_micro,
                order.matched_micro,
            ]
            for _, order in sorted(state.orders.items())
        ],
        "trades": [
            [
                trade.trade_id,
                trade.status.value,
                trade.taker.price_micro,
                trade.taker.size_micro,
                sum(leg.fee_micro for leg in trade.legs),
            ]
            for _, trade in sorted(state.trades.items())
        ],
    }
