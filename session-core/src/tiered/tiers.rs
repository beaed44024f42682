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
        let is_invalidated = self.fast.attempt(self.fast.store.bury(key, now, until)).await.is_some();
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
    pub(super) async fn purge_copies(&self, now: Time, limit: usize) -> Purged {
        self.invalidate_some(now, limit).await;
        self.fast.attempt(self.fast.store.purge_expired(now, limit)).await.unwrap_or_default()
    }

    async fn invalidate_some(&self, now: Time, limit: usize) {
        for key in self.doubts.some(limit) {
            if !self.is_trusted(&key, now).await {
                return;
            }
        }
    }

    /// The copy in the fast tier. `None` if there is none, or the tier failed.
    pub(super) async fn copy(&self, key: &RecordKey, now: Time) -> Option<Record> {
        self.fast.attempt(self.fast.store.load(key, now)).await.flatten()
    }

    /// Puts a copy into the fast tier that is served until then. Whether the tier answered.
    pub(super) async fn fill(&self, record: &Record, now: Time, until: Time) -> bool {
        self.fast.attempt(self.fast.store.fill(record, now, until)).await.is_some()
    }

    /// Removes the copy. Whether the tier answered.
    pub(super) async fn drop_copy(&self, key: &RecordKey) -> bool {
        self.fast.attempt(self.fast.store.delete(key)).await.is_some()
    }

    /// Replaces the copy by a tombstone. Whether the tier answered.
    pub(super) async fn entomb(&self, key: &RecordKey, now: Time) -> bool {
        self.fast.attempt(self.fast.store.bury(key, now, self.tombstone_until(now))).await.is_some()
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
        self.fast.insist(self.fast.store.bury(key, now, self.tombstone_until(now))).await
    }

    /// [`entomb_version`](Self::entomb_version) for a removal, which has failed if the tier fails.
    pub(super) async fn insist_on_tombstone_over(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
    ) -> Result<Buried, StoreError> {
        self.fast.insist(self.fast.store.bury_version(key, expected, now, self.tombstone_until(now))).await
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
            if !self.is_trusted(&key, now).await {
                let cause = "the copy of a session that has ended could not be taken away; try again";
                return Err(StoreError::unavailable(self.fast.store.name(), cause));
            }
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
