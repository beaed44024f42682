//! Takes the room that a server has, without a store.

use crate::memcached_server::MemcachedServer;
use crate::postgres_server::PostgresServer;

/// Items of these sizes are kept in places that no items of other sizes get.
const SMALLEST_ITEM: usize = 1;
const LARGEST_ITEM: usize = 4096;

/// Takes every place for items of the sizes that small sessions and tombstones have, of a server that evicts nothing.
pub(super) fn fill_memcached(server: &MemcachedServer) {
    let mut size = SMALLEST_ITEM;
    while size <= LARGEST_ITEM {
        let prefix = format!("filler_{size}_");
        let mut stored = 0;
        while server.store(&prefix, size, stored, 500) == 500 {
            stored += 500;
        }
        size += (size / 8).max(16);
    }
}

pub(super) fn empty_memcached(server: &MemcachedServer) {
    let fillers: Vec<_> = server.keys().into_iter().filter(|key| key.starts_with("filler_")).collect();
    server.delete(&fillers);
}

/// Files of PostgreSQL's log have this size, and must be written.
const LARGEST_FILE: u64 = 16 << 20;

/// Lets the file of large values not grow any more: it has the size that the server's files may have. Nothing is
/// compressed, so that every large value needs the room that it looks like.
const FILL: &str = "DO $$ BEGIN \
    FOR n IN 1..400 LOOP BEGIN \
        INSERT INTO session_records (key, version, created, accessed, idle_timeout_ms, persistent, body, expires_at) \
        VALUES (sha256((n::text || clock_timestamp())::bytea), 1, 0, 0, 1, false, \
            convert_to(repeat('x', 100000), 'UTF8'), 1); \
        EXCEPTION WHEN OTHERS THEN EXIT; \
    END; END LOOP; \
END $$";

pub(super) fn fill_postgres(server: &PostgresServer) {
    server.sql("ALTER TABLE session_records ALTER COLUMN body SET STORAGE EXTERNAL");
    server.limit_files(Some(LARGEST_FILE));
    server.sql(FILL);
}

pub(super) fn empty_postgres(server: &PostgresServer) {
    server.limit_files(None);
    server.sql("DELETE FROM session_records WHERE expires_at = 1");
    server.sql("VACUUM session_records");
}
