"""Typed reads of the desk as risk last told it: its state, the changes of it, its measures.

As in `queries`. Called by the gateway and commands; risk itself is asked where now is meant.
"""

from whaletrader.store import execution_rows as rows
from whaletrader.store.queries import Database, clipped, read_all


async def desk_states(db: Database) -> list[rows.DeskState]:
    """Return the state that each portfolio is in. One that never changed has no row: normal."""
    return await read_all(db, rows.DeskState, "SELECT * FROM read.desk_state ORDER BY portfolio")


async def desk_state_changes(
    db: Database, portfolio: str = "", limit: int = 50
) -> list[rows.DeskState]:
    """Return the latest changes of state, newest first."""
    return await read_all(
        db,
        rows.DeskState,
        """
        SELECT c.*, c.event_time_ns AS since_ns FROM read.desk_state_changes AS c
        WHERE $1 = '' OR portfolio = $1 ORDER BY event_time_ns DESC, id LIMIT $2
        """,
        portfolio,
        clipped(limit),
    )


async def risk_measures(db: Database) -> list[rows.RiskMeasures]:
    """Return the last measures of each portfolio. The limits are in `queries.risk_metrics`."""
    query = "SELECT * FROM read.risk_measures ORDER BY portfolio"
    return await read_all(db, rows.RiskMeasures, query)
