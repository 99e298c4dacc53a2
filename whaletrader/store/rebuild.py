"""Drops the read models and makes them again from the events, in one transaction.

Meanwhile readers see the old ones, and a recorder that has something to write waits.
"""

from typing import TYPE_CHECKING, Final

import asyncpg

from whaletrader.store.events import message_of
from whaletrader.store.projections import project
from whaletrader.store.projections.latency import HopTracker
from whaletrader.store.reader import in_log_order
from whaletrader.store.schema import create_read_models
from whaletrader.store.tables import Changes

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

# Events whose changes are merged before they are written.
BATCH: Final = 20_000


async def rebuild(connection: Connection) -> int:
    """Make every read model anew. Return how many events it took."""
    async with connection.transaction():
        # Readers may read the positions; whoever wants to move them waits for us.
        await connection.execute("LOCK TABLE store.position IN EXCLUSIVE MODE")
        await create_read_models(connection)
        hops = HopTracker()
        changes = Changes()
        count = 0
        async for event in in_log_order(connection):
            message = message_of(event)
            changes.include(project(event, message))
            changes.include(hops.observe(event, message))
            count += 1
            if count % BATCH == 0:
                await changes.write(connection)
                changes = Changes()
        await changes.write(connection)
    return count
