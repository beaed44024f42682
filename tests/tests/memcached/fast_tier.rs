//! Memcached before a more durable store.

use session_core::{Buried, FastStore, Record, Renewed, Saved, Store};
use workspace_tests::MemcachedServer;
use workspace_tests::records::*;

use crate::support::*;

#[tokio::test]
async fn a_copy_is_handed_out_as_long_as_it_is_trusted() {
    let Some(store) = store().await else { return };
    let (record, start) = (fresh_record(), now());
    let until = start.saturating_add(5 * MINUTE);
    let before = until.saturating_sub(SECOND);
    store.fill(&record, start, until).await.unwrap();
    assert_eq!(store.load(&record.key, before).await.unwrap(), Some(record.clone()));
    assert_eq!(store.load(&record.key, until).await.unwrap(), None);
    // Neither use nor change makes it trusted for longer.
    store.touch(&record.key, start.saturating_add(MINUTE)).await.unwrap();
    let saved = next(&record);
    assert_eq!(store.save(&saved, record.version).await.unwrap(), Saved::Done);
    assert!(store.load(&record.key, before).await.unwrap().is_some());
    assert_eq!(store.load(&record.key, until).await.unwrap(), None);
    let late = with(next(&saved), |record| record.accessed = until);
    assert_eq!(store.save(&late, saved.version).await.unwrap(), Saved::Missing);
    // Nor does renewing.
    let new = renewed(&saved);
    assert_eq!(store.renew(&saved.key, saved.version, &new).await.unwrap(), Renewed::Done);
    assert!(store.load(&new.key, before).await.unwrap().is_some());
    assert_eq!(store.load(&new.key, until).await.unwrap(), None);
}

#[tokio::test]
async fn an_older_copy_never_takes_a_newer_ones_place() {
    let Some(store) = store().await else { return };
    let first = fresh_record();
    let second = with(next(&first), |record| record.attributes = attributes("Count", 2));
    let third = with(next(&second), |record| record.attributes = attributes("Count", 3));
    let (start, until) = (now(), now().saturating_add(5 * MINUTE));
    store.fill(&second, start, until).await.unwrap();
    store.fill(&first, start, until).await.unwrap();
    assert_eq!(load(&store, &first.key).await.as_ref(), Some(&second));
    store.fill(&third, start, until).await.unwrap();
    assert_eq!(load(&store, &first.key).await.as_ref(), Some(&third));
    // Not even when nobody trusts the newer one any more.
    store.fill(&second, until, until.saturating_add(MINUTE)).await.unwrap();
    assert_eq!(store.load(&first.key, until).await.unwrap(), None);
    store.fill(&third, until, until.saturating_add(MINUTE)).await.unwrap();
    assert_eq!(store.load(&first.key, until).await.unwrap(), Some(third));
}

#[tokio::test]
async fn a_newer_copy_keeps_the_later_use() {
    let Some(store) = store().await else { return };
    let record = fresh_record();
    let (until, used) = (now().saturating_add(5 * MINUTE), now().saturating_add(MINUTE));
    store.fill(&record, now(), until).await.unwrap();
    store.touch(&record.key, used).await.unwrap();
    store.fill(&next(&record), now(), until).await.unwrap();
    assert_eq!(load(&store, &record.key).await, Some(with(next(&record), |record| record.accessed = used)));
}

#[tokio::test]
async fn a_buried_key_takes_no_copy_until_then() {
    let Some(store) = store().await else { return };
    let (record, start) = (fresh_record(), now());
    let until = start.saturating_add(5 * MINUTE);
    store.fill(&record, start, until).await.unwrap();
    store.bury(&record.key, start, until).await.unwrap();
    store.fill(&next(&record), start, until).await.unwrap();
    assert_eq!(load(&store, &record.key).await, None);
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Saved::Missing);
    store.touch(&record.key, start.saturating_add(SECOND)).await.unwrap();
    assert_eq!(load(&store, &record.key).await, None);
    // Burying it again for less shortens nothing, and deleting opens no grave.
    store.bury(&record.key, start, start.saturating_add(MINUTE)).await.unwrap();
    store.delete(&record.key).await.unwrap();
    let later = until.saturating_add(5 * MINUTE);
    store.fill(&record, until.saturating_sub(SECOND), later).await.unwrap();
    assert_eq!(store.load(&record.key, until.saturating_sub(SECOND)).await.unwrap(), None);
    store.fill(&record, until, later).await.unwrap();
    assert_eq!(store.load(&record.key, until).await.unwrap(), Some(record));
}

/// B46. What keeps a copy out is there until the end.
#[tokio::test]
async fn a_copy_goes_in_time_and_a_grave_not_before() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let seconds_left = |record: &Record| -> i64 {
        let answer = server.ask(&format!("mg {} t", name(&record.key)));
        answer.strip_prefix("HD t").expect("it is there").lines().next().unwrap().parse().unwrap()
    };
    let record = fresh_record();
    store.fill(&record, now(), now().saturating_add(5 * MINUTE)).await.unwrap();
    assert!((297..=300).contains(&seconds_left(&record)));
    store.bury(&record.key, now(), now().saturating_add(5 * MINUTE)).await.unwrap();
    assert!((300..=303).contains(&seconds_left(&record)));
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

/// A slow reader's fill against a removal: nothing comes back, whichever is first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filling_against_burying_brings_nothing_back() {
    let Some(store) = store().await else { return };
    let until = now().saturating_add(5 * MINUTE);
    for _ in 0..campaign(300) {
        let record = fresh_record();
        let filling = tokio::spawn({
            let (store, record) = (store.clone(), record.clone());
            async move { store.fill(&record, now(), until).await }
        });
        store.bury(&record.key, now(), until).await.unwrap();
        filling.await.unwrap().unwrap();
        assert_eq!(load(&store, &record.key).await, None);
    }
}

/// What another process saved here meanwhile is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn burying_one_version_against_saving_another_loses_nothing() {
    let Some(store) = store().await else { return };
    let until = now().saturating_add(5 * MINUTE);
    for _ in 0..campaign(300) {
        let record = fresh_record();
        store.fill(&record, now(), until).await.unwrap();
        let saved = next(&record);
        let saving = tokio::spawn({
            let (store, saved, version) = (store.clone(), saved.clone(), record.version);
            async move { store.save(&saved, version).await.unwrap() }
        });
        let buried = store.bury_version(&record.key, record.version, now(), until).await.unwrap();
        let left = match (saving.await.unwrap(), buried) {
            (Saved::Done, Buried::Conflict) => Some(saved),
            (Saved::Missing, Buried::Done) => None,
            outcome => panic!("saving and burying ended as {outcome:?}"),
        };
        assert_eq!(load(&store, &record.key).await, left);
    }
}
