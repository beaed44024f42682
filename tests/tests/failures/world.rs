use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use session_core::{AnyStore, SessionManager, WriteBehind};
use tokio::task::JoinSet;
use workspace_tests::random::Random;
use workspace_tests::records::{campaign, manager};
use workspace_tests::troubled::{Backend, TierSettings, TroubledServer, open_tiers};

use crate::failure::Failure;
use crate::visitor::{Last, Visitor};

const VISITORS: u64 = 8;
/// The longest pause between two failures, in milliseconds.
const LONGEST_CALM: u64 = 200;

/// How soon everything works when the servers do.
pub const RECOVERY: Duration = Duration::from_secs(30);

/// How the durable tier is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiers {
    Through,
    Behind,
}

/// The servers, and the processes that use them.
pub struct World {
    /// One alone, or the fast and the durable tier.
    servers: Vec<TroubledServer>,
    pub processes: Vec<SessionManager>,
    /// The store that has everything in the end.
    durable: AnyStore,
    /// Whether a visitor comes to any process, or always to the same one. With two tiers, another process may be behind
    /// while the fast one fails.
    pub is_roaming: bool,
    pub can_end_all: bool,
    /// How many bytes find no room where it is full.
    pub large: usize,
    pub is_over: AtomicBool,
    pub told: Told,
}

/// What visitors were told.
#[derive(Debug, Default)]
pub struct Told {
    pub successes: AtomicU64,
    pub failures: AtomicU64,
}

impl World {
    pub async fn alone(backend: Backend) -> Option<Self> {
        let server = TroubledServer::start(backend).await?;
        let processes = vec![manager(&server.open().await), manager(&server.open().await)];
        let durable = server.open().await;
        Some(World::of(vec![server], processes, durable))
    }

    pub async fn tiers(fast: Backend, durable: Backend, tiers: Tiers) -> Option<Self> {
        let durable = TroubledServer::start(durable).await?;
        let fast = TroubledServer::start(fast).await?;
        let behind = (tiers == Tiers::Behind).then(|| WriteBehind::new().delay(Duration::from_millis(100)));
        let settings = TierSettings { behind, ..TierSettings::default() };
        let mut processes = Vec::new();
        for _ in 0..if fast.is_shared() { 2 } else { 1 } {
            processes.push(manager(&open_tiers(&fast, &durable, settings).await));
        }
        let last = durable.open().await;
        Some(World::of(vec![fast, durable], processes, last))
    }

    fn of(servers: Vec<TroubledServer>, processes: Vec<SessionManager>, durable: AnyStore) -> Self {
        let is_on_firestore = servers.last().is_some_and(|server| server.backend() == Backend::Firestore);
        World {
            is_roaming: servers.len() == 1,
            // A transaction of Firestore whose caller gave up before it had an answer holds its locks for a minute.
            can_end_all: processes[0].capabilities().principals && !is_on_firestore,
            large: servers.iter().map(TroubledServer::large).max().unwrap_or_default(),
            servers,
            processes,
            durable,
            is_over: AtomicBool::new(false),
            told: Told::default(),
        }
    }

    /// So many failures, one after the other, while visitors come and go.
    pub async fn suffer(self) {
        let seed = std::env::var("SEED").map_or_else(|_| fresh_seed(), |seed| seed.parse().expect("SEED is a number"));
        eprintln!("SEED={seed}");
        let (world, mut random) = (Arc::new(self), Random(seed));
        let mut visitors = JoinSet::new();
        for number in 0..VISITORS {
            let visitor = Visitor::new(Arc::clone(&world), number, Random(random.below(u64::MAX)));
            visitors.spawn(visitor.come_and_go());
        }
        for number in 1..=campaign(5) {
            tokio::time::sleep(Duration::from_millis(random.below(LONGEST_CALM))).await;
            let able: Vec<_> = world.servers.iter().filter(|server| !server.troubles().is_empty()).collect();
            let server = able[random.below(able.len() as u64) as usize];
            let failure = Failure::of(server, world.servers.len() == 1, &mut random);
            eprintln!("{number}: {:?}: {failure:?}", server.backend());
            failure.happen(server).await;
            tokio::select! {
                // Nobody leaves before it is over.
                Some(Err(panicked)) = visitors.join_next() => resume_unwind(panicked.into_panic()),
                () = world.goes_on() => {}
            }
        }
        world.is_over.store(true, Ordering::SeqCst);
        let mut last = Vec::new();
        while let Some(left) = visitors.join_next().await {
            last.push(left.unwrap_or_else(|panicked| resume_unwind(panicked.into_panic())));
        }
        world.has_everything(last).await;
    }

    /// Waits until visitors succeed again.
    async fn goes_on(&self) {
        let (since, before) = (Instant::now(), self.told.successes.load(Ordering::SeqCst));
        while self.told.successes.load(Ordering::SeqCst) < before + 2 * VISITORS {
            assert!(since.elapsed() < RECOVERY, "the servers work, and not the sessions");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Everything that was acknowledged is where it outlives the processes.
    async fn has_everything(&self, last: Vec<Last>) {
        for process in &self.processes {
            process.close().await.expect("the servers work");
        }
        let sessions = manager(&self.durable);
        for Last { id, count } in last {
            let found = sessions.get(&id).await.expect("the server works").expect("it was acknowledged");
            assert_eq!(found.attr::<u64>("Count").expect("it is a number"), Some(count));
        }
        let Told { successes, failures } = &self.told;
        let [successes, failures] = [successes, failures].map(|told| told.load(Ordering::SeqCst));
        eprintln!("{successes} requests succeeded, and {failures} failed");
    }
}

fn fresh_seed() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is later than 1970")
        .as_nanos()
        .try_into()
        .expect("it is before 2554")
}
