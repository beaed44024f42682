//! An index of our own answers requests; moka, told of creations, removals and (once in each
//! touch interval) uses only, knows which session was used longest ago and drops it when there
//! are too many. Two caches, so that a flood of anonymous sessions finds only anonymous ones to
//! push out. Expired records are found by sweeping the index shard by shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::error::StoreError;
use crate::memory_cell::Cell;
use crate::memory_index::{Index, SHARDS};
use crate::store::{Capabilities, FastStore, Purged, Store, Written};
use crate::{PrincipalKey, Record, RecordKey, Time, Version};

/// A store in this process's memory, bounded, and gone with the process.
///
/// `Clone` shares the store.
///
/// Of the anonymous sessions and of those with a principal, each kind has its own bound
/// ([`with_max_sessions`](MemoryStore::with_max_sessions)). Where there are more, the one of
/// that kind gives way that was used longest ago, to within a touch interval.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    index: Arc<Index>,
    anonymous: Cache<RecordKey, ()>,
    signed_in: Cache<RecordKey, ()>,
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
        let index = Arc::new(Index::new());
        let recency = || {
            let index = Arc::clone(&index);
            Cache::builder()
                .max_capacity(max_sessions.max(1))
                // moka's default policy refuses newcomers when full: a login would vanish.
                .eviction_policy(EvictionPolicy::lru())
                .eviction_listener(move |key: Arc<RecordKey>, (), cause| {
                    if cause == RemovalCause::Size && index.remove(&key).is_some() {
                        index.count_evicted();
                    }
                })
                .build()
        };
        let (anonymous, signed_in) = (recency(), recency());
        MemoryStore(Arc::new(Inner { index, anonymous, signed_in, sweep: AtomicUsize::new(0) }))
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
        let Inner { index, sweep, .. } = self;
        let mut purged = Purged { evicted: index.take_evicted(), ..Purged::default() };
        // Each call goes on where the last one ended, once around at most.
        let start = sweep.load(Ordering::Relaxed);
        for step in 0..SHARDS {
            if purged.expired >= limit as u64 {
                purged.more = true;
                sweep.store((start + step) % SHARDS, Ordering::Relaxed);
                break;
            }
            let expired = index.take_expired((start + step) % SHARDS, now);
            purged.expired += expired.len() as u64;
            expired.iter().for_each(|cell| self.forget(cell));
        }
        purged
    }

    fn recency(&self, signed_in: bool) -> &Cache<RecordKey, ()> {
        if signed_in { &self.signed_in } else { &self.anonymous }
    }

    fn save(&self, record: &Record, expected: Version) -> Written {
        let (written, used_again) = self.index.save(record, expected);
        if used_again {
            self.recency(record.principal.is_some()).get(&record.key);
        }
        written
    }

    fn note_use(&self, cell: &Cell) {
        self.recency(cell.principal().is_some()).get(cell.key());
    }

    fn forget(&self, cell: &Cell) {
        self.recency(cell.principal().is_some()).invalidate(cell.key());
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Written, StoreError> {
        let Inner { index, .. } = &*self.0;
        if !index.insert(record) {
            return Ok(Written::Exists);
        }
        self.0.recency(record.principal.is_some()).insert(record.key, ());
        Ok(Written::Done)
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        Ok(self.0.index.load(key, now))
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Written, StoreError> {
        Ok(self.0.save(record, expected))
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        if let Some(cell) = self.0.index.find(key)
            && cell.touch(accessed)
        {
            self.0.note_use(&cell);
        }
        Ok(())
    }

    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Written, StoreError> {
        let (written, replaced) = self.0.index.renew(old, expected, record);
        if let Some(cell) = replaced {
            self.0.recency(record.principal.is_some()).insert(record.key, ());
            self.0.forget(&cell);
        }
        Ok(written)
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        if let Some(cell) = self.0.index.remove(key) {
            self.0.forget(&cell);
        }
        Ok(())
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

    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        Some(Ok(self.0.index.load(key, now)))
    }

    fn saves_now(&self) -> bool {
        true
    }

    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Written, StoreError>> {
        Some(Ok(self.0.save(record, expected)))
    }

    fn purge_now(&self, now: Time, limit: usize) -> Option<Result<Purged, StoreError>> {
        Some(Ok(self.0.purge(now, limit)))
    }
}

impl FastStore for MemoryStore {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        if self.0.index.fill(record, now, until) {
            self.0.recency(record.principal.is_some()).insert(record.key, ());
        }
        Ok(())
    }

    async fn bury(&self, key: &RecordKey, _: Time, until: Time) -> Result<(), StoreError> {
        if let Some(cell) = self.0.index.bury(key, until) {
            self.0.forget(&cell);
        }
        Ok(())
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Written, StoreError> {
        let (written, buried) = self.0.index.bury_version(key, expected, now, until);
        if let Some(cell) = buried {
            self.0.forget(&cell);
        }
        Ok(written)
    }
}
