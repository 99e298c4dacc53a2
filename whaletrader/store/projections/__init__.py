"""Which events fill which read models: the one table of them.

A projection is a pure function from an event to changes of rows. All of them run in the
transaction that records the event, so a read model is never ahead of the events nor behind.
Rows must not depend on the order between partitions: either one partition writes a column,
or the change is a sum, or a guard decides which fact is newer.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from whaletrader.store.events import Recorded
from whaletrader.store.projections import (
    agents,
    decisions,
    desk,
    latency,
    markets,
    orders,
    portfolio,
    whales,
    works,
)
from whaletrader.store.tables import Change, Table

Projection = Callable[[Recorded, Any], Iterable[Change]]

_MODULES: Final = (orders, works, decisions, desk, portfolio, whales, markets, agents)

TABLES: Final[tuple[Table, ...]] = (
    *(table for module in _MODULES for table in module.TABLES),
    *latency.TABLES,
)
PROJECTIONS: Final[Mapping[type[Message], Projection]] = {
    kind: projection for module in _MODULES for kind, projection in module.PROJECTIONS.items()
}


def project(event: Recorded, message: Message | None) -> Iterable[Change]:
    """Return what the event changes in the read models; nothing if it cannot be read."""
    if message is None:
        return ()
    projection = PROJECTIONS.get(type(message))
    return projection(event, message) if projection is not None else ()
