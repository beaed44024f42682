//! Masters of a cluster that freeze, die and come back, and slots that move, while sessions are used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use session_core::{Deleted, NewSession, RecordKey, Session, SessionManager, Store};
use session_stores::RedisStore;
use tokio::task::JoinSet;
use workspace_tests::records::*;
use workspace_tests::{RedisCluster, RedisServer};

use crate::cluster::move_slot;
use crate::support::*;

/// What one operation may take: the manager's default.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Clients that use sessions while something happens to a master.
pub struct Load {
    pub sessions: SessionManager,
    /// Counts how often the failed master began to be missed or was replaced. Operations that begin and end in one even
    /// phase must succeed, and at the other masters all do.
    phase: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    clients: JoinSet<Outcome>,
}

/// What a client saw.
struct Outcome {
    session: Session,
    /// The last number that was acknowledged.
    last: u64,
    slowest: Duration,
    failures: usize,
}

impl Load {
    pub fn new(store: &RedisStore) -> Self {
        let sessions = manager(store);
        Load { sessions, phase: Arc::default(), is_over: Arc::default(), clients: JoinSet::new() }
    }

    /// Clients that count, each in a session of its own: four at the master that is to fail, and four elsewhere.
    async fn at_and_beside(store: &RedisStore, at: impl Fn(&RecordKey) -> bool) -> Self {
        let mut under_load = Load::new(store);
        let (mut concerned, mut others) = (0, 0);
        while concerned < 4 || others < 4 {
            let session = under_load.session().await;
            let is_concerned = at(&session.handle());
            let count = if is_concerned { &mut concerned } else { &mut others };
            *count += 1;
            if *count <= 4 {
                under_load.spawn(session, is_concerned);
            }
        }
        under_load
    }

    /// So many clients, all at the master that is to fail.
    pub async fn start(store: &RedisStore, clients: usize) -> Self {
        let mut under_load = Load::new(store);
        for _ in 0..clients {
            let session = under_load.session().await;
            under_load.spawn(session, true);
        }
        under_load
    }

    async fn session(&self) -> Session {
        self.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap()
    }

    fn spawn(&mut self, session: Session, is_concerned: bool) {
        let (sessions, phase, over) = (self.sessions.clone(), self.phase.clone(), self.is_over.clone());
        self.clients.spawn(async move {
            let mut outcome = Outcome { session, last: 0, slowest: Duration::ZERO, failures: 0 };
            // What the old master acknowledged last may not have reached the replica.
            let mut is_certain = true;
            while !over.load(Ordering::SeqCst) {
                let (began, began_in) = (Instant::now(), phase.load(Ordering::SeqCst));
                let counted = count(&sessions, outcome.session.id().as_str()).await;
                let taken = began.elapsed();
                let is_reached = began_in.is_multiple_of(2) && began_in == phase.load(Ordering::SeqCst);
                let must_succeed = !is_concerned || is_reached;
                match counted {
                    Ok(count) => {
                        assert!(!is_certain || count > outcome.last, "{count} after {}", outcome.last);
                        (outcome.last, is_certain) = (count, must_succeed);
                    }
                    Err(error) => {
                        assert!(!must_succeed, "after {taken:?}: {error:?}");
                        outcome.failures += 1;
                    }
                }
                if must_succeed {
                    outcome.slowest = outcome.slowest.max(taken);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            outcome
        });
    }

    /// From now on, operations at the failed master may fail.
    pub fn may_fail(&self) {
        assert_eq!(self.phase.fetch_add(1, Ordering::SeqCst) % 2, 0);
    }

    /// Operations that begin from now on must succeed.
    pub fn must_succeed(&self) {
        assert_eq!(self.phase.fetch_add(1, Ordering::SeqCst) % 2, 1);
    }

    /// Checks that what was acknowledged is there.
    pub async fn finish(mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let mut failures = 0;
        let mut slowest = Duration::ZERO;
        while let Some(outcome) = self.clients.join_next().await {
            let outcome = outcome.unwrap();
            let stored = self.sessions.get(outcome.session.id().as_str()).await.unwrap().expect("it was acknowledged");
            let stored = stored.attr::<u64>("Count").unwrap().unwrap();
            assert!(stored >= outcome.last, "{} was acknowledged, {stored} is stored", outcome.last);
            failures += outcome.failures;
            slowest = slowest.max(outcome.slowest);
        }
        eprintln!("{failures} failures while no server had the slots; the slowest of the others took {slowest:?}");
        // A count is a load and a save.
        assert!(slowest < 2 * TIME_LIMIT, "{slowest:?}");
    }
}

async fn count(sessions: &SessionManager, id: &str) -> Result<u64, session_core::Error> {
    let session = sessions.get(id).await?.expect("nobody has ended it");
    session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await
}

fn holds(server: &RedisServer, key: &RecordKey) -> bool {
    server.ask(&["EXISTS", &format!("session:{key}")]).starts_with(":1")
}

/// Waits while the load goes on.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "not in a minute: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lets the load go on for some operations of its own.
pub async fn a_while(sessions: &SessionManager) {
    for _ in 0..300 {
        let session = sessions.create(NewSession::new()).await.unwrap();
        session.remove();
        session.save().await.unwrap();
    }
}

/// A master fails, and its replica takes over.
async fn take_over(under_load: &Load, fail: impl FnOnce(), new: &RedisServer) {
    under_load.may_fail();
    fail();
    until("the replica is promoted", || new.is_master()).await;
    under_load.must_succeed();
    a_while(&under_load.sessions).await;
}

/// A cluster of three masters and three replicas, where the loss of one master stops no other.
fn start() -> Option<RedisCluster> {
    let cluster = RedisCluster::start_with_replicas()?;
    for server in cluster.servers.iter().chain(&cluster.replicas) {
        server.ask(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    Some(cluster)
}

/// S10: its replica takes over; it comes back, and slots move away. Nobody has to start anything anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_on_when_a_master_freezes_and_when_it_thaws() {
    let Some(cluster) = start() else { return };
    let (old, new) = (&cluster.servers[0], &cluster.replicas[0]);
    let (store, idle) = (connect_cluster(&cluster).await, connect_cluster(&cluster).await);
    let under_load = Load::at_and_beside(&store, |key| holds(old, key)).await;
    let mut ended = Vec::new();
    while ended.len() < 20 {
        let record = created(&store, fresh_record()).await;
        if holds(old, &record.key) {
            assert_eq!(load(&idle, &record.key).await, Some(record.clone()));
            ended.push(record.key);
        }
    }
    cluster.wait_until_replicated();

    take_over(&under_load, || old.freeze(), new).await;
    for key in &ended {
        assert_eq!(store.delete(key).await.unwrap(), Deleted::Done);
    }

    // Until it hears of the others, it takes itself for the master. So does a store that asked nothing meanwhile.
    old.thaw();
    let (thawed, mut stale_for) = (Instant::now(), Duration::ZERO);
    while old.is_master() || thawed.elapsed() < SECOND {
        for key in &ended {
            let asked = thawed.elapsed();
            if load(&idle, key).await.is_some() {
                stale_for = asked;
            }
        }
        assert!(thawed.elapsed() < Duration::from_secs(60), "it learns of it");
    }
    eprintln!("what had ended was served for {stale_for:?} after the thaw");
    assert!(stale_for < SECOND, "{stale_for:?}");
    a_while(&under_load.sessions).await;

    let servers = [new, &cluster.servers[1], &cluster.servers[2]];
    tokio::task::block_in_place(|| {
        for _ in 0..20 {
            move_slot(&servers, &format!("session:{}", fresh_key()));
        }
    });
    a_while(&under_load.sessions).await;
    under_load.finish().await;
}

/// S10: the same where it is gone at once, and comes back as a replica. As the servers are set up by default, the others
/// refuse everything while they elect its replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_on_when_a_master_is_killed_and_when_it_comes_back() {
    let Some(mut cluster) = RedisCluster::start_with_replicas() else { return };
    let store = connect_cluster(&cluster).await;
    let under_load = Load::at_and_beside(&store, |key| holds(&cluster.servers[0], key)).await;
    cluster.wait_until_replicated();
    let RedisCluster { servers, replicas, .. } = &mut cluster;
    take_over(&under_load, || servers[0].kill(), &replicas[0]).await;
    cluster.servers[0].restart();
    cluster.wait_until_ready();
    a_while(&under_load.sessions).await;
    under_load.finish().await;
}

/// S10: the application has named one server, and that is the one that freezes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_knew_one_server_of_a_cluster_goes_on_without_that_one() {
    let Some(cluster) = start() else { return };
    let (old, new) = (&cluster.servers[0], &cluster.replicas[0]);
    let store = RedisStore::cluster([old.url().as_str()]).await.unwrap();
    let under_load = Load::at_and_beside(&store, |key| holds(old, key)).await;
    cluster.wait_until_replicated();
    take_over(&under_load, || old.freeze(), new).await;
    under_load.finish().await;
}

/// S55: whoever waits for less than the store would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hasty_callers_of_a_cluster_outlast_a_connection_that_stays_silent() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    let server = &RedisCluster::shared().expect("it runs").servers[0];
    let record = loop {
        let record = created(&store, fresh_record()).await;
        if holds(server, &record.key) {
            break record;
        }
    };
    proxies[0].strand_connections();
    let silent = Instant::now();
    while !tokio::time::timeout(SECOND / 4, store.load(&record.key, now())).await.is_ok_and(|found| found.is_ok()) {
        assert!(silent.elapsed() < 15 * SECOND, "nobody has found out");
    }
}

/// S10: its server is there, but nothing comes through the connection any more, as after a cable was pulled for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_to_a_cluster_that_stays_silent_is_replaced() {
    let Some((proxies, store)) = cluster_behind_proxies().await else { return };
    let server = &RedisCluster::shared().expect("it runs").servers[0];
    let sessions = manager(&store);
    let session = loop {
        let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        if holds(server, &session.handle()) {
            break session;
        }
    };
    proxies[0].strand_connections();
    for limit in [TIME_LIMIT, SECOND] {
        let start = Instant::now();
        assert!(sessions.get(session.id().as_str()).await.unwrap().is_some());
        assert!(start.elapsed() < limit, "{:?}", start.elapsed());
    }
}
