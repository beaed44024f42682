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
CREATE INDEX IF NOT EXISTS {name}_expires_at ON {table} (expires_at);
CREATE INDEX IF NOT EXISTS {name}_principal ON {table} (principal) WHERE principal IS NOT NULL;
