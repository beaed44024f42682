//! The conformance suite, on JSON, on encrypted records, and on a pool of the application's.

use session_core::EncryptedCodec;
use session_stores::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::support::*;

mod json {
    session_core::conformance_tests!(super::fresh_store().await);
}

mod encrypted {
    session_core::conformance_tests!(super::fresh_store().await.with_codec(super::EncryptedCodec::new(&[7; 32])));
}

/// In memory, where one connection is all there is, and in a table of another name.
mod shared_pool {
    session_core::conformance_tests!(super::in_memory().await);
}

async fn in_memory() -> SqliteStore {
    let options = SqliteConnectOptions::new().in_memory(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
    let store = SqliteStore::from_pool(pool).with_table("Visits").unwrap();
    store.set_up().await.expect("memory is there");
    store
}
