use crate::record::{Record, RecordKey};
use crate::store::{Buried, FastStore, Saved};
use crate::time::Time;

use super::races::at_once;
use super::support::{
    MILLISECOND, MINUTE, SECOND, delete, edited, fresh_principal, fresh_record, load, now, save, touch,
};

/// A copy is served until its time, and no longer. Neither a touch nor a save prolongs that.
pub async fn copy_is_served_until_it_is_stale(store: &impl FastStore) {
    let (record, start) = (fresh_record(), now());
    let until = start.saturating_add(MINUTE);
    let before = until.saturating_sub(MILLISECOND);
    fill(store, &record, start, until).await;
    assert_eq!(load(store, &record.key, before).await.as_ref(), Some(&record));
    assert_eq!(load(store, &record.key, until).await, None);

    touch(store, &record.key, start.saturating_add(MINUTE / 2)).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    let loaded = load(store, &record.key, before).await.expect("it is served until then");
    assert_eq!(loaded.attributes, saved.attributes);
    assert_eq!(load(store, &record.key, until).await, None);
    let mut late = edited(&saved, "Color", "green");
    late.accessed = until;
    assert_eq!(save(store, &late, saved.version).await, Saved::Missing);
}

/// A copy of the same version replaces a stale copy, but not a current one. An older copy replaces neither.
pub async fn copy_of_the_same_version_replaces_a_stale_one(store: &impl FastStore) {
    let (old, start) = (fresh_record(), now());
    let record = edited(&old, "Color", "blue");
    let until = start.saturating_add(MINUTE);
    let later = until.saturating_add(MINUTE);
    fill(store, &record, start, until).await;
    fill(store, &record, start, later).await;
    assert_eq!(load(store, &record.key, until).await, None, "the first copy was still served");
    fill(store, &old, until, later).await;
    assert_eq!(load(store, &record.key, until).await, None, "an older copy");
    fill(store, &record, until, later).await;
    assert_eq!(load(store, &record.key, until).await, Some(record));
}

/// An older copy never replaces a newer one: a reader may be slow to fill in what it loaded.
pub async fn older_copy_never_replaces_a_newer_one(store: &impl FastStore) {
    let old = fresh_record();
    let newer = edited(&old, "Count", 2);
    let newest = edited(&newer, "Count", 3);
    let (start, until) = (now(), now().saturating_add(5 * MINUTE));
    for (copy, expected) in [(&newer, &newer), (&old, &newer), (&newest, &newest), (&newer, &newest)] {
        fill(store, copy, start, until).await;
        assert_eq!(load(store, &old.key, now()).await.as_ref(), Some(expected));
    }
}

/// A newer copy keeps the later `accessed`, which is not part of the version.
pub async fn newer_copy_keeps_the_later_use(store: &impl FastStore) {
    let (record, start) = (fresh_record(), now());
    let (until, used) = (start.saturating_add(5 * MINUTE), start.saturating_add(MINUTE));
    fill(store, &record, start, until).await;
    touch(store, &record.key, used).await;
    let mut newer = edited(&record, "Color", "blue");
    fill(store, &newer, start, until).await;
    newer.accessed = used;
    assert_eq!(load(store, &record.key, now()).await, Some(newer));
}

/// A copy that arrives after the session's deadline, or is already stale, is not served.
pub async fn copy_of_an_ended_session_is_not_served(store: &impl FastStore) {
    let (expired, stale) = (fresh_record(), fresh_record());
    let deadline = expired.expires_at();
    fill(store, &expired, deadline, deadline.saturating_add(MINUTE)).await;
    fill(store, &stale, now(), now()).await;
    assert_eq!(load(store, &expired.key, deadline).await, None);
    assert_eq!(load(store, &stale.key, now()).await, None);
}

/// Copies of sessions with a principal are filled in and buried, in every part of a cluster.
pub async fn copies_of_signed_in_sessions_come_and_go(store: &impl FastStore) {
    let (start, until) = (now(), now().saturating_add(MINUTE));
    let ann = fresh_principal();
    for _ in 0..20 {
        let record = Record { principal: Some(ann.as_str().into()), ..fresh_record() };
        fill(store, &record, start, until).await;
        assert_eq!(load(store, &record.key, now()).await.as_ref(), Some(&record));
        bury(store, &record.key, start, until).await;
        fill(store, &record, start, until).await;
        assert_eq!(load(store, &record.key, now()).await, None);
    }
}

/// A tombstone refuses writes until its time. Neither a shorter one, nor deleting, nor purging ends it.
pub async fn tombstone_refuses_copies_until_its_time(store: &impl FastStore) {
    let (record, start) = (fresh_record(), now());
    let until = start.saturating_add(MINUTE);
    let (before, later) = (until.saturating_sub(MILLISECOND), until.saturating_add(MINUTE));
    let newer = edited(&record, "Color", "blue");
    fill(store, &record, start, until).await;
    bury(store, &record.key, start, until).await;
    assert_eq!(load(store, &record.key, now()).await, None);
    assert_eq!(save(store, &newer, record.version).await, Saved::Missing);
    touch(store, &record.key, start.saturating_add(SECOND)).await;
    fill(store, &newer, start, later).await;
    assert_eq!(load(store, &record.key, now()).await, None);

    bury(store, &record.key, start, start).await;
    bury(store, &record.key, start, start.saturating_add(MINUTE / 2)).await;
    delete(store, &record.key).await;
    store.purge_expired(before, 100).await.expect("the store works");
    fill(store, &record, before, later).await;
    assert_eq!(load(store, &record.key, before).await, None);
    fill(store, &record, until, later).await;
    assert_eq!(load(store, &record.key, until).await, Some(record));
}

/// `bury_version` keeps a live copy of another version, and buries everything else.
pub async fn only_the_expected_version_is_buried(store: &impl FastStore) {
    let (old, start) = (fresh_record(), now());
    let (until, later) = (start.saturating_add(MINUTE), start.saturating_add(2 * MINUTE));
    let record = edited(&old, "Color", "blue");
    fill(store, &record, start, until).await;
    assert_eq!(bury_version(store, &old, start, later).await, Buried::Conflict);
    assert_eq!(load(store, &record.key, now()).await.as_ref(), Some(&record));
    assert_eq!(bury_version(store, &record, start, later).await, Buried::Done);
    assert_eq!(bury_version(store, &old, start, later).await, Buried::Done, "nothing is there to differ");
    fill(store, &record, start, later).await;
    assert_eq!(load(store, &record.key, now()).await, None);

    let old = fresh_record();
    fill(store, &edited(&old, "Color", "blue"), start, until).await;
    assert_eq!(bury_version(store, &old, until, later).await, Buried::Done);
}

/// Filling in a copy and burying it at the same time leave no copy.
pub async fn filling_against_burying_brings_nothing_back(store: &(impl FastStore + Clone), rounds: usize) {
    for _ in 0..rounds {
        let (record, start) = (fresh_record(), now());
        let until = start.saturating_add(5 * MINUTE);
        let (filler, burier, key) = (store.clone(), store.clone(), record.key);
        let filling = async move { fill(&filler, &record, start, until).await };
        at_once(filling, async move { bury(&burier, &key, start, until).await }).await;
        assert_eq!(load(store, &key, now()).await, None);
    }
}

/// Of `bury_version` and a save at the same time, one succeeds: the save stays, or it is refused.
pub async fn burying_one_version_against_saving_another_loses_nothing(store: &(impl FastStore + Clone), rounds: usize) {
    for _ in 0..rounds {
        let (record, start) = (fresh_record(), now());
        let until = start.saturating_add(5 * MINUTE);
        fill(store, &record, start, until).await;
        let saved = edited(&record, "Color", "blue");
        let (saver, burier) = (store.clone(), store.clone());
        let saving = {
            let (saved, version) = (saved.clone(), record.version);
            async move { save(&saver, &saved, version).await }
        };
        let left = match at_once(saving, async move { bury_version(&burier, &record, start, until).await }).await {
            (Saved::Done, Buried::Conflict) => Some(saved.clone()),
            (Saved::Missing, Buried::Done) => None,
            outcome => panic!("saving and burying ended as {outcome:?}"),
        };
        assert_eq!(load(store, &saved.key, now()).await, left);
    }
}

async fn fill(store: &impl FastStore, record: &Record, now: Time, until: Time) {
    store.fill(record, now, until).await.expect("the store works");
}

async fn bury(store: &impl FastStore, key: &RecordKey, now: Time, until: Time) {
    store.bury(key, now, until).await.expect("the store works");
}

/// Buries the record unless another version of it is here.
async fn bury_version(store: &impl FastStore, record: &Record, now: Time, until: Time) -> Buried {
    store.bury_version(&record.key, record.version, now, until).await.expect("the store works")
}

/// Declares one test for each behaviour of a [`FastStore`](crate::store::FastStore), which the expression makes.
///
/// Use it in addition to [`conformance_tests!`](crate::conformance_tests), in its own module. That macro's
/// documentation says what the calling crate needs.
///
/// ```
/// session_core::fast_store_tests!(session_core::MemoryStore::new());
/// ```
#[macro_export]
macro_rules! fast_store_tests {
    ($store:expr) => {
        $crate::conformance_tests! { @behaviours $store =>
            copy_is_served_until_it_is_stale
            copy_of_the_same_version_replaces_a_stale_one
            older_copy_never_replaces_a_newer_one
            newer_copy_keeps_the_later_use
            copy_of_an_ended_session_is_not_served
            copies_of_signed_in_sessions_come_and_go
            tombstone_refuses_copies_until_its_time
            only_the_expected_version_is_buried
        }
        $crate::conformance_tests! { @races $store =>
            filling_against_burying_brings_nothing_back
            burying_one_version_against_saving_another_loses_nothing
        }
    };
}
