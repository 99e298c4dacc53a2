"""What Kafka's brokers do by themselves: forget what is too old, compact by key.

Called on purpose, by the recorder's housekeeping or an operator; never by the shell. Offsets
stay as they are: readers step over what is gone, as on Kafka.
"""

from dataclasses import dataclass
from typing import Final

import asyncpg

from whaletrader.runtime.logs.postgres_session import Connection, PostgresSettings, Session

# One statement deletes at most so many records, so that no append waits long behind it.
_BATCH_RECORDS: Final = 10_000

_EXPIRED: Final = """
DELETE FROM log.record WHERE (topic_id, partition, "offset") IN (
    SELECT r.topic_id, r.partition, r."offset" FROM log.record AS r
    WHERE r.topic_id = $1 AND r.partition = $2
      AND r."offset" < log.offset_at($1, $2, (
          SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000
                 - retention_s * 1000000000
          FROM log.topic WHERE id = $1))
    ORDER BY r."offset" LIMIT $3
)
"""

# A record is superseded if a later one has its key. The bound is taken first and does not
# move: what is appended meanwhile is the next run's business.
_SUPERSEDED: Final = """
WITH last AS (
    SELECT key, max("offset") AS "offset" FROM log.record
    WHERE topic_id = $1 AND partition = $2 GROUP BY key HAVING count(*) > 1
), gone AS (
    SELECT r."offset" FROM log.record AS r JOIN last USING (key)
    WHERE r.topic_id = $1 AND r.partition = $2 AND r."offset" < last."offset"
    ORDER BY r."offset" LIMIT $3
)
DELETE FROM log.record USING gone
WHERE topic_id = $1 AND partition = $2 AND record."offset" = gone."offset"
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many records went, and why."""

    expired: int
    superseded: int


async def sweep(settings: PostgresSettings) -> Swept:
    """Delete what is older than its topic's retention and what compaction supersedes.

    Interrupted at any point it leaves nothing wrong. Raises LogUnavailable.
    """
    session = Session(settings)
    try:
        rows = await session.run(_partitions)
        expired = superseded = 0
        for row in rows:
            place = (row["topic_id"], row["number"])
            if row["retention_s"] >= 0:
                expired += await _delete(session, _EXPIRED, place)
            if row["compacted"]:
                superseded += await _delete(session, _SUPERSEDED, place)
        return Swept(expired, superseded)
    finally:
        await session.close()


async def _partitions(connection: Connection) -> list[asyncpg.Record]:
    return await connection.fetch(
        """
        SELECT p.topic_id, p.number, t.retention_s, t.compacted
        FROM log.partition AS p JOIN log.topic AS t ON t.id = p.topic_id
        ORDER BY p.topic_id, p.number
        """
    )


async def _delete(session: Session, statement: str, place: tuple[int, int]) -> int:
    total = 0
    while True:
        status = await session.run(lambda c: c.execute(statement, *place, _BATCH_RECORDS))
        deleted = int(status.rsplit(" ", 1)[-1])
        total += deleted
        if deleted < _BATCH_RECORDS:
            return total
