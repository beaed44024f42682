use std::sync::OnceLock;

use session_core::Record;
use session_stores::RedisStore;
use workspace_tests::records::{fresh_record, with};
use workspace_tests::{RedisCluster, RedisServer};

/// One server for all tests that leave each other's sessions alone.
#[track_caller]
pub fn shared_server() -> Option<&'static RedisServer> {
    static SERVER: OnceLock<Option<RedisServer>> = OnceLock::new();
    SERVER.get_or_init(RedisServer::start).as_ref()
}

pub async fn single() -> Option<RedisStore> {
    Some(connect(shared_server()?).await)
}

pub async fn connect(server: &RedisServer) -> RedisStore {
    RedisStore::connect(&server.url()).await.expect("the server runs")
}

pub async fn cluster() -> Option<RedisStore> {
    Some(connect_cluster(RedisCluster::shared()?).await)
}

pub async fn connect_cluster(cluster: &RedisCluster) -> RedisStore {
    RedisStore::cluster(cluster.urls().iter().map(String::as_str)).await.expect("the cluster runs")
}

pub fn signed_in(principal: &str) -> Record {
    with(fresh_record(), |record| record.principal = Some(principal.into()))
}
