use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{ConfigError, StoreError};
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::store::{Buried, Capabilities, Created, Deleted, FastStore, ImmediateStore, Purged, Renewed, Saved, Store};
use crate::time::Time;

use super::budget::Budget;
use super::index::{Index, SHARDS};
use super::notes::Notes;
use super::recency::Recency;

/// A store in this process's memory. It holds a bounded number of sessions in a bounded number of bytes, and they end with
/// the process.
///
/// ```
/// use session_core::{MemoryStore, NewSession, SessionManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_core::Error> {
/// let store = MemoryStore::with_max_sessions(100_000);
/// let sessions = SessionManager::new(store.clone());
/// sessions.create(NewSession::new().principal("ann")).await?;
/// assert_eq!(store.len(), 1);
/// # Ok(())
/// # }
/// ```
///
/// `Clone` shares the store. No operation waits, and none needs a runtime.
///
/// # Eviction
///
/// The store evicts sessions when it has too many, or when they take too much memory
/// ([`max_bytes`](MemoryStoreBuilder::max_bytes)):
///
/// - Each kind of session, anonymous and signed in (with a principal), has a bound of its own. A flood of anonymous
///   sessions evicts no signed-in one.
/// - Within a kind, those who take most give way first. When 15/16 of the bound are used, the principal whose sessions
///   take most loses its oldest session, as long as it takes more than twice what others take on average. Of
///   anonymous sessions, the largest goes in the same way.
/// - Otherwise the least recently used session of the kind is evicted, in the background. "Recently" is exact to one
///   touch interval: at most 60 s. The store may exceed the bound by 1/8 (2 to 512 sessions) until then.
///
/// As the fast tier of a [`TieredStore`](crate::TieredStore), a store in memory also keeps tombstones of sessions that
/// ended. When they take more than their part, the oldest ones give way. Sessions that were started before then and are
/// not in memory are not copied there for a while: they are read from the durable tier, and none comes back.
///
/// # Memory
///
/// A session with two small attributes takes about 470 bytes. Above 3/4 of the bound the store also tracks
/// when each session was used, which takes about 320 bytes more for each session.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    index: Arc<Index>,
    recency: Arc<Recency>,
    sweep: AtomicUsize,
}

impl MemoryStore {
    /// The bound of [`new`](MemoryStore::new): 1,000,000 sessions of each kind.
    pub const DEFAULT_MAX_SESSIONS: u64 = 1_000_000;

    /// A store for at most 1,000,000 signed-in and 1,000,000 anonymous sessions, which take at most 2 GiB.
    pub fn new() -> Self {
        MemoryStore::with_max_sessions(MemoryStore::DEFAULT_MAX_SESSIONS)
    }

    /// A store for at most `max_sessions` signed-in sessions and as many anonymous ones. How much memory they may take:
    /// see [`max_bytes`](MemoryStoreBuilder::max_bytes).
    ///
    /// Default: [`DEFAULT_MAX_SESSIONS`](MemoryStore::DEFAULT_MAX_SESSIONS). Allowed: at least 1, and 0 means 1.
    /// A bound that is too small evicts sessions that are in use: their users are signed out. A bound that is
    /// too large lets the process run out of memory.
    pub fn with_max_sessions(max_sessions: u64) -> Self {
        let max_sessions = max_sessions.max(1);
        MemoryStore::with(Budget::new(max_sessions, Budget::default_bytes(max_sessions)))
    }

    /// Settings of a store: how many sessions, and how many bytes.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder { max_sessions: MemoryStore::DEFAULT_MAX_SESSIONS, max_bytes: None }
    }

    fn with(budget: Budget) -> Self {
        let notes = Arc::new(Notes::new(&budget));
        let index = Arc::new(Index::new(budget, Arc::clone(&notes)));
        let recency = Recency::new(notes, Arc::clone(&index) as _);
        MemoryStore(Arc::new(Inner { index, recency, sweep: AtomicUsize::new(0) }))
    }

    /// The number of records, with expired ones that are not purged yet.
    pub fn len(&self) -> usize {
        self.0.index.len()
    }

    /// Whether the store has no records.
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

/// Settings of a [`MemoryStore`].
///
/// ```
/// use session_core::MemoryStore;
///
/// # fn main() -> Result<(), session_core::ConfigError> {
/// let store = MemoryStore::builder().max_sessions(100_000).max_bytes(256 << 20).build()?;
/// assert!(store.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    max_sessions: u64,
    max_bytes: Option<u64>,
}

impl MemoryStoreBuilder {
    /// How many signed-in sessions there may be, and as many anonymous ones.
    ///
    /// Default: [`DEFAULT_MAX_SESSIONS`](MemoryStore::DEFAULT_MAX_SESSIONS). Allowed: at least 1.
    pub const fn max_sessions(mut self, max_sessions: u64) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// How many bytes of memory all sessions may take.
    ///
    /// Default: 32 KiB for each of `max_sessions`, from 32 MiB to 2 GiB in all, but at least 2 KiB for each: with more than
    /// a million sessions it grows with their number. Allowed: at least 8 MiB. One half is for signed-in sessions, three
    /// eighths are for anonymous ones, and one eighth is for tombstones and moved notes.
    ///
    /// What a session takes is estimated, with its values as they are in memory: a list of small numbers takes sixteen
    /// times what it takes as JSON. If a session takes more than its share, which is the bytes of its kind divided by
    /// `max_sessions`, it counts as several. A session that takes more than all bytes of its kind is refused: saving it
    /// fails.
    pub const fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    /// Makes the store.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a number that is not allowed.
    pub fn build(self) -> Result<MemoryStore, ConfigError> {
        let max_bytes = self.max_bytes.unwrap_or_else(|| Budget::default_bytes(self.max_sessions));
        Budget::check(self.max_sessions, max_bytes)?;
        Ok(MemoryStore::with(Budget::new(self.max_sessions, max_bytes)))
    }
}

impl Inner {
    fn purge(&self, now: Time, limit: usize) -> Purged {
        let Inner { index, recency, sweep } = self;
        recency.settle();
        let mut purged = Purged { evicted: index.take_evicted(), ..Purged::default() };
        // Each call goes on where the last one ended, and visits each shard at most once.
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

    /// Runs an operation that may leave a note for moka, and has notes passed on if they are many.
    fn noted<T>(&self, operation: impl FnOnce(&Index) -> T) -> T {
        let answer = operation(&self.index);
        self.recency.settle_if_due();
        answer
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        super::NAME
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
        self.0.noted(|index| index.touch(key, accessed));
        Ok(())
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        self.0.noted(|index| index.renew(old, expected, record, moved_until))
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        Ok(self.0.index.moved(key, now))
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        Ok(self.0.noted(|index| index.remove(key)))
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        Ok(self.0.purge(now, limit))
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        Ok(self.0.index.live(now, limit))
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        Ok(self.0.index.of_principal(principal, now))
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
        self.0.noted(|index| index.fill(record, now, until));
        Ok(())
    }

    async fn bury(&self, key: &RecordKey, now: Time, until: Time) -> Result<(), StoreError> {
        self.0.noted(|index| index.bury(key, now, until));
        Ok(())
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        Ok(self.0.noted(|index| index.bury_version(key, expected, now, until)))
    }
}
