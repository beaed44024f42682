use std::sync::OnceLock;

use session_stores::PostgresStore;
use sqlx::{Connection, PgConnection};
use workspace_tests::PostgresServer;

/// One server for all tests that leave each other's sessions alone.
#[track_caller]
pub fn shared_server() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::start).as_ref()
}

pub async fn shared() -> Option<PostgresStore> {
    Some(connect(&shared_server()?.url()).await)
}

pub async fn connect(url: &str) -> PostgresStore {
    PostgresStore::connect(url).await.expect("the server runs")
}

/// A connection of the test's own.
pub async fn administrator(server: &PostgresServer) -> PgConnection {
    PgConnection::connect(&server.url()).await.expect("the server runs")
}
