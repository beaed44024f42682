use std::fmt;
use std::sync::Arc;

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::store::{
    Capabilities, Created, Deleted, FastStore, ImmediateStore, Purged, Renewed, Saved, Store, end_all, follow,
};
use crate::time::Time;

use super::tiers::Tiers;
use super::worker::Owner;
use super::write_behind::Behind;
use super::write_through::Through;

/// A fast store before a durable one: requests read from the first, and sessions survive in the second.
///
/// ```
/// use session_core::{MemoryStore, SessionManager, TieredStore};
///
/// # let database = MemoryStore::new();
/// // Memory before a database, for the only process that uses the database.
/// let sessions = SessionManager::new(TieredStore::new(MemoryStore::new(), database));
/// ```
///
/// The fast tier is a cache. When it evicts a session, is wiped, or is down, requests read the durable tier:
/// they take longer, and do not fail.
///
/// Ending a session replaces its copy in the fast tier by a tombstone, so that no slow request puts the copy
/// back, and deletes the session from the durable tier. It fails unless both succeed, and can be repeated. If the
/// fast tier is down, the session ends in the durable tier all the same, and for this process. The call fails,
/// because another process that reaches the fast tier may still read the copy there: until it is stale, or until
/// this process has taken it away, which it tries whenever it purges, and after it has ended other sessions of a user.
/// If the fast tier is full and refuses the tombstone, the copy is deleted, and the call fails all the same.
///
/// [`purge_expired`](Store::purge_expired) and [`close`](Store::close) do what they can in both tiers, and report a
/// failure of either.
///
/// The durable tier decides what a tiered store can do: lists, and the sessions of a principal, come from
/// there. `Clone` shares the store.
///
/// # Which tiers go together
///
/// A fast tier that all processes share (Memcached, Redis) goes before any durable tier.
///
/// A [`MemoryStore`](crate::memory::MemoryStore) is known to its own process only. Use it as the fast tier if
/// one process has the database, or choose [`strict`](crate::tiered::TieredStoreBuilder::strict), which
/// compares versions at each load. Otherwise another process may serve a session as it was before a change
/// or a removal, for up to 60 s ([`max_staleness`](crate::tiered::TieredStoreBuilder::max_staleness)).
///
/// # Writing through
///
/// By default, a change is stored in the durable tier, then in the fast one. The durable tier alone decides
/// between writers, so no update is lost, whatever the fast tier does. A copy is served for a limited time
/// ([`max_staleness`](crate::tiered::TieredStoreBuilder::max_staleness)).
///
/// If the fast tier fails while a change is made, the process that made the change does not read the old
/// copy. Another process may read it until it is stale. The same can happen if a slow request puts an old copy back
/// where nothing keeps it out: the fast tier has lost both the newer copy and the tombstone; or a write failed, and the
/// tombstone that is then there for 30 s has kept out the newer copy and ends before the old one comes. Saves against
/// an old copy are refused in every case.
///
/// # Writing behind
///
/// With [`write_behind`](crate::tiered::TieredStoreBuilder::write_behind), the fast tier answers saves and
/// touches, and background tasks write them to the durable tier: 1 s later by default, several changes of a
/// session as one, repeated with backoff until they succeed. Starting, renewing and removing sessions still
/// waits for the durable tier. This is fast, and costs guarantees:
///
/// - A crash loses the saves in the queue: those of the last [`delay`](crate::tiered::WriteBehind::delay), or
///   all since the durable tier failed. No session is lost that was there, and none comes back. Call
///   [`close`](Store::close) before the program ends, which tries for
///   [`close_limit`](crate::tiered::WriteBehind::close_limit). Dropping the store writes the queue only while the
///   runtime is alive.
/// - If several processes share the fast tier, it must not evict what it was given. If it evicts a session
///   with changes in another process's queue, or if only some processes reach it, two of them may save
///   different changes against the same state. The later version wins, and an update is lost. Give it enough
///   memory, and configure it to refuse writes when it is full (`noeviction`). A single process loses no
///   update, because it looks into its queue before it reads the durable tier.
/// - A change that the durable tier refuses for good, because the session is too large for it, is in the fast tier and in
///   this process alone: see [`TierCounters::refused`](crate::tiered::TierCounters::refused). It is refused at once if the
///   tier's [`Capabilities::max_session_bytes`] tells its limit.
/// - A session ends if the durable tier fails until its idle deadline as the durable tier knows it. While the
///   durable tier works, no session ends early: a use shortly before that deadline is written before it is
///   answered.
///
/// It needs a tokio runtime. Without one, it writes through.
///
/// # Coming from gaesession
///
/// | gaesession | here |
/// |---|---|
/// | Memcache before Datastore | `TieredStore::new(MemcachedStore, FirestoreStore)`, or any other two |
/// | `OnlyMemcache` | that store alone, without a tiered one |
/// | `AsyncDatastoreSave` | [`write_behind`](crate::tiered::TieredStoreBuilder::write_behind); it does not end with the request's context |
/// | key prefix | a setting of the store; keys are hashes, so no prefix makes them too long |
/// | entity name `sess_` | a setting of the Firestore store: its collection |
/// | retries: 3 attempts | [`SessionManagerBuilder::attempts`](crate::manager::SessionManagerBuilder::attempts), for operations that are safe to repeat |
/// | codec: gob | [`Codec`](crate::record::Codec), a setting of each store: JSON, encrypted, or your own |
/// | a session of at most 1 MB | [`MAX_SESSION_BYTES`](crate::record::MAX_SESSION_BYTES), on every store |
/// | the timeout as Memcache's TTL | `until` of [`FastStore::fill`]: the time left of the session, or less |
/// | `expires` of an entity | both deadlines, the earlier one; an expired record counts as none |
/// | an expired entity is deleted by `Get` | by purging, so that no request waits for it |
/// | purge handler: batches of 100, 8 minutes | `session_axum::PurgeService`, which needs a secret; or in the background |
/// | every session used is written | only a changed one, and a touch at most once a minute |
/// | `Close` at the end of each request | the layer saves; [`SessionManager::close`](crate::manager::SessionManager::close) at the end of the program |
pub struct TieredStore<F: FastStore, D: Store> {
    mode: Mode<F, D>,
}

/// How many moved notes an ending follows one by one, taking the copy away first each time. A client that renews without
/// a pause stays ahead of that, but not of an ending in the durable tier alone.
const NOTES_IN_STEPS: usize = 16;

/// The way of writing, with all that it needs.
enum Mode<F: FastStore, D: Store> {
    Through(Arc<Through<F, D>>),
    Behind(Arc<Owner<Behind<F, D>>>),
}

/// What failed or waits in a [`TieredStore`] of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TierCounters {
    /// Operations of the fast tier that failed.
    pub fast_failures: u64,
    /// Sessions in the queue: the durable tier does not have their latest changes yet.
    pub waiting: usize,
    /// Changes that the durable tier has refused for good, since the store was made. They were answered already, and
    /// hold up nothing else.
    pub refused: u64,
    /// Sessions whose refused changes are still kept in this process and in the fast tier, and lost when it ends.
    pub aside: usize,
}

impl<F: FastStore, D: Store> TieredStore<F, D> {
    pub(super) fn through(through: Through<F, D>) -> Self {
        TieredStore { mode: Mode::Through(Arc::new(through)) }
    }

    pub(super) fn behind(behind: Behind<F, D>) -> Self {
        TieredStore { mode: Mode::Behind(Arc::new(Owner::new(behind))) }
    }

    /// What failed or waits in this process.
    pub fn counters(&self) -> TierCounters {
        let counters = TierCounters { fast_failures: self.tiers().fast.failures(), ..TierCounters::default() };
        match &self.mode {
            Mode::Through(_) => counters,
            Mode::Behind(behind) => {
                let (aside, refused) = behind.refused();
                TierCounters { waiting: behind.waiting(), refused, aside, ..counters }
            }
        }
    }

    fn tiers(&self) -> &Tiers<F, D> {
        match &self.mode {
            Mode::Through(through) => &through.tiers,
            Mode::Behind(behind) => &behind.tiers,
        }
    }

    /// The mode, once it is noted that it is `now`.
    fn mode_at(&self, now: Time) -> &Mode<F, D> {
        self.tiers().last_seen.note(now);
        &self.mode
    }
}

impl<F: FastStore, D: Store> Store for TieredStore<F, D> {
    fn name(&self) -> &'static str {
        "tiered"
    }

    fn capabilities(&self) -> Capabilities {
        self.tiers().durable.capabilities()
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        match self.mode_at(record.accessed) {
            Mode::Through(through) => through.create(record).await,
            Mode::Behind(behind) => behind.create(record).await,
        }
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        match self.mode_at(now) {
            Mode::Through(through) => through.load(key, now).await,
            Mode::Behind(behind) => behind.load(key, now).await,
        }
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        match self.mode_at(now) {
            Mode::Through(through) => through.tiers.durable.version(key, now).await,
            Mode::Behind(behind) => Ok(behind.load(key, now).await?.map(|record| record.version)),
        }
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        match self.mode_at(record.accessed) {
            Mode::Through(through) => through.save(record, expected).await,
            Mode::Behind(behind) => behind.save(record, expected).await,
        }
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        match self.mode_at(accessed) {
            Mode::Through(through) => through.touch(key, accessed).await,
            Mode::Behind(behind) => behind.touch(key, accessed).await,
        }
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        match self.mode_at(record.accessed) {
            Mode::Through(through) => through.renew(old, expected, record, moved_until).await,
            Mode::Behind(behind) => behind.renew(old, expected, record, moved_until).await,
        }
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        self.tiers().durable.moved(key, now).await
    }

    async fn follow(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        match self.mode_at(now) {
            Mode::Through(through) => through.tiers.durable.follow(key, now).await,
            // What is newer may wait for the durable tier.
            Mode::Behind(_) => follow(self, key, now).await,
        }
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        match &self.mode {
            Mode::Through(through) => through.delete(key).await,
            Mode::Behind(behind) => behind.delete(key).await,
        }
    }

    async fn end(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        let mut key = *key;
        for _ in 0..NOTES_IN_STEPS {
            match self.delete(&key).await? {
                Deleted::Done => return Ok(Some(key)),
                Deleted::Missing => return Ok(None),
                Deleted::Moved(to) => key = to,
            }
        }
        let ended = match &self.mode {
            Mode::Through(through) => through.end_wherever(&key).await?,
            Mode::Behind(behind) => behind.end_wherever(&key).await?,
        };
        if ended.is_none() {
            // It may be repeated because it failed to take a copy away.
            self.tiers().finish_endings().await?;
        }
        Ok(ended)
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let mode = self.mode_at(now);
        let copies = self.tiers().purge_copies(now, limit).await;
        let records = match mode {
            Mode::Behind(behind) => behind.purge_durable(now, limit).await?,
            Mode::Through(through) => through.tiers.durable.purge_expired(now, limit).await?,
        };
        match copies {
            // Copies are not counted: their sessions live on.
            Ok(copies) => Ok(Purged { more: records.more || copies.more, ..records }),
            Err(error) if records == Purged::default() => Err(error),
            // Told by the next call, so that what was purged is counted.
            Err(_) => Ok(Purged { more: true, ..records }),
        }
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        match &self.mode {
            Mode::Through(through) => through.tiers.durable.list(now, limit).await,
            Mode::Behind(behind) => behind.list(now, limit).await,
        }
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        match &self.mode {
            Mode::Through(through) => through.tiers.durable.of_principal(principal, now).await,
            Mode::Behind(behind) => behind.of_principal(principal, now).await,
        }
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let ended = end_all(self, principal, except, now).await?;
        // Or a call that is repeated, because it failed to take a copy away, would find nothing and succeed.
        self.tiers().finish_endings().await?;
        Ok(ended)
    }

    async fn close(&self) -> Result<(), StoreError> {
        let drained = match &self.mode {
            Mode::Through(_) => Ok(()),
            Mode::Behind(behind) => behind.drain().await,
        };
        let Tiers { fast, durable, .. } = self.tiers();
        let closed = durable.close().await;
        let fast_closed = fast.insist(fast.store.close()).await;
        drained.and(closed).and(fast_closed)
    }

    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        self.tiers().fast.immediate().is_some().then_some(self)
    }
}

impl<F: FastStore, D: Store> ImmediateStore for TieredStore<F, D> {
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        let copy = match self.mode_at(now) {
            Mode::Through(through) => through.load_now(key, now)?,
            Mode::Behind(behind) => behind.load_now(key, now)?,
        };
        Some(Ok(Some(copy)))
    }

    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Saved, StoreError>> {
        match &self.mode {
            Mode::Through(_) => None,
            Mode::Behind(behind) => behind.save_now(record, expected).map(Ok),
        }
    }
}

impl<F: FastStore, D: Store> Clone for TieredStore<F, D> {
    fn clone(&self) -> Self {
        let mode = match &self.mode {
            Mode::Through(through) => Mode::Through(Arc::clone(through)),
            Mode::Behind(behind) => Mode::Behind(Arc::clone(behind)),
        };
        TieredStore { mode }
    }
}

impl<F: FastStore, D: Store> fmt::Debug for TieredStore<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tiers { fast, durable, .. } = self.tiers();
        f.debug_struct("TieredStore")
            .field("fast", &fast.store.name())
            .field("durable", &durable.name())
            .field("write_behind", &matches!(self.mode, Mode::Behind(_)))
            .finish_non_exhaustive()
    }
}
