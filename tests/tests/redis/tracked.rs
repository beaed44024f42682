//! Memory before Redis, with invalidation pushed by the server.

use std::time::{Duration, Instant};

use session_core::{ImmediateStore, NewSession, Record, RecordKey, Renewed, Saved, SessionManager, Store, Version};
use session_stores::TrackedRedisStore;
use tokio::sync::watch;
use tokio::task::JoinSet;
use workspace_tests::records::*;
use workspace_tests::{Fault, Proxy, RedisServer};

use crate::support::*;

async fn tracked(server: &RedisServer) -> TrackedRedisStore {
    TrackedRedisStore::connect(&server.url()).await.expect("the server runs")
}

/// Waits until a load gives this, and says how long that took.
#[track_caller]
fn seen_within<'a>(
    store: &'a TrackedRedisStore,
    key: &'a session_core::RecordKey,
    expected: Option<&'a Record>,
) -> impl Future<Output = Duration> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        loop {
            let asked = start.elapsed();
            let loaded = load(store, key).await;
            if loaded.as_ref() == expected {
                return start.elapsed();
            }
            assert!(asked < TrackedRedisStore::STALE_FOR, "at {caller}: {loaded:?}, not {expected:?}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn an_unchanged_session_is_read_without_a_round_trip() {
    let Some(server) = RedisServer::start() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let store = TrackedRedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
    let sessions = SessionManager::builder(store).without_background_purge().build().unwrap();
    let session = sessions.create(NewSession::new().attr("Color", "red")).await.unwrap();
    let gets = server.calls("get");
    for _ in 0..1000 {
        let visit = sessions.get(session.id().as_str()).await.unwrap().unwrap();
        assert_eq!(visit.attr::<String>("Color").unwrap().unwrap(), "red");
    }
    assert_eq!(server.calls("get"), gets);
    // A request that changes it costs the save alone.
    let scripts = server.calls("evalsha") + server.calls("eval");
    for color in ["blue", "green"] {
        let visit = sessions.get(session.id().as_str()).await.unwrap().unwrap();
        visit.set_attr("Color", color).unwrap();
        visit.save().await.unwrap();
    }
    assert_eq!(server.calls("get"), gets);
    assert!(server.calls("evalsha") + server.calls("eval") - scripts <= 3, "one of them was new to the server");
}

#[tokio::test]
async fn changes_elsewhere_are_seen() {
    let Some(server) = RedisServer::start() else { return };
    let (here, there) = (tracked(&server).await, connect(&server).await);
    let mut longest = Duration::ZERO;
    for _ in 0..campaign(100) {
        let record = created(&there, signed_in("ann")).await;
        assert_eq!(load(&here, &record.key).await, Some(record.clone()));
        let saved = next(&record);
        assert_eq!(there.save(&saved, record.version).await.unwrap(), Saved::Done);
        longest = longest.max(seen_within(&here, &record.key, Some(&saved)).await);
        let used = with(saved, |record| record.accessed = record.accessed.saturating_add(MINUTE));
        there.touch(&record.key, used.accessed).await.unwrap();
        longest = longest.max(seen_within(&here, &record.key, Some(&used)).await);
        there.delete(&record.key).await.unwrap();
        longest = longest.max(seen_within(&here, &record.key, None).await);
        assert_eq!(load(&here, &record.key).await, None, "and it stays away");
    }
    eprintln!("the longest a change elsewhere stayed unseen: {longest:?}");
}

/// What one's own connection changes, the server does not tell; it must tell of the next change.
#[tokio::test]
async fn changes_elsewhere_are_seen_after_own_ones() {
    let Some(server) = RedisServer::start() else { return };
    let (here, there) = (tracked(&server).await, connect(&server).await);
    for _ in 0..campaign(50) {
        let record = created(&here, fresh_record()).await;
        let first = next(&record);
        assert_eq!(there.save(&first, record.version).await.unwrap(), Saved::Done);
        seen_within(&here, &record.key, Some(&first)).await;
        let second = next(&first);
        assert_eq!(here.save(&second, first.version).await.unwrap(), Saved::Done);
        let third = next(&second);
        assert_eq!(there.save(&third, second.version).await.unwrap(), Saved::Done);
        seen_within(&here, &record.key, Some(&third)).await;
        let used = with(third.clone(), |record| record.accessed = record.accessed.saturating_add(MINUTE));
        here.touch(&record.key, used.accessed).await.unwrap();
        assert_eq!(load(&here, &record.key).await, Some(used.clone()));
        let fourth = next(&used);
        assert_eq!(there.save(&fourth, used.version).await.unwrap(), Saved::Done);
        seen_within(&here, &record.key, Some(&fourth)).await;
        let new = renewed(&fourth);
        assert_eq!(renew(&here, &fourth, &new).await.unwrap(), Renewed::Done);
        assert_eq!(load(&here, &record.key).await, None);
        there.delete(&new.key).await.unwrap();
        seen_within(&here, &new.key, None).await;
    }
}

#[tokio::test]
async fn ending_all_of_a_principals_sessions_ends_the_copies_too() {
    let Some(server) = RedisServer::start() else { return };
    let (here, there) = (tracked(&server).await, tracked(&server).await);
    let records = [created(&here, signed_in("ann")).await, created(&here, signed_in("ann")).await];
    for record in &records {
        assert!(load(&there, &record.key).await.is_some());
    }
    let principal = session_core::PrincipalKey::of("ann");
    assert_eq!(here.delete_of_principal(&principal, None, now()).await.unwrap(), 2);
    for record in &records {
        assert_eq!(load(&here, &record.key).await, None);
        seen_within(&there, &record.key, None).await;
    }
}

/// The server does not tell of what its own connection deletes, and a logout need not know the present key.
#[tokio::test]
async fn ending_under_an_old_key_ends_the_copy_too() {
    let Some(server) = RedisServer::start() else { return };
    let (here, there) = (tracked(&server).await, tracked(&server).await);
    let first = created(&here, signed_in("ann")).await;
    let (second, stays) = (renewed(&first), created(&here, signed_in("bob")).await);
    assert_eq!(renew(&here, &first, &second).await.unwrap(), Renewed::Done);
    assert!(load(&here, &second.key).await.is_some() && load(&there, &second.key).await.is_some());
    assert_eq!(here.end(&first.key).await.unwrap(), Some(second.key));
    assert_eq!(load(&here, &second.key).await, None);
    seen_within(&there, &second.key, None).await;
    assert!(here.load_now(&stays.key, now()).is_some(), "other copies stay");
}

/// However fast a session is renewed and read: once it has ended, no copy of it is served here, and elsewhere for as long
/// as stated.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ending_leaves_no_copy_of_a_session_that_is_being_renewed() {
    let Some(server) = RedisServer::start() else { return };
    let (here, there) = (tracked(&server).await, tracked(&server).await);
    for round in 0..campaign(200) {
        let user = format!("ann {round}");
        let first = created(&here, signed_in(&user)).await;
        let keys = watch::Sender::new(vec![first.key]);
        let renewing = tokio::spawn(renew_until_it_ends(there.clone(), first.clone(), keys.clone()));
        let reading = tokio::spawn(read_until_it_ends(here.clone(), keys.subscribe()));
        for _ in 0..round % 20 {
            tokio::task::yield_now().await;
        }
        if round % 2 == 0 {
            let principal = session_core::PrincipalKey::of(&user);
            assert_eq!(here.delete_of_principal(&principal, None, now()).await.unwrap(), 1);
        } else {
            assert!(here.end(&first.key).await.unwrap().is_some());
        }
        renewing.await.unwrap();
        let keys = keys.borrow().clone();
        for key in &keys {
            assert_eq!(load(&here, key).await, None, "round {round}");
            seen_within(&there, key, None).await;
        }
        reading.await.unwrap();
    }
}

/// A renewal through copies is one round trip. So a request that took two for each renewal would fall behind until the
/// notes are over, and find nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_finds_a_session_that_is_renewed_through_copies_as_fast_as_possible() {
    let Some(server) = RedisServer::start() else { return };
    let (copies, other) = (tracked(&server).await, connect(&server).await);
    let first = created(&copies, signed_in("ann")).await;
    let keys = watch::Sender::new(vec![first.key]);
    let renewing = tokio::spawn(renew_until_it_ends(copies.clone(), first.clone(), keys.clone()));
    keys.subscribe().wait_for(|keys| keys.len() > 2).await.unwrap();
    for _ in 0..campaign(200) {
        let found = other.follow(&first.key, now()).await.unwrap().expect("it is there");
        assert!(keys.borrow().contains(&found.key));
    }
    assert!(other.end(&first.key).await.unwrap().is_some());
    renewing.await.unwrap();
    assert_eq!(other.follow(&first.key, now()).await.unwrap(), None);
}

/// Tells every key that the session is to have.
async fn renew_until_it_ends(store: TrackedRedisStore, first: Record, keys: watch::Sender<Vec<RecordKey>>) {
    let mut record = first;
    loop {
        let new = renewed(&record);
        keys.send_modify(|keys| keys.push(new.key));
        if renew(&store, &record, &new).await.unwrap() != Renewed::Done {
            return;
        }
        record = new;
    }
}

/// Loads whatever key the session has by now, until it is gone.
async fn read_until_it_ends(store: TrackedRedisStore, mut keys: watch::Receiver<Vec<RecordKey>>) {
    loop {
        let known = keys.borrow_and_update().clone();
        let mut is_there = false;
        for key in known.iter().rev().take(2) {
            is_there |= load(&store, key).await.is_some();
        }
        if !is_there && !keys.has_changed().unwrap_or(false) {
            return;
        }
    }
}

#[tokio::test]
async fn a_closed_store_leaves_no_connection() {
    let Some(server) = RedisServer::start() else { return };
    let connections = || server.ask(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("id=")).count();
    let store = tracked(&server).await;
    let record = created(&store, fresh_record()).await;
    assert_eq!(connections(), 2, "the store's and this one");
    store.close().await.unwrap();
    // Longer than the store is silent at most while it is open.
    let closed = Instant::now();
    while closed.elapsed() < TrackedRedisStore::STALE_FOR / 2 || connections() > 1 {
        assert!(closed.elapsed() < Duration::from_secs(10), "still connected");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Nothing that was known is believed any more.
    assert_eq!(store.copies(), 0);
    assert_eq!(load(&store, &record.key).await, Some(record));
}

#[tokio::test]
async fn a_wiped_server_wipes_the_copies() {
    let Some(server) = RedisServer::start() else { return };
    let store = tracked(&server).await;
    let record = created(&store, fresh_record()).await;
    assert!(load(&store, &record.key).await.is_some());
    server.ask(&["FLUSHALL"]);
    seen_within(&store, &record.key, None).await;
}

/// S11: whoever refuses a write is no longer the master, and what it has told may be old.
#[tokio::test]
async fn a_write_that_a_replica_refuses_drops_all_copies() {
    let Some(server) = RedisServer::start() else { return };
    let store = tracked(&server).await;
    let (record, other) = (created(&store, fresh_record()).await, created(&store, fresh_record()).await);
    assert!(store.load_now(&other.key, now()).is_some());
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(store.save(&next(&record), record.version).await.unwrap_err().is_unavailable());
    assert_eq!(store.copies(), 0);
}

/// No news is no good news.
#[tokio::test]
async fn without_its_connection_nothing_is_served_from_memory() {
    let Some(server) = RedisServer::start() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let (here, there) =
        (TrackedRedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap(), connect(&server).await);
    let record = created(&here, fresh_record()).await;
    assert_eq!(here.copies(), 1);
    proxy.set(Fault::Refuse);
    // The connection's end is known as soon as the system says so.
    while here.copies() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(here.load(&record.key, now()).await.unwrap_err().is_unavailable());
    there.delete(&record.key).await.unwrap();
    let other = created(&there, fresh_record()).await;
    proxy.set(Fault::None);
    let back = Instant::now();
    while here.load(&other.key, now()).await.is_err() {}
    assert!(back.elapsed() < Duration::from_secs(1), "{:?}", back.elapsed());
    assert_eq!(load(&here, &record.key).await, None);
    assert_eq!(here.copies(), 1);
}

/// The worst case of the stated bound: the network fails in the moment of a logout elsewhere, and
/// the connection does not break.
#[tokio::test]
async fn a_silent_connection_hides_a_logout_for_no_longer_than_stated() {
    let Some(server) = RedisServer::start() else { return };
    let proxy = Proxy::start(server.addr()).await.unwrap();
    let (here, there) =
        (TrackedRedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap(), connect(&server).await);
    let record = created(&here, fresh_record()).await;
    assert!(load(&here, &record.key).await.is_some());
    proxy.set(Fault::BlackHole);
    there.delete(&record.key).await.unwrap();
    let logout = Instant::now();
    // When it was last asked for and found, so that a busy machine makes it no longer.
    let mut stale_for = Duration::ZERO;
    loop {
        let asked = logout.elapsed();
        // Only what needs no waiting comes from memory.
        if here.load_now(&record.key, now()).is_none() {
            break;
        }
        stale_for = asked;
        assert!(stale_for <= TrackedRedisStore::STALE_FOR, "{stale_for:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    eprintln!("stale for {stale_for:?}");
    assert!(here.load(&record.key, now()).await.is_err());
    proxy.set(Fault::None);
    let healed = Instant::now();
    let loaded = loop {
        if let Ok(loaded) = here.load(&record.key, now()).await {
            break loaded;
        }
    };
    assert_eq!(loaded, None);
    assert!(healed.elapsed() < Duration::from_secs(1), "{:?}", healed.elapsed());
}

#[tokio::test]
async fn strict_is_never_stale_and_reads_a_few_bytes() {
    let Some(server) = RedisServer::start() else { return };
    let (here, there) = (tracked(&server).await.strict(), connect(&server).await);
    for _ in 0..campaign(200) {
        let record = created(&here, fresh_record()).await;
        assert_eq!(load(&here, &record.key).await, Some(record.clone()));
        let saved = with(next(&record), |record| record.accessed = record.accessed.saturating_add(MINUTE));
        assert_eq!(there.save(&saved, record.version).await.unwrap(), Saved::Done);
        assert_eq!(load(&here, &record.key).await, Some(saved.clone()));
        let used = with(saved, |record| record.accessed = record.accessed.saturating_add(MINUTE));
        there.touch(&record.key, used.accessed).await.unwrap();
        assert_eq!(load(&here, &record.key).await, Some(used));
        there.delete(&record.key).await.unwrap();
        assert_eq!(load(&here, &record.key).await, None);
    }
    let large = [("Text".to_owned(), "x".repeat(500_000).into())].into_iter().collect();
    let record = created(&here, with(fresh_record(), |record| record.attributes = large)).await;
    let gets = server.calls("get");
    assert!(load(&here, &record.key).await.is_some());
    assert_eq!(server.calls("get"), gets, "the half megabyte was not read again");
}

/// Whatever readers and writers here, and writers there, do at the same time: once it is quiet,
/// memory has what the server has, and a removed session stays away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_race_leaves_a_stale_copy() {
    let Some(server) = RedisServer::start() else { return };
    let stores = [tracked(&server).await, tracked(&server).await];
    let plain = connect(&server).await;
    for round in 0..campaign(300) {
        let record = created(&stores[0], fresh_record()).await;
        let mut tasks = JoinSet::new();
        for worker in 0..6 {
            let (store, key) = (stores[worker % 2].clone(), record.key);
            tasks.spawn(async move {
                for step in 0..10 {
                    let Some(loaded) = load(&store, &key).await else { return };
                    match (worker + step) % 3 {
                        0 => {
                            let mark = (worker * 100 + step) as u64;
                            let version = Version::from_number(next(&loaded).version.get() & !0xffff_ffff | mark);
                            let saved = with(loaded.clone(), |record| record.version = version);
                            let _ = store.save(&saved, loaded.version).await.unwrap();
                        }
                        1 => store.touch(&key, now().saturating_add(MINUTE)).await.unwrap(),
                        _ => {}
                    }
                    // Some are cancelled anywhere.
                    let patience = Duration::from_micros(((worker * 37 + step * 11) % 300) as u64);
                    let _ = tokio::time::timeout(patience, store.save(&next(&loaded), loaded.version)).await;
                }
            });
        }
        if round % 3 == 0 {
            tokio::task::yield_now().await;
            plain.delete(&record.key).await.unwrap();
        }
        tasks.join_all().await;
        let stored = load(&plain, &record.key).await;
        if round % 3 == 0 {
            assert_eq!(stored, None);
        }
        for store in &stores {
            // What was used meanwhile need not be known by everybody.
            let version = |record: Option<Record>| record.map(|record| record.version);
            let start = Instant::now();
            loop {
                let asked = start.elapsed();
                if version(load(store, &record.key).await) == version(stored.clone()) {
                    break;
                }
                assert!(asked < TrackedRedisStore::STALE_FOR, "stale in round {round}");
                tokio::task::yield_now().await;
            }
        }
    }
}
