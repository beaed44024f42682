//! Redis: every behaviour on a single server and on a cluster, and what takes a hold on them.
#![cfg(feature = "redis")]

use session_stores::RedisStore;
use workspace_tests::{RedisCluster, RedisServer};

mod single {
    use super::*;

    session_core::conformance_tests!({
        let Some(server) = shared() else { return };
        RedisStore::connect(&server.url()).await.expect("the server runs")
    });
}

mod cluster {
    use super::*;

    session_core::conformance_tests!({
        let Some(cluster) = RedisCluster::shared() else { return };
        RedisStore::cluster(cluster.urls().iter().map(String::as_str)).await.expect("the cluster runs")
    });
}

fn shared() -> Option<&'static RedisServer> {
    static SHARED: std::sync::OnceLock<Option<RedisServer>> = std::sync::OnceLock::new();
    SHARED.get_or_init(RedisServer::start).as_ref()
}
