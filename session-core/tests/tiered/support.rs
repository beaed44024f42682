use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_core::{
    Buried, Capabilities, Clock, Created, FastStore, ManualClock, MemoryStore, PrincipalKey, Purged, Record, RecordKey,
    Renewed, Saved, SessionManager, Store, StoreError, TieredStore, Time, Version, WriteBehind,
};
use tokio::sync::Semaphore;

pub const MINUTE: Duration = Duration::from_secs(60);

pub fn behind<F: FastStore, D: Store>(fast: F, durable: D) -> TieredStore<F, D> {
    TieredStore::builder(fast, durable).write_behind(WriteBehind::default()).build().unwrap()
}

/// What becomes of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Answer,
    /// It fails, and nothing was done.
    Fail,
    /// It is done, but the answer is lost.
    LoseAnswer,
}

type Decide = Box<dyn FnMut() -> (Fate, Duration, Duration) + Send>;

/// A store that counts what it is asked, and fails when it is told to.
#[derive(Clone)]
pub struct Watched<S>(Arc<State<S>>);

struct State<S> {
    store: Mutex<S>,
    calls: Mutex<BTreeMap<&'static str, usize>>,
    is_down: AtomicBool,
    is_silent: AtomicBool,
    /// One permit lets one operation through, where they are held.
    held: Mutex<Option<Arc<Semaphore>>>,
    decide: Mutex<Option<Decide>>,
}

pub fn watched() -> Watched<MemoryStore> {
    Watched(Arc::new(State {
        store: Mutex::new(MemoryStore::new()),
        calls: Mutex::default(),
        is_down: AtomicBool::new(false),
        is_silent: AtomicBool::new(false),
        held: Mutex::default(),
        decide: Mutex::default(),
    }))
}

impl Watched<MemoryStore> {
    /// The store behind, which always answers.
    pub fn inside(&self) -> MemoryStore {
        self.0.store.lock().unwrap().clone()
    }

    pub fn wipe(&self) {
        *self.0.store.lock().unwrap() = MemoryStore::new();
    }

    pub async fn evict(&self, key: &RecordKey) {
        self.inside().delete(key).await.unwrap();
    }

    pub fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::SeqCst);
    }

    /// It takes requests and never answers.
    pub fn set_silent(&self, is_silent: bool) {
        self.0.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// Operations wait until they are let through.
    pub fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.0.held.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    /// Each operation's fate, and how long it takes until it is done and from then on.
    pub fn decide(&self, decide: impl FnMut() -> (Fate, Duration, Duration) + Send + 'static) {
        *self.0.decide.lock().unwrap() = Some(Box::new(decide));
    }

    pub fn calm(&self) {
        *self.0.decide.lock().unwrap() = None;
    }

    pub fn calls(&self, operation: &str) -> usize {
        self.0.calls.lock().unwrap().get(operation).copied().unwrap_or(0)
    }

    pub fn all_calls(&self) -> usize {
        self.0.calls.lock().unwrap().values().sum()
    }

    pub fn forget_calls(&self) {
        self.0.calls.lock().unwrap().clear();
    }

    async fn run<T, F>(&self, name: &'static str, operation: impl FnOnce(MemoryStore) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        *self.0.calls.lock().unwrap().entry(name).or_default() += 1;
        let fate = self.0.decide.lock().unwrap().as_mut().map(|decide| decide());
        let (fate, before, after) = fate.unwrap_or((Fate::Answer, Duration::ZERO, Duration::ZERO));
        let gate = self.0.held.lock().unwrap().clone();
        if let Some(gate) = gate
            && let Ok(permit) = gate.acquire().await
        {
            permit.forget();
        }
        pause(before).await;
        if self.0.is_silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if fate == Fate::Fail || self.0.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("watched", "it is down"));
        }
        let answer = operation(self.inside()).await;
        pause(after).await;
        match fate {
            Fate::LoseAnswer => Err(StoreError::unavailable("watched", "the connection broke")),
            _ => answer,
        }
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Store for Watched<MemoryStore> {
    fn name(&self) -> &'static str {
        "watched"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }
    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.run("create", async |store| store.create(record).await).await
    }
    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.run("load", async |store| store.load(key, now).await).await
    }
    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        self.run("version", async |store| store.version(key, now).await).await
    }
    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.run("save", async |store| store.save(record, expected).await).await
    }
    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.run("touch", async |store| store.touch(key, accessed).await).await
    }
    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        self.run("renew", async |store| store.renew(old, expected, record).await).await
    }
    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.run("delete", async |store| store.delete(key).await).await
    }
    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.run("purge_expired", async |store| store.purge_expired(now, limit).await).await
    }
    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.run("list", async |store| store.list(now, limit).await).await
    }
    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.run("of_principal", async |store| store.of_principal(principal, now).await).await
    }
}

impl FastStore for Watched<MemoryStore> {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        self.run("fill", async |store| store.fill(record, now, until).await).await
    }
    async fn bury(&self, key: &RecordKey, now: Time, until: Time) -> Result<(), StoreError> {
        self.run("bury", async |store| store.bury(key, now, until).await).await
    }
    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        self.run("bury_version", async |store| store.bury_version(key, expected, now, until).await).await
    }
}

/// A process: its own tiers and manager, over stores that others may share.
pub struct Process {
    pub store: TieredStore<Watched<MemoryStore>, Watched<MemoryStore>>,
    pub sessions: SessionManager,
}

/// Two tiers, a clock, and the processes that use them.
pub struct Stage {
    pub fast: Watched<MemoryStore>,
    pub durable: Watched<MemoryStore>,
    pub clock: Arc<ManualClock>,
}

impl Stage {
    pub fn new() -> Self {
        Stage { fast: watched(), durable: watched(), clock: Arc::new(ManualClock::default()) }
    }

    pub fn through(&self) -> Process {
        self.process(TieredStore::builder(self.fast.clone(), self.durable.clone()).build().unwrap())
    }

    pub fn strict(&self) -> Process {
        self.process(TieredStore::builder(self.fast.clone(), self.durable.clone()).strict().build().unwrap())
    }

    pub fn behind(&self) -> Process {
        self.process(behind(self.fast.clone(), self.durable.clone()))
    }

    pub fn process(&self, store: TieredStore<Watched<MemoryStore>, Watched<MemoryStore>>) -> Process {
        let sessions = SessionManager::builder(store.clone())
            .clock(Arc::clone(&self.clock))
            .attempts(1)
            .without_background_purge()
            .build()
            .unwrap();
        Process { store, sessions }
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A record as each tier has it, whatever is down.
    pub async fn both(&self, key: &RecordKey) -> (Option<Record>, Option<Record>) {
        let now = self.now();
        let fast = self.fast.inside().load(key, now).await.unwrap();
        (fast, self.durable.inside().load(key, now).await.unwrap())
    }
}

pub fn count_of(record: &Option<Record>) -> Option<u64> {
    record.as_ref()?.attributes.get("Count")?.as_u64()
}

/// The next state of a record.
pub fn counted(record: &Record, count: u64) -> Record {
    let mut next = record.clone();
    next.version = Version::from_number(record.version.get() + (1 << 32));
    next.attributes = [("Count".to_owned(), count.into())].into_iter().collect();
    next
}
