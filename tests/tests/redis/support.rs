use std::collections::HashMap;
use std::sync::OnceLock;

use redis::Client;
use session_core::Record;
use session_stores::RedisStore;
use workspace_tests::records::{fresh_record, with};
use workspace_tests::{Proxy, RedisCluster, RedisServer};

/// One server for all tests that leave each other's sessions alone.
#[track_caller]
pub fn shared_server() -> Option<&'static RedisServer> {
    static SERVER: OnceLock<Option<RedisServer>> = OnceLock::new();
    SERVER.get_or_init(RedisServer::start).as_ref()
}

/// The same, but of Valkey.
#[track_caller]
pub fn shared_valkey() -> Option<&'static RedisServer> {
    static SERVER: OnceLock<Option<RedisServer>> = OnceLock::new();
    SERVER.get_or_init(RedisServer::start_valkey).as_ref()
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

/// A server, and a store that reaches it through a proxy.
pub async fn behind_proxy() -> Option<(RedisServer, Proxy, RedisStore)> {
    let server = RedisServer::start()?;
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
    Some((server, proxy, store))
}

/// A cluster, and a store that reaches each of its servers through a proxy.
pub async fn cluster_behind_proxies() -> Option<(Vec<Proxy>, RedisStore)> {
    let cluster = RedisCluster::shared()?;
    let mut proxies = Vec::new();
    for server in &cluster.servers {
        proxies.push(Proxy::start(server.addr()).await.unwrap());
    }
    let ports: HashMap<u16, u16> = cluster
        .servers
        .iter()
        .zip(&proxies)
        .map(|(server, proxy)| (server.addr().port(), proxy.addr().port()))
        .collect();
    let clients = proxies.iter().map(|proxy| Client::open(format!("redis://{}/", proxy.addr())).unwrap());
    let address_of = move |host: &str, port: u16| (host.to_owned(), ports[&port]);
    let store = RedisStore::from_cluster_with(clients, address_of).await.unwrap();
    Some((proxies, store))
}
