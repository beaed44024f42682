//! The conformance suite, on JSON, on encrypted records, and under stricter isolation.

use session_core::EncryptedCodec;
use session_stores::PostgresStore;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use workspace_tests::PostgresServer;

use crate::support::*;

mod json {
    session_core::conformance_tests!({
        let Some(store) = super::shared().await else { return };
        store
    });
}

mod encrypted {
    session_core::conformance_tests!({
        let Some(store) = super::shared().await else { return };
        super::encrypted_store(store).await
    });
}

/// On a pool of the application's, whose database rolls back whatever is not as if in turn.
mod serializable {
    session_core::conformance_tests!({
        let Some(server) = super::shared_server() else { return };
        super::serializable_store(server).await
    });
}

async fn encrypted_store(store: PostgresStore) -> PostgresStore {
    let store = store.with_table("encrypted_records").unwrap().with_codec(EncryptedCodec::new(&[7; 32]));
    store.set_up().await.expect("the server runs");
    store
}

async fn serializable_store(server: &PostgresServer) -> PostgresStore {
    let options: PgConnectOptions = server.url().parse().unwrap();
    let options = options.options([("default_transaction_isolation", "serializable")]);
    let pool = PgPoolOptions::new().max_connections(5).connect_lazy_with(options);
    let store = PostgresStore::from_pool(pool).with_table("strict_records").unwrap();
    store.set_up().await.expect("the server runs");
    store
}
