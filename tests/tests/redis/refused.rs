//! Answers that say "not here" or "not yet": the store asks again while that may help, and a caller never hears of them.

use std::time::{Duration, Instant};

use session_core::{Saved, Store};
use workspace_tests::records::*;
use workspace_tests::{RedisCluster, RedisServer};

use crate::failover::until;
use crate::support::*;

/// How many answers with this error the server has given.
fn refusals(server: &RedisServer, error: &str) -> usize {
    let stats = server.ask(&["INFO", "errorstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{error}:count=")));
    line.map_or(0, |count| count.parse().expect("a number"))
}

/// S12: a save meets a server that is a replica for a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_for_a_moment_gets_them_afterwards() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let record = created(&store, fresh_record()).await;
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let saving = tokio::spawn({
        let (store, record) = (store.clone(), record.clone());
        async move { store.save(&next(&record), record.version).await }
    });
    until("the save was refused", || refusals(&server, "READONLY") > 0).await;
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(saving.await.unwrap().unwrap(), Saved::Done);
}

/// S12: a load meets a replica that has no master.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_a_master_for_a_moment_is_read_afterwards() {
    let Some(server) = RedisServer::start_with(&["--save", "", "--replica-serve-stale-data", "no"]) else { return };
    let store = connect(&server).await;
    let record = created(&store, fresh_record()).await;
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let loading = tokio::spawn({
        let (store, key) = (store.clone(), record.key);
        async move { store.load(&key, now()).await }
    });
    until("the load was refused", || refusals(&server, "MASTERDOWN") > 0).await;
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(loading.await.unwrap().unwrap(), Some(record));
}

/// S12: a load meets a server that is reading its data.
#[tokio::test]
async fn a_server_that_loads_its_data_is_waited_for() {
    let (Some(full), Some(server)) = (RedisServer::start(), RedisServer::start()) else { return };
    let (elsewhere, store) = (connect(&full).await, connect(&server).await);
    let mut records = Vec::new();
    for _ in 0..100 {
        records.push(created(&elsewhere, fresh_record()).await);
    }
    // Half a second for all keys; in between it answers.
    for [name, value] in [["key-load-delay", "5000"], ["loading-process-events-interval-bytes", "1024"]] {
        let answer = server.ask(&["CONFIG", "SET", name, value]);
        assert!(answer.starts_with("+OK"), "{answer}");
    }
    server.ask(&["REPLICAOF", "127.0.0.1", &full.addr().port().to_string()]);
    let start = Instant::now();
    while !server.ask(&["DBSIZE"]).starts_with("-LOADING") {
        assert!(start.elapsed() < Duration::from_secs(60), "it loads the other's data");
    }
    assert_eq!(load(&store, &records[0].key).await.as_ref(), Some(&records[0]));
    assert!(refusals(&server, "LOADING") > 1, "the store was refused too");
}

/// S12: a cluster that is down for a moment, as while it elects a master.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_down_for_a_moment_is_waited_for() {
    let Some(cluster) = RedisCluster::start() else { return };
    let store = connect_cluster(&cluster).await;
    let mut records = Vec::new();
    for _ in 0..20 {
        records.push(created(&store, fresh_record()).await);
    }
    // A server that knows of a slot without a master serves none.
    for server in &cluster.servers {
        server.ask(&["CLUSTER", "DELSLOTS", "0"]);
    }
    let loading: Vec<_> = records
        .iter()
        .map(|record| {
            let (store, key) = (store.clone(), record.key);
            tokio::spawn(async move { store.load(&key, now()).await })
        })
        .collect();
    until("loads were refused", || cluster.servers.iter().any(|server| refusals(server, "CLUSTERDOWN") > 0)).await;
    cluster.servers[0].ask(&["CLUSTER", "ADDSLOTS", "0"]);
    for (loading, record) in loading.into_iter().zip(records) {
        assert_eq!(loading.await.unwrap().unwrap(), Some(record));
    }
}
