//! A full [`MemoryStore`]: who gives way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::conformance::rounds;
use session_core::{Event, ManualClock, MemoryStore, NewSession, Session, SessionId, SessionManager, Store};

const MINUTE: Duration = Duration::from_secs(60);

/// Sessions that moka has taken note of but not yet made room for.
const LAG: usize = 1000;

fn managed(store: &MemoryStore) -> (SessionManager, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let builder = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
    (builder.build().expect("these settings work"), clock)
}

async fn created(sessions: &SessionManager, new: NewSession) -> Session {
    sessions.create(new).await.expect("the store works")
}

async fn is_alive(sessions: &SessionManager, id: &SessionId) -> bool {
    sessions.get(id.as_str()).await.expect("the store works").is_some()
}

/// Lets others come in until a store of this bound has been replaced several times over; the one
/// session is used now and then in between.
async fn crowd_out(bound: usize, clock: &ManualClock, sessions: &SessionManager, mut used: impl AsyncFnMut()) {
    for round in 0..10 * (bound + LAG) {
        if round % (bound / 4) == 0 {
            clock.advance(2 * MINUTE);
            used().await;
        }
        created(sessions, lasting()).await;
    }
}

fn lasting() -> NewSession {
    NewSession::new().without_absolute_timeout().idle_timeout(10_000 * MINUTE)
}

#[tokio::test]
async fn a_session_that_only_reads_outlives_unused_ones() {
    let store = MemoryStore::with_max_sessions(400);
    let (sessions, clock) = managed(&store);
    let id = created(&sessions, lasting()).await.id();
    crowd_out(400, &clock, &sessions, async || assert!(is_alive(&sessions, &id).await)).await;
}

#[tokio::test]
async fn a_session_that_saves_at_each_use_outlives_unused_ones() {
    let store = MemoryStore::with_max_sessions(400);
    let (sessions, clock) = managed(&store);
    let session = created(&sessions, lasting()).await;
    let count = async || {
        session.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await.expect("it is alive");
    };
    crowd_out(400, &clock, &sessions, count).await;
}

#[tokio::test]
async fn an_unused_session_gives_way() {
    let store = MemoryStore::with_max_sessions(400);
    let (sessions, clock) = managed(&store);
    let session = created(&sessions, lasting()).await;
    crowd_out(400, &clock, &sessions, async || {}).await;
    assert!(!is_alive(&sessions, &session.id()).await);
    // It is as gone as one that was removed.
    session.set_attr("Count", &1).expect("its handle does not know yet");
    assert!(session.save().await.is_err());
}

#[tokio::test]
async fn signed_in_sessions_are_bounded_too_and_their_index_with_them() {
    let store = MemoryStore::with_max_sessions(100);
    let (sessions, _) = managed(&store);
    for _ in 0..100 + 10 * LAG {
        created(&sessions, NewSession::new().principal("ann")).await;
    }
    assert!(store.len() <= 100 + LAG);
    assert!(sessions.sessions_of("ann").await.expect("the store works").len() <= 100 + LAG);
    assert_eq!(sessions.end_all_of("ann").await.expect("the store works"), sessions.counters().ended as usize);
    assert!(store.is_empty());
}

/// R31.
#[tokio::test]
async fn a_store_is_never_fuller_than_it_may_be() {
    for bound in [1, 2, 3, 10, 100, 5000] {
        let store = MemoryStore::with_max_sessions(bound as u64);
        let (sessions, _) = managed(&store);
        // Filled, emptied and filled again: who gives way is looked after at some times and not at others.
        for _ in 0..3 {
            let mut ids = Vec::new();
            for _ in 0..3 * bound {
                ids.push(created(&sessions, NewSession::new()).await.handle());
                let may_be = bound + (bound / 8).clamp(2, 512);
                assert!(store.len() <= may_be, "{} sessions at a bound of {bound}", store.len());
            }
            sessions.purge_expired(MINUTE).await.expect("the store works");
            assert_eq!(store.len(), bound);
            for id in &ids {
                sessions.end(id).await.expect("the store works");
            }
            assert!(store.is_empty());
        }
    }
}

/// Whoever comes or goes while the store begins to look after who gives way is neither missed nor
/// kept in mind for ever: then there would be more or fewer than the bound in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_logins_and_logouts_leave_the_bound_as_it_is() {
    const BOUND: usize = 300;
    for _ in 0..rounds().div_ceil(10) {
        let store = MemoryStore::with_max_sessions(BOUND as u64);
        let (sessions, _) = managed(&store);
        let mut visitors = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let sessions = sessions.clone();
            visitors.spawn(async move {
                for n in 0..BOUND {
                    let handle = created(&sessions, NewSession::new()).await.handle();
                    if n % 3 == 0 {
                        sessions.end(&handle).await.expect("the store works");
                    }
                }
            });
        }
        visitors.join_all().await;
        for _ in 0..BOUND {
            created(&sessions, NewSession::new()).await;
        }
        sessions.purge_expired(MINUTE).await.expect("the store works");
        assert_eq!(store.len(), BOUND);
    }
}

/// Sessions that count as several for a while are counted neither more nor less once they are small again, also if they
/// are evicted meanwhile.
#[tokio::test]
async fn sessions_that_grow_and_shrink_leave_the_bound_as_it_is() {
    const BOUND: usize = 300;
    let store = MemoryStore::with_max_sessions(BOUND as u64);
    let (sessions, _) = managed(&store);
    let (large, small) = ("x".repeat(100_000), "x".to_owned());
    let mut living = std::collections::VecDeque::new();
    for n in 0..4 * BOUND {
        living.push_back(created(&sessions, NewSession::new()).await);
        for at in [n % 7, n % 11, n % 50] {
            let Some(session) = living.get(living.len().saturating_sub(1 + at)) else { continue };
            let value = if (n + at) % 3 == 0 { &large } else { &small };
            // It may have been evicted.
            let _ = session.set_attr("value", value);
            let _ = session.save().await;
        }
        if living.len() > BOUND / 2 {
            living.pop_front();
        }
    }
    for session in &living {
        let _ = session.set_attr("value", &small);
        let _ = session.save().await;
    }
    for _ in 0..BOUND {
        created(&sessions, NewSession::new()).await;
    }
    sessions.purge_expired(MINUTE).await.expect("the store works");
    assert_eq!(store.len(), BOUND);
}

#[tokio::test]
async fn a_use_long_before_the_store_is_full_counts_too() {
    let store = MemoryStore::with_max_sessions(400);
    let (sessions, clock) = managed(&store);
    let used = created(&sessions, lasting()).await.id();
    let unused = created(&sessions, lasting()).await.id();
    for _ in 0..200 {
        clock.advance(Duration::from_millis(1));
        created(&sessions, lasting()).await;
    }
    clock.advance(2 * MINUTE);
    assert!(is_alive(&sessions, &used).await);
    for _ in 0..350 {
        clock.advance(Duration::from_millis(1));
        created(&sessions, lasting()).await;
    }
    sessions.purge_expired(MINUTE).await.expect("the store works");
    assert!(is_alive(&sessions, &used).await);
    assert!(!is_alive(&sessions, &unused).await);
}

#[tokio::test]
async fn a_bound_of_zero_still_keeps_a_session() {
    let store = MemoryStore::with_max_sessions(0);
    let (sessions, _) = managed(&store);
    let session = created(&sessions, NewSession::new()).await;
    assert!(is_alive(&sessions, &session.id()).await);
    assert_eq!(store.list(sessions.now(), 10).await.expect("the store works").len(), 1);
}

#[tokio::test]
async fn an_observer_is_told_how_many_gave_way_when_the_store_is_purged() {
    let told = Arc::new(AtomicU64::new(0));
    let telling = Arc::clone(&told);
    let observer = move |event: Event<'_>| {
        if let Event::Evicted { count, .. } = event {
            telling.fetch_add(count, Ordering::Relaxed);
        }
    };
    let store = MemoryStore::with_max_sessions(100);
    let builder = SessionManager::builder(store.clone()).observer(observer).without_background_purge();
    let sessions = builder.build().expect("these settings work");
    for _ in 0..100 + 2 * LAG {
        created(&sessions, NewSession::new()).await;
    }
    assert_eq!(told.load(Ordering::Relaxed), 0);
    let purged = sessions.purge_expired(MINUTE).await.expect("the store works");
    assert!(purged.evicted >= LAG as u64, "{purged:?}");
    assert_eq!(told.load(Ordering::Relaxed), purged.evicted);
    assert_eq!(sessions.counters().evicted, purged.evicted);
}
