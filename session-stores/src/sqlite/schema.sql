CREATE TABLE IF NOT EXISTS {table} (
    key BLOB NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    accessed INTEGER NOT NULL,
    idle_timeout_ms INTEGER NOT NULL,
    absolute_deadline INTEGER,
    expires_at INTEGER NOT NULL,
    persistent INTEGER NOT NULL,
    principal BLOB,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS {schema}"{name}_expires_at" ON "{name}" (expires_at);
CREATE INDEX IF NOT EXISTS {schema}"{name}_principal" ON "{name}" (principal) WHERE principal IS NOT NULL;
CREATE TABLE IF NOT EXISTS {moved} (
    key BLOB NOT NULL PRIMARY KEY,
    moved_to BLOB NOT NULL,
    until INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS {schema}"{name}_moved_until" ON "{name}_moved" (until);
