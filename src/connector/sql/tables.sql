-- A schema of its own. No table of Mastodon's changes.
CREATE SCHEMA IF NOT EXISTS slackwater;

-- The version of this SQL that is installed, and at which level: 'look' has no trigger that changes ids, 'serve' has one.
CREATE TABLE IF NOT EXISTS slackwater.installed (
    version int NOT NULL,
    level text NOT NULL,
    role text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    serve_since timestamptz
);

-- Bounds, in numbers.
CREATE TABLE IF NOT EXISTS slackwater.settings (
    name text PRIMARY KEY,
    value bigint NOT NULL
);
INSERT INTO slackwater.settings (name, value) VALUES
    -- Rows in the outbox; past that nothing more is noted, and overflow has a row.
    ('outbox_rows_max', 5000000),
    -- How long before its arrival a post may say it was written, in milliseconds, and get an id of that time.
    ('lateness_max_ms', 86400000)
ON CONFLICT DO NOTHING;

-- One row for each change of a row of Mastodon's that a feed can see: which row, and not what is in it.
CREATE TABLE IF NOT EXISTS slackwater.outbox (
    seq bigserial PRIMARY KEY,
    tab text,
    id bigint,
    gone boolean,
    old jsonb,
    fetched boolean,
    at timestamptz DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000, autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 10000);

-- A row here means that the outbox was full, and changes since then are in no row.
CREATE TABLE IF NOT EXISTS slackwater.overflow (
    at timestamptz DEFAULT clock_timestamp()
);

-- The low bits of ids that are made of the time a post was written.
CREATE SEQUENCE IF NOT EXISTS slackwater.low_bits;
