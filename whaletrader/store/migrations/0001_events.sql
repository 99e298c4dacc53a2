-- The event store: append-only, one hash chain a partition of the log.
--
-- A row's place (topic, partition, offset) is unique: whoever writes holds the place's row in
-- store.position and only goes forward from it, in the transaction that inserts the events. The
-- time column is part of the key because a hypertable and a partitioned table both demand it.

CREATE TABLE store.events (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    -- The log's own time of the append, UTC epoch nanoseconds: what rows are partitioned by.
    log_time_ns bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    key text NOT NULL,
    source text NOT NULL,
    cause text COLLATE "C" NOT NULL,
    correlation text COLLATE "C" NOT NULL,
    event_time_ns bigint NOT NULL,
    -- json, not jsonb: the text is hashed and must come back as it went in.
    headers json NOT NULL,
    payload bytea NOT NULL,
    prev_hash bytea NOT NULL,
    chain_hash bytea NOT NULL,
    PRIMARY KEY (topic, partition, "offset", log_time_ns)
){partitioning};

CREATE INDEX events_id ON store.events (id) WHERE id <> '';
-- Most events are the root of a chain that nobody follows: they are found by their id.
CREATE INDEX events_correlation ON store.events (correlation)
    WHERE correlation <> '' AND correlation <> id;

-- How far each partition of the log is recorded, and the end of its chain.
CREATE TABLE store.position (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    events bigint NOT NULL,
    head_hash bytea NOT NULL,
    last_log_time_ns bigint NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- A tripwire, not a lock: who owns the tables can take it away, and the chain then tells.
CREATE FUNCTION store.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'store.events is append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON store.events
    FOR EACH STATEMENT EXECUTE FUNCTION store.refuse_change();
