//! Sessions in a real memcached.

#![cfg(feature = "memcached")]

use std::sync::OnceLock;

use session_stores::MemcachedStore;
use workspace_tests::MemcachedServer;

/// One server for all tests that leave each other's sessions alone.
fn shared_server() -> Option<&'static MemcachedServer> {
    static SERVER: OnceLock<Option<MemcachedServer>> = OnceLock::new();
    SERVER.get_or_init(MemcachedServer::start).as_ref()
}

async fn connect(server: &MemcachedServer) -> MemcachedStore {
    MemcachedStore::connect(&server.url()).await.expect("the server runs")
}

mod conformance {
    session_core::conformance_tests!({
        let Some(server) = super::shared_server() else { return };
        super::connect(server).await
    });
}
