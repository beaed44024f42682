//! A few behaviours of the conformance suite, for stores that differ from others in how they connect.

use session_core::{Store, conformance};

/// What is written is there, whole, at once and for one writer alone.
pub async fn works(store: &(impl Store + Clone)) {
    conformance::created_record_is_loaded_whole(store).await;
    conformance::save_of_an_old_version_reports_conflict(store).await;
    conformance::touch_moves_accessed_and_nothing_else(store).await;
    conformance::renewed_record_is_under_the_new_key_only(store).await;
    conformance::principal_has_its_live_records_only(store).await;
    conformance::large_record_comes_back_or_is_a_clear_error(store).await;
    conformance::parallel_saves_of_one_version_have_one_winner(store, 10).await;
    conformance::list_has_live_records_only(store).await;
    conformance::delete_makes_absent(store).await;
}
