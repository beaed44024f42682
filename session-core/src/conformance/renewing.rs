use crate::record::Record;
use crate::store::{Renewed, Saved, Store};

use super::support::{
    MINUTE, attributes, created, delete, edited, fresh_principal, fresh_record, load, now, renew, renewed, save, touch,
};

/// A renewed record is under the new key with all its data, and no longer under the old key.
pub async fn renewed_record_is_under_the_new_key_only(store: &impl Store) {
    let record = created(store).await;
    let new = renewed(&record);
    assert_eq!(renew(store, &record, &new).await, Renewed::Done);
    assert_eq!(load(store, &record.key, now()).await, None);
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}

/// A renewal may change attributes and `accessed` in the same step.
pub async fn renewing_and_changing_in_one_step(store: &impl Store) {
    let record = created(store).await;
    let mut new = edited(&renewed(&record), "Color", "blue");
    new.accessed = record.accessed.saturating_add(MINUTE);
    assert_eq!(renew(store, &record, &new).await, Renewed::Done);
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}

/// After two renewals only the last key has the record.
pub async fn renewing_twice_leaves_the_last(store: &impl Store) {
    let first = created(store).await;
    let second = renewed(&first);
    let third = renewed(&second);
    assert_eq!(renew(store, &first, &second).await, Renewed::Done);
    assert_eq!(renew(store, &second, &third).await, Renewed::Done);
    assert_eq!(load(store, &first.key, now()).await, None);
    assert_eq!(load(store, &second.key, now()).await, None);
    assert_eq!(load(store, &third.key, now()).await, Some(third));
}

/// A renewed record can be saved and deleted like any other.
pub async fn renewed_record_can_be_saved_and_deleted(store: &impl Store) {
    let record = created(store).await;
    let new = renewed(&record);
    assert_eq!(renew(store, &record, &new).await, Renewed::Done);
    let saved = edited(&new, "Color", "blue");
    assert_eq!(save(store, &saved, new.version).await, Saved::Done);
    assert_eq!(load(store, &new.key, now()).await, Some(saved));
    delete(store, &new.key).await;
    assert_eq!(load(store, &new.key, now()).await, None);
    assert_eq!(load(store, &record.key, now()).await, None);
}

/// A slow save under the old key changes nothing and answers `Missing`.
pub async fn save_under_the_old_key_after_renewing_reports_missing(store: &impl Store) {
    let record = created(store).await;
    let new = renewed(&record);
    assert_eq!(renew(store, &record, &new).await, Renewed::Done);
    assert_eq!(save(store, &edited(&record, "Color", "blue"), record.version).await, Saved::Missing);
    assert_eq!(load(store, &record.key, now()).await, None);
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}

/// A slow touch under the old key changes nothing.
pub async fn touch_under_the_old_key_after_renewing_changes_nothing(store: &impl Store) {
    let record = created(store).await;
    let new = renewed(&record);
    assert_eq!(renew(store, &record, &new).await, Renewed::Done);
    touch(store, &record.key, record.accessed.saturating_add(MINUTE)).await;
    assert_eq!(load(store, &record.key, now()).await, None);
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}

/// A slow deletion of the old key keeps the record under the new key.
pub async fn delete_of_the_old_key_spares_the_new(store: &impl Store) {
    let record = created(store).await;
    let new = renewed(&record);
    assert_eq!(renew(store, &record, &new).await, Renewed::Done);
    delete(store, &record.key).await;
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}

/// A second renewal of the old key answers `Missing`: a session has one successor.
pub async fn old_key_is_not_renewed_again(store: &impl Store) {
    let record = created(store).await;
    let (first, second) = (renewed(&record), renewed(&record));
    assert_eq!(renew(store, &record, &first).await, Renewed::Done);
    assert_eq!(renew(store, &record, &second).await, Renewed::Missing);
    assert_eq!(load(store, &second.key, now()).await, None);
    assert_eq!(load(store, &first.key, now()).await, Some(first));
}

/// A renewal against an old version changes nothing and answers `Conflict`, so that no save is lost.
pub async fn renewing_an_old_version_reports_conflict(store: &impl Store) {
    let record = created(store).await;
    let saved = edited(&record, "Color", "blue");
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    let new = renewed(&record);
    assert_eq!(renew(store, &record, &new).await, Renewed::Conflict);
    assert_eq!(load(store, &new.key, now()).await, None);
    assert_eq!(load(store, &record.key, now()).await, Some(saved));
}

/// A renewal of a deleted record creates none and answers `Missing`.
pub async fn renewing_a_deleted_record_reports_missing(store: &impl Store) {
    let record = created(store).await;
    delete(store, &record.key).await;
    let new = renewed(&record);
    assert_eq!(renew(store, &record, &new).await, Renewed::Missing);
    assert_eq!(load(store, &new.key, now()).await, None);
}

/// A renewal to a key that is taken changes neither record and answers
/// [`Renewed::Exists`](crate::store::Renewed::Exists).
pub async fn renewing_to_a_taken_key_changes_nothing(store: &impl Store) {
    let (record, other) = (created(store).await, created(store).await);
    let new = Record { key: other.key, ..edited(&renewed(&record), "Color", "blue") };
    assert_eq!(renew(store, &record, &new).await, Renewed::Exists);
    assert_eq!(load(store, &record.key, now()).await, Some(record));
    assert_eq!(load(store, &other.key, now()).await, Some(other));
}

/// A renewal may change the principal, the constants and the deadlines, as a login over an anonymous session does.
pub async fn renewing_may_change_principal_and_constants(store: &impl Store) {
    let record = created(store).await;
    let mut new = fresh_record();
    new.principal = Some(fresh_principal().into());
    new.constants = attributes([("Role", "admin".into())]);
    new.absolute_deadline = None;
    new.persistent = true;
    assert_eq!(renew(store, &record, &new).await, Renewed::Done);
    assert_eq!(load(store, &record.key, now()).await, None);
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}
