//! Renewing and ending: what is left behind, what comes late, and that nothing escapes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session_core::{PrincipalKey, Record, RecordKey, Renewed, Saved, Store};
use session_stores::RedisStore;
use workspace_tests::records::*;
use workspace_tests::{Fault, RedisCluster, RedisServer, store_faults};

use crate::support::*;

fn name(key: &RecordKey) -> String {
    format!("session:{key}")
}

/// How long a key still lives, in seconds; `None` if there is none.
fn seconds_left(servers: &[RedisServer], key: &RecordKey) -> Option<i64> {
    let answers = servers.iter().map(|server| server.ask(&["PTTL", &name(key)]));
    let millis = answers.filter_map(|answer| answer.strip_prefix(':')?.lines().next()?.parse::<i64>().ok()).max();
    millis.filter(|millis| *millis != -2).map(|millis| millis.div_euclid(1000))
}

/// A note is kept until it may no longer be followed, and a login leaves none.
#[tokio::test]
async fn a_moved_note_goes_in_its_time() {
    let (Some(server), Some(cluster)) = (RedisServer::start(), RedisCluster::start()) else { return };
    let stores = [(connect(&server).await, &[server][..]), (connect_cluster(&cluster).await, &cluster.servers)];
    for (store, servers) in &stores {
        let record = created(store, signed_in("ann")).await;
        let new = renewed(&record);
        assert_eq!(renew(store, &record, &new).await.unwrap(), Renewed::Done);
        assert_eq!(moved(store, &record.key).await, Some(new.key));
        let left = seconds_left(servers, &record.key).expect("it is there");
        assert!((50..=60).contains(&left), "{left}");
        let login = renewed(&new);
        assert_eq!(store.renew(&new.key, new.version, &login, None).await.unwrap(), Renewed::Done);
        assert_eq!(seconds_left(servers, &new.key), None);
        assert_eq!(store.end(&record.key).await.unwrap(), None, "a login is another session");
        assert_eq!(load(store, &login.key).await, Some(login));
    }
}

/// A note or what is pending is no session, whoever asks.
#[tokio::test]
async fn notes_are_not_listed_and_not_swept() {
    let Some(server) = RedisServer::start() else { return };
    let store = connect(&server).await;
    let record = created(&store, signed_in("ann")).await;
    let new = renewed(&record);
    assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Done);
    assert_eq!(store.purge_expired(now(), 100).await.unwrap().expired, 0);
    assert_eq!(store.list(now(), 100).await.unwrap(), std::slice::from_ref(&new));
    assert_eq!(store.of_principal(&PrincipalKey::of("ann"), now()).await.unwrap(), [new]);
    assert!(server.ask(&["DBSIZE"]).starts_with(":3"), "a record, a note, an index");
}

/// More than one script ends. Who is spared stays, also under the key that it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_sessions_of_one_user_end() {
    let (Some(single), Some(cluster)) = (single().await, cluster().await) else { return };
    for store in [single, cluster.with_prefix("{ending}:").expect("it is a prefix")] {
        sign_in(2500, "zoe", &store).await;
        let here = created(&store, signed_in("zoe")).await;
        let here_now = renewed_times(600, &store, &here).await;
        let principal = PrincipalKey::of("zoe");
        assert_eq!(store.delete_of_principal(&principal, Some(&here.key), now()).await.unwrap(), 2500);
        assert_eq!(store.of_principal(&principal, now()).await.unwrap(), [here_now]);
        assert_eq!(store.delete_of_principal(&principal, None, now()).await.unwrap(), 1);
        assert_eq!(store.of_principal(&principal, now()).await.unwrap(), []);
    }
}

/// The server answers nobody else while a script runs, so a script ends a part of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_ten_thousand_sessions_lets_others_in_between() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    sign_in(10_000, "xia", &store).await;
    let (principal, before) = (PrincipalKey::of("xia"), proxy.round_trips());
    assert_eq!(store.delete_of_principal(&principal, None, now()).await.unwrap(), 10_000);
    let scripts = proxy.round_trips() - before;
    assert!((40..45).contains(&scripts), "{scripts} scripts");
    assert_eq!(store.of_principal(&principal, now()).await.unwrap(), []);
    assert_eq!(store.list(now(), 1).await.unwrap(), []);
}

async fn sign_in(times: usize, user: &'static str, store: &RedisStore) {
    let creating = (0..times).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { created(&store, signed_in(user)).await })
    });
    for created in creating.collect::<Vec<_>>() {
        created.await.unwrap();
    }
}

/// A request is no further behind than one round trip, however often its session was renewed. More notes than one script
/// follows take one more.
#[tokio::test]
async fn following_notes_takes_one_round_trip_on_one_server() {
    let Some((_server, proxy, store)) = behind_proxy().await else { return };
    let first = created(&store, signed_in("wim")).await;
    let mut last = renewed(&first);
    assert_eq!(renew(&store, &first, &last).await.unwrap(), Renewed::Done);
    assert_eq!(store.follow(&first.key, now()).await.unwrap(), Some(last.clone()));
    for (renewals, trips) in [(248, 1), (300, 3)] {
        last = renewed_times(renewals, &store, &last).await;
        let before = proxy.round_trips();
        assert_eq!(store.follow(&first.key, now()).await.unwrap(), Some(last.clone()));
        assert_eq!(proxy.round_trips() - before, trips);
    }
}

/// More notes than one script follows.
#[tokio::test]
async fn a_session_that_was_renewed_hundreds_of_times_ends_under_its_first_key() {
    let (Some(single), Some(cluster)) = (single().await, cluster().await) else { return };
    for store in [single, cluster.clone().with_prefix("{ending}:").expect("it is a prefix"), cluster] {
        let first = created(&store, signed_in("yan")).await;
        let last = renewed_times(600, &store, &first).await;
        assert_eq!(store.end(&first.key).await.unwrap(), Some(last.key));
        assert_eq!(load(&store, &last.key).await, None);
        assert_eq!(store.end(&first.key).await.unwrap(), None);
    }
}

async fn renewed_times(times: usize, store: &RedisStore, first: &Record) -> Record {
    let mut record = first.clone();
    for _ in 0..times {
        let new = renewed(&record);
        assert_eq!(renew(store, &record, &new).await.unwrap(), Renewed::Done);
        record = new;
    }
    record
}

#[tokio::test]
async fn ending_takes_one_round_trip_on_one_server() {
    let Some((server, proxy, store)) = behind_proxy().await else { return };
    let principal = PrincipalKey::of("ann");
    // The first use of a script takes one more.
    for trips in [2, 1] {
        let (first, second) = (created(&store, signed_in("ann")).await, created(&store, signed_in("ann")).await);
        let new = renewed(&first);
        assert_eq!(renew(&store, &first, &new).await.unwrap(), Renewed::Done);
        let before = proxy.round_trips();
        assert_eq!(store.end(&first.key).await.unwrap(), Some(new.key));
        assert_eq!(proxy.round_trips() - before, trips);
        let before = proxy.round_trips();
        assert_eq!(store.delete_of_principal(&principal, None, now()).await.unwrap(), 1);
        assert_eq!(proxy.round_trips() - before, trips);
        assert_eq!(load(&store, &second.key).await, None);
    }
    assert!(server.ask(&["DBSIZE"]).starts_with(":2"), "the notes");
}

/// "Log out everywhere" after a renewal that was interrupted anywhere, and may go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_is_interrupted_anywhere_escapes_no_ending() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    let other = cluster().await.expect("it runs");
    proxies.iter().for_each(|proxy| proxy.set(Fault::Delay(Duration::from_micros(100))));
    for round in 0..campaign(300) as u64 {
        let user = format!("kim {round}");
        let old = created(&other, signed_in(&user)).await;
        let new = renewed(&old);
        let patience = Duration::from_micros(round * 7919 % 30_000);
        let _ = tokio::time::timeout(patience, renew(&store, &old, &new)).await;
        if round % 2 == 0 {
            let ended = other.delete_of_principal(&PrincipalKey::of(&user), None, now()).await.unwrap();
            assert_eq!(ended, 1, "round {round}");
        } else {
            assert!(other.end(&old.key).await.unwrap().is_some(), "round {round}");
        }
        for store in [&store, &other] {
            assert_eq!((load(store, &old.key).await, load(store, &new.key).await), (None, None), "round {round}");
        }
    }
}

/// What a client has given up on may still arrive, any time later.
#[tokio::test]
async fn a_renewal_that_arrives_late_brings_nothing_back() {
    let Some((server, proxy, late)) = behind_proxy().await else { return };
    let store = connect(&server).await;
    store_faults::late_renewal_brings_nothing_back(&late, &store, &[proxy], |_| true).await;
}

#[tokio::test]
async fn a_renewal_in_a_cluster_that_arrives_late_brings_nothing_back() {
    let Some((proxies, late)) = cluster_behind_proxies().await else { return };
    let (store, servers) = (cluster().await.expect("it runs"), &RedisCluster::shared().expect("it runs").servers);
    let has_arrived = |key: &RecordKey| seconds_left(servers, key).is_some();
    store_faults::late_renewal_brings_nothing_back(&late, &store, &proxies, has_arrived).await;
}

/// Whoever counts or ends the sessions of a user finds one that is being renewed, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_is_renewed_all_the_time_is_one_session() {
    let (Some(cluster), Some(single)) = (cluster().await, single().await) else { return };
    for store in [cluster, single] {
        let user = format!("una {}", fresh_key());
        let record = created(&store, signed_in(&user)).await;
        let stop = Arc::new(AtomicBool::new(false));
        let renewing = tokio::spawn(renew_until(stop.clone(), store.clone(), record));
        for round in 0..campaign(300) {
            let found = store.of_principal(&PrincipalKey::of(&user), now()).await.unwrap();
            assert_eq!(found.len(), 1, "round {round}: {found:?}");
        }
        stop.store(true, Ordering::SeqCst);
        let (last, renewals) = renewing.await.unwrap();
        assert!(renewals > 10, "{renewals} renewals");
        assert_eq!(store.of_principal(&PrincipalKey::of(&user), now()).await.unwrap(), [last]);
    }
}

async fn renew_until(stop: Arc<AtomicBool>, store: RedisStore, mut record: Record) -> (Record, usize) {
    let mut renewals = 0;
    while !stop.load(Ordering::SeqCst) {
        let new = renewed(&record);
        assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Done);
        (record, renewals) = (new, renewals + 1);
    }
    (record, renewals)
}

/// Between two attempts under the same new id, nobody may find that its record is gone and delete its entry of the index.
#[tokio::test]
async fn a_new_id_that_was_refused_stays_taken_for_a_minute() {
    let (Some(store), Some(cluster)) = (cluster().await, RedisCluster::shared()) else { return };
    let record = created(&store, signed_in("olga")).await;
    let saved = next(&record);
    assert_eq!(store.save(&saved, record.version).await.unwrap(), Saved::Done);
    let new = renewed(&saved);
    assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Conflict);
    assert_eq!(load(&store, &new.key).await, None);
    let left = seconds_left(&cluster.servers, &new.key).expect("it is taken");
    assert!((50..=60).contains(&left), "{left}");
    assert_eq!(renew(&store, &saved, &new).await.unwrap(), Renewed::Done);
    assert_eq!(load(&store, &new.key).await, Some(new.clone()));
    let left = seconds_left(&cluster.servers, &new.key).expect("it is there");
    assert!(left > 60, "it lives as long as its session: {left}");
    assert_eq!(store.of_principal(&PrincipalKey::of("olga"), now()).await.unwrap(), [new]);
}

/// What `docs/guides/when-a-store-fails.md` says of an attempt whose answer was lost: like any other, it may take effect
/// later.
#[tokio::test]
async fn an_attempt_to_end_all_that_arrives_late_ends_what_has_begun_meanwhile() {
    let Some((server, proxy, late)) = behind_proxy().await else { return };
    let (store, ann) = (connect(&server).await, fresh_key().to_string());
    let end_all = async |store: &RedisStore| store.delete_of_principal(&PrincipalKey::of(&ann), None, now()).await;
    let first = created(&store, signed_in(&ann)).await;
    proxy.set(Fault::BlackHole);
    tokio::time::timeout(Duration::from_millis(100), end_all(&late)).await.expect_err("no answer comes");
    assert_eq!(end_all(&store).await.unwrap(), 1);
    let later = created(&store, signed_in(&ann)).await;
    assert_eq!((load(&store, &first.key).await, load(&store, &later.key).await), (None, Some(later.clone())));
    proxy.set(Fault::None);
    let since = std::time::Instant::now();
    while load(&store, &later.key).await.is_some() {
        assert!(since.elapsed() < 10 * SECOND, "it never arrived");
    }
}
