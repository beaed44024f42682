//! Servers that are down, slow or silent, and connections that break.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use session_core::{NewSession, Session, SessionManager, Store};
use session_stores::PostgresStore;
use sqlx::Executor;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use workspace_tests::records::*;
use workspace_tests::store_fault_tests::Sizes;
use workspace_tests::store_faults;
use workspace_tests::{Fault, PostgresServer, Proxy};

use crate::support::*;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A server that tests share, and a store that reaches it through a proxy.
async fn behind_proxy() -> Option<(&'static PostgresServer, Proxy, PostgresStore)> {
    let server = shared_server()?;
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let store = connect(&PostgresServer::url_at(proxy.addr())).await;
    Some((server, proxy, store))
}

workspace_tests::store_fault_tests!(
    behind_proxy(),
    Sizes {
        counting: [900, 60],
        renewing: [900, 60],
        cuts: campaign(300),
        large_cuts: campaign(30),
        cancelled_renewals: campaign(200),
        cancelled_calls: campaign(1000),
        clients: 8,
        silence_ends_within: None,
    }
);

/// The same on a pool of the application's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_leave_the_applications_pool_in_order() {
    let Some(server) = shared_server() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(4).min_connections(4).test_before_acquire(false);
    let pool = pool.connect(&PostgresServer::url_at(proxy.addr())).await.unwrap();
    let store = PostgresStore::from_pool(pool);
    store.set_up().await.unwrap();
    store_faults::cancelled_calls_leave_nobody_anothers_reply(&store, &proxy, 8, campaign(1000)).await;
}

/// Whoever gives up on a silent server gives the application its connection back.
#[tokio::test]
async fn a_silent_server_does_not_use_up_the_applications_pool() {
    let Some(server) = shared_server() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(2).test_before_acquire(false);
    let pool = pool.connect(&PostgresServer::url_at(proxy.addr())).await.unwrap();
    let store = PostgresStore::from_pool(pool.clone());
    store.set_up().await.unwrap();
    let limit = 100 * MILLISECOND;
    let builder = SessionManager::builder(store.clone()).without_background_purge();
    let hasty = builder.time_limit(limit).build().unwrap();
    proxy.set(Fault::BlackHole);
    for _ in 0..3 {
        assert!(hasty.create(NewSession::new()).await.is_err());
    }
    // The connections that were in use stay silent for ever; others are for the server as it is now.
    let silent_until = Instant::now() + 10 * SECOND;
    while pool.size() > 0 {
        assert!(Instant::now() < silent_until, "{} connections wait for a silent server", pool.size());
        tokio::time::sleep(limit).await;
    }
}

/// S2: connections that fall silent, while the server answers on others, as when a cable is pulled. They are given up
/// within the time limit of an operation, all together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_given_up_and_made_anew() {
    for is_own in [true, false] {
        let Some(server) = PostgresServer::start() else { return };
        let store = match is_own {
            true => connect(&server.url()).await,
            false => {
                let pool = PgPoolOptions::new().max_connections(8).test_before_acquire(false);
                PostgresStore::from_pool(pool.connect_lazy(&server.url()).unwrap())
            }
        };
        store.set_up().await.unwrap();
        let sessions = manager(&store);
        let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        // So many at once that each connection is used.
        let mut visits = JoinSet::new();
        for _ in 0..32 {
            visits.spawn(count_once(sessions.clone(), session.id().as_str().to_owned()));
        }
        visits.join_all().await;
        assert!(server.freeze_connections() > 1);
        // One after the other. The first finds out for all, so that no other waits as long.
        let start = Instant::now();
        for _ in 0..16 {
            count_once(sessions.clone(), session.id().as_str().to_owned()).await;
        }
        assert!(start.elapsed() < 7 * SECOND, "own: {is_own}, after {:?}", start.elapsed());
    }
}

async fn count_once(sessions: SessionManager, id: String) {
    let visit = sessions.get(&id).await.unwrap().unwrap();
    visit.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await.unwrap();
}

/// F1, G12: nothing that was acknowledged is lost, no answer is wrong, and it recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_or_stopped_under_load_loses_nothing_acknowledged() {
    let Some(mut server) = PostgresServer::start() else { return };
    let sessions = manager(&connect(&server.url()).await);
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        clients.spawn(count_until(stop.clone(), sessions.clone(), session));
    }
    for round in 0..campaign(4) {
        tokio::time::sleep(SECOND / 4).await;
        if round % 2 == 0 {
            server.kill()
        } else {
            server.stop()
        }
        assert!(sessions.create(NewSession::new()).await.is_err(), "it is down");
        server.restart();
        let up = Instant::now();
        while sessions.create(NewSession::new()).await.is_err() {}
        assert!(up.elapsed() < SECOND, "recovered after {:?}", up.elapsed());
    }
    stop.store(true, Ordering::SeqCst);
    for (session, acknowledged, attempted) in clients.join_all().await {
        let session = sessions.get(session.id().as_str()).await.unwrap().expect("it was acknowledged");
        let stored = session.attr::<u64>("Count").unwrap().unwrap();
        assert!((acknowledged..=attempted).contains(&stored), "{acknowledged} <= {stored} <= {attempted}");
        assert!(acknowledged > 0);
    }
}

/// Each acknowledged number is larger than the one before: none was lost in between.
async fn count_until(stop: Arc<AtomicBool>, sessions: SessionManager, session: Session) -> (Session, u64, u64) {
    let (mut acknowledged, mut attempted, mut last) = (0, 0, 0);
    while !stop.load(Ordering::SeqCst) {
        let Ok(Some(visit)) = sessions.get(session.id().as_str()).await else { continue };
        attempted += 1;
        if let Ok(count) = visit.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await {
            assert!(count > last, "{count} after {last}");
            last = count;
            acknowledged += 1;
        }
    }
    (session, acknowledged, attempted)
}

/// B37: with work under way, too.
#[tokio::test]
async fn a_closed_store_is_an_error_and_leaves_the_applications_pool_open() {
    let Some(server) = shared_server() else { return };
    let own = connect(&server.url()).await;
    own.close().await.unwrap();
    own.close().await.unwrap();
    assert!(own.load(&fresh_key(), now()).await.is_err());

    let pool = PgPoolOptions::new().connect(&server.url()).await.unwrap();
    let shared = PostgresStore::from_pool(pool);
    shared.close().await.unwrap();
    assert!(shared.load(&fresh_key(), now()).await.unwrap().is_none());
}

/// S6: the one line at start that tells what is wrong.
#[tokio::test]
async fn a_store_that_cannot_start_says_why() {
    let Some(server) = shared_server() else { return };
    administrator(server).await.execute("CREATE ROLE guest LOGIN").await.unwrap();
    let nobody_listens = workspace_tests::free_port();
    let at = server.addr();
    let cases = [
        (format!("postgres://127.0.0.1:{nobody_listens}/app"), "postgres: not available: error communicating"),
        (format!("postgres://127.0.0.1:{nobody_listens}/app"), "refused"),
        ("postgres://127.0.0.1:x/app".to_owned(), "invalid port"),
        (format!("postgres://postgres@{at}/nowhere"), "database \"nowhere\" does not exist"),
        (format!("postgres://nobody@{at}/postgres"), "role \"nobody\" does not exist"),
        (format!("postgres://guest@{at}/template1"), "permission denied for schema public"),
        (format!("postgres://postgres@{at}/postgres?sslmode=require"), "TLS"),
        (format!("postgres://postgres:secret,too@{at}/nowhere"), "does not exist"),
        (
            "postgres://postgres:secret@one,two/app".to_owned(),
            "the address \"postgres://***@one,two/***\" has several hosts",
        ),
        ("postgres://one:5432,two:5432/app".to_owned(), "several hosts"),
        ("postgres:///app?host=one,two".to_owned(), "several hosts"),
    ];
    for (address, cause) in cases {
        let start = Instant::now();
        let Err(error) = PostgresStore::connect(&address).await else { panic!("{address} works") };
        let said = error.to_string();
        assert!(said.contains(cause) && !said.contains("secret"), "{said}");
        assert!(start.elapsed() < SECOND, "after {:?}", start.elapsed());
    }
}
