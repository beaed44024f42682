//! Tests that every [`Store`] must pass: one function for each behaviour.
//!
//! The author of a store declares all of them with one line:
//!
//! ```
//! session_core::conformance_tests!(session_core::MemoryStore::new());
//! ```
//!
//! Each test evaluates the expression anew, so each has its own connection. The expression may `.await`, and may
//! `return` to skip the test where there is no server. All tests may share one server with its data and run at the
//! same time, because their keys and principals are random.
//!
//! - [`fast_store_tests!`] declares the tests of a [`FastStore`].
//! - [`immediate_store_tests!`] declares the tests of an [`ImmediateStore`].
//! - [`faulty`] has a store that fails on request, for tests of whatever uses a store.
//!
//! # Time
//!
//! Nothing sleeps, because time is an argument. Records that a test loads are also live by the system's clock, so a
//! backend that deletes expired records by itself passes. `purge_expired` is called for times less than a minute in
//! the future; records and moved notes that must survive live longer.
//!
//! # What a store has to test itself
//!
//! These functions can't stop the server or look into it. The store's own tests must show that:
//!
//! - while the server is down, operations fail and don't return `None`; afterwards they work again without a restart;
//! - setting up the schema twice, and twice at the same time, is safe;
//! - bytes that can't be decoded, or belong to another key, are dropped with one warning, and are never handed out nor
//!   overwritten silently;
//! - a dump of the server's data contains no session id.
//!
//! # Rounds
//!
//! Tests of races repeat what they do. [`conformance_tests!`] takes the number of rounds from [`rounds`].
//!
//! # What this room may know
//!
//! It may know all other rooms, because it also tests stores through a manager. No other room may know it. What its
//! files share is in `support.rs`.
//!
//! [`Store`]: crate::store::Store
//! [`FastStore`]: crate::store::FastStore
//! [`ImmediateStore`]: crate::store::ImmediateStore
//! [`conformance_tests!`]: crate::conformance_tests
//! [`fast_store_tests!`]: crate::fast_store_tests
//! [`immediate_store_tests!`]: crate::immediate_store_tests

mod audiences;
mod deadlines;
mod devices;
mod ending;
mod fast;
pub mod faulty;
mod immediate;
mod managing;
mod principals;
mod races;
mod reading;
mod renewing;
mod support;
mod upgrading;
mod writing;

pub use audiences::*;
pub use deadlines::*;
pub use devices::*;
pub use ending::*;
pub use fast::*;
pub use immediate::*;
pub use managing::*;
pub use principals::*;
pub use races::*;
pub use reading::*;
pub use renewing::*;
pub use upgrading::*;
pub use writing::*;

/// Declares one test for each behaviour of a [`Store`](crate::store::Store), which the expression makes.
///
/// The calling crate needs tokio with the features `macros` and `rt-multi-thread`. Put each call into its own module
/// if there are several stores. See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! conformance_tests {
    ($store:expr) => {
        $crate::conformance_tests! { @behaviours $store =>
            // Reading.
            unknown_key_loads_as_none
            created_record_is_loaded_whole
            record_without_attributes_is_found
            unusual_names_and_values_come_back
            numbers_come_back_bit_by_bit
            deepest_value_comes_back
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
            moved_note_leads_to_the_new_key_for_its_time
            moved_notes_form_a_chain
            login_leaves_no_moved_note
            no_moved_note_without_a_renewal
            delete_tells_where_the_record_went
            ending_follows_moved_notes
            moved_note_is_no_record
            // Upgrades.
            formats_live_side_by_side_and_the_way_back
            extension_of_a_later_release_survives_saves_and_renewals
            session_beyond_this_release_is_refused_and_left_alone
            // Audiences.
            session_of_another_audience_opens_nothing_and_is_left_alone
            audience_survives_saves_and_renewals
            // Devices.
            bound_session_needs_its_device_in_every_process
            bound_session_that_a_login_replaces_is_known_as_replaced
            // Principals and lists.
            principal_has_its_live_records_only
            principal_index_follows_creation_renewal_and_removal
            principal_index_forgets_the_expired
            delete_of_principal_spares_one_and_strangers
            delete_of_principal_spares_one_under_a_key_that_it_had
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
            ending_one_of_a_principal_ends_it_wherever_it_went_and_nobody_elses
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
            logout_everywhere_against_renewals_leaves_none
            ending_others_against_renewals_leaves_this_one
            ending_one_of_a_principal_against_renewals_ends_it
            login_at_the_limit_against_renewals_leaves_one
            logins_at_once_keep_to_the_limit
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

/// How many rounds a test of a race takes: the value of the environment variable `SESSION_ROUNDS`. Default: 200.
///
/// # Panics
///
/// If the variable is not a number: the long run that somebody asked for must not be a short one.
pub fn rounds() -> usize {
    match std::env::var("SESSION_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("SESSION_ROUNDS must be a number, such as 200"),
        Err(_) => 200,
    }
}
