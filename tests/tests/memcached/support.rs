use std::sync::OnceLock;

use session_core::RecordKey;
use session_stores::MemcachedStore;
use workspace_tests::{MemcachedServer, Proxy};

/// One server for all tests that leave each other's sessions alone.
#[track_caller]
pub fn shared_server() -> Option<&'static MemcachedServer> {
    static SERVER: OnceLock<Option<MemcachedServer>> = OnceLock::new();
    SERVER.get_or_init(MemcachedServer::start).as_ref()
}

pub async fn store() -> Option<MemcachedStore> {
    Some(connect(shared_server()?).await)
}

pub async fn connect(server: &MemcachedServer) -> MemcachedStore {
    MemcachedStore::connect(&server.url()).await.expect("the server runs")
}

/// A server, and a store that reaches it through a proxy.
pub async fn behind_proxy() -> Option<(MemcachedServer, Proxy, MemcachedStore)> {
    let server = MemcachedServer::start()?;
    let proxy = Proxy::start(server.addr()).await.expect("there is a free port");
    let store = MemcachedStore::connect(&proxy.addr().to_string()).await.expect("the server runs");
    Some((server, proxy, store))
}

/// What memcached calls the item of this record.
pub fn name(key: &RecordKey) -> String {
    format!("{}{key}", MemcachedStore::DEFAULT_PREFIX)
}
