//! Servers that are down, slow or silent, connections that break, and callers that give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use session_core::{NewSession, Session, SessionManager, Store};
use tokio::task::JoinSet;
use workspace_tests::records::*;
use workspace_tests::store_fault_tests::Sizes;
use workspace_tests::{Fault, RedisServer};

use crate::support::*;

workspace_tests::store_fault_tests!(
    behind_proxy(),
    Sizes {
        counting: [400, 300],
        renewing: [600, 50],
        cuts: campaign(400),
        large_cuts: campaign(40),
        cancelled_renewals: campaign(400),
        cancelled_calls: campaign(4000),
        clients: 16,
        silence_ends_within: Some(2 * SECOND),
    }
);

/// A connection through which nothing comes any more is replaced, even if it never breaks.
#[tokio::test]
async fn a_connection_that_stays_silent_is_replaced() {
    let Some((server, proxy, store)) = behind_proxy().await else { return };
    created(&store, fresh_record()).await;
    let clients = server.ask(&["CLIENT", "LIST", "TYPE", "normal"]);
    let first = clients.lines().find_map(|line| line.strip_prefix("id=")?.split(' ').next()).unwrap();
    proxy.set(Fault::BlackHole);
    assert!(store.load(&fresh_key(), now()).await.unwrap_err().is_unavailable());
    proxy.set(Fault::None);
    while store.load(&fresh_key(), now()).await.is_err() {}
    assert!(!server.ask(&["CLIENT", "LIST"]).contains(&format!("id={first} ")), "the first connection is gone");
}

/// F1, F8, G12: nothing that was acknowledged is lost, no answer is wrong, and it recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_under_load_loses_nothing_acknowledged() {
    let Some(mut server) = RedisServer::start_durable() else { return };
    let sessions = manager(&connect(&server).await);
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        clients.spawn(count_until(stop.clone(), sessions.clone(), session));
    }
    for _ in 0..campaign(3) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.kill();
        assert!(sessions.create(NewSession::new()).await.is_err(), "it is down");
        server.restart();
        let up = Instant::now();
        while sessions.create(NewSession::new()).await.is_err() {}
        assert!(up.elapsed() < Duration::from_secs(1), "recovered after {:?}", up.elapsed());
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
