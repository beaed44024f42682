CREATE TABLE IF NOT EXISTS {table} (
    key BYTEA PRIMARY KEY,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    accessed BIGINT NOT NULL,
    idle_timeout_ms BIGINT NOT NULL,
    absolute_deadline BIGINT,
    expires_at BIGINT NOT NULL,
    persistent BOOLEAN NOT NULL,
    principal BYTEA,
    body BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS "{name}_expires_at" ON {table} (expires_at);
CREATE INDEX IF NOT EXISTS "{name}_principal" ON {table} (principal) WHERE principal IS NOT NULL;
CREATE TABLE IF NOT EXISTS {moved} (
    key BYTEA PRIMARY KEY,
    moved_to BYTEA NOT NULL,
    until BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS "{name}_moved_until" ON {moved} (until);
