use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{Buried, Created, Deleted, FastStore, Purged, Store};
use crate::time::Time;
use crate::time::{Clock, SystemClock};

use super::doubts::Doubts;
use super::fast_tier::FastTier;

/// The two stores, and what both ways of writing share.
pub(super) struct Tiers<F, D> {
    pub(super) fast: FastTier<F>,
    pub(super) durable: D,
    pub(super) doubts: Doubts,
    pub(super) last_seen: LastSeen,
    tombstone_ttl: Duration,
}

/// How much longer than a copy a tombstone lasts: clocks of machines differ, and a request that loaded the
/// session before it was removed may be slow to fill in its copy.
const TOMBSTONE_MARGIN: Duration = Duration::from_secs(60 * 60);

/// How long a request may take that has read a session in the durable tier and fills in its copy.
const SLOWEST_READER: Duration = Duration::from_secs(30);

impl<F: FastStore, D: Store> Tiers<F, D> {
    /// A tombstone outlasts copies that may be served for `max_staleness`, so it need not last as long as its
    /// session would have.
    pub(super) fn new(fast: FastTier<F>, durable: D, max_staleness: Duration) -> Self {
        let tombstone_ttl = max_staleness.saturating_add(TOMBSTONE_MARGIN);
        Tiers { fast, durable, doubts: Doubts::new(), last_seen: LastSeen::new(), tombstone_ttl }
    }

    /// Whether the copy of this key may be read: it is not in doubt, or has now been invalidated.
    pub(super) async fn is_trusted(&self, key: &RecordKey, now: Time) -> bool {
        if self.doubts.about(key, now).is_none() {
            return true;
        }
        // A late second attempt to invalidate it would hit the copy that has taken its place.
        let _one_at_a_time = self.doubts.invalidating.lock().await;
        let Some(doubt) = self.doubts.about(key, now) else { return true };
        // Also if the session is there: a slow reader could put an older copy back in the place of one that was dropped.
        let until = if doubt.is_gone { self.tombstone_until(now) } else { now.saturating_add(SLOWEST_READER) };
        let is_invalidated = self.fast.attempt(self.bury_or_delete(key, now, until)).await.is_some();
        if is_invalidated {
            self.doubts.end(key, doubt);
        }
        is_invalidated && self.doubts.about(key, now).is_none()
    }

    /// Creates the record in the durable tier, then puts a copy into the fast one that is served until then.
    pub(super) async fn create(&self, record: &Record, until: Time) -> Result<Created, StoreError> {
        let created = self.durable.create(record).await?;
        if created == Created::Done {
            self.fill(record, record.accessed, until).await;
        }
        Ok(created)
    }

    /// Invalidates some of the copies that are in doubt, and removes expired ones from the fast tier.
    pub(super) async fn purge_copies(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        // Asked even if it has just failed: who purges is to hear of it.
        let purged = self.fast.insist(self.fast.store.purge_expired(now, limit)).await?;
        for key in self.doubts.some(limit) {
            self.invalidate(&key, now).await?;
        }
        Ok(purged)
    }

    async fn invalidate(&self, key: &RecordKey, now: Time) -> Result<(), StoreError> {
        if self.is_trusted(key, now).await {
            return Ok(());
        }
        let cause = "the copy of a session that has changed or ended could not be taken away; try again";
        Err(StoreError::unavailable(self.fast.store.name(), cause))
    }

    /// Replaces the copy by a tombstone. Where the tier refuses that, because it is full, it deletes the copy at least,
    /// and fails all the same: without a tombstone a slow reader could put the copy back.
    async fn bury_or_delete(&self, key: &RecordKey, now: Time, until: Time) -> Result<(), StoreError> {
        let refused = match self.fast.store.bury(key, now, until).await {
            Err(error) => error,
            buried => return buried,
        };
        self.fast.store.delete(key).await?;
        Err(refused)
    }

    /// Deletes the copy that a tombstone could not replace.
    pub(super) async fn delete_copy_at_least(&self, key: &RecordKey) {
        let _ = self.fast.insist(self.fast.store.delete(key)).await;
    }

    /// The copy in the fast tier. `None` if there is none, or the tier failed.
    pub(super) async fn copy(&self, key: &RecordKey, now: Time) -> Option<Record> {
        self.fast.attempt(self.fast.store.load(key, now)).await.flatten()
    }

    /// Puts a copy into the fast tier that is served until then. Whether the tier answered.
    pub(super) async fn fill(&self, record: &Record, now: Time, until: Time) -> bool {
        self.fast.attempt(self.fast.store.fill(record, now, until)).await.is_some()
    }

    /// Puts a copy into the fast tier in the place of an older one, which is deleted at least if the tier is full. Not for
    /// a tier whose copy may be ahead of the durable tier.
    pub(super) async fn refill(&self, record: &Record, now: Time, until: Time) -> bool {
        let refilling = async {
            let Err(error) = self.fast.store.fill(record, now, until).await else { return Ok(()) };
            self.fast.store.delete(&record.key).await?;
            Err(error)
        };
        self.fast.attempt(refilling).await.is_some()
    }

    /// Removes the copy. Whether the tier answered.
    pub(super) async fn drop_copy(&self, key: &RecordKey) -> bool {
        self.fast.attempt(self.fast.store.delete(key)).await.is_some()
    }

    /// Replaces the copy by a tombstone. Whether the tier answered.
    pub(super) async fn entomb(&self, key: &RecordKey, now: Time) -> bool {
        self.fast.attempt(self.bury_or_delete(key, now, self.tombstone_until(now))).await.is_some()
    }

    /// Replaces the copy by a tombstone if it has the expected version. `None` if the tier failed.
    pub(super) async fn entomb_version(&self, key: &RecordKey, expected: Version, now: Time) -> Option<Buried> {
        let burying = self.fast.store.bury_version(key, expected, now, self.tombstone_until(now));
        self.fast.attempt(burying).await
    }

    /// [`copy`](Self::copy) for a removal, which has failed if the tier fails.
    pub(super) async fn insist_on_copy(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.fast.insist(self.fast.store.load(key, now)).await
    }

    /// [`entomb`](Self::entomb) for a removal, which has failed if the tier fails.
    pub(super) async fn insist_on_tombstone(&self, key: &RecordKey) -> Result<(), StoreError> {
        let now = self.last_seen.now();
        self.fast.insist(self.bury_or_delete(key, now, self.tombstone_until(now))).await
    }

    /// [`entomb_version`](Self::entomb_version) for a removal, which has failed if the tier fails.
    pub(super) async fn insist_on_tombstone_over(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
    ) -> Result<Buried, StoreError> {
        let burying = async {
            let buried = self.fast.store.bury_version(key, expected, now, self.tombstone_until(now)).await;
            if buried.is_err() {
                self.fast.store.delete(key).await?;
            }
            buried
        };
        self.fast.insist(burying).await
    }

    /// Deletes the session from the durable tier, once its copy was `taken_away`. If that has failed, this process does
    /// not read the copy before `until`, and goes on trying to take it away.
    pub(super) async fn delete_durable(
        &self,
        key: &RecordKey,
        taken_away: Result<(), StoreError>,
        until: Time,
    ) -> Result<(Deleted, Result<(), StoreError>), StoreError> {
        // A deletion that fails, or is dropped, may take effect all the same.
        let mut copy = self.doubts.unless_settled(key, until);
        copy.is_gone = true;
        let deleted = self.durable.delete(key).await;
        // The copy of a session that was renewed ended with the renewal.
        let taken_away = if matches!(deleted, Ok(Deleted::Moved(_))) { Ok(()) } else { taken_away };
        copy.settled_if(taken_away.is_ok());
        Ok((deleted?, taken_away))
    }

    /// Ends the session in the durable tier, wherever moved notes lead, and then takes its copy away.
    pub(super) async fn end_wherever(&self, key: &RecordKey, until: Time) -> Result<Option<RecordKey>, StoreError> {
        let ended = self.durable.end(key).await?;
        if let Some(key) = &ended {
            let mut copy = self.doubts.unless_settled(key, until);
            copy.is_gone = true;
            self.insist_on_tombstone(key).await?;
            copy.settled_if(true);
        }
        Ok(ended)
    }

    /// Takes away the copies that endings of this process have left. An error if one may still be there.
    pub(super) async fn finish_endings(&self) -> Result<(), StoreError> {
        let now = self.last_seen.now();
        for key in self.doubts.gone() {
            self.invalidate(&key, now).await?;
        }
        Ok(())
    }

    fn tombstone_until(&self, now: Time) -> Time {
        now.saturating_add(self.tombstone_ttl)
    }
}

/// The time as the last caller saw it, for a removal, which is told none.
pub(super) struct LastSeen(AtomicI64);

impl LastSeen {
    const NEVER: i64 = i64::MIN;

    fn new() -> Self {
        LastSeen(AtomicI64::new(LastSeen::NEVER))
    }

    pub(super) fn note(&self, now: Time) {
        // Most callers only read, so that they don't take the cache line from each other.
        if self.0.load(Ordering::Relaxed).abs_diff(now.unix_millis()) >= 1000 {
            self.0.store(now.unix_millis(), Ordering::Relaxed);
        }
    }

    pub(super) fn now(&self) -> Time {
        match self.0.load(Ordering::Relaxed) {
            LastSeen::NEVER => SystemClock.now(),
            millis => Time::from_unix_millis(millis),
        }
    }
}
