use crate::record::{Attributes, Record};
use crate::store::{Created, Saved, Store};

use super::support::{
    HOUR, MILLISECOND, MINUTE, SECOND, attributes, create, created, delete, edited, fresh_key, fresh_record, is_alive,
    load, now, save, touch,
};

/// Creating a record whose key is taken changes nothing and answers
/// [`Created::Exists`](crate::store::Created::Exists).
pub async fn create_never_replaces(store: &impl Store) {
    let record = created(store).await;
    let other = Record { key: record.key, ..fresh_record() };
    let other = edited(&other, "Color", "blue");
    assert_eq!(store.create(&other).await.expect("the store works"), Created::Exists);
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// A key stays taken until its record is deleted or purged, so that an id never names two sessions.
pub async fn create_never_replaces_an_expired_record(store: &impl Store) {
    let record = created(store).await;
    let mut other = fresh_record();
    other.key = record.key;
    other.created = record.expires_at();
    other.accessed = record.expires_at();
    assert_eq!(store.create(&other).await.expect("the store works"), Created::Exists);
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// A save replaces the values and the version.
pub async fn save_replaces_old_values(store: &impl Store) {
    let record = created(store).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(saved));
}

/// A save that adds an attribute keeps the other attributes and the constants.
pub async fn save_keeps_attributes_it_does_not_change(store: &impl Store) {
    let record = created(store).await;
    let saved = edited(&record, "Added", true);
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    let loaded = load(store, &record.key, now()).await.expect("it is alive");
    let expected = attributes([("Added", true.into()), ("Color", "red".into()), ("Count", 1.into())]);
    assert_eq!(loaded.attributes, expected);
    assert_eq!(loaded.constants, record.constants);
}

/// A save without attributes leaves a live session without attributes.
pub async fn save_with_every_attribute_removed_leaves_none(store: &impl Store) {
    let record = created(store).await;
    let mut saved = edited(&record, "Color", "blue");
    saved.attributes = Attributes::default();
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert!(load(store, &record.key, now()).await.expect("it is alive").attributes.is_empty());
}

/// A save changes the idle timeout and the persistence of the session, and the new timeout counts.
pub async fn save_changes_settings(store: &impl Store) {
    let record = created(store).await;
    let mut saved = edited(&record, "Color", "blue");
    saved.idle_timeout = 2 * HOUR;
    saved.persistent = true;
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(saved.clone()));
    assert!(is_alive(store, &record.key, saved.expires_at().saturating_sub(MILLISECOND)).await);
}

/// A second save against the version of the first succeeds.
pub async fn save_twice_in_a_row(store: &impl Store) {
    let record = created(store).await;
    let second = edited(&record, "Count", 2);
    let third = edited(&second, "Count", 3);
    assert_eq!(save(store, &second, record.version).await, Saved::Done);
    assert_eq!(save(store, &third, second.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(third));
}

/// A save against an old version changes nothing and answers `Conflict`.
pub async fn save_of_an_old_version_reports_conflict(store: &impl Store) {
    let record = created(store).await;
    let first = edited(&record, "Color", "blue");
    let mut late = edited(&record, "Color", "green");
    // Even if both writers happen to draw the same mark.
    late.version = first.version;
    assert_eq!(save(store, &first, record.version).await, Saved::Done);
    assert_eq!(save(store, &late, record.version).await, Saved::Conflict);
    assert_eq!(load(store, &record.key, now()).await, Some(first));
}

/// A save of a record that does not exist creates none and answers `Missing`.
pub async fn save_of_an_unknown_record_reports_missing(store: &impl Store) {
    let record = fresh_record();
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Missing);
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// A save keeps the stored `accessed` if that is later.
pub async fn save_never_moves_accessed_back(store: &impl Store) {
    let record = created(store).await;
    let later = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, later).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed: later, ..saved }));
}

/// A deleted record is gone at once.
pub async fn delete_makes_absent(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// Deleting a record that does not exist is no error.
pub async fn delete_twice_is_silent(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    delete(store, &record.key).await;
    delete(store, &fresh_key()).await;
}

/// A slow save does not bring back a deleted record.
pub async fn save_after_delete_reports_missing(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    assert_eq!(save(store, &edited(&record, "Color", "blue"), record.version).await, Saved::Missing);
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// A slow touch does not bring back a deleted record.
pub async fn touch_after_delete_brings_nothing_back(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    touch(store, &record.key, now().saturating_add(SECOND)).await;
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// A deleted key can be created again, and shows nothing of the old record.
pub async fn deleted_key_can_be_created_again(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    let again = Record { attributes: Attributes::default(), ..record };
    create(store, &again).await;
    assert_eq!(load(store, &again.key, now()).await, Some(again));
}

/// A touch of an unknown key creates no record.
pub async fn touch_never_creates(store: &impl Store) {
    let key = fresh_key();
    touch(store, &key, now()).await;
    assert_eq!(load(store, &key, now()).await, None);
}

/// A touch changes `accessed` and keeps data and version.
pub async fn touch_moves_accessed_and_nothing_else(store: &impl Store) {
    let record = created(store).await;
    let accessed = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, accessed).await;
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed, ..record }));
}

/// A touch with an earlier time changes nothing.
pub async fn touch_never_moves_accessed_back(store: &impl Store) {
    let record = created(store).await;
    let later = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, later).await;
    touch(store, &record.key, record.accessed.saturating_add(SECOND)).await;
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed: later, ..record }));
}

/// A touch by a request that loaded the session before another one saved it keeps what was saved.
pub async fn touch_does_not_undo_a_save(store: &impl Store) {
    let record = created(store).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    let accessed = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, accessed).await;
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed, ..saved }));
}

/// A touch does not change the version, so a save after it is no conflict.
pub async fn save_after_touch_is_no_conflict(store: &impl Store) {
    let record = created(store).await;
    touch(store, &record.key, record.accessed.saturating_add(MINUTE)).await;
    assert_eq!(save(store, &edited(&record, "Color", "blue"), record.version).await, Saved::Done);
}
