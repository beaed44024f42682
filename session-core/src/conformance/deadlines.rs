use crate::record::Record;
use crate::store::{Renewed, Saved, Store};
use crate::time::Time;

use super::support::{
    HOUR, MILLISECOND, MINUTE, SECOND, create, created, edited, fresh_record, is_alive, now, renew, renewed, save,
    touch,
};

/// The year 2000: so long ago that purging up to then deletes no record of another test.
const ANCIENT: Time = Time::from_unix_millis(946_684_800_000);

/// The idle timeout counts from `accessed`. Exactly at the deadline the record is gone, purged or not.
pub async fn alive_a_millisecond_before_the_idle_deadline_and_gone_at_it(store: &impl Store) {
    let mut record = fresh_record();
    record.accessed = record.created.saturating_add(SECOND);
    create(store, &record).await;
    let deadline = record.accessed.saturating_add(record.idle_timeout);
    assert!(is_alive(store, &record.key, deadline.saturating_sub(MILLISECOND)).await);
    assert!(!is_alive(store, &record.key, deadline).await);
    assert!(!is_alive(store, &record.key, deadline.saturating_add(1000 * HOUR)).await);
}

/// The absolute deadline ends a record before its idle deadline. Exactly at the deadline the record is gone.
pub async fn alive_a_millisecond_before_the_absolute_deadline_and_gone_at_it(store: &impl Store) {
    let mut record = fresh_record();
    let deadline = record.created.saturating_add(30 * MINUTE);
    record.absolute_deadline = Some(deadline);
    create(store, &record).await;
    assert!(is_alive(store, &record.key, deadline.saturating_sub(MILLISECOND)).await);
    assert!(!is_alive(store, &record.key, deadline).await);
}

/// Each record has its own idle timeout.
pub async fn each_record_has_its_own_timeout(store: &impl Store) {
    let long = created(store).await;
    let mut short = fresh_record();
    short.idle_timeout = 5 * MINUTE;
    create(store, &short).await;
    assert!(!is_alive(store, &short.key, short.expires_at()).await);
    assert!(is_alive(store, &long.key, short.expires_at()).await);
}

/// A touch moves the idle deadline, but never beyond the absolute one.
pub async fn touch_extends_up_to_the_absolute_deadline(store: &impl Store) {
    let mut record = fresh_record();
    let absolute_deadline = record.created.saturating_add(2 * HOUR);
    record.absolute_deadline = Some(absolute_deadline);
    create(store, &record).await;
    let half = HOUR / 2;
    for halves in 1..=3 {
        touch(store, &record.key, record.created.saturating_add(halves * half)).await;
    }
    assert!(is_alive(store, &record.key, absolute_deadline.saturating_sub(MILLISECOND)).await);
    assert!(!is_alive(store, &record.key, absolute_deadline).await);
}

/// A record without an absolute deadline lives for as long as it is touched.
pub async fn touched_record_without_absolute_deadline_lives_on(store: &impl Store) {
    let mut record = fresh_record();
    record.absolute_deadline = None;
    create(store, &record).await;
    let mut accessed = record.accessed;
    for _ in 0..50 {
        accessed = accessed.saturating_add(record.idle_timeout).saturating_sub(MILLISECOND);
        touch(store, &record.key, accessed).await;
    }
    let deadline = accessed.saturating_add(record.idle_timeout);
    assert!(is_alive(store, &record.key, deadline.saturating_sub(MILLISECOND)).await);
    assert!(!is_alive(store, &record.key, deadline).await);
}

/// A touch exactly at the deadline is too late.
pub async fn expired_record_is_not_revived_by_touch(store: &impl Store) {
    let record = created(store).await;
    let deadline = record.expires_at();
    touch(store, &record.key, deadline).await;
    assert!(!is_alive(store, &record.key, deadline).await);
}

/// A save exactly at the deadline is too late.
pub async fn expired_record_is_not_revived_by_save(store: &impl Store) {
    let record = created(store).await;
    let deadline = record.expires_at();
    let mut saved = edited(&record, "Color", "blue");
    saved.accessed = deadline;
    assert_eq!(save(store, &saved, record.version).await, Saved::Missing);
    assert!(!is_alive(store, &record.key, deadline).await);
}

/// A renewal exactly at the deadline is too late.
pub async fn expired_record_is_not_renewed(store: &impl Store) {
    let record = created(store).await;
    let deadline = record.expires_at();
    let mut new = renewed(&record);
    new.accessed = deadline;
    assert_eq!(renew(store, &record, &new).await, Renewed::Missing);
    assert!(!is_alive(store, &new.key, deadline).await);
    assert!(!is_alive(store, &record.key, deadline).await);
}

/// Loading with a late clock does not delete a record, because the clock of another process may be ahead. Only
/// purging deletes.
pub async fn loading_late_does_not_end_a_record(store: &impl Store) {
    let record = created(store).await;
    assert!(!is_alive(store, &record.key, record.expires_at()).await);
    assert!(is_alive(store, &record.key, record.expires_at().saturating_sub(MILLISECOND)).await);
}

/// A clock that goes backward ends no record, and extends none.
pub async fn clock_going_backward_neither_expires_nor_immortalises(store: &impl Store) {
    let record = created(store).await;
    let earlier = record.created.saturating_sub(10 * HOUR);
    assert!(is_alive(store, &record.key, earlier).await);
    touch(store, &record.key, earlier).await;
    let mut saved = edited(&record, "Color", "blue");
    saved.accessed = earlier;
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    assert!(is_alive(store, &record.key, record.expires_at().saturating_sub(MILLISECOND)).await);
    assert!(!is_alive(store, &record.key, record.expires_at()).await);
}

/// A purge deletes expired records for good, and keeps all others.
pub async fn purge_removes_the_expired_and_only_them(store: &impl Store) {
    let live = created(store).await;
    let mut eternal = fresh_record();
    eternal.created = ANCIENT;
    eternal.absolute_deadline = None;
    create(store, &eternal).await;
    let expired = ancient_record();
    create(store, &expired).await;
    purge_all(store, expired.expires_at(), 100).await;
    assert!(!is_alive(store, &expired.key, ANCIENT).await);
    assert!(is_alive(store, &live.key, now()).await);
    assert!(is_alive(store, &eternal.key, now()).await);
}

/// `more` is `true` as long as expired records are left.
pub async fn purge_in_small_batches_says_when_it_is_done(store: &impl Store) {
    let expired = [(); 7].map(|()| ancient_record());
    for record in &expired {
        create(store, record).await;
    }
    purge_all(store, expired[0].expires_at(), 2).await;
    for record in &expired {
        assert!(!is_alive(store, &record.key, ANCIENT).await, "no more was said to be left");
    }
}

/// A record that expired long ago. A backend may delete it at once.
fn ancient_record() -> Record {
    Record { created: ANCIENT, accessed: ANCIENT, absolute_deadline: None, ..fresh_record() }
}

async fn purge_all(store: &impl Store, now: Time, limit: usize) {
    // Far more batches than there can be, so that a store which never ends fails.
    for _ in 0..100_000 {
        if !store.purge_expired(now, limit).await.expect("the store works").more {
            return;
        }
    }
    panic!("purging does not end");
}
