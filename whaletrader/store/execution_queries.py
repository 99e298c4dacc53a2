"""Typed reads of how approved trades were worked, and of the looks at the venue's books.

As in `queries`: one statement a function, frozen rows, amounts in micro-units. Called by
`whaletrader quality` and the gateway.
"""

from typing import Final

from whaletrader.store import execution_rows as rows
from whaletrader.store.queries import Database, clipped, read_all, read_one

# A figure over more works than this is a job for the lab.
WORKS_MAX: Final = 100_000


async def execution_quality(
    db: Database, portfolio: str = "", since_ns: int = 0, limit: int = WORKS_MAX
) -> list[rows.ExecutionQuality]:
    """Return the approved trades that are done, the latest first, of one portfolio or of all."""
    return await read_all(
        db,
        rows.ExecutionQuality,
        _QUALITY
        + """
        WHERE ($1 = '' OR x.portfolio = $1) AND x.finished_ns >= $2
        ORDER BY x.finished_ns DESC, x.approval_id LIMIT $3
        """,
        portfolio,
        since_ns,
        clipped(limit, WORKS_MAX),
    )


async def work_quality(db: Database, approval_id: str) -> rows.ExecutionQuality | None:
    """Return the figures of one approved trade, or None while it is not done."""
    return await read_one(
        db, rows.ExecutionQuality, _QUALITY + "WHERE x.approval_id = $1", approval_id
    )


async def phase_times(db: Database, portfolio: str = "", since_ns: int = 0) -> list[rows.PhaseTime]:
    """Return when each phase of the trades that are done began and was first filled."""
    return await read_all(
        db,
        rows.PhaseTime,
        """
        SELECT o.approval_id, o.phase, min(o.announced_ns) AS announced_ns,
               coalesce(min(coalesce(nullif(f.matched_ns, 0), f.event_time_ns)), 0)
                   AS first_fill_ns
        FROM read.execution_quality AS x
        JOIN read.orders AS o USING (approval_id)
        LEFT JOIN read.fills AS f ON f.order_id = o.order_id AND f.status <> 'reversed'
        WHERE ($1 = '' OR x.portfolio = $1) AND x.finished_ns >= $2
        GROUP BY o.approval_id, o.phase ORDER BY o.approval_id, o.phase
        """,
        portfolio,
        since_ns,
    )


async def reconciliations(
    db: Database, limit: int = 50, *, only_failed: bool = False
) -> list[rows.Reconciliation]:
    """Return the latest looks at the venue's books, newest first."""
    return await read_all(
        db,
        rows.Reconciliation,
        """
        SELECT * FROM read.reconciliations WHERE NOT (passed AND $2)
        ORDER BY event_time_ns DESC, event_id LIMIT $1
        """,
        clipped(limit),
        only_failed,
    )


_QUALITY: Final = """
SELECT x.*, coalesce(m.question, '') AS question, coalesce(s.skips, '[]') AS skips
FROM read.execution_quality AS x
LEFT JOIN read.markets AS m USING (condition_id)
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('rule', rule, 'count', n) ORDER BY n DESC, rule) AS skips
    FROM (SELECT rule, count(*) AS n FROM read.execution_skips AS k
          WHERE k.approval_id = x.approval_id GROUP BY rule) AS by_rule
) AS s ON true
"""
