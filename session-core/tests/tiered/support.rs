use std::sync::Arc;
use std::time::Duration;

pub use session_core::conformance::faulty::{Fault, FaultyStore, Operation, Plan};
use session_core::{
    Clock, FastStore, ManualClock, MemoryStore, Record, RecordKey, SessionManager, Store, TieredStore, Time, Version,
    WriteBehind,
};

pub const MINUTE: Duration = Duration::from_secs(60);

pub fn behind<F: FastStore, D: Store>(fast: F, durable: D) -> TieredStore<F, D> {
    TieredStore::builder(fast, durable).write_behind(WriteBehind::default()).build().unwrap()
}

/// A store in memory that counts what it is asked, and fails when it is told to.
pub fn watched() -> FaultyStore {
    FaultyStore::new(MemoryStore::new())
}

/// Every call fails until the store recovers.
pub fn take_down(store: &FaultyStore) {
    store.faults().fail_every(Operation::ALL, Fault::Down);
}

/// The store loses all that it has.
pub fn wipe(store: &FaultyStore) {
    store.replace(MemoryStore::new());
}

/// A process: its own tiers and manager, over stores that others may share.
pub struct Process {
    pub store: TieredStore<FaultyStore, FaultyStore>,
    pub sessions: SessionManager,
}

/// Two tiers, a clock, and the processes that use them.
pub struct Stage {
    pub fast: FaultyStore,
    pub durable: FaultyStore,
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

    pub fn process(&self, store: TieredStore<FaultyStore, FaultyStore>) -> Process {
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
        let fast = self.fast.inner().load(key, now).await.unwrap();
        (fast, self.durable.inner().load(key, now).await.unwrap())
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

/// Written through, and behind.
pub fn each_mode() -> [fn(&Stage) -> Process; 2] {
    [Stage::through, Stage::behind]
}

/// After a failure the fast tier is left alone for a moment.
pub async fn after_the_rest() {
    tokio::time::advance(Duration::from_secs(2)).await;
}
