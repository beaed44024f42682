//! Servers that are down or silent, connections that break, and callers that give up.

use std::time::{Duration, Instant};

use session_core::{NewSession, Renewed, Saved, Store};
use workspace_tests::MemcachedServer;
use workspace_tests::records::*;
use workspace_tests::store_fault_tests::Sizes;

use crate::support::*;

// Each of the five steps of a renewal is cut, in the request and in the reply.
workspace_tests::store_fault_tests!(
    behind_proxy(),
    Sizes {
        counting: [400, 300],
        renewing: [1100, 400],
        cuts: campaign(400),
        large_cuts: campaign(40),
        cancelled_renewals: campaign(400),
        cancelled_calls: campaign(4000),
        clients: 16,
        silence_ends_within: Some(2 * SECOND),
    }
);

/// What a client has given up on may still arrive, any time later.
#[tokio::test]
async fn a_renewal_that_arrives_late_brings_nothing_back() {
    let Some((server, proxy, late)) = behind_proxy().await else { return };
    let store = connect(&server).await;
    let has_arrived = |key: &session_core::RecordKey| !server.ask(&format!("mg {} t", name(key))).starts_with("EN");
    workspace_tests::store_faults::late_renewal_brings_nothing_back(&late, &store, &[proxy], has_arrived).await;
}

/// With its sessions: they are gone, which is none and no error; and new ones start within a second.
#[tokio::test]
async fn a_server_that_was_restarted_is_used_again() {
    let Some(mut server) = MemcachedServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    for _ in 0..campaign(3) {
        let session = sessions.create(NewSession::new()).await.unwrap();
        // As many connections as there can be, all of which break.
        let ids = session.id();
        let visits = (0..20).map(|_| {
            tokio::spawn({
                let (sessions, id) = (sessions.clone(), ids.clone());
                async move { sessions.get(id.as_str()).await.unwrap().unwrap() }
            })
        });
        for visit in visits.collect::<Vec<_>>() {
            visit.await.unwrap();
        }
        server.kill();
        assert!(sessions.get(ids.as_str()).await.is_err(), "it is down");
        server.restart();
        let up = Instant::now();
        assert!(sessions.get(ids.as_str()).await.unwrap().is_none(), "it was only in memory");
        sessions.create(NewSession::new()).await.unwrap();
        assert!(up.elapsed() < Duration::from_secs(1), "recovered after {:?}", up.elapsed());
    }
}

/// A2: whatever memcached drops is gone as a whole, and nothing is made of it.
#[tokio::test]
async fn sessions_that_memcached_dropped_are_gone() {
    let Some(server) = MemcachedServer::start() else { return };
    let store = connect(&server).await;
    let record = created(&store, fresh_record()).await;
    assert!(server.ask("flush_all").starts_with("OK"));
    assert_eq!(load(&store, &record.key).await, None);
    assert_eq!(store.save(&next(&record), record.version).await.unwrap(), Saved::Missing);
    store.touch(&record.key, now().saturating_add(MINUTE)).await.unwrap();
    let new = renewed(&record);
    assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Missing);
    store.delete(&record.key).await.unwrap();
    for key in [&record.key, &new.key] {
        assert_eq!(load(&store, key).await, None);
    }
    assert!(server.ask("stats").contains("STAT curr_items 0\r\n"), "nothing is left behind");
}

/// A2. Dropped at every step of a renewal: one key or none, and never what was not renewed.
#[tokio::test]
async fn eviction_during_a_renewal_is_a_loss_at_worst() {
    let Some((server, proxy, store)) = behind_proxy().await else { return };
    for step in 0..6 {
        let old = created(&store, fresh_record()).await;
        let new = renewed(&old);
        let (before, renewing) = (proxy.round_trips(), {
            let (store, old, new) = (store.clone(), old.clone(), new.clone());
            proxy.set(workspace_tests::Fault::Delay(Duration::from_millis(5)));
            tokio::spawn(async move { renew(&store, &old, &new).await })
        });
        while proxy.round_trips() < before + step && !renewing.is_finished() {
            tokio::task::yield_now().await;
        }
        server.ask("flush_all");
        let written = renewing.await.unwrap().unwrap();
        proxy.set(workspace_tests::Fault::None);
        assert!(matches!(written, Renewed::Done | Renewed::Missing), "{written:?}");
        assert_eq!(load(&store, &old.key).await, None);
        let found = load(&store, &new.key).await;
        assert!(found.is_none() || (written == Renewed::Done && found == Some(new)), "{found:?}");
    }
}
