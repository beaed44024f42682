//! An emulator that is down or silent, connections that break, and callers that give up.

use std::time::{Duration, Instant};

use session_core::NewSession;
use workspace_tests::FirestoreEmulator;
use workspace_tests::records::*;
use workspace_tests::store_faults;

use crate::support::*;

#[tokio::test]
async fn firestore_that_is_down_is_an_error_at_once_and_recovers() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::down_is_an_error_at_once_and_recovers(&store, &proxy).await;
}

#[tokio::test]
async fn a_save_while_firestore_is_down_changes_nothing() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::save_while_down_changes_nothing(&store, &proxy).await;
}

#[tokio::test]
async fn silence_is_an_error_within_the_time_limit() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::silence_is_an_error_within_the_time_limit(&store, &proxy).await;
}

/// A ping finds out after five seconds, and waits for three.
#[tokio::test]
async fn a_connection_that_stays_silent_is_given_up() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::silence_ends_without_a_manager(&store, &proxy, 12 * SECOND).await;
}

#[tokio::test]
async fn a_connection_cut_anywhere_counts_no_update_twice() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::cut_connection_counts_no_update_twice(&store, &proxy, campaign(100), [1500, 900]).await;
}

#[tokio::test]
async fn a_large_save_that_is_cut_is_old_or_new_and_never_mixed() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::cut_large_save_is_old_or_new(&store, &proxy, campaign(20)).await;
}

#[tokio::test]
async fn a_renewal_cut_anywhere_leaves_exactly_one() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::cut_renewal_leaves_exactly_one(&store, &proxy, campaign(100), [1500, 900]).await;
}

#[tokio::test]
async fn a_renewal_cancelled_anywhere_leaves_exactly_one() {
    let Some((_emulator, _proxy, store)) = behind_proxy().await else { return };
    store_faults::cancelled_renewal_leaves_exactly_one(&store, campaign(100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_leave_nobody_anothers_reply() {
    let Some((_emulator, proxy, store)) = behind_proxy().await else { return };
    store_faults::cancelled_calls_leave_nobody_anothers_reply(&store, &proxy, campaign(500)).await;
}

/// Without its sessions, as it keeps them in memory.
#[tokio::test]
async fn an_emulator_that_was_restarted_is_used_again() {
    let Some(mut emulator) = FirestoreEmulator::start() else { return };
    let sessions = manager(&connect(&emulator).await);
    let session = sessions.create(NewSession::new()).await.unwrap();
    emulator.kill();
    assert!(sessions.get(session.id().as_str()).await.is_err(), "it is down");
    emulator.restart();
    // Its first answer takes Java longer than a second; this is about the connection.
    connect(&emulator).await;
    let up = Instant::now();
    assert!(sessions.get(session.id().as_str()).await.unwrap().is_none());
    sessions.create(NewSession::new()).await.unwrap();
    assert!(up.elapsed() < Duration::from_secs(1), "recovered after {:?}", up.elapsed());
}
