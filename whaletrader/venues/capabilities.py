"""What a venue can do: one row a venue, so that a caller asks the table and not the venue's name.

Constant values; adapters hand out their row. Figures are the venues' documented ones, with their
date in the comment beside them.
"""

from dataclasses import dataclass
from typing import Final

from whaletrader.schemas import order_pb2


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One venue's row. Lengths of time are in seconds, 0 where the thing does not exist."""

    venue: str
    order_types: frozenset[order_pb2.OrderType.ValueType]
    has_post_only: bool
    # Whether an order's id is known before it is sent, and a second send of it is refused.
    has_known_order_ids: bool
    has_amend: bool
    batch_orders_max: int
    cancel_ids_max: int
    has_cancel_all: bool
    has_cancel_market: bool
    # Silence for longer than `heartbeat_timeout_s` cancels every open order.
    heartbeat_every_s: float
    heartbeat_timeout_s: float
    # The venue drops a GTD order this long before its expiration.
    gtd_security_s: int
    # Fills may be taken back until they are final.
    has_provisional_fills: bool
    # Signed messages are refused when clocks differ by more than an unpublished limit.
    skew_max_s: float


POLYMARKET: Final = Capabilities(
    venue="polymarket",
    order_types=frozenset(
        {
            order_pb2.ORDER_TYPE_GTC,
            order_pb2.ORDER_TYPE_GTD,
            order_pb2.ORDER_TYPE_FOK,
            order_pb2.ORDER_TYPE_FAK,
        }
    ),
    has_post_only=True,
    has_known_order_ids=True,
    has_amend=False,
    # Documented 2026-06-15: 15 orders a batch, 1000 ids a cancel.
    batch_orders_max=15,
    cancel_ids_max=1_000,
    has_cancel_all=True,
    has_cancel_market=True,
    # Recommended every 5 s; 10 s without one cancel all, with up to 5 s of grace.
    heartbeat_every_s=5.0,
    heartbeat_timeout_s=10.0,
    gtd_security_s=60,
    has_provisional_fills=True,
    skew_max_s=2.0,
)

VENUES: Final = {row.venue: row for row in (POLYMARKET,)}
