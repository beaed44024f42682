//! Redis before a more durable store: the suite, and what only Redis has.

use session_core::{FastStore, Record};
use session_stores::RedisStore;
use workspace_tests::Proxy;
use workspace_tests::records::*;

use crate::support::*;

mod on_one_server {
    session_core::fast_store_tests!({
        let Some(store) = crate::support::single().await else { return };
        store
    });
}

/// A session's keys are in one slot, so a cluster does the same.
mod in_a_cluster {
    session_core::fast_store_tests!({
        let Some(store) = crate::support::cluster().await else { return };
        store
    });
}

/// Two would leave room for somebody between them.
#[tokio::test]
async fn burying_one_version_is_one_round_trip() {
    let Some(server) = workspace_tests::RedisServer::start() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
    let record = fresh_record();
    let until = now().saturating_add(MINUTE);
    // The first time, the script is sent.
    for trips in [2, 1] {
        store.fill(&record, now(), until).await.unwrap();
        let before = proxy.round_trips();
        let _buried = store.bury_version(&record.key, record.version, now(), until).await.unwrap();
        assert_eq!(proxy.round_trips() - before, trips);
    }
}

/// B46.
#[tokio::test]
async fn a_copys_expiry_is_within_what_is_left() {
    let Some(server) = workspace_tests::RedisServer::start() else { return };
    let store = connect(&server).await;
    let millis_left = |record: &Record| -> i64 {
        let left = server.ask(&["PTTL", &format!("session:{}", record.key)]);
        left[1..].lines().next().unwrap().parse().unwrap()
    };
    let (minute, hour) = (60_000, 3_600_000);
    let record = fresh_record();
    store.fill(&record, now(), now().saturating_add(MINUTE)).await.unwrap();
    assert!((1..=minute).contains(&millis_left(&record)));
    let record = fresh_record();
    let late = record.accessed.saturating_add(29 * MINUTE);
    store.fill(&record, late, late.saturating_add(60 * MINUTE)).await.unwrap();
    assert!((1..=minute).contains(&millis_left(&record)), "a minute is left of the session");
    store.bury(&record.key, now(), now().saturating_add(60 * MINUTE)).await.unwrap();
    assert!((1..=hour).contains(&millis_left(&record)));
    // What is over already leaves nothing.
    let record = fresh_record();
    store.fill(&record, record.expires_at(), record.expires_at().saturating_add(MINUTE)).await.unwrap();
    assert_eq!(millis_left(&record), -2);
}
