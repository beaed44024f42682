//! Memcached before a more durable store: the suite, and what only memcached has.

use session_core::{FastStore, Record, Renewed, Store};
use workspace_tests::MemcachedServer;
use workspace_tests::records::*;

use crate::support::*;

session_core::fast_store_tests!({
    let Some(store) = store().await else { return };
    store
});

/// Renewing makes no copy that is served for longer.
#[tokio::test]
async fn a_renewed_copy_is_stale_when_the_old_one_was() {
    let Some(store) = store().await else { return };
    let (record, start) = (fresh_record(), now());
    let until = start.saturating_add(5 * MINUTE);
    store.fill(&record, start, until).await.unwrap();
    let new = renewed(&record);
    assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Done);
    assert!(store.load(&new.key, until.saturating_sub(SECOND)).await.unwrap().is_some());
    assert_eq!(store.load(&new.key, until).await.unwrap(), None);
}

/// B46. What keeps a copy out is there until the end, as the copy is.
#[tokio::test]
async fn a_copy_and_a_grave_go_in_time_and_not_before() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let seconds_left = |record: &Record| -> i64 {
        let answer = server.ask(&format!("mg {} t", name(&record.key)));
        answer.strip_prefix("HD t").expect("it is there").lines().next().unwrap().parse().unwrap()
    };
    let record = fresh_record();
    store.fill(&record, now(), now().saturating_add(5 * MINUTE)).await.unwrap();
    assert!((301..=303).contains(&seconds_left(&record)));
    store.bury(&record.key, now(), now().saturating_add(5 * MINUTE)).await.unwrap();
    assert!((301..=303).contains(&seconds_left(&record)));
    // A copy that is over already is none.
    let record = fresh_record();
    store.fill(&record, record.expires_at(), record.expires_at().saturating_add(MINUTE)).await.unwrap();
    store.fill(&record, now(), now()).await.unwrap();
    assert!(server.ask(&format!("mg {} t", name(&record.key))).starts_with("EN"));
}

/// What can't be read is worth less than a copy of what can.
#[tokio::test]
async fn a_copy_takes_the_place_of_bytes_that_are_no_record() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let record = fresh_record();
    assert!(server.ask(&format!("set {} 0 0 7\r\nforeign", name(&record.key))).starts_with("STORED"));
    store.fill(&record, now(), now().saturating_add(5 * MINUTE)).await.unwrap();
    assert_eq!(load(&store, &record.key).await, Some(record));
}
