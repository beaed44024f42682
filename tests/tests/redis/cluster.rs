//! A cluster: keys of two sessions are on two servers, servers fail one by one, slots move.

use std::time::{Duration, Instant};

use session_core::{NewSession, PrincipalKey, Renewed, Saved, Store};
use session_stores::RedisStore;
use workspace_tests::records::*;
use workspace_tests::store_faults;
use workspace_tests::{Fault, RedisCluster, RedisServer};

use crate::support::*;

/// F8, A26, guarantee 3: a renewal that ends anywhere leaves one of both keys, with all data.
///
/// Dropping the call leaves the servers with every prefix of its commands, the last of them
/// sent and unanswered, as a killed process would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_is_interrupted_anywhere_leaves_exactly_one_key() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    let other = cluster().await.expect("it runs");
    for proxy in &proxies {
        proxy.set(Fault::Delay(Duration::from_micros(100)));
    }
    let (mut olds, mut news) = (0, 0);
    for round in 0..campaign(400) as u64 {
        let old = created(&other, signed_in(&format!("ann {round}"))).await;
        let new =
            with(renewed(&old), |record| record.attributes = [("Count".to_owned(), 2.into())].into_iter().collect());
        let patience = Duration::from_micros(round * 7919 % 30_000);
        let interrupted = tokio::time::timeout(patience, renew(&store, &old, &new)).await.is_err();
        if interrupted {
            // What is under way to a server arrives before what the same connection sends next.
            let _ = (store.load(&old.key, now()).await.unwrap(), store.load(&new.key, now()).await.unwrap());
        }
        match (load(&other, &old.key).await, load(&other, &new.key).await) {
            (Some(stored), None) => {
                assert_eq!(stored, old);
                olds += 1;
            }
            (None, Some(stored)) => {
                assert_eq!(stored, new);
                news += 1;
            }
            (stored_old, stored_new) => panic!("round {round}: old {stored_old:?}, new {stored_new:?}"),
        }
        let principal = PrincipalKey::of(&format!("ann {round}"));
        assert_eq!(other.of_principal(&principal, now()).await.unwrap().len(), 1, "the index names the one");
        other.delete(&old.key).await.unwrap();
        other.delete(&new.key).await.unwrap();
        assert_eq!(load(&other, &new.key).await, None);
        assert_eq!(load(&other, &old.key).await, None);
    }
    assert!(olds > 0 && news > 0, "both sides of the commit were seen: {olds} and {news}");
}

#[tokio::test]
async fn a_renewal_cancelled_anywhere_leaves_exactly_one() {
    let Some(store) = cluster().await else { return };
    store_faults::cancelled_renewal_leaves_exactly_one(&store, campaign(400)).await;
}

/// Whoever tries again ends what was begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_renewal_can_be_repeated() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    for proxy in &proxies {
        proxy.set(Fault::Delay(Duration::from_micros(100)));
    }
    for round in 0..campaign(200) as u64 {
        let old = created(&store, fresh_record()).await;
        let new = renewed(&old);
        let patience = Duration::from_micros(round * 7919 % 30_000);
        let _ = tokio::time::timeout(patience, renew(&store, &old, &new)).await;
        let again = renew(&store, &old, &new).await.unwrap();
        // Exists, if all of the first attempt had arrived: the new record is this very one.
        assert!(matches!(again, Renewed::Done | Renewed::Exists), "round {round}: {again:?}");
        assert_eq!(load(&store, &old.key).await, None);
        assert_eq!(load(&store, &new.key).await, Some(new));
    }
}

/// "Log out everywhere" ends a session under whatever key it is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_all_sessions_of_a_principal_ends_those_that_are_being_renewed() {
    let (Some(cluster), Some(single)) = (cluster().await, single().await) else { return };
    for round in 0..campaign(300) {
        for store in [&cluster, &single] {
            let principal = PrincipalKey::of(&format!("eve {round}"));
            let old = created(store, signed_in(&format!("eve {round}"))).await;
            let new = renewed(&old);
            let renewing = tokio::spawn({
                let (store, old, new) = (store.clone(), old.clone(), new.clone());
                async move { renew(&store, &old, &new).await.unwrap() }
            });
            for _ in 0..round % 20 {
                tokio::task::yield_now().await;
            }
            let deleted = store.delete_of_principal(&principal, None, now()).await.unwrap();
            assert_eq!(deleted, 1);
            let _ = renewing.await.unwrap();
            assert_eq!(load(store, &old.key).await, None);
            assert_eq!(load(store, &new.key).await, None);
        }
    }
}

/// Never too few: whoever has a session is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_creation_is_in_the_index_if_it_is_anywhere() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    for proxy in &proxies {
        proxy.set(Fault::Delay(Duration::from_micros(100)));
    }
    let mut found = 0;
    for round in 0..campaign(200) as u64 {
        let record = signed_in(&format!("bob {round}"));
        let patience = Duration::from_micros(round * 7919 % 20_000);
        let _ = tokio::time::timeout(patience, store.create(&record)).await;
        let alive = load(&store, &record.key).await;
        let named = store.of_principal(&PrincipalKey::of(&format!("bob {round}")), now()).await.unwrap();
        assert_eq!(named, Vec::from_iter(alive));
        found += named.len();
    }
    assert!((1..campaign(200)).contains(&found), "both were seen: {found}");
}

/// F4 on a cluster, where what is redirected is sent again: each round is noted once, or at most once where nobody was
/// told.
#[tokio::test]
async fn a_connection_cut_anywhere_counts_no_update_twice() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    let sessions = manager(&store);
    let id = sessions.create(NewSession::new()).await.unwrap().id();
    let mut acknowledged = Vec::new();
    for round in 0..campaign(200) as u64 {
        let session = reached(|| sessions.get(id.as_str())).await.expect("it is alive");
        let fault = if round % 2 == 0 { Fault::CutRequestAfter(round % 331) } else { Fault::CutReplyAfter(round % 17) };
        proxies.iter().for_each(|proxy| proxy.set(fault));
        // The last fifty are enough to see one twice.
        let note = |rounds: Option<Vec<u64>>| {
            let mut rounds = rounds.unwrap_or_default();
            rounds.push(round);
            rounds.split_off(rounds.len().saturating_sub(50))
        };
        let noted = session.update_attr("Rounds", note).await;
        proxies.iter().for_each(|proxy| proxy.set(Fault::None));
        match noted {
            Ok(rounds) => {
                acknowledged.push(round);
                assert!(rounds.is_sorted_by(|a, b| a < b), "twice: {rounds:?}");
                let since = rounds[0];
                let mut told = acknowledged.iter().filter(|round| **round >= since);
                assert!(told.all(|round| rounds.contains(round)), "lost: {acknowledged:?} in {rounds:?}");
            }
            Err(error) => assert!(matches!(error, session_core::Error::Store(_)), "{error}"),
        }
    }
    assert!(acknowledged.len() > campaign(200) / 2, "{} were acknowledged", acknowledged.len());
}

/// Once the servers can be reached.
async fn reached<T, E, F: Future<Output = Result<T, E>>>(ask: impl Fn() -> F) -> T {
    loop {
        if let Ok(answer) = ask().await {
            return answer;
        }
    }
}

/// A26 on a cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_leave_nobody_anothers_reply() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    store_faults::cancelled_calls_leave_nobody_anothers_reply(&store, &proxies[0], 16, campaign(4000)).await;
}

/// What is wrong with the servers that an application names, or with how it reaches the others, is told at the start.
#[tokio::test]
async fn a_cluster_that_is_not_reached_is_told_at_the_start() {
    let Some(cluster) = RedisCluster::shared() else { return };
    let client = || redis::Client::open(cluster.servers[0].url()).unwrap();
    assert_eq!(load(&RedisStore::from_cluster([client()]).await.unwrap(), &fresh_key()).await, None);

    let nobody = RedisStore::from_cluster([]).await.unwrap_err();
    assert!(!nobody.is_unavailable() && nobody.to_string().contains("name at least one"), "{nobody}");
    let socket = RedisStore::cluster(["redis+unix:///tmp/redis.sock"]).await.unwrap_err();
    assert!(!socket.is_unavailable() && socket.to_string().contains("write `redis://HOST:PORT`"), "{socket}");
    let single = RedisStore::cluster([shared_server().expect("it runs").url().as_str()]).await.unwrap_err();
    assert!(!single.is_unavailable() && single.to_string().contains("cluster support disabled"), "{single}");
    let elsewhere = |_: &str, _: u16| ("127.0.0.1".to_owned(), 1);
    let lost = RedisStore::from_cluster_with([client()], elsewhere).await.unwrap_err();
    let told = cluster.servers[0].addr().to_string();
    assert!(lost.is_unavailable() && lost.to_string().contains(&told), "{lost}");
}

/// A server that is gone takes its slots with it, and nobody else's.
#[tokio::test]
async fn a_server_that_is_down_fails_its_own_keys_only_and_recovers() {
    let Some(mut cluster) = RedisCluster::start() else { return };
    for server in &cluster.servers {
        server.ask(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let store = connect_cluster(&cluster).await;
    let mut records = Vec::new();
    for _ in 0..60 {
        records.push(created(&store, fresh_record()).await);
    }
    cluster.servers[1].kill();
    let (mut up, mut down) = (0, 0);
    for record in &records {
        let start = Instant::now();
        match store.load(&record.key, now()).await {
            Ok(loaded) => {
                assert_eq!(loaded.as_ref(), Some(record));
                up += 1;
            }
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                down += 1;
            }
        }
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
    assert!(up >= 20 && down >= 5, "{up} up, {down} down");
    cluster.servers[1].restart();
    cluster.wait_until_ready();
    let ready = Instant::now();
    for record in &records {
        // That server kept nothing over its restart.
        while let Err(error) = store.load(&record.key, now()).await {
            assert!(ready.elapsed() < Duration::from_secs(1), "after {:?}: {error:?}", ready.elapsed());
        }
    }
    for _ in 0..20 {
        created(&store, fresh_record()).await;
    }
}

/// MOVED, ASK and TRYAGAIN while slots go to another server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_wrong_while_slots_move() {
    let Some(cluster) = RedisCluster::start() else { return };
    let store = connect_cluster(&cluster).await;
    let mut records = Vec::new();
    while records.len() < 30 {
        records.push(created(&store, signed_in("ann")).await);
    }
    let reader = tokio::spawn({
        let (store, mut records) = (store.clone(), records.clone());
        async move {
            let ann = PrincipalKey::of("ann");
            let mut rounds = 0;
            // Each is saved again and again, by one writer, so that no version is unexpected.
            loop {
                for record in &mut records {
                    let saved = next(record);
                    assert_eq!(store.save(&saved, record.version).await.unwrap(), Saved::Done);
                    *record = saved;
                    assert_eq!(load(&store, &record.key).await.as_ref(), Some(&*record));
                }
                let named = store.of_principal(&ann, now()).await.unwrap();
                assert_eq!(named.len(), records.len());
                rounds += 1;
                if rounds >= 5 && MOVED.load(std::sync::atomic::Ordering::SeqCst) {
                    return records;
                }
            }
        }
    });
    let moving = tokio::task::spawn_blocking({
        let names: Vec<String> = records.iter().map(|record| format!("session:{}", record.key)).collect();
        move || {
            for name in &names {
                move_slot(&cluster.servers.iter().collect::<Vec<_>>(), name);
            }
            MOVED.store(true, std::sync::atomic::Ordering::SeqCst);
            cluster
        }
    });
    let records = reader.await.unwrap();
    let cluster = moving.await.unwrap();
    let fresh = connect_cluster(&cluster).await;
    for record in records {
        assert_eq!(load(&fresh, &record.key).await, Some(record));
    }
}

/// S10: many are told of a slot that has moved, and none waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_may_move_while_hundreds_ask() {
    let Some(cluster) = RedisCluster::start() else { return };
    let store = connect_cluster(&cluster).await;
    let mut records = Vec::new();
    while records.len() < 200 {
        records.push(created(&store, fresh_record()).await);
    }
    for record in &records[..6] {
        move_slot(&cluster.servers.iter().collect::<Vec<_>>(), &format!("session:{}", record.key));
        let mut asked = tokio::task::JoinSet::new();
        for record in records.clone() {
            let store = store.clone();
            asked.spawn(async move {
                assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record));
            });
        }
        asked.join_all().await;
    }
}

/// S10: a process that does not ask for these sessions is told of no move.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_has_the_sessions_of_a_master_that_came_later() {
    let Some(cluster) = RedisCluster::start() else { return };
    let (here, elsewhere) = (connect_cluster(&cluster).await, connect_cluster(&cluster).await);
    let mut records = Vec::new();
    for _ in 0..10 {
        records.push(created(&here, fresh_record()).await.key);
    }
    let Some(another) = cluster.another_master() else { return };
    let servers: Vec<_> = [&another].into_iter().chain(&cluster.servers).collect();
    for key in &records[..2] {
        move_slot(&servers, &format!("session:{key}"));
    }
    let listed = elsewhere.list(now(), 100).await.unwrap();
    let mut listed: Vec<_> = listed.into_iter().map(|record| record.key).collect();
    listed.sort_unstable();
    records.sort_unstable();
    assert_eq!(listed, records);
}

static MOVED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Moves the slot of a key to the server that comes after its present one, as `redis-cli --cluster
/// reshard` does.
pub fn move_slot(servers: &[&RedisServer], name: &str) {
    let number = |reply: String| reply.trim_start_matches(':').trim().parse::<u16>().expect("a number");
    let slot = number(servers[0].ask(&["CLUSTER", "KEYSLOT", name]).lines().next().unwrap().to_owned()).to_string();
    let id = |server: &RedisServer| server.ask(&["CLUSTER", "MYID"]).lines().nth(1).unwrap().to_owned();
    let holds = |server: &&&RedisServer| !server.ask(&["EXISTS", name]).starts_with("-MOVED");
    let source = servers.iter().find(holds).expect("somebody holds it");
    let target = servers.iter().find(|server| server.addr() != source.addr()).expect("there are three");
    let (source_id, target_id) = (id(source), id(target));
    target.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]);
    source.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]);
    std::thread::sleep(Duration::from_millis(20));
    loop {
        let keys = source.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]);
        let keys: Vec<&str> = keys.lines().filter(|line| line.starts_with("session:")).collect();
        if keys.is_empty() {
            break;
        }
        for key in keys {
            let port = target.addr().port().to_string();
            let reply = source.ask(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            assert!(reply.starts_with("+OK") || reply.starts_with("+NOKEY"), "{reply}");
        }
    }
    // Nothing but ASK leads to the keys now.
    std::thread::sleep(Duration::from_millis(20));
    for server in [target, source] {
        let reply = server.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]);
        assert!(reply.starts_with("+OK"), "{reply}");
    }
}
