use crate::record::Record;
use crate::store::{Deleted, Renewed, Saved, Store};

use super::support::{
    HOUR, MINUTE, attributes, create, created, delete, edited, end, follow, fresh_key, fresh_principal, fresh_record,
    load, move_to, moved, now, renew, renewed, save, touch,
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

/// A renewal that leaves a moved note leads from the old key to the new one, until the note's time is over.
pub async fn moved_note_leads_to_the_new_key_for_its_time(store: &impl Store) {
    let record = created(store).await;
    let (new, until) = (renewed(&record), now().saturating_add(MINUTE));
    assert_eq!(move_to(store, &record, &new, until).await, Renewed::Done);
    let last = until.saturating_sub(std::time::Duration::from_millis(1));
    assert_eq!(moved(store, &record.key, now()).await, Some(new.key));
    assert_eq!(moved(store, &record.key, last).await, Some(new.key));
    assert_eq!(moved(store, &record.key, until).await, None);
    assert_eq!(moved(store, &new.key, now()).await, None);
    assert_eq!(load(store, &record.key, now()).await, None);
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}

/// A session that was renewed several times is found note by note, also after it was saved, or all at once.
pub async fn moved_notes_form_a_chain(store: &impl Store) {
    let first = created(store).await;
    let (second, until) = (renewed(&first), now().saturating_add(MINUTE));
    let saved = edited(&second, "Color", "blue");
    let third = renewed(&saved);
    assert_eq!(move_to(store, &first, &second, until).await, Renewed::Done);
    assert_eq!(save(store, &saved, second.version).await, Saved::Done);
    assert_eq!(move_to(store, &saved, &third, until).await, Renewed::Done);
    assert_eq!(moved(store, &first.key, now()).await, Some(second.key));
    assert_eq!(moved(store, &second.key, now()).await, Some(third.key));
    for key in [&first.key, &second.key] {
        assert_eq!(follow(store, key, now()).await, Some(third.clone()));
        assert_eq!(follow(store, key, until).await, None);
    }
    assert_eq!(follow(store, &third.key, now()).await, None, "no note leads from here");
    assert_eq!(delete(store, &third.key).await, Deleted::Done);
    assert_eq!(follow(store, &first.key, now()).await, None);
}

/// A renewal without a note, as a login is, leaves nothing that leads to the new session.
pub async fn login_leaves_no_moved_note(store: &impl Store) {
    let record = created(store).await;
    assert_eq!(renew(store, &record, &renewed(&record)).await, Renewed::Done);
    assert_eq!(moved(store, &record.key, now()).await, None);
    assert_eq!(follow(store, &record.key, now()).await, None);
    assert_eq!(delete(store, &record.key).await, Deleted::Missing);
}

/// Nothing but a renewal leaves a moved note.
pub async fn no_moved_note_without_a_renewal(store: &impl Store) {
    let (stays, deleted) = (created(store).await, created(store).await);
    assert_eq!(delete(store, &deleted.key).await, Deleted::Done);
    let saved = edited(&stays, "Color", "blue");
    assert_eq!(save(store, &saved, stays.version).await, Saved::Done);
    let (refused, until) = (renewed(&stays), now().saturating_add(MINUTE));
    assert_eq!(move_to(store, &stays, &refused, until).await, Renewed::Conflict);
    assert_eq!(move_to(store, &deleted, &renewed(&deleted), until).await, Renewed::Missing);
    for key in [stays.key, deleted.key, refused.key, fresh_key()] {
        assert_eq!(moved(store, &key, now()).await, None);
    }
    assert_eq!(load(store, &stays.key, now()).await, Some(saved));
}

/// Deleting tells whether there was a record, or where it went. The note outlives the deletion.
pub async fn delete_tells_where_the_record_went(store: &impl Store) {
    let record = created(store).await;
    let (new, until) = (renewed(&record), now().saturating_add(MINUTE));
    assert_eq!(move_to(store, &record, &new, until).await, Renewed::Done);
    for _ in 0..2 {
        assert_eq!(delete(store, &record.key).await, Deleted::Moved(new.key));
    }
    assert_eq!(load(store, &new.key, now()).await, Some(new.clone()));
    assert_eq!(delete(store, &new.key).await, Deleted::Done);
    assert_eq!(delete(store, &new.key).await, Deleted::Missing);
    assert_eq!(load(store, &new.key, now()).await, None);
}

/// Ending a session deletes its record wherever moved notes lead, and says where that was. It does not follow a login.
pub async fn ending_follows_moved_notes(store: &impl Store) {
    let (first, until) = (created(store).await, now().saturating_add(MINUTE));
    let second = renewed(&first);
    let third = renewed(&second);
    assert_eq!(move_to(store, &first, &second, until).await, Renewed::Done);
    assert_eq!(move_to(store, &second, &third, until).await, Renewed::Done);
    assert_eq!(end(store, &first.key).await, Some(third.key));
    assert_eq!(load(store, &third.key, now()).await, None);
    assert_eq!(end(store, &first.key).await, None);

    let visitor = created(store).await;
    let user = renewed(&visitor);
    assert_eq!(renew(store, &visitor, &user).await, Renewed::Done);
    assert_eq!(end(store, &visitor.key).await, None);
    assert_eq!(load(store, &user.key, now()).await, Some(user.clone()));
    assert_eq!(end(store, &user.key).await, Some(user.key));
    assert_eq!(end(store, &fresh_key()).await, None);
}

/// A moved note is no record: it is neither saved, touched, renewed nor purged as one, and a list does not have it.
pub async fn moved_note_is_no_record(store: &impl Store) {
    let mut record = fresh_record();
    record.principal = Some(fresh_principal().into());
    create(store, &record).await;
    let new = renewed(&record);
    assert_eq!(move_to(store, &record, &new, now().saturating_add(HOUR)).await, Renewed::Done);
    assert_eq!(save(store, &edited(&record, "Color", "blue"), record.version).await, Saved::Missing);
    touch(store, &record.key, record.accessed.saturating_add(MINUTE)).await;
    assert_eq!(renew(store, &record, &renewed(&record)).await, Renewed::Missing);
    assert_eq!(load(store, &record.key, now()).await, None);
    assert_eq!(store.version(&record.key, now()).await.expect("the store works"), None);
    if store.capabilities().list {
        let listed = store.list(now(), usize::MAX).await.expect("the store works");
        assert!(listed.iter().all(|listed| listed.key != record.key));
    }
    assert_eq!(moved(store, &record.key, now()).await, Some(new.key));
    assert_eq!(load(store, &new.key, now()).await, Some(new));
}
