use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::store::{Capabilities, Created, FastStore, ImmediateStore, Purged, Renewed, Saved, Store};
use crate::time::Time;

use super::builder::TieredStoreBuilder;
use super::tiers::Tiers;

/// A fast store before a durable one: sessions are read from the first and survive in the second.
///
/// ```
/// use session_core::{MemoryStore, SessionManager, TieredStore};
///
/// # let database = MemoryStore::new();
/// // Memory before a database, in the one process that uses it.
/// let sessions = SessionManager::new(TieredStore::new(MemoryStore::new(), database));
/// ```
///
/// Whatever the fast tier loses (it evicts, is wiped, or is down) is read from the durable one: a
/// request then takes longer, and does not fail. Removing a session removes it from the durable
/// tier, then from the fast one, and fails unless both did; it may be repeated. A removed
/// session stays buried in the fast tier, so that no slow request fills it in again.
///
/// Lists, and the sessions of a principal, come from the durable tier, which decides what a
/// tiered store can do. `Clone` shares the store. [`close`](Store::close) closes both tiers.
///
/// # Which tiers go together
///
/// A fast tier that all processes share (Memcached, Redis) goes before any durable one. A
/// [`MemoryStore`](crate::memory::MemoryStore) is known to its own process only: use it where one process
/// has the database, or choose [`strict`](TieredStoreBuilder::strict), which compares versions at
/// each load. Otherwise a change, or a removal, in one process would be seen by another only when
/// its copy is no longer believed, after a minute.
///
/// # Writing through
///
/// By default, a change is stored in the durable tier, then in the fast one. The durable tier
/// alone decides between writers, so that no update is lost, whatever the fast tier does. A copy
/// is believed for a limited time ([`trust`](TieredStoreBuilder::trust)). While the fast tier
/// fails to take note of a change, the process that made it does not believe the copy. Another
/// process may read it for as long as it is believed, and so too in the one case where a slow
/// request fills in a copy after the fast tier has lost both the newer one and the burial; its
/// writes are refused all the same.
///
/// # Writing behind
///
/// With [`write_behind`](TieredStoreBuilder::write_behind), saves and touches are answered by the
/// fast tier, and written to the durable one in the background: a second later by default, several
/// changes of a session as one, retried until they succeed. Starting, renewing and removing
/// sessions still waits for the durable tier. This is fast, and gives something up:
///
/// - A crash loses the saves that wait: those of the last [`delay`](WriteBehind::delay), or all
///   since the durable tier failed. No session is lost that was there, and none comes back. Call
///   [`close`](Store::close) before the end; dropping the store writes what waits only if the
///   runtime lives on.
/// - With several processes, a shared fast tier must keep what it was given. If it evicts a session
///   that waits in one process, or some processes reach it and others don't, two of them may
///   save different changes against the same state; the later version wins, and an update is
///   lost. Give it enough memory, and let it refuse (`noeviction`) rather than evict. A single
///   process loses no update, as it looks for what waits before it reads the durable tier.
/// - A session whose changes could not be written for as long as its idle timeout ends.
///
/// It needs a tokio runtime; without one, it writes through.
///
/// # Coming from gaesession
///
/// | gaesession | here |
/// |---|---|
/// | Memcache before Datastore | `TieredStore::new(MemcachedStore, FirestoreStore)`, or any other two |
/// | `OnlyMemcache` | that store alone, without a tiered one |
/// | `AsyncDatastoreSave` | [`write_behind`](TieredStoreBuilder::write_behind); it does not end with the request's context |
/// | key prefix | a setting of the store; keys are hashes, so no prefix makes them too long |
/// | entity name `sess_` | a setting of the Firestore store: its collection |
/// | retries: 3 attempts | [`SessionManagerBuilder::attempts`](crate::manager::SessionManagerBuilder::attempts), for what is safe to repeat |
/// | codec: gob | [`Codec`](crate::record::Codec), a setting of each store: JSON, encrypted, or your own |
/// | a session of 1 MB at most | [`MAX_SESSION_BYTES`](crate::record::MAX_SESSION_BYTES), on every store |
/// | the timeout as Memcache's TTL | `until` of [`FastStore::fill`]: what is left of the session, or less |
/// | `expires` of an entity | both deadlines, the earlier one; an expired record counts as none |
/// | an expired entity is deleted by `Get` | by purging, so that no request waits for it |
/// | purge handler: batches of 100, 8 minutes | `session_axum::PurgeService`, which needs a secret; or in the background |
/// | every session used is written | only a changed one, and a touch once a minute at most |
/// | `Close` at the end of each request | the layer saves; [`SessionManager::close`](crate::manager::SessionManager::close) at the end of the program |
pub struct TieredStore<F: FastStore, D: Store>(Arc<Owner<F, D>>);

/// How long a removed session is remembered where its deadline is not known.
pub(super) const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// What went wrong or waits in a [`TieredStore`] of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TierCounters {
    /// Operations of the fast tier that failed.
    pub fast_failures: u64,
    /// Sessions with changes that the durable tier is still to be told.
    pub waiting: usize,
}

/// Shared by the clones of a store, but not by its workers: they give up when it is gone.
struct Owner<F: FastStore, D: Store>(Arc<Tiers<F, D>>);

impl<F: FastStore, D: Store> Drop for Owner<F, D> {
    fn drop(&mut self) {
        if let Some(behind) = &self.0.behind {
            let mut queue = behind.queue();
            queue.is_abandoned = true;
            if queue.workers == 0 && queue.len() > 0 {
                tracing::error!(sessions = queue.len(), "changes were not written behind: call `close` before the end");
            }
        }
    }
}

impl<F: FastStore, D: Store> TieredStore<F, D> {
    /// A store that writes through, with every default.
    pub fn new(fast: F, durable: D) -> Self {
        TieredStore::builder(fast, durable).make()
    }

    /// A store with settings.
    pub fn builder(fast: F, durable: D) -> TieredStoreBuilder<F, D> {
        TieredStoreBuilder::new(fast, durable)
    }

    pub(super) fn over(tiers: Tiers<F, D>) -> Self {
        TieredStore(Arc::new(Owner(Arc::new(tiers))))
    }

    /// What went wrong or waits in this process.
    pub fn counters(&self) -> TierCounters {
        let tiers = self.tiers();
        let waiting = tiers.behind.as_ref().map_or(0, |behind| behind.queue().len());
        TierCounters { fast_failures: tiers.fast.failures(), waiting }
    }

    fn tiers(&self) -> &Arc<Tiers<F, D>> {
        &self.0.0
    }
}

impl<F: FastStore, D: Store> Tiers<F, D> {
    /// When to list as of, so that sessions whose use waits to be noted have not expired.
    fn listed_as_of(&self, now: Time) -> Time {
        let earliest = self.behind.as_ref().and_then(|behind| behind.queue().earliest_use());
        earliest.map_or(now, |earliest| earliest.min(now))
    }

    /// Listed records as they are once what waits is written.
    fn with_what_waits(&self, mut records: Vec<Record>, now: Time) -> Vec<Record> {
        if let Some(behind) = &self.behind {
            let queue = behind.queue();
            records = records.into_iter().map(|record| queue.over(record)).collect();
        }
        records.retain(|record| !record.is_expired(now));
        records
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
        let tiers = self.tiers();
        tiers.last_seen.note(record.accessed);
        let written = tiers.durable.create(record).await?;
        if written == Created::Done {
            tiers.fill(record, record.accessed).await;
        }
        Ok(written)
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let tiers = self.tiers();
        tiers.last_seen.note(now);
        match &tiers.behind {
            Some(behind) => tiers.load_behind(behind, key, now).await,
            None => tiers.load_through(key, now).await,
        }
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        let tiers = self.tiers();
        match &tiers.behind {
            Some(_) => Ok(self.load(key, now).await?.map(|record| record.version)),
            None => tiers.durable.version(key, now).await,
        }
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let tiers = self.tiers();
        tiers.last_seen.note(record.accessed);
        match &tiers.behind {
            Some(behind) => tiers.save_behind(behind, record, expected).await,
            None => tiers.save_through(record, expected).await,
        }
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let tiers = self.tiers();
        tiers.last_seen.note(accessed);
        match &tiers.behind {
            Some(behind) => tiers.touch_behind(behind, key, accessed).await,
            None => tiers.touch_through(key, accessed).await,
        }
    }

    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        let tiers = self.tiers();
        tiers.last_seen.note(record.accessed);
        match &tiers.behind {
            Some(behind) => tiers.renew_behind(behind, old, expected, record).await,
            None => tiers.renew_through(old, expected, record).await,
        }
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        let tiers = self.tiers();
        match &tiers.behind {
            Some(behind) => tiers.delete_behind(behind, key).await,
            None => tiers.delete_through(key).await,
        }
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let tiers = self.tiers();
        tiers.last_seen.note(now);
        tiers.mend(now, limit).await;
        let copies = tiers.fast.attempt(tiers.fast.store.purge_expired(now, limit)).await.unwrap_or_default();
        if tiers.behind.as_ref().is_some_and(|behind| behind.queue().is_failing) {
            // The durable tier has missed uses of sessions, and would take them for expired.
            return Ok(Purged { more: copies.more, ..Purged::default() });
        }
        let records = tiers.durable.purge_expired(now, limit).await?;
        // Of the copies nothing is said: their sessions live on.
        Ok(Purged { more: records.more || copies.more, ..records })
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        let tiers = self.tiers();
        let records = tiers.durable.list(tiers.listed_as_of(now), limit).await?;
        Ok(tiers.with_what_waits(records, now))
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let tiers = self.tiers();
        let records = tiers.durable.of_principal(principal, tiers.listed_as_of(now)).await?;
        Ok(tiers.with_what_waits(records, now))
    }

    async fn close(&self) -> Result<(), StoreError> {
        let tiers = self.tiers();
        let drained = match &tiers.behind {
            Some(behind) => tiers.drain(behind).await,
            None => Ok(()),
        };
        let closed = tiers.durable.close().await;
        // What the fast tier could still have to write is written elsewhere too.
        tiers.fast.attempt(tiers.fast.store.close()).await;
        drained.and(closed)
    }

    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        self.tiers().fast.store.immediate().is_some().then_some(self)
    }
}

impl<F: FastStore, D: Store> ImmediateStore for TieredStore<F, D> {
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        let tiers = self.tiers();
        if tiers.is_strict || tiers.doubts.about(key, now).is_some() {
            return None;
        }
        tiers.last_seen.note(now);
        let copy = match &tiers.behind {
            Some(behind) => tiers.load_now_behind(behind, key, now)?,
            None => tiers.fast.store.immediate()?.load_now(key, now)?.ok()??,
        };
        Some(Ok(Some(copy)))
    }

    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Saved, StoreError>> {
        let tiers = self.tiers();
        let behind = tiers.behind.as_ref()?;
        tiers.save_now_behind(behind, record, expected).map(Ok)
    }
}

impl<F: FastStore, D: Store> Clone for TieredStore<F, D> {
    fn clone(&self) -> Self {
        TieredStore(Arc::clone(&self.0))
    }
}

impl<F: FastStore, D: Store> fmt::Debug for TieredStore<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tiers = self.tiers();
        f.debug_struct("TieredStore")
            .field("fast", &tiers.fast.store.name())
            .field("durable", &tiers.durable.name())
            .field("write_behind", &tiers.behind.is_some())
            .finish_non_exhaustive()
    }
}
