"""What the hops of a raw chain agree on."""

from dataclasses import dataclass
from typing import Final

# Raw topics: what `first` reads, what it writes, what `middle` writes, what `last` writes.
TRADES: Final = "floor.trades"
DECISIONS: Final = "floor.decisions"
APPROVALS: Final = "floor.approvals"
ORDERS: Final = "floor.orders"
ALL: Final = (TRADES, DECISIONS, APPROVALS, ORDERS)

SUBJECT: Final = "floor.ask"
# Where `last` posts; the venue notes the arrival as it does for a real order.
PATH: Final = "/floor/order"
REQUEST_S_MAX: Final = 5.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are; the one that is not used is empty."""

    postgres_dsn: str
    kafka_bootstrap: str
    nats_url: str
    exchange_url: str
