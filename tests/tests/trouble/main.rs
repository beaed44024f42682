//! Real servers that are full, read-only, slow, silent, gone, frozen or killed: alone, and as either of two tiers.
//!
//! `scenario.rs` is what visitors do before, during and after. `expected.rs` says what they must be told meanwhile.

#![cfg(all(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]

mod expected;
mod scenario;

use session_core::{Error, NewSession};
use workspace_tests::records::manager;
use workspace_tests::troubled::{Backend, Trouble, TroubledServer};

use expected::Place;
use scenario::{Scene, play};

/// S53. Everything that a server can get into, one after the other.
async fn alone(backend: Backend) {
    let Some(server) = TroubledServer::start(backend).await else { return };
    for trouble in server.troubles() {
        play(vec![Scene::alone(&server).await], &server, *trouble).await;
    }
}

/// S54. The troubles of one tier, and those of the other, written through and behind. Both at the same time, on servers
/// of their own, because most of it is waiting. On threads of their own: starting a server, filling it and stopping it
/// take seconds without an `await`, in which an operation of the other half would pass its limit.
fn as_tiers(fast: Backend, durable: Backend) {
    let half = |places| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(troubles_of_a_tier(fast, durable, places));
    };
    std::thread::scope(|scope| {
        scope.spawn(move || half([Place::Fast, Place::FastBehind]));
        scope.spawn(move || half([Place::Durable, Place::DurableBehind]));
    });
}

async fn troubles_of_a_tier(fast: Backend, durable: Backend, [through, behind]: [Place; 2]) {
    let Some(durable) = TroubledServer::start(durable).await else { return };
    let Some(fast) = TroubledServer::start(fast).await else { return };
    let server = if matches!(through, Place::Fast) { &fast } else { &durable };
    for trouble in server.troubles() {
        let scenes = vec![Scene::tiers(through, &fast, &durable).await, Scene::tiers(behind, &fast, &durable).await];
        play(scenes, server, *trouble).await;
    }
}

/// S53. A session that finds no room any more is lost with its change.
#[tokio::test]
async fn memcached_drops_what_it_has_no_room_to_replace() {
    let Some(server) = TroubledServer::start(Backend::Memcached).await else { return };
    let sessions = manager(&server.open().await);
    let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    server.begin(Trouble::Full).await;
    let counted = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await;
    assert!(matches!(counted, Err(Error::Gone)), "{counted:?}");
    assert!(sessions.get(session.id().as_str()).await.unwrap().is_none());
    assert!(matches!(sessions.create(NewSession::new()).await, Err(Error::Store(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_alone() {
    alone(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_alone() {
    alone(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_alone() {
    alone(Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tracked_redis_alone() {
    alone(Backend::TrackedRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_alone() {
    alone(Backend::Memcached).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn firestore_alone() {
    alone(Backend::Firestore).await;
}

#[test]
fn memory_before_sqlite() {
    as_tiers(Backend::Memory, Backend::Sqlite);
}

#[test]
fn redis_before_sqlite() {
    as_tiers(Backend::Redis, Backend::Sqlite);
}

#[test]
fn redis_before_postgres() {
    as_tiers(Backend::Redis, Backend::Postgres);
}

#[test]
fn memcached_before_postgres() {
    as_tiers(Backend::Memcached, Backend::Postgres);
}

#[test]
fn memcached_before_redis() {
    as_tiers(Backend::Memcached, Backend::Redis);
}

#[test]
fn memcached_before_firestore() {
    as_tiers(Backend::Memcached, Backend::Firestore);
}
