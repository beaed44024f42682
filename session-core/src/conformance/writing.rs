use super::*;

/// The record that was there stays as it was.
pub async fn create_never_replaces(store: &impl Store) {
    let record = created(store).await;
    let other = Record { key: record.key, ..fresh_record() };
    let other = edited(&other, "Color", "blue");
    assert_eq!(store.create(&other).await.expect("the store works"), Created::Exists);
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// A key is taken until its record is deleted or purged, so that an id never names two sessions.
pub async fn create_never_replaces_an_expired_record(store: &impl Store) {
    let record = created(store).await;
    let mut other = fresh_record();
    other.key = record.key;
    other.created = record.expires_at();
    other.accessed = record.expires_at();
    assert_eq!(store.create(&other).await.expect("the store works"), Created::Exists);
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// The new value is there, under the new version.
pub async fn save_replaces_old_values(store: &impl Store) {
    let record = created(store).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(saved));
}

/// Adding an attribute leaves the others.
pub async fn save_keeps_attributes_it_does_not_change(store: &impl Store) {
    let record = created(store).await;
    let saved = edited(&record, "Added", true);
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    let loaded = load(store, &record.key, now()).await.expect("it is alive");
    let expected = attributes([("Added", true.into()), ("Color", "red".into()), ("Count", 1.into())]);
    assert_eq!(loaded.attributes, expected);
    assert_eq!(loaded.constants, record.constants);
}

/// An emptied session is saved as an empty one.
pub async fn save_with_every_attribute_removed_leaves_none(store: &impl Store) {
    let record = created(store).await;
    let mut saved = edited(&record, "Color", "blue");
    saved.attributes = Attributes::default();
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert!(load(store, &record.key, now()).await.expect("it is alive").attributes.is_empty());
}

/// The idle timeout and persistence of a session change during its life.
pub async fn save_changes_settings(store: &impl Store) {
    let record = created(store).await;
    let mut saved = edited(&record, "Color", "blue");
    saved.idle_timeout = 2 * HOUR;
    saved.persistent = true;
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(saved.clone()));
    assert!(is_alive(store, &record.key, saved.expires_at().saturating_sub(MILLISECOND)).await);
}

/// Each save is against the version of the one before.
pub async fn save_twice_in_a_row(store: &impl Store) {
    let record = created(store).await;
    let second = edited(&record, "Count", 2);
    let third = edited(&second, "Count", 3);
    assert_eq!(save(store, &second, record.version).await, Saved::Done);
    assert_eq!(save(store, &third, second.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(third));
}

/// Who has not seen the last save does not undo it.
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

/// Saving does not create.
pub async fn save_of_an_unknown_record_reports_missing(store: &impl Store) {
    let record = fresh_record();
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Missing);
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// Of two times of use the later stays, whichever is written last.
pub async fn save_never_moves_accessed_back(store: &impl Store) {
    let record = created(store).await;
    let later = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, later).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed: later, ..saved }));
}

/// A logout is at once.
pub async fn delete_makes_absent(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// Deleting what is not there is no error.
pub async fn delete_twice_is_silent(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    delete(store, &record.key).await;
    delete(store, &fresh_key()).await;
}

/// A slow request does not bring back what a logout ended.
pub async fn save_after_delete_reports_missing(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    assert_eq!(save(store, &edited(&record, "Color", "blue"), record.version).await, Saved::Missing);
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// Nor does one that only notes its use.
pub async fn touch_after_delete_brings_nothing_back(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    touch(store, &record.key, now().saturating_add(SECOND)).await;
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// A deletion is not remembered in place of the record, and nothing of the old one shows.
pub async fn deleted_key_can_be_created_again(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    let again = Record { attributes: Attributes::default(), ..record };
    create(store, &again).await;
    assert_eq!(load(store, &again.key, now()).await, Some(again));
}

/// Noting the use of an unknown session makes none.
pub async fn touch_never_creates(store: &impl Store) {
    let key = fresh_key();
    touch(store, &key, now()).await;
    assert_eq!(load(store, &key, now()).await, None);
}

/// Data and version stay.
pub async fn touch_moves_accessed_and_nothing_else(store: &impl Store) {
    let record = created(store).await;
    let accessed = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, accessed).await;
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed, ..record }));
}

/// Of two requests the later one counts, whichever is noted last.
pub async fn touch_never_moves_accessed_back(store: &impl Store) {
    let record = created(store).await;
    let later = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, later).await;
    touch(store, &record.key, record.accessed.saturating_add(SECOND)).await;
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed: later, ..record }));
}

/// A touch by who loaded the session before another saved it.
pub async fn touch_does_not_undo_a_save(store: &impl Store) {
    let record = created(store).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    let accessed = record.accessed.saturating_add(MINUTE);
    touch(store, &record.key, accessed).await;
    assert_eq!(load(store, &record.key, now()).await, Some(Record { accessed, ..saved }));
}

/// Readers don't get into a writer's way.
pub async fn save_after_touch_is_no_conflict(store: &impl Store) {
    let record = created(store).await;
    touch(store, &record.key, record.accessed.saturating_add(MINUTE)).await;
    assert_eq!(save(store, &edited(&record, "Color", "blue"), record.version).await, Saved::Done);
}
