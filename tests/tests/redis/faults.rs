//! Servers that are down, slow or silent, and connections that break.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use session_core::{Error, NewSession, Session, SessionManager, Store, Written};
use session_stores::RedisStore;
use tokio::task::JoinSet;
use workspace_tests::{Fault, Proxy, RedisServer};

use crate::support::*;

/// A server, and a store that reaches it through a proxy.
async fn behind_proxy() -> Option<(RedisServer, Proxy, RedisStore)> {
    let server = RedisServer::start()?;
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
    Some((server, proxy, store))
}

/// F1, B34: an error, not an anonymous visitor; and no restart is needed.
#[tokio::test]
async fn a_store_that_is_down_is_an_error_at_once_and_recovers() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    let record = created(&store, fresh_record()).await;
    for _ in 0..3 {
        proxy.set(Fault::Refuse);
        let start = Instant::now();
        for _ in 0..10 {
            assert!(store.load(&record.key, now()).await.unwrap_err().is_unavailable());
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        proxy.set(Fault::None);
        let down = Instant::now();
        while store.load(&record.key, now()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(down.elapsed() < Duration::from_secs(1), "{:?}", down.elapsed());
        assert_eq!(load(&store, &record.key).await, Some(record.clone()));
    }
}

/// F2: what was not saved is visible nowhere.
#[tokio::test]
async fn a_save_while_the_store_is_down_changes_nothing() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    let sessions = manager(&store);
    let session = sessions.create(NewSession::new().attr("Color", "red")).await.unwrap();
    let again = sessions.get(session.id().as_str()).await.unwrap().unwrap();
    again.set_attr("Color", "blue").unwrap();
    proxy.set(Fault::Refuse);
    assert!(matches!(again.save().await, Err(Error::Store(_))));
    proxy.set(Fault::None);
    let stored = sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(stored.attr::<String>("Color").unwrap().unwrap(), "red");
}

/// F3: each attempt has a limit, and so have all together.
#[tokio::test]
async fn a_silent_server_is_an_error_within_the_time_limit() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    let record = created(&store, fresh_record()).await;
    proxy.set(Fault::BlackHole);
    let start = Instant::now();
    assert!(store.load(&record.key, now()).await.unwrap_err().is_unavailable());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());

    let limit = Duration::from_millis(300);
    let builder = SessionManager::builder(store.clone()).without_background_purge();
    let hasty = builder.time_limit(limit).build().unwrap();
    let start = Instant::now();
    assert!(hasty.create(NewSession::new()).await.is_err());
    assert!(start.elapsed() < limit * 2, "{:?}", start.elapsed());

    proxy.set(Fault::None);
    let healed = Instant::now();
    while store.load(&record.key, now()).await.is_err() {}
    assert!(healed.elapsed() < Duration::from_secs(1), "{:?}", healed.elapsed());
}

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

/// F4: the first attempt arrives or not, the reply arrives or not; the count is never wrong.
#[tokio::test]
async fn a_connection_cut_anywhere_counts_no_update_twice() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    let sessions = manager(&store);
    let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let mut acknowledged = 0;
    for round in 0..campaign(300) as u64 {
        let session = sessions.get(session.id().as_str()).await.unwrap().unwrap();
        proxy.set(if round % 2 == 0 { Fault::CutRequestAfter(round % 331) } else { Fault::CutReplyAfter(round % 17) });
        let counted = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await;
        proxy.set(Fault::None);
        acknowledged += 1;
        assert_eq!(counted.unwrap(), acknowledged, "in round {round}");
    }
    let stored = sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(stored.attr::<u64>("Count").unwrap(), Some(acknowledged));
}

/// F4: a record of half a megabyte is there as before or as after, whole.
#[tokio::test]
async fn a_large_save_that_is_cut_is_old_or_new_and_never_mixed() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    let text = |letter: &str| letter.repeat(500_000);
    let of = |letter: &str| [("Text".to_owned(), text(letter).into())].into_iter().collect();
    let mut stored = created(&store, session_core::Record { attributes: of("a"), ..fresh_record() }).await;
    for round in 0..campaign(40) as u64 {
        let letter = if round % 2 == 0 { "b" } else { "c" };
        let saved = session_core::Record { attributes: of(letter), ..next(&stored) };
        proxy.set(Fault::CutRequestAfter(round * 15_000 % 510_000));
        let answer = store.save(&saved, stored.version).await;
        proxy.set(Fault::None);
        let loaded = loop {
            if let Ok(loaded) = store.load(&stored.key, now()).await {
                break loaded.expect("it is alive");
            }
        };
        assert!(loaded == stored || loaded == saved, "mixed in round {round}");
        if let Ok(Written::Done) = answer {
            assert!(loaded == saved, "acknowledged and lost in round {round}");
        }
        stored = loaded;
    }
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

/// A26: whoever waits gets the reply to their own question.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_leave_nobody_anothers_reply() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    cancel_many(&store, &[proxy]).await;
}

/// Most calls are given up, from before they are sent to after they are answered.
pub async fn cancel_many(store: &RedisStore, proxies: &[Proxy]) {
    let mut records = Vec::new();
    for mark in 0..32 {
        let attributes = [("Mark".to_owned(), mark.into())].into_iter().collect();
        records.push(created(store, session_core::Record { attributes, ..fresh_record() }).await);
    }
    let records = Arc::new(records);
    proxies.iter().for_each(|proxy| proxy.set(Fault::Delay(Duration::from_micros(500))));
    let cancellations = campaign(4000);
    let (left, answered) = (Arc::new(AtomicUsize::new(cancellations)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for client in 0..32 {
        let (store, records, left, answered) = (store.clone(), records.clone(), left.clone(), answered.clone());
        clients.spawn(async move {
            let mut round: usize = client;
            while left.load(Ordering::Relaxed) > 0 {
                round = round.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let record = &records[(round >> 33) % records.len()];
                let patience = Duration::from_micros((round >> 20) as u64 % 12_000);
                let loading = store.load(&record.key, now());
                match tokio::time::timeout(patience, loading).await {
                    Ok(loaded) => {
                        let loaded = loaded.expect("the store works").expect("it is alive");
                        assert_eq!(loaded.attributes, record.attributes, "another's reply");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(_) => {
                        let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                    }
                }
            }
        });
    }
    clients.join_all().await;
    assert!(answered.load(Ordering::Relaxed) > cancellations / 10, "many were answered");
    proxies.iter().for_each(|proxy| proxy.set(Fault::None));
    for record in records.iter() {
        assert_eq!(load(store, &record.key).await.as_ref(), Some(record));
    }
}
