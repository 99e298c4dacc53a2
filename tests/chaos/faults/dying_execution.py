"""Execution that dies between signing an order and posting it: `kill -9` by its own hand.

The process is the product's own; only, once its first order is signed, nothing follows.
"""

import os
import signal

from polymarket.models.clob.orders import SignedOrder

from whaletrader.runtime.run import run
from whaletrader.schemas import order_pb2
from whaletrader.services.execution.__main__ import build
from whaletrader.services.execution.config import ExecutionSettings
from whaletrader.venues.polymarket.venue import PolymarketVenue

_sign = PolymarketVenue.sign


async def _sign_and_die(venue: PolymarketVenue, order: order_pb2.OrderAnnounced) -> SignedOrder:
    signed = await _sign(venue, order)
    os.kill(os.getpid(), signal.SIGKILL)
    return signed


if __name__ == "__main__":
    PolymarketVenue.sign = _sign_and_die  # type: ignore[method-assign]
    run(build(ExecutionSettings()))
