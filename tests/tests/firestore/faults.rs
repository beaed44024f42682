//! An emulator that is down or silent, connections that break, and callers that give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use session_core::{Error, NewSession, SessionManager};
use tokio::task::JoinSet;
use workspace_tests::FirestoreEmulator;
use workspace_tests::records::*;
use workspace_tests::store_fault_tests::Sizes;

use crate::support::*;

workspace_tests::store_fault_tests!(
    behind_proxy(),
    Sizes {
        counting: [1500, 900],
        renewing: [1500, 900],
        cuts: campaign(100),
        large_cuts: campaign(20),
        cancelled_renewals: campaign(100),
        cancelled_calls: campaign(500),
        clients: 16,
        // A ping finds out after five seconds, and waits for three.
        silence_ends_within: Some(12 * SECOND),
    }
);

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

/// F1, G12: while it is away there are errors, and none of them says "no session"; what is
/// acknowledged is there until the emulator forgets it; and it recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emulator_killed_under_load_gives_no_wrong_answer() {
    let Some(mut emulator) = FirestoreEmulator::start() else { return };
    let load = Arc::new(Load {
        sessions: manager(&connect(&emulator).await),
        kills: AtomicUsize::new(0),
        counted: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(Arc::clone(&load).count());
    }
    for _ in 0..campaign(2) {
        load.goes_on().await;
        let session = load.sessions.create(NewSession::new()).await.unwrap();
        emulator.kill();
        load.kills.fetch_add(1, Ordering::SeqCst);
        for _ in 0..3 {
            assert!(matches!(load.sessions.get(session.id().as_str()).await, Err(Error::Store(_))), "it is down");
            assert!(matches!(load.sessions.create(NewSession::new()).await, Err(Error::Store(_))), "it is down");
        }
        emulator.restart();
        // Not to measure how long Java takes for its first answer.
        connect(&emulator).await;
        let up = Instant::now();
        while load.sessions.create(NewSession::new()).await.is_err() {}
        assert!(up.elapsed() < Duration::from_secs(1), "recovered after {:?}", up.elapsed());
    }
    load.goes_on().await;
    load.is_over.store(true, Ordering::SeqCst);
    clients.join_all().await;
}

/// Clients who count, and know when their sessions may be gone.
struct Load {
    sessions: SessionManager,
    kills: AtomicUsize,
    counted: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Waits until there were more answers than could have been under way.
    async fn goes_on(&self) {
        let (start, enough) = (Instant::now(), self.counted.load(Ordering::SeqCst) + 40);
        while self.counted.load(Ordering::SeqCst) < enough {
            assert!(start.elapsed() < Duration::from_secs(30), "nobody is answered");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn count(self: Arc<Self>) {
        while !self.is_over.load(Ordering::SeqCst) {
            let kills = self.kills.load(Ordering::SeqCst);
            if let Ok(session) = self.sessions.create(NewSession::new().attr("Count", &0)).await {
                self.count_up(session.id().as_str(), kills).await;
            }
        }
    }

    /// Until the emulator has forgotten the session, which was started after so many kills.
    async fn count_up(&self, id: &str, kills: usize) {
        let may_be_gone = || self.kills.load(Ordering::SeqCst) > kills;
        let (mut attempted, mut last) = (0, 0);
        while !self.is_over.load(Ordering::SeqCst) {
            let visit = match self.sessions.get(id).await {
                Ok(Some(visit)) => visit,
                Ok(None) => return assert!(may_be_gone(), "a session that is there was none"),
                Err(_) => continue,
            };
            attempted += 1;
            match visit.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await {
                Ok(count) => {
                    assert!((last + 1..=attempted).contains(&count), "{count} after {last}, of {attempted}");
                    last = count;
                    self.counted.fetch_add(1, Ordering::SeqCst);
                }
                Err(Error::Gone) => assert!(may_be_gone(), "a session that is there was gone"),
                Err(_) => {}
            }
        }
    }
}
