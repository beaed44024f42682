//! A [`MemoryStore`] with little memory: what gives way, and what does not.

use std::sync::Arc;
use std::time::Duration;

use session_core::conformance::rounds;
use session_core::{
    ConfigError, Error, FastStore, ManualClock, MemoryStore, NewSession, Session, SessionId, SessionManager, Store,
    Time,
};

const MINUTE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

/// A store for 1000 sessions of each kind, which take 16 MiB together.
fn small_store() -> MemoryStore {
    MemoryStore::builder().max_sessions(1000).max_bytes(16 << 20).build().expect("these bounds are allowed")
}

fn managed(store: &MemoryStore) -> SessionManager {
    let builder = SessionManager::builder(store.clone()).clock(Arc::new(ManualClock::default()));
    builder.without_background_purge().build().expect("these settings work")
}

async fn created(sessions: &SessionManager, new: NewSession) -> Session {
    sessions.create(new).await.expect("the store works")
}

/// Signs in some users, each once.
async fn signed_in(sessions: &SessionManager, users: usize) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for user in 0..users {
        ids.push(created(sessions, NewSession::new().principal(user.to_string())).await.id());
    }
    ids
}

async fn alive(sessions: &SessionManager, ids: &[SessionId]) -> usize {
    let mut alive = 0;
    for id in ids {
        alive += usize::from(sessions.get(id.as_str()).await.expect("the store works").is_some());
    }
    alive
}

/// S60.
#[tokio::test]
async fn large_anonymous_sessions_give_way_to_small_ones_and_to_whoever_is_signed_in() {
    let store = small_store();
    let sessions = managed(&store);
    let users = signed_in(&sessions, 900).await;
    let mut visitors = Vec::new();
    for n in 0..400 {
        visitors.push(created(&sessions, NewSession::new().attr("n", &n)).await.id());
    }
    let value = "x".repeat(MIB - 1000);
    for _ in 0..600 {
        created(&sessions, NewSession::new().attr("value", &value)).await;
    }
    assert_eq!(alive(&sessions, &users).await, users.len());
    assert_eq!(alive(&sessions, &visitors).await, visitors.len());
    assert!(store.len() <= users.len() + visitors.len() + 6, "{} sessions of 1 MiB in 6 MiB", store.len());
}

/// S60.
#[tokio::test]
async fn logins_of_one_account_end_its_own_sessions_and_no_others() {
    let store = small_store();
    let sessions = managed(&store);
    let users = signed_in(&sessions, 900).await;
    for _ in 0..6000 {
        created(&sessions, NewSession::new().principal("ann")).await;
    }
    let last = created(&sessions, NewSession::new().principal("ann")).await.id();
    sessions.purge_expired(MINUTE).await.expect("the store works");
    assert_eq!(alive(&sessions, &users).await, users.len());
    assert_eq!(alive(&sessions, &[last]).await, 1, "the newest one stays");
    assert!(sessions.sessions_of("ann").await.expect("the store works").len() < 100);
    assert_eq!(sessions.counters().evicted as usize, 900 + 6001 - store.len());
}

/// S60.
#[tokio::test]
async fn among_two_the_larger_gives_way() {
    let store = MemoryStore::with_max_sessions(100);
    let sessions = managed(&store);
    let mut few = Vec::new();
    for _ in 0..5 {
        few.push(created(&sessions, NewSession::new().principal("bob")).await.id());
    }
    for _ in 0..500 {
        created(&sessions, NewSession::new().principal("ann")).await;
    }
    sessions.purge_expired(MINUTE).await.expect("the store works");
    assert_eq!(alive(&sessions, &few).await, few.len());
}

/// S60.
#[tokio::test]
async fn a_session_that_grows_gives_way_if_it_takes_most() {
    let store = small_store();
    let sessions = managed(&store);
    let users = signed_in(&sessions, 500).await;
    let growing = created(&sessions, NewSession::new().principal("ann")).await;
    let other = created(&sessions, NewSession::new().principal("bob")).await;
    // 8 MiB are for signed-in sessions. A list of numbers takes 16 times what it takes as JSON.
    let [small, large] = [10_000, 200_000].map(|len| vec![0; len]);
    other.set_attr("value", &small).expect("it is a value");
    other.save().await.expect("it has room");
    growing.set_attr("value", &large).expect("it is a value");
    growing.save().await.expect("it has room, beside nothing else");
    assert_eq!(alive(&sessions, &[growing.id()]).await, 0);
    assert_eq!(alive(&sessions, &[other.id()]).await, 1);
    assert_eq!(alive(&sessions, &users).await, users.len());
}

/// S60.
#[tokio::test]
async fn what_has_no_room_at_all_is_refused_and_leaves_the_session_as_it_was() {
    let store = small_store();
    let sessions = managed(&store);
    let session = created(&sessions, NewSession::new().principal("ann").attr("value", "old")).await;
    let huge = vec![0; 400_000];
    session.set_attr("value", &huge).expect("it is small as JSON");
    let error = session.save().await.expect_err("it takes 12 MiB of memory");
    assert!(matches!(error, Error::Store(_)), "{error:?}");
    assert!(format!("{:?}", error).contains("max_bytes"), "{error:?}");
    let stored = sessions.get(session.id().as_str()).await.expect("the store works").expect("it is there");
    assert_eq!(stored.attr::<String>("value").expect("it is a text").as_deref(), Some("old"));
    let refused = sessions.create(NewSession::new().attr("value", &huge)).await;
    assert!(matches!(refused, Err(Error::Store(_))), "{refused:?}");
}

/// S61.
#[tokio::test]
async fn a_flood_of_removals_takes_no_more_than_its_part_and_brings_nothing_back() {
    let (store, source) = (small_store(), MemoryStore::new());
    let sessions = managed(&source);
    let (now, until) = (sessions.now(), Time::MAX);
    let removals = 30 * rounds();
    let mut ended = Vec::new();
    for n in 0..removals {
        let key = created(&sessions, NewSession::new()).await.handle();
        if n % 10 == 0 {
            ended.push(source.load(&key, now).await.expect("it works").expect("it is there"));
        }
        store.bury(&key, now, until).await.expect("it works");
        sessions.end(&key).await.expect("it works");
    }
    for record in &ended {
        store.fill(record, now, until).await.expect("it works");
        assert_eq!(store.load(&record.key, now).await.expect("it works"), None);
    }
}

#[test]
fn a_budget_that_holds_nothing_is_refused() {
    let refused = |built: Result<MemoryStore, ConfigError>| built.expect_err("it must not build").to_string();
    assert!(refused(MemoryStore::builder().max_sessions(0).build()).contains("at least 1"));
    assert!(refused(MemoryStore::builder().max_bytes(1 << 20).build()).contains("8 MiB"));
    assert!(MemoryStore::builder().max_bytes(8 << 20).build().is_ok());
}
