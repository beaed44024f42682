//! A primary fails, its standby is promoted, and the address moves there, all under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use session_core::{NewSession, PrincipalKey, Renewed, SessionManager, Store};
use session_stores::PostgresStore;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use workspace_tests::records::*;
use workspace_tests::{PostgresPair, PostgresServer};

use crate::support::*;

const CLIENTS: usize = 12;

/// How long an old primary that takes no writes may be read from: see `docs/guides/stores.md`.
const READ_ONLY_BOUND: Duration = Duration::from_millis(200);

/// Whose connections are used.
#[derive(Clone, Copy, Debug)]
enum Pool {
    Own,
    Application,
    /// Without the check of a connection before its use.
    UncheckedApplication,
}

impl Pool {
    async fn store(self, url: &str) -> PostgresStore {
        let checks = match self {
            Pool::Own => return connect(url).await,
            Pool::Application => true,
            Pool::UncheckedApplication => false,
        };
        let pool = PgPoolOptions::new().max_connections(8).test_before_acquire(checks);
        PostgresStore::from_pool(pool.connect_lazy(url).unwrap())
    }
}

/// Clients that each count in a session of their own, and start others.
struct Load {
    sessions: SessionManager,
    ids: Vec<String>,
    stop: Arc<AtomicBool>,
    answered: Arc<[AtomicUsize; CLIENTS]>,
    clients: JoinSet<Vec<Call>>,
}

/// What a client asked for, and what it was told.
struct Call {
    client: usize,
    started: Instant,
    took: Duration,
    told: Result<Told, String>,
}

enum Told {
    Counted(u64),
    Started(String),
}

impl Load {
    async fn start(pair: &PostgresPair, store: &PostgresStore) -> Self {
        store.set_up().await.unwrap();
        let sessions = manager(store);
        let mut ids = Vec::new();
        for _ in 0..CLIENTS {
            ids.push(sessions.create(NewSession::new().attr("Count", &0)).await.unwrap().id().as_str().to_owned());
        }
        pair.wait();
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<[AtomicUsize; CLIENTS]>::default());
        let mut clients = JoinSet::new();
        for (client, id) in ids.iter().cloned().enumerate() {
            clients.spawn(use_until(client, stop.clone(), answered.clone(), sessions.clone(), id));
        }
        let load = Load { sessions, ids, stop, answered, clients };
        load.goes_on().await;
        load
    }

    /// Waits until each client was answered some more times.
    async fn goes_on(&self) {
        let answered = || self.answered.each_ref().map(|answered| answered.load(Ordering::SeqCst));
        let wanted = answered().map(|answered| answered + 20);
        let deadline = Instant::now() + 30 * SECOND;
        while answered().iter().zip(wanted).any(|(answered, wanted)| *answered < wanted) {
            assert!(Instant::now() < deadline, "the clients are not answered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whatever was asked for after `reachable` has succeeded, and what was asked for after `failed` and acknowledged
    /// is there.
    async fn assert_well(mut self, pool: Pool, failed: Instant, reachable: Instant) {
        self.stop.store(true, Ordering::SeqCst);
        let mut calls = Vec::new();
        while let Some(of_client) = self.clients.join_next().await {
            calls.extend(of_client.unwrap());
        }
        calls.sort_by_key(|call| call.started + call.took);
        let mut last = [0; CLIENTS];
        let mut since = 0;
        for Call { client, started, took, told } in &calls {
            if *started >= reachable {
                since += 1;
                if let Err(error) = told {
                    let asked = started.duration_since(reachable);
                    panic!(
                        "{pool:?}: asked {asked:?} after the new one could be reached, failed after {took:?}: {error}"
                    );
                }
            }
            if *started < failed {
                continue;
            }
            match told {
                Ok(Told::Counted(count)) => {
                    assert!(*count > last[*client], "{pool:?}: {count} was counted after {}", last[*client]);
                    last[*client] = *count;
                }
                Ok(Told::Started(id)) => {
                    assert!(self.sessions.get(id).await.unwrap().is_some(), "{pool:?}: a session is lost");
                }
                Err(_) => {}
            }
        }
        for (id, last) in self.ids.iter().zip(last) {
            let session = self.sessions.get(id).await.unwrap().expect("it is alive");
            let stored: u64 = session.attr("Count").unwrap().unwrap();
            assert!(stored >= last && last > 0, "{pool:?}: {stored} is stored after {last} was told");
        }
        assert!(since > 0);
    }
}

async fn use_until(
    client: usize,
    stop: Arc<AtomicBool>,
    answered: Arc<[AtomicUsize; CLIENTS]>,
    sessions: SessionManager,
    id: String,
) -> Vec<Call> {
    let mut calls = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let started = Instant::now();
        let told = if calls.len() % 3 == 2 { start(&sessions).await } else { count(&sessions, &id).await };
        answered[client].fetch_add(usize::from(told.is_ok()), Ordering::SeqCst);
        if told.is_err() {
            // Nobody has to be answered while there is no primary.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        calls.push(Call { client, started, took: started.elapsed(), told });
    }
    calls
}

async fn start(sessions: &SessionManager) -> Result<Told, String> {
    let session = sessions.create(NewSession::new()).await.map_err(|error| format!("{error:?}"))?;
    Ok(Told::Started(session.id().as_str().to_owned()))
}

async fn count(sessions: &SessionManager, id: &str) -> Result<Told, String> {
    let session = sessions.get(id).await.map_err(|error| format!("{error:?}"))?;
    let session = session.ok_or("the session is not found")?;
    let counted = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await;
    counted.map(Told::Counted).map_err(|error| format!("{error:?}"))
}

/// A session that is ended at the new primary is not served to anybody who follows the address.
async fn assert_ended_is_ended(pair: &PostgresPair, sessions: &SessionManager, id: &str, bound: Duration) {
    let at_the_new_one = manager(&connect(&pair.new.url()).await);
    let handle = at_the_new_one.get(id).await.unwrap().expect("it is alive").handle();
    at_the_new_one.end(&handle).await.unwrap();
    let ended = Instant::now();
    loop {
        let asked = ended.elapsed();
        // Of several connections at a time, each gets its turn.
        let mut visits = JoinSet::new();
        for _ in 0..10 * CLIENTS {
            let (sessions, id) = (sessions.clone(), id.to_owned());
            visits.spawn(async move { sessions.get(&id).await.unwrap().is_none() });
        }
        if visits.join_all().await.into_iter().all(|is_none| is_none) {
            return;
        }
        assert!(asked < bound, "it was served {asked:?} after it was ended");
    }
}

async fn with_each_pool(test: impl AsyncFn(PostgresPair, PostgresStore, Pool)) {
    for pool in [Pool::Own, Pool::Application, Pool::UncheckedApplication] {
        let Some(pair) = PostgresPair::start().await else { return };
        let store = pool.store(&pair.url()).await;
        test(pair, store, pool).await;
    }
}

/// S1: the old primary is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_primary_is_killed_each_request_succeeds_at_the_promoted_standby() {
    with_each_pool(async |mut pair, store, pool| {
        let load = Load::start(&pair, &store).await;
        pair.old.kill();
        let failed = Instant::now();
        pair.fail_over();
        let moved = Instant::now();
        load.goes_on().await;
        load.assert_well(pool, failed, moved).await;
    })
    .await;
}

/// S1: the old primary takes no writes any more, and keeps the connections that it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_primary_became_read_only_each_request_succeeds_at_the_promoted_standby() {
    with_each_pool(async |pair, store, pool| {
        let load = Load::start(&pair, &store).await;
        let spare = load.sessions.create(NewSession::new()).await.unwrap().id().as_str().to_owned();
        pair.old.sql("ALTER SYSTEM SET default_transaction_read_only = on");
        pair.old.sql("SELECT pg_reload_conf()");
        // The standby follows until it is promoted, so that it has the spare session.
        pair.wait();
        pair.fail_over();
        let moved = Instant::now();
        load.goes_on().await;
        assert_ended_is_ended(&pair, &load.sessions, &spare, READ_ONLY_BOUND).await;
        load.assert_well(pool, moved, moved).await;
    })
    .await;
}

/// S1: no write tells a process that only reads. Each kind of read does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_tells_that_the_primary_became_read_only() {
    let Some(pair) = PostgresPair::start().await else { return };
    let ann = PrincipalKey::of("ann");
    let at_first = connect(&pair.url()).await;
    let ended = created(&at_first, with(fresh_record(), |record| record.principal = Some("ann".into()))).await;
    let later = fresh_record();
    let mut readers = Vec::new();
    for pool in [Pool::Own, Pool::Application, Pool::UncheckedApplication] {
        for kind in 0..5 {
            let store = pool.store(&pair.url()).await;
            // At the same time, so that there are several connections.
            let mut visits = JoinSet::new();
            for _ in 0..4 {
                let (store, key) = (store.clone(), ended.key);
                visits.spawn(async move { load(&store, &key).await.is_some() });
            }
            assert!(visits.join_all().await.into_iter().all(|is_there| is_there));
            readers.push((pool, kind, store));
        }
    }
    pair.old.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    pair.old.sql("SELECT pg_reload_conf()");
    while pair.old.sql("SHOW default_transaction_read_only").trim() != "on" {}
    pair.wait();
    pair.fail_over();
    let at_last = connect(&pair.new.url()).await;
    at_last.delete(&ended.key).await.unwrap();
    created(&at_last, later.clone()).await;
    let moved_to = renewed(&later);
    assert_eq!(renew(&at_last, &later, &moved_to).await.unwrap(), Renewed::Done);
    for (pool, kind, store) in readers {
        for _ in 0..8 {
            match kind {
                0 => assert_eq!(load(&store, &moved_to.key).await.as_ref(), Some(&moved_to), "{pool:?}"),
                1 => assert_eq!(store.version(&ended.key, now()).await.unwrap(), None, "{pool:?}"),
                2 => assert_eq!(store.of_principal(&ann, now()).await.unwrap(), [], "{pool:?}"),
                3 => assert_eq!(store.list(now(), 10).await.unwrap().len(), 1, "{pool:?}"),
                _ => assert_eq!(moved(&store, &later.key).await, Some(moved_to.key), "{pool:?}"),
            }
        }
    }
}

/// S1: the old primary is restarted as a standby of the new one, and applications connect to it before the address
/// moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_primary_became_a_standby_each_request_succeeds_at_the_promoted_one() {
    with_each_pool(async |mut pair, store, pool| {
        let load = Load::start(&pair, &store).await;
        let spare = load.sessions.create(NewSession::new()).await.unwrap().id().as_str().to_owned();
        pair.wait();
        pair.old.stop();
        let failed = Instant::now();
        pair.new.promote();
        pair.old.restart_as_standby_of(&pair.new);
        // Reading goes on at the standby, which is all that there is at this address.
        let deadline = Instant::now() + 30 * SECOND;
        while load.sessions.get(&spare).await.is_err() {
            assert!(Instant::now() < deadline, "the standby is not read");
        }
        pair.address.move_to(pair.new.addr());
        let moved = Instant::now();
        load.goes_on().await;
        assert_ended_is_ended(&pair, &load.sessions, &spare, READ_ONLY_BOUND).await;
        load.assert_well(pool, failed, moved).await;
    })
    .await;
}

/// S1, S2: the old primary freezes, and thaws when the address has moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_primary_froze_each_request_succeeds_at_the_promoted_standby() {
    with_each_pool(async |pair, store, pool| {
        let load = Load::start(&pair, &store).await;
        let spare = load.sessions.create(NewSession::new()).await.unwrap().id().as_str().to_owned();
        // Otherwise a request may have read what the standby does not have yet.
        pair.replicate_synchronously();
        let freezing = Instant::now();
        pair.old.freeze();
        let failed = Instant::now();
        pair.fail_over();
        // So early that also what was under way at the frozen one can be done in time, unless the machine is busy.
        let reachable = if freezing.elapsed() < SECOND { freezing } else { Instant::now() };
        load.goes_on().await;
        pair.old.thaw();
        load.goes_on().await;
        // Each connection to the old one was given up while it was silent.
        assert_ended_is_ended(&pair, &load.sessions, &spare, Duration::ZERO).await;
        load.assert_well(pool, failed, reachable).await;
    })
    .await;
}

/// S1: whoever asks for nothing while the old primary is frozen does not learn of it. Its connections end by their age.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_process_serves_what_was_ended_at_the_promoted_standby_for_as_long_as_a_connection_lives() {
    let Some(pair) = PostgresPair::start().await else { return };
    let own = manager(&Pool::Own.store(&pair.url()).await);
    let lifetime = 2 * SECOND;
    let pool = PgPoolOptions::new().max_lifetime(lifetime).connect_lazy(&pair.url()).unwrap();
    let applications = manager(&PostgresStore::from_pool(pool));
    let id = own.create(NewSession::new()).await.unwrap().id().as_str().to_owned();
    assert!(applications.get(&id).await.unwrap().is_some());
    pair.wait();
    pair.old.freeze();
    pair.fail_over();
    pair.old.thaw();
    let at_the_new_one = manager(&connect(&pair.new.url()).await);
    let handle = at_the_new_one.get(&id).await.unwrap().expect("it is alive").handle();
    at_the_new_one.end(&handle).await.unwrap();
    let ended = Instant::now();
    for (sessions, bound) in [(applications, lifetime), (own, 30 * SECOND)] {
        while sessions.get(&id).await.unwrap().is_some() {
            assert!(ended.elapsed() < bound + SECOND, "served after {:?}", ended.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Where the only server takes no writes, reading goes on, and so does everything when it takes them again.
#[tokio::test]
async fn a_server_that_is_read_only_goes_on_being_read() {
    let Some(server) = PostgresServer::start() else { return };
    let set_read_only = |mode: &str| {
        server.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {mode}"));
        server.sql("SELECT pg_reload_conf()");
    };
    for pool in [Pool::Own, Pool::Application, Pool::UncheckedApplication] {
        let store = pool.store(&server.url()).await;
        store.set_up().await.unwrap();
        let record = created(&store, fresh_record()).await;
        set_read_only("on");
        let deadline = Instant::now() + 10 * SECOND;
        while store.create(&fresh_record()).await.is_ok() {
            assert!(Instant::now() < deadline, "the setting is not seen");
        }
        for _ in 0..20 {
            assert_eq!(store.version(&record.key, now()).await.unwrap(), Some(record.version));
            assert_eq!(load(&store, &fresh_key()).await, None);
        }
        let before = connections_made(&server);
        for _ in 0..4 {
            assert!(store.create(&fresh_record()).await.unwrap_err().is_unavailable());
            for _ in 0..100 {
                assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record));
            }
        }
        let made = connections_made(&server) - before;
        // Some to look whether it takes writes again, and none for each of 400 reads.
        assert!(made < 100, "{pool:?}: {made} connections");
        set_read_only("off");
        let deadline = Instant::now() + 10 * SECOND;
        while store.create(&fresh_record()).await.is_err() {
            assert!(Instant::now() < deadline, "{pool:?}: nothing is written");
        }
    }
}

fn connections_made(server: &PostgresServer) -> u64 {
    server.sql("SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'").trim().parse().unwrap()
}
