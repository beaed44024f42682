use std::sync::OnceLock;
use std::time::Duration;

use session_core::{
    Clock, Record, RecordKey, SessionId, SessionManager, Store, SystemClock, SystemRandom, Time, Version, Written,
};
use session_stores::RedisStore;
use workspace_tests::{RedisCluster, RedisServer};

pub const MINUTE: Duration = Duration::from_secs(60);

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

pub fn manager(store: &RedisStore) -> SessionManager {
    SessionManager::builder(store.clone()).without_background_purge().build().expect("these settings work")
}

pub fn now() -> Time {
    SystemClock.now()
}

pub fn fresh_key() -> RecordKey {
    SessionId::generate(&SystemRandom, 18).expect("the system has random bytes").key()
}

/// A record for half an hour, of a session that lives for a day at most.
pub fn fresh_record() -> Record {
    let now = now();
    Record {
        key: fresh_key(),
        version: Version::from_number(1 << 32),
        created: now,
        accessed: now,
        idle_timeout: 30 * MINUTE,
        absolute_deadline: Some(now.saturating_add(24 * 60 * MINUTE)),
        persistent: false,
        principal: None,
        constants: Default::default(),
        attributes: [("Count".to_owned(), 1.into())].into_iter().collect(),
    }
}

pub fn signed_in(principal: &str) -> Record {
    Record { principal: Some(principal.into()), ..fresh_record() }
}

/// What a writer saves who has loaded this.
pub fn next(record: &Record) -> Record {
    Record { version: Version::from_number(record.version.get() + (1 << 32)), ..record.clone() }
}

/// What takes its place when it is renewed.
pub fn renewed(record: &Record) -> Record {
    Record { key: fresh_key(), ..next(record) }
}

pub async fn created(store: &impl Store, record: Record) -> Record {
    assert_eq!(store.create(&record).await.expect("the store works"), Written::Done);
    record
}

pub async fn load(store: &impl Store, key: &RecordKey) -> Option<Record> {
    store.load(key, now()).await.expect("the store works")
}

/// The size of long runs: the environment variable `CAMPAIGN`, or this.
pub fn campaign(small: usize) -> usize {
    match std::env::var("CAMPAIGN") {
        Ok(size) => size.parse().expect("CAMPAIGN is a number"),
        Err(_) => small,
    }
}
