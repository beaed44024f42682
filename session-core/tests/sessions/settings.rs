//! Settings at the ends of their ranges: each is refused when the manager or the store is built, or works.

use std::time::Duration;

use session_core::conformance::faulty::FaultyStore;
use session_core::{
    ConfigError, FastStore, MemoryStore, NewSession, SessionManager, SessionManagerBuilder, Store, TieredStore,
    TieredStoreBuilder, WriteBehind,
};

use super::{MILLISECOND, faulty};

const NANOSECOND: Duration = Duration::from_nanos(1);

/// What every setting has to get through.
async fn lead_a_whole_life(sessions: SessionManager) {
    let session = sessions.create(NewSession::new().principal("ann")).await.unwrap();
    session.set_attr("Count", &1).unwrap();
    session.save().await.unwrap();
    session.renew_id().unwrap();
    session.save().await.unwrap();
    assert!(sessions.get(session.id().as_str()).await.unwrap().is_some());
    assert_eq!(sessions.sessions_of("ann").await.unwrap().len(), 1);
    sessions.purge_expired(Duration::MAX).await.unwrap();
    assert_eq!(sessions.end_all_of("ann").await.unwrap(), 1);
    sessions.close().await.unwrap();
}

#[track_caller]
fn assert_refused<T>(built: Result<T, ConfigError>, setting: &str) {
    let Err(error) = built else { panic!("{setting} was taken") };
    assert!(error.to_string().contains(&format!("`{setting}`")), "{error}");
}

/// In the background too: time passes.
#[tokio::test(start_paused = true)]
async fn the_largest_settings_of_a_manager_work() {
    let largest: [fn(SessionManagerBuilder) -> SessionManagerBuilder; 8] = [
        |builder| builder.absolute_timeout(Duration::MAX).idle_timeout(Duration::MAX),
        |builder| builder.absolute_timeout(Duration::MAX),
        |builder| builder.without_absolute_timeout().idle_timeout(Duration::MAX),
        |builder| builder.time_limit(Duration::MAX),
        |builder| builder.attempts(u32::MAX),
        |builder| builder.purge_interval(Duration::MAX),
        |builder| builder.max_sessions_per_principal(usize::MAX),
        |builder| builder.audience("x".repeat(128)),
    ];
    for set in largest {
        lead_a_whole_life(set(SessionManager::builder(faulty())).build().unwrap()).await;
        lead_a_whole_life(set(SessionManager::builder(MemoryStore::new())).build().unwrap()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_smallest_settings_of_a_manager_work_and_smaller_ones_are_refused() {
    let store = || MemoryStore::with_max_sessions(1);
    let smallest: [fn(SessionManagerBuilder) -> SessionManagerBuilder; 5] = [
        |builder| builder.time_limit(MILLISECOND),
        |builder| builder.attempts(1),
        |builder| builder.purge_interval(MILLISECOND),
        |builder| builder.max_sessions_per_principal(1),
        |builder| builder.id_bytes(16).audience("x"),
    ];
    for set in smallest {
        lead_a_whole_life(set(SessionManager::builder(store())).build().unwrap()).await;
    }
    let builder = || SessionManager::builder(store());
    for tiny in [Duration::ZERO, NANOSECOND, Duration::from_micros(999)] {
        assert_refused(builder().idle_timeout(tiny).build(), "idle_timeout");
        assert_refused(builder().absolute_timeout(tiny).build(), "absolute_timeout");
        assert_refused(builder().time_limit(tiny).build(), "time_limit");
        assert_refused(builder().purge_interval(tiny).build(), "purge_interval");
        assert_refused(tiers().max_staleness(tiny).build(), "max_staleness");
        assert_refused(tiers().fast_time_limit(tiny).build(), "fast_time_limit");
    }
    assert_refused(builder().attempts(0).build(), "attempts");
    assert_refused(builder().max_sessions_per_principal(0).build(), "max_sessions_per_principal");
    for bytes in [0, 15, 33, usize::MAX] {
        assert_refused(builder().id_bytes(bytes).build(), "id_bytes");
    }
}

#[tokio::test]
async fn a_store_in_memory_of_any_size_works() {
    for max_sessions in [0, 1, u64::MAX] {
        lead_a_whole_life(SessionManager::new(MemoryStore::with_max_sessions(max_sessions))).await;
    }
}

fn tiers() -> TieredStoreBuilder<FaultyStore, FaultyStore> {
    TieredStore::builder(faulty(), faulty())
}

async fn assert_works<F: FastStore, D: Store>(store: Result<TieredStore<F, D>, ConfigError>) {
    lead_a_whole_life(SessionManager::new(store.unwrap())).await;
}

#[tokio::test(start_paused = true)]
async fn settings_of_two_tiers_work_up_to_their_ends_and_are_refused_beyond() {
    assert_works(tiers().max_staleness(Duration::MAX).build()).await;
    assert_works(tiers().max_staleness(MILLISECOND).build()).await;
    assert_works(tiers().fast_time_limit(Duration::MAX).build()).await;
    assert_works(tiers().fast_time_limit(MILLISECOND).build()).await;
    for (delay, max_sessions) in [(WriteBehind::MAX_DELAY, usize::MAX), (Duration::ZERO, 1)] {
        let settings = WriteBehind::new().delay(delay).max_sessions(max_sessions);
        assert_works(tiers().write_behind(settings).max_staleness(Duration::MAX).build()).await;
    }
    for delay in [Duration::MAX, WriteBehind::MAX_DELAY + NANOSECOND] {
        assert_refused(tiers().write_behind(WriteBehind::new().delay(delay)).build(), "WriteBehind::delay");
    }
    assert_refused(tiers().write_behind(WriteBehind::new().max_sessions(0)).build(), "WriteBehind::max_sessions");
}
