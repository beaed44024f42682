//! What a [`SessionManager`] and its sessions do, without HTTP.
//!
//! Sizes of the long tests come from `SESSION_ROUNDS`, as in the conformance suite.

mod attributes;
mod audience;
mod authentication;
mod bearer;
mod concurrency;
mod csrf;
mod detached;
mod device;
mod events;
mod faults;
mod immediate;
mod keeping;
mod lifecycle;
mod lifetimes;
mod no_use;
mod principals;
mod random_source;
mod refusing;
mod remembering;
mod renewing;
mod settings;
mod spare;
mod timeouts;
mod upgrades;

use std::sync::Arc;
use std::time::Duration;

use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use session_core::{
    Authentication, Committed, Error, ManualClock, MemoryStore, NewSession, PresentedIds, Session, SessionId,
    SessionManager, SessionManagerBuilder, Store, Visit,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A manager whose clock stands still, and the clock.
fn managed(store: impl Store) -> (SessionManager, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (build(SessionManager::builder(store).clock(Arc::clone(&clock))), clock)
}

#[track_caller]
fn build(builder: SessionManagerBuilder) -> SessionManager {
    builder.without_background_purge().build().expect("these settings work")
}

/// A store in memory that fails on request, and never answers at once.
fn faulty() -> FaultyStore {
    FaultyStore::new(MemoryStore::new())
}

/// A manager of an empty store in memory.
fn sessions() -> SessionManager {
    managed(MemoryStore::new()).0
}

/// A request that presents this id, up to where the handler runs.
async fn request(sessions: &SessionManager, id: &SessionId) -> Visit {
    try_request(sessions, id).await.expect("the store works")
}

async fn try_request(sessions: &SessionManager, id: &SessionId) -> Result<Visit, Error> {
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    let visit = sessions.visit();
    visit.open(&presented).await?;
    Ok(visit)
}

/// The session that a request with this id finds.
async fn found(sessions: &SessionManager, id: &SessionId) -> Option<Session> {
    sessions.get(id.as_str()).await.expect("the store works")
}

async fn is_alive(sessions: &SessionManager, id: &SessionId) -> bool {
    found(sessions, id).await.is_some()
}

async fn created(sessions: &SessionManager, new: NewSession) -> Session {
    sessions.create(new).await.expect("the store works")
}

/// Ends the request as a layer does.
async fn answer(visit: &Visit) -> Result<Committed, Error> {
    match visit.clone().commit_now() {
        Some(committed) => committed,
        None => visit.commit().await,
    }
}

/// Ends the request and gives the id that the client is told.
#[track_caller]
fn issued(committed: Result<Committed, Error>) -> SessionId {
    match committed.expect("the store works") {
        Committed::Issue(issued) => issued.id,
        other => panic!("the client was told {other:?} and no id"),
    }
}

#[track_caller]
fn assert_unchanged(committed: Result<Committed, Error>) {
    assert!(matches!(committed, Ok(Committed::Unchanged)), "{committed:?}");
}

#[track_caller]
fn assert_gone<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Gone)), "{result:?}");
}
