//! Redis before a more durable store.

use session_core::{FastStore, Record, Store, Written};
use workspace_tests::records::*;

use crate::support::*;

#[tokio::test]
async fn a_copy_is_handed_out_until_it_is_no_longer_trusted() {
    let Some(store) = single().await else { return };
    let record = fresh_record();
    let until = now().saturating_add(MINUTE);
    store.fill(&record, now(), until).await.unwrap();
    let before = until.saturating_sub(std::time::Duration::from_millis(1));
    assert_eq!(store.load(&record.key, before).await.unwrap(), Some(record.clone()));
    assert_eq!(store.load(&record.key, until).await.unwrap(), None);
    // Neither use nor change makes it trusted for longer.
    store.touch(&record.key, now().saturating_add(MINUTE / 2)).await.unwrap();
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Written::Done);
    assert!(store.load(&record.key, before).await.unwrap().is_some());
    assert_eq!(store.load(&record.key, until).await.unwrap(), None);
    assert_eq!(store.save(&late(&record), next(&record).version).await.unwrap(), Written::Missing);
}

fn late(record: &Record) -> Record {
    Record { accessed: now().saturating_add(2 * MINUTE), ..next(&next(record)) }
}

#[tokio::test]
async fn an_older_copy_never_replaces_a_newer_one() {
    let Some(store) = single().await else { return };
    let old = fresh_record();
    let mut new = next(&old);
    new.attributes = Default::default();
    let until = now().saturating_add(MINUTE);
    store.fill(&new, now(), until).await.unwrap();
    store.fill(&old, now(), until).await.unwrap();
    assert_eq!(load(&store, &old.key).await, Some(new.clone()));
    let newer = next(&new);
    store.fill(&newer, now(), until).await.unwrap();
    assert_eq!(load(&store, &old.key).await, Some(newer));
}

#[tokio::test]
async fn a_newer_copy_keeps_the_later_use() {
    let Some(store) = single().await else { return };
    let record = fresh_record();
    let (until, used) = (now().saturating_add(60 * MINUTE), now().saturating_add(MINUTE));
    store.fill(&record, now(), until).await.unwrap();
    store.touch(&record.key, used).await.unwrap();
    store.fill(&next(&record), now(), until).await.unwrap();
    assert_eq!(load(&store, &record.key).await, Some(Record { accessed: used, ..next(&record) }));
}

#[tokio::test]
async fn the_same_version_again_is_trusted_anew_once_it_was_not() {
    let Some(store) = single().await else { return };
    let record = fresh_record();
    let (start, first) = (now(), now().saturating_add(MINUTE));
    let second = first.saturating_add(MINUTE);
    store.fill(&record, start, first).await.unwrap();
    store.fill(&record, start, second).await.unwrap();
    assert_eq!(store.load(&record.key, first).await.unwrap(), None, "it was still trusted");
    store.fill(&record, first, second).await.unwrap();
    assert_eq!(store.load(&record.key, first).await.unwrap(), Some(record));
}

#[tokio::test]
async fn a_buried_key_takes_no_copies_until_then() {
    let Some(store) = single().await else { return };
    let record = fresh_record();
    let (start, until) = (now(), now().saturating_add(MINUTE));
    store.fill(&record, start, until).await.unwrap();
    store.bury(&record.key, start, until).await.unwrap();
    assert_eq!(load(&store, &record.key).await, None);
    store.fill(&next(&record), start, until).await.unwrap();
    assert_eq!(load(&store, &record.key).await, None);
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Written::Missing);
    // Burying again for a shorter time shortens nothing, and deleting opens no grave.
    store.bury(&record.key, start, start.saturating_add(MINUTE / 2)).await.unwrap();
    store.delete(&record.key).await.unwrap();
    let before = until.saturating_sub(std::time::Duration::from_millis(1));
    store.fill(&record, before, until.saturating_add(MINUTE)).await.unwrap();
    assert_eq!(store.load(&record.key, before).await.unwrap(), None);
    store.fill(&record, until, until.saturating_add(MINUTE)).await.unwrap();
    assert_eq!(store.load(&record.key, until).await.unwrap(), Some(record));
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

/// A session's keys are in one slot, so a cluster does the same.
#[tokio::test]
async fn a_cluster_fills_and_buries_too() {
    let Some(store) = cluster().await else { return };
    let until = now().saturating_add(MINUTE);
    for _ in 0..20 {
        let record = signed_in("ann");
        store.fill(&record, now(), until).await.unwrap();
        assert_eq!(load(&store, &record.key).await, Some(record.clone()));
        store.bury(&record.key, now(), until).await.unwrap();
        store.fill(&record, now(), until).await.unwrap();
        assert_eq!(load(&store, &record.key).await, None);
    }
}
