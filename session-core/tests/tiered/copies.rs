//! What a [`MemoryStore`] does as a fast tier. Other fast tiers do the same.

use std::time::Duration;

use session_core::{Buried, FastStore, MemoryStore, NewSession, Record, Saved, Store, Time};

use crate::support::*;

async fn record() -> (Record, Time) {
    let stage = Stage::new();
    let session = stage.through().sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let (_, record) = stage.both(&session.handle()).await;
    (record.unwrap(), stage.now())
}

fn just_before(time: Time) -> Time {
    time.saturating_sub(Duration::from_millis(1))
}

#[tokio::test]
async fn a_copy_is_handed_out_until_it_is_no_longer_believed() {
    let (record, now) = record().await;
    let store = MemoryStore::new();
    let until = now.saturating_add(MINUTE);
    store.fill(&record, now, until).await.unwrap();
    // Neither saving nor touching makes it believed for longer.
    let saved = counted(&record, 1);
    assert_eq!(store.save(&saved, record.version).await.unwrap(), Saved::Done);
    store.touch(&record.key, just_before(until)).await.unwrap();
    assert_eq!(count_of(&store.load(&record.key, just_before(until)).await.unwrap()), Some(1));
    assert_eq!(store.load(&record.key, until).await.unwrap(), None);
    // It is the same version that makes it believed again, not an older one.
    let later = until.saturating_add(MINUTE);
    store.fill(&record, until, later).await.unwrap();
    assert_eq!(store.load(&record.key, until).await.unwrap(), None);
    store.fill(&saved, until, later).await.unwrap();
    assert_eq!(count_of(&store.load(&record.key, until).await.unwrap()), Some(1));
}

#[tokio::test]
async fn an_older_copy_never_replaces_a_newer_one() {
    let (old, now) = record().await;
    let store = MemoryStore::new();
    let (newer, newest) = (counted(&old, 1), counted(&counted(&old, 1), 2));
    for (copy, expected) in [(&newer, 1), (&old, 1), (&newest, 2), (&newer, 2)] {
        store.fill(copy, now, Time::MAX).await.unwrap();
        assert_eq!(count_of(&store.load(&old.key, now).await.unwrap()), Some(expected));
    }
    assert_eq!(store.len(), 1);
}

#[tokio::test]
async fn a_buried_key_takes_no_copies_until_then() {
    let (record, now) = record().await;
    let store = MemoryStore::new();
    let until = now.saturating_add(MINUTE);
    store.fill(&record, now, Time::MAX).await.unwrap();
    store.bury(&record.key, now, until).await.unwrap();
    assert_eq!(store.save(&counted(&record, 1), record.version).await.unwrap(), Saved::Missing);
    // What would be shorter ends nothing, nor does deleting, nor purging before the time.
    store.bury(&record.key, now, now).await.unwrap();
    store.delete(&record.key).await.unwrap();
    store.purge_expired(just_before(until), 100).await.unwrap();
    store.fill(&record, just_before(until), Time::MAX).await.unwrap();
    assert_eq!(store.load(&record.key, now).await.unwrap(), None);
    store.fill(&record, until, Time::MAX).await.unwrap();
    assert_eq!(store.load(&record.key, until).await.unwrap(), Some(record));
}

#[tokio::test]
async fn purging_forgets_burials_whose_time_has_passed() {
    let (record, now) = record().await;
    let store = MemoryStore::new();
    let until = now.saturating_add(MINUTE);
    store.bury(&record.key, now, until).await.unwrap();
    store.purge_expired(until, 100).await.unwrap();
    // By a clock that was set back, which shows that nothing is left of it.
    store.fill(&record, now, Time::MAX).await.unwrap();
    assert!(store.load(&record.key, now).await.unwrap().is_some());
}

#[tokio::test]
async fn only_the_expected_version_is_buried_with_it() {
    let (record, now) = record().await;
    let store = MemoryStore::new();
    let until = now.saturating_add(MINUTE);
    let newer = counted(&record, 1);
    store.fill(&newer, now, Time::MAX).await.unwrap();
    let bury = |version| store.bury_version(&record.key, version, now, until);
    assert_eq!(bury(record.version).await.unwrap(), Buried::Conflict);
    assert_eq!(store.load(&record.key, now).await.unwrap().as_ref(), Some(&newer));
    assert_eq!(bury(newer.version).await.unwrap(), Buried::Done);
    assert_eq!(bury(record.version).await.unwrap(), Buried::Done, "nothing is there to differ");
    store.fill(&newer, now, Time::MAX).await.unwrap();
    assert_eq!(store.load(&record.key, now).await.unwrap(), None);
}

/// The index by principal follows copies too, so that nothing is left of them.
#[tokio::test]
async fn copies_are_listed_while_they_are_here() {
    let (mut record, now) = record().await;
    record.principal = Some("ann".into());
    let store = MemoryStore::new();
    let ann = session_core::PrincipalKey::of("ann");
    store.fill(&record, now, Time::MAX).await.unwrap();
    assert_eq!(store.of_principal(&ann, now).await.unwrap().len(), 1);
    store.bury(&record.key, now, now.saturating_add(MINUTE)).await.unwrap();
    store.fill(&record, now, Time::MAX).await.unwrap();
    assert_eq!(store.of_principal(&ann, now).await.unwrap(), []);
    assert!(store.is_empty());
}
