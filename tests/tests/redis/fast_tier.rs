//! Redis before a more durable store.

use session_core::{Buried, FastStore, Record, Saved, Store};
use session_stores::RedisStore;
use workspace_tests::Proxy;
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
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Saved::Done);
    assert!(store.load(&record.key, before).await.unwrap().is_some());
    assert_eq!(store.load(&record.key, until).await.unwrap(), None);
    assert_eq!(store.save(&late(&record), next(&record).version).await.unwrap(), Saved::Missing);
}

fn late(record: &Record) -> Record {
    with(next(&next(record)), |record| record.accessed = now().saturating_add(2 * MINUTE))
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
    assert_eq!(load(&store, &record.key).await, Some(with(next(&record), |record| record.accessed = used)));
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
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Saved::Missing);
    // Burying again for a shorter time shortens nothing, and deleting opens no grave.
    store.bury(&record.key, start, start.saturating_add(MINUTE / 2)).await.unwrap();
    store.delete(&record.key).await.unwrap();
    let before = until.saturating_sub(std::time::Duration::from_millis(1));
    store.fill(&record, before, until.saturating_add(MINUTE)).await.unwrap();
    assert_eq!(store.load(&record.key, before).await.unwrap(), None);
    store.fill(&record, until, until.saturating_add(MINUTE)).await.unwrap();
    assert_eq!(store.load(&record.key, until).await.unwrap(), Some(record));
}

#[tokio::test]
async fn only_the_expected_version_is_buried_with_it() {
    let Some(store) = single().await else { return };
    let record = fresh_record();
    let saved = next(&record);
    let (start, trusted, until) = (now(), now().saturating_add(MINUTE), now().saturating_add(2 * MINUTE));
    let bury = |version, now| store.bury_version(&record.key, version, now, until);
    store.fill(&saved, start, trusted).await.unwrap();
    assert_eq!(bury(record.version, start).await.unwrap(), Buried::Conflict);
    assert_eq!(load(&store, &record.key).await.as_ref(), Some(&saved));
    assert_eq!(bury(saved.version, start).await.unwrap(), Buried::Done);
    assert_eq!(bury(record.version, start).await.unwrap(), Buried::Done, "nothing is there to differ");
    store.fill(&saved, start, until).await.unwrap();
    assert_eq!(load(&store, &record.key).await, None);
    // A copy that nobody trusts any more is none.
    let record = fresh_record();
    store.fill(&next(&record), start, trusted).await.unwrap();
    assert_eq!(store.bury_version(&record.key, record.version, trusted, until).await.unwrap(), Buried::Done);
}

/// What another process saved here meanwhile is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn burying_one_version_against_saving_another_loses_nothing() {
    let Some(store) = single().await else { return };
    bury_against_save(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_burying_one_version_loses_nothing_either() {
    let Some(store) = cluster().await else { return };
    bury_against_save(store).await;
}

async fn bury_against_save(store: RedisStore) {
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
