//! What every [`Store`] must do: one function per behaviour.
//!
//! The author of a store declares a test for each with one line, or calls the functions from
//! tests of their own:
//!
//! ```
//! session_core::conformance_tests!(session_core::MemoryStore::new());
//! ```
//!
//! The expression is evaluated in each test, so that each has a connection of its own; it may
//! `.await`, and `return` to skip where there is no server. All tests may share one server and
//! its data, and run at the same time: their keys and principals are random.
//!
//! Nothing sleeps, because time is an argument. Records that a test wants to find are alive by
//! the system's clock too, so a backend that drops what has expired passes. `purge_expired` is
//! called for times at most a minute and a half ahead, and records that must survive outlive that.
//!
//! What these functions can't show, because it takes a hold on the server, remains for the
//! store's own tests:
//!
//! - a store that is down gives an error, not `None`, and recovers without a restart;
//! - setting up the schema twice, and twice at the same time, is safe;
//! - bytes that can't be decoded, or belong to another key, are dropped with one warning, and
//!   are neither handed out nor overwritten silently;
//! - a dump of the backend holds no session id.
//!
//! Races take a number of rounds. The tests declared by [`conformance_tests!`] take it from
//! [`rounds`].
//!
//! [`Store`]: crate::store::Store
//! [`conformance_tests!`]: crate::conformance_tests

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Clock, SystemClock};
use crate::id::SessionId;
use crate::random::SystemRandom;
use crate::record::Attribute;
use crate::record::{Attributes, Record, RecordKey, Version};
use crate::store::{Created, Renewed, Saved, Store};
use crate::time::Time;

mod deadlines;
mod managing;
mod principals;
mod races;
mod reading;
mod renewing;
mod writing;

pub use deadlines::*;
pub use managing::*;
pub use principals::*;
pub use races::*;
pub use reading::*;
pub use renewing::*;
pub use writing::*;

/// Declares one test per behaviour for the store that the expression gives.
///
/// The crate needs tokio with `macros` and `rt-multi-thread`. To keep the tests of several
/// stores apart, put each call into a module of its own. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! conformance_tests {
    ($store:expr) => {
        $crate::conformance_tests! { @behaviours $store =>
            // Reading.
            unknown_key_loads_as_none
            created_record_is_loaded_whole
            record_without_attributes_is_found
            unusual_names_and_values_come_back
            large_record_comes_back_or_is_a_clear_error
            record_of_a_thousand_years_is_found
            version_agrees_with_load
            // Writing.
            create_never_replaces
            create_never_replaces_an_expired_record
            save_replaces_old_values
            save_keeps_attributes_it_does_not_change
            save_with_every_attribute_removed_leaves_none
            save_changes_settings
            save_twice_in_a_row
            save_of_an_old_version_reports_conflict
            save_of_an_unknown_record_reports_missing
            save_never_moves_accessed_back
            delete_makes_absent
            delete_twice_is_silent
            save_after_delete_reports_missing
            touch_after_delete_brings_nothing_back
            deleted_key_can_be_created_again
            touch_never_creates
            touch_moves_accessed_and_nothing_else
            touch_never_moves_accessed_back
            touch_does_not_undo_a_save
            save_after_touch_is_no_conflict
            // Deadlines.
            alive_a_millisecond_before_the_idle_deadline_and_gone_at_it
            alive_a_millisecond_before_the_absolute_deadline_and_gone_at_it
            each_record_has_its_own_timeout
            touch_extends_up_to_the_absolute_deadline
            touched_record_without_absolute_deadline_lives_on
            expired_record_is_not_revived_by_touch
            expired_record_is_not_revived_by_save
            expired_record_is_not_renewed
            loading_late_does_not_end_a_record
            clock_going_backward_neither_expires_nor_immortalises
            purge_removes_the_expired_and_only_them
            purge_in_small_batches_says_when_it_is_done
            // Renewing.
            renewed_record_is_under_the_new_key_only
            renewing_and_changing_in_one_step
            renewing_twice_leaves_the_last
            renewed_record_can_be_saved_and_deleted
            save_under_the_old_key_after_renewing_reports_missing
            touch_under_the_old_key_after_renewing_changes_nothing
            delete_of_the_old_key_spares_the_new
            old_key_is_not_renewed_again
            renewing_an_old_version_reports_conflict
            renewing_a_deleted_record_reports_missing
            renewing_to_a_taken_key_changes_nothing
            renewing_may_change_principal_and_constants
            // Principals and lists.
            principal_has_its_live_records_only
            principal_index_follows_creation_renewal_and_removal
            principal_index_forgets_the_expired
            delete_of_principal_spares_one_and_strangers
            delete_of_principal_counts_the_live
            list_has_live_records_only
            list_keeps_to_its_limit
            // Through a manager.
            malformed_ids_open_nothing
            handle_opens_nothing
            effects_on_one_attribute_in_one_save_leave_the_last
            writers_of_different_attributes_both_survive
            writers_of_one_new_attribute_do_not_fail
            renewed_session_keeps_everything_and_its_old_id_is_dead
            close_twice_is_safe
        }
        $crate::conformance_tests! { @races $store =>
            parallel_creates_have_one_winner
            parallel_saves_of_one_version_have_one_winner
            parallel_renewals_leave_one_live_record
            delete_against_save_leaves_nothing
            delete_against_touch_leaves_nothing
            delete_against_renewal_leaves_no_old_record
            save_against_renewal_is_lost_by_one
            touch_against_save_loses_neither
            touch_against_purge_keeps_what_was_alive
            load_never_sees_half_a_save
            parallel_updates_add_up
        }
    };
    (@behaviours $store:expr => $($behaviour:ident)*) => { $(
        #[tokio::test]
        async fn $behaviour() {
            let store = $store;
            $crate::conformance::$behaviour(&store).await;
        }
    )* };
    (@races $store:expr => $($race:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $race() {
            let store = $store;
            $crate::conformance::$race(&store, $crate::conformance::rounds()).await;
        }
    )* };
}

/// How many rounds races take: the environment variable `SESSION_ROUNDS`, or 200.
///
/// # Panics
///
/// If the variable is no number, so that a long run is not mistaken for done.
pub fn rounds() -> usize {
    match std::env::var("SESSION_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("SESSION_ROUNDS is a number"),
        Err(_) => 200,
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Real, because servers judge deadlines by their own clocks as well.
fn now() -> Time {
    SystemClock.now()
}

fn fresh_id() -> SessionId {
    SessionId::generate(&SystemRandom, SessionId::DEFAULT_BYTES).expect("the system has random bytes")
}

fn fresh_key() -> RecordKey {
    fresh_id().key()
}

fn fresh_principal() -> String {
    format!("principal {}", fresh_key())
}

/// An anonymous record under a key that nobody else has, alive for an hour.
fn fresh_record() -> Record {
    let now = now();
    Record {
        key: fresh_key(),
        version: Version::first(0),
        created: now,
        accessed: now,
        idle_timeout: HOUR,
        absolute_deadline: Some(now.saturating_add(24 * HOUR)),
        persistent: false,
        principal: None,
        constants: attributes([("Role", "guest".into())]),
        attributes: attributes([("Color", "red".into()), ("Count", 1.into())]),
    }
}

fn attributes<const N: usize>(values: [(&str, Value); N]) -> Attributes {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The record that a writer saves who has loaded this one and sets an attribute.
fn edited(record: &Record, name: &str, value: impl Into<Value>) -> Record {
    let mark = fresh_key().as_bytes()[0];
    let attribute = Attribute::new(name, &value.into()).expect("a JSON value has a JSON form");
    Record {
        version: record.version.next(u32::from(mark)),
        attributes: record.attributes.with(attribute),
        ..record.clone()
    }
}

/// The record that takes this one's place when it is renewed.
fn renewed(record: &Record) -> Record {
    Record { key: fresh_key(), version: record.version.next(0), ..record.clone() }
}

async fn create(store: &impl Store, record: &Record) {
    let written = store.create(record).await.expect("the store works");
    assert_eq!(written, Created::Done, "creating {record:?}");
}

async fn created(store: &impl Store) -> Record {
    let record = fresh_record();
    create(store, &record).await;
    record
}

async fn save(store: &impl Store, record: &Record, expected: Version) -> Saved {
    store.save(record, expected).await.expect("the store works")
}

async fn touch(store: &impl Store, key: &RecordKey, accessed: Time) {
    store.touch(key, accessed).await.expect("the store works");
}

async fn renew(store: &impl Store, old: &Record, new: &Record) -> Renewed {
    store.renew(&old.key, old.version, new).await.expect("the store works")
}

async fn delete(store: &impl Store, key: &RecordKey) {
    store.delete(key).await.expect("the store works");
}

async fn load(store: &impl Store, key: &RecordKey, now: Time) -> Option<Record> {
    store.load(key, now).await.expect("the store works")
}

async fn is_alive(store: &impl Store, key: &RecordKey, now: Time) -> bool {
    load(store, key, now).await.is_some()
}
