use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::index::{Index, SHARDS};
use super::recency::{Notes, Recency};
use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::store::{Buried, Capabilities, Created, FastStore, ImmediateStore, Purged, Renewed, Saved, Store};
use crate::time::Time;

/// A store in this process's memory, bounded, and gone with the process.
///
/// `Clone` shares the store.
///
/// Of the anonymous sessions and of those with a principal, each kind has its own bound
/// ([`with_max_sessions`](MemoryStore::with_max_sessions)). Where there are more, the one of
/// that kind gives way that was used longest ago, to within a touch interval. That may take a moment,
/// for which there may be an eighth more, two at least and 512 at most.
///
/// A session with two small attributes takes about 420 bytes, and 320 more once there are three
/// quarters of the bound and the store begins to keep in mind which one was used longest ago.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    index: Arc<Index>,
    recency: Arc<Recency>,
    sweep: AtomicUsize,
}

impl MemoryStore {
    /// The bound of [`new`](MemoryStore::new): a million sessions of each kind.
    pub const DEFAULT_MAX_SESSIONS: u64 = 1_000_000;

    /// A store for a million signed-in and a million anonymous sessions.
    pub fn new() -> Self {
        MemoryStore::with_max_sessions(MemoryStore::DEFAULT_MAX_SESSIONS)
    }

    /// A store for that many signed-in and as many anonymous sessions; one of each at least.
    pub fn with_max_sessions(max_sessions: u64) -> Self {
        let notes = Arc::new(Notes::new(max_sessions.max(1)));
        let index = Arc::new(Index::new(Arc::clone(&notes)));
        let recency = Recency::new(notes, Arc::clone(&index) as _);
        MemoryStore(Arc::new(Inner { index, recency, sweep: AtomicUsize::new(0) }))
    }

    /// How many records there are, expired ones that are not yet purged included.
    pub fn len(&self) -> usize {
        self.0.index.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("len", &self.len()).finish()
    }
}

impl Inner {
    fn purge(&self, now: Time, limit: usize) -> Purged {
        let Inner { index, recency, sweep } = self;
        recency.settle();
        let mut purged = Purged { evicted: index.take_evicted(), ..Purged::default() };
        // Each call goes on where the last one ended, once around at most.
        let start = sweep.load(Ordering::Relaxed);
        for step in 0..SHARDS {
            if purged.expired >= limit as u64 {
                purged.more = true;
                sweep.store((start + step) % SHARDS, Ordering::Relaxed);
                break;
            }
            purged.expired += index.remove_expired((start + step) % SHARDS, now);
        }
        purged
    }

    /// Does something that may leave a note.
    fn noted<T>(&self, operation: impl FnOnce(&Index) -> T) -> Result<T, StoreError> {
        let answer = operation(&self.index);
        self.recency.settle_if_due();
        Ok(answer)
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.0.noted(|index| index.insert(record))
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        Ok(self.0.index.load(key, now))
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.0.noted(|index| index.save(record, expected))
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.0.noted(|index| index.touch(key, accessed))
    }

    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        self.0.noted(|index| index.renew(old, expected, record))
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.0.noted(|index| index.remove(key))
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        Ok(self.0.purge(now, limit))
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        Ok(self.0.index.live(now, limit))
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let keys = self.0.index.keys_of(principal);
        Ok(keys.iter().filter_map(|key| self.0.index.load(key, now)).collect())
    }

    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        Some(self)
    }
}

impl ImmediateStore for MemoryStore {
    fn never_waits(&self) -> bool {
        true
    }

    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        Some(Ok(self.0.index.load(key, now)))
    }

    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Saved, StoreError>> {
        Some(self.0.noted(|index| index.save(record, expected)))
    }
}

impl FastStore for MemoryStore {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        self.0.noted(|index| index.fill(record, now, until))
    }

    async fn bury(&self, key: &RecordKey, _: Time, until: Time) -> Result<(), StoreError> {
        self.0.noted(|index| index.bury(key, until))
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        self.0.noted(|index| index.bury_version(key, expected, now, until))
    }
}
