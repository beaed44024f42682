//! Sentinels: the master changes, and the store follows.

use std::time::{Duration, Instant};

use session_core::Store;
use session_stores::RedisStore;
use workspace_tests::RedisSentinel;
use workspace_tests::records::*;

use crate::support::*;

#[tokio::test]
async fn the_store_follows_the_master() {
    let Some(mut servers) = RedisSentinel::start() else { return };
    let url = servers.sentinel.url();
    let store = RedisStore::sentinel([url.as_str()], RedisSentinel::MASTER).await.unwrap();
    let record = created(&store, signed_in("ann")).await;
    assert!(servers.master.ask(&["DBSIZE"]).starts_with(":2"));
    servers.wait_until_replicated();

    servers.master.kill();
    let killed = Instant::now();
    assert!(store.load(&record.key, now()).await.unwrap_err().is_unavailable());
    while !servers.replica.ask(&["INFO", "replication"]).contains("role:master") {
        assert!(killed.elapsed() < Duration::from_secs(60), "the sentinel does its part");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let promoted = Instant::now();
    while store.load(&record.key, now()).await.is_err() {
        assert!(promoted.elapsed() < Duration::from_secs(10));
    }
    eprintln!("followed the new master after {:?}", promoted.elapsed());
    assert_eq!(load(&store, &record.key).await, Some(record));
    created(&store, fresh_record()).await;
}

#[tokio::test]
async fn an_unknown_master_is_an_error() {
    let Some(servers) = RedisSentinel::start() else { return };
    let url = servers.sentinel.url();
    let error = RedisStore::sentinel([url.as_str()], "nobody").await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}
