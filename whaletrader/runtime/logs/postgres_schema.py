"""The log's tables and functions in PostgreSQL, and their installation.

Owns every statement that writes records. A partition is a counter row: an append takes the
rows of the partitions that it touches in their order, so appends to a partition queue up,
offsets have no gaps, become visible in order, and no two appends can deadlock. Called by
`logs.postgres`. Plain PostgreSQL 15 or later; extensions change nothing.
"""

from typing import Final

import asyncpg

from whaletrader.runtime.logs.postgres_session import Connection

# Raised by the functions below; the class WT is in nobody's use.
FENCED_SQLSTATE: Final = "WT001"
UNKNOWN_TOPIC_SQLSTATE: Final = "WT002"

CHANNEL: Final = "whaletrader_log"

# One advisory lock for all installations in a database; any constant will do.
_INSTALL_LOCK: Final = 7_461_902_341_007

# Raise it with every change below; an older one is brought up to date at the next start.
_VERSION: Final = 2

_TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS log;

CREATE TABLE IF NOT EXISTS log.version (version int NOT NULL);

CREATE TABLE IF NOT EXISTS log.topic (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    partitions int NOT NULL CHECK (partitions > 0),
    retention_s bigint NOT NULL,
    compacted boolean NOT NULL
);

-- Updated by every append: room in the page keeps these updates off the index.
CREATE TABLE IF NOT EXISTS log.partition (
    topic_id int NOT NULL REFERENCES log.topic,
    number int NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    last_ns bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, number)
) WITH (fillfactor = 20);

CREATE TABLE IF NOT EXISTS log.record (
    topic_id int NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    timestamp_ns bigint NOT NULL,
    key text NOT NULL,
    value bytea NOT NULL,
    headers json NOT NULL,
    PRIMARY KEY (topic_id, partition, "offset")
);

CREATE TABLE IF NOT EXISTS log.consumer_group (
    name text PRIMARY KEY,
    shards int NOT NULL
);

CREATE TABLE IF NOT EXISTS log.member (
    group_name text NOT NULL REFERENCES log.consumer_group,
    member text NOT NULL,
    incarnation bigint NOT NULL,
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (group_name, member)
);

-- owner: who has it now; home: who gets it back after an absence; epoch: counts claims.
CREATE TABLE IF NOT EXISTS log.shard (
    group_name text NOT NULL REFERENCES log.consumer_group,
    number int NOT NULL,
    owner text,
    home text,
    epoch bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (group_name, number)
) WITH (fillfactor = 20);

CREATE TABLE IF NOT EXISTS log.position (
    group_name text NOT NULL REFERENCES log.consumer_group,
    topic_id int NOT NULL REFERENCES log.topic,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (group_name, topic_id, partition)
) WITH (fillfactor = 20);
"""

# Held together by the commits of a shard, alone by a claim of it (postgres.py).
CLAIM_LOCK: Final = "hashtextextended(p_group, p_shard)"

# Appends in one call: places (sorted by the caller), records by index into the places, and
# positions. A claim takes the shard's lock alone, so it waits for a commit that is under way, and
# every later commit of the older epoch sees the row changed: in a volatile function each
# statement has a snapshot of its own. A lock of the row would write it, and its WAL, each time.
_APPEND: Final = f"""
CREATE OR REPLACE FUNCTION log.append(
    p_group text, p_shard int, p_epoch bigint,
    place_topics int[], place_partitions int[], place_counts int[],
    record_places int[], record_ranks int[],
    keys text[], vals bytea[], header_texts text[],
    position_topics int[], position_partitions int[], position_offsets bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    current_epoch bigint;
    bases bigint[] := '{{}}';
    times bigint[] := '{{}}';
    base bigint;
    at_ns bigint;
    notice text := 'r';
BEGIN
    IF p_group IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock_shared({CLAIM_LOCK});
        SELECT epoch INTO current_epoch FROM log.shard
        WHERE group_name = p_group AND number = p_shard;
        IF current_epoch IS DISTINCT FROM p_epoch THEN
            RAISE EXCEPTION 'shard % of % was claimed by another member', p_shard, p_group
                USING ERRCODE = '{FENCED_SQLSTATE}';
        END IF;
    END IF;
    FOR i IN 1 .. cardinality(place_topics) LOOP
        UPDATE log.partition
        SET next_offset = next_offset + place_counts[i],
            last_ns = greatest(
                last_ns, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000)
        WHERE topic_id = place_topics[i] AND number = place_partitions[i]
        RETURNING next_offset - place_counts[i], last_ns INTO base, at_ns;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no partition % of topic %', place_partitions[i], place_topics[i]
                USING ERRCODE = '{UNKNOWN_TOPIC_SQLSTATE}';
        END IF;
        bases := bases || base;
        times := times || at_ns;
        notice := notice || ' ' || place_topics[i] || '.' || place_partitions[i];
    END LOOP;
    IF cardinality(place_topics) > 0 THEN
        INSERT INTO log.record
            (topic_id, partition, "offset", timestamp_ns, key, value, headers)
        SELECT place_topics[r.place], place_partitions[r.place], bases[r.place] + r.rank,
               times[r.place], r.key, r.val, r.header_text::json
        FROM unnest(record_places, record_ranks, keys, vals, header_texts)
            AS r (place, rank, key, val, header_text);
        -- A payload is bounded by the server at 8000 bytes; a bare "r" means everywhere.
        PERFORM pg_notify('{CHANNEL}', CASE WHEN length(notice) < 7900 THEN notice ELSE 'r' END);
    END IF;
    IF cardinality(position_topics) > 0 THEN
        INSERT INTO log.position (group_name, topic_id, partition, "offset")
        SELECT p_group, p.topic_id, p.partition, p.place
        FROM unnest(position_topics, position_partitions, position_offsets)
            AS p (topic_id, partition, place)
        ON CONFLICT (group_name, topic_id, partition)
        DO UPDATE SET "offset" = excluded."offset";
    END IF;
END $$;
"""

# Timestamps never fall within a partition, so the first record at or after a time is found
# by halving; compaction leaves gaps, which the look at the next record present steps over.
_OFFSET_AT: Final = """
CREATE OR REPLACE FUNCTION log.offset_at(p_topic int, p_partition int, p_time_ns bigint)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := 0;
    high bigint;
    middle bigint;
    found_offset bigint;
    found_ns bigint;
BEGIN
    SELECT next_offset INTO high FROM log.partition
    WHERE topic_id = p_topic AND number = p_partition;
    WHILE low < high LOOP
        middle := (low + high) / 2;
        SELECT "offset", timestamp_ns INTO found_offset, found_ns FROM log.record
        WHERE topic_id = p_topic AND partition = p_partition AND "offset" >= middle
        ORDER BY "offset" LIMIT 1;
        IF NOT FOUND OR found_offset >= high OR found_ns >= p_time_ns THEN
            high := middle;
        ELSE
            low := found_offset + 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;
"""

APPEND: Final = "SELECT log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"

READ: Final = """
SELECT "offset", timestamp_ns, key, value, headers FROM log.record
WHERE topic_id = $1 AND partition = $2 AND "offset" >= $3
ORDER BY "offset" LIMIT $4
"""

# The epoch comes with the rows (or alone), so that each look also asks "am I fenced?".
POLL: Final = """
SELECT claim.epoch, r.topic_id, r.partition, r."offset", r.timestamp_ns,
       r.key, r.value, r.headers
FROM (SELECT epoch FROM log.shard WHERE group_name = $1 AND number = $2) AS claim
LEFT JOIN LATERAL (
    SELECT found.* FROM unnest($3::int[], $4::int[], $5::bigint[]) AS p (topic, number, start)
    CROSS JOIN LATERAL (
        SELECT * FROM log.record AS s
        WHERE s.topic_id = p.topic AND s.partition = p.number AND s."offset" >= p.start
        ORDER BY s."offset" LIMIT $6
    ) AS found
) AS r ON true
"""


async def install(connection: Connection) -> None:
    """Create or bring up to date what the log needs. Safe to run by many at once."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _INSTALL_LOCK)
        if await _installed_version(connection) >= _VERSION:
            return
        for statements in (_TABLES, _APPEND, _OFFSET_AT):
            await connection.execute(statements)
        await connection.execute("DELETE FROM log.version")
        await connection.execute("INSERT INTO log.version VALUES ($1)", _VERSION)


async def _installed_version(connection: Connection) -> int:
    try:
        async with connection.transaction():
            version = await connection.fetchval("SELECT version FROM log.version")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return 0
    return int(version or 0)
