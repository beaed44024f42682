//! Sentinels: the master changes, and the store follows.

use std::time::{Duration, Instant};

use session_core::{PrincipalKey, Store};
use session_stores::{RedisStore, TrackedRedisStore};
use workspace_tests::records::*;
use workspace_tests::{Fault, Proxy, RedisSentinel};

use crate::failover::{Load, a_while, until};
use crate::support::*;

/// S11.
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
    while !servers.replica.is_master() {
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

/// S11: under load, and with a store that has asked nothing while the master was frozen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_master_is_left_and_not_believed_when_it_thaws() {
    let Some(servers) = RedisSentinel::start() else { return };
    let url = servers.sentinel.url();
    let connect = async || RedisStore::sentinel([url.as_str()], RedisSentinel::MASTER).await.unwrap();
    let (store, idle) = (connect().await, connect().await);
    let tracked = TrackedRedisStore::sentinel([url.as_str()], RedisSentinel::MASTER).await.unwrap();
    let mut ended = Vec::new();
    for _ in 0..20 {
        let record = created(&store, signed_in("ann")).await;
        assert_eq!(load(&idle, &record.key).await, Some(record.clone()));
        assert_eq!(load(&tracked, &record.key).await, Some(record.clone()));
        ended.push(record.key);
    }
    let under_load = Load::start(&store, 4).await;
    servers.wait_until_replicated();

    under_load.may_fail();
    servers.master.freeze();
    until("the sentinel names the replica", || servers.has_switched()).await;
    under_load.must_succeed();
    a_while(&under_load.sessions).await;
    assert_eq!(store.delete_of_principal(&PrincipalKey::of("ann"), None, now()).await.unwrap(), ended.len());

    // The sentinel tells it only after some 10 s that it is a replica.
    servers.master.thaw();
    let mut asked = 0;
    while asked < 20 || servers.master.is_master() {
        for key in &ended {
            assert_eq!(load(&idle, key).await, None, "asked {asked} times");
            assert_eq!(load(&tracked, key).await, None, "asked {asked} times");
        }
        asked += 1;
    }
    a_while(&under_load.sessions).await;
    under_load.finish().await;
}

/// S11: nobody else knows who is master, and the master works. One call waits for the sentinels, and the others do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sentinels_the_master_goes_on() {
    let Some(servers) = RedisSentinel::start() else { return };
    let proxy = Proxy::start(servers.sentinel.addr()).await.unwrap();
    let url = format!("redis://{}/", proxy.addr());
    let connect = async || RedisStore::sentinel([url.as_str()], RedisSentinel::MASTER).await.unwrap();
    let store = connect().await;
    let record = created(&store, fresh_record()).await;
    servers.wait_until_replicated();
    proxy.set(Fault::BlackHole);
    let (silent, mut waited) = (Instant::now(), 0);
    // Beyond the time for which an answer counts, again and again.
    while silent.elapsed() < 8 * SECOND {
        let start = Instant::now();
        assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record));
        waited += usize::from(start.elapsed() > SECOND / 2);
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    assert!(waited <= 1, "{waited} calls waited");

    // When they are back, they count again.
    proxy.set(Fault::None);
    servers.master.freeze();
    until("the sentinel names the replica", || servers.has_switched()).await;
    connect().await.delete(&record.key).await.unwrap();
    servers.master.thaw();
    let thawed = Instant::now();
    while load(&store, &record.key).await.is_some() {
        assert!(thawed.elapsed() < 2 * SECOND, "the one that was believed is asked for a moment, and then no more");
    }
}

#[tokio::test]
async fn an_unknown_master_is_an_error() {
    let Some(servers) = RedisSentinel::start() else { return };
    let url = servers.sentinel.url();
    let error = RedisStore::sentinel([url.as_str()], "nobody").await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}
