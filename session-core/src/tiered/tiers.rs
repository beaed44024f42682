use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{Buried, FastStore, Store};
use crate::time::Time;

use super::doubts::Doubts;
use super::fast_tier::FastTier;
use super::write_behind::Behind;

/// The two stores, and what both ways of writing need.
pub(super) struct Tiers<F, D> {
    pub(super) fast: FastTier<F>,
    pub(super) durable: D,
    pub(super) doubts: Doubts,
    pub(super) trust: Duration,
    pub(super) is_strict: bool,
    pub(super) behind: Option<Behind>,
    pub(super) last_seen: LastSeen,
}

/// How much longer than `trust` a removed session stays buried: the clocks of machines differ,
/// and a request may be slow.
const BURIAL_MARGIN: Duration = Duration::from_secs(60 * 60);

impl<F: FastStore, D: Store> Tiers<F, D> {
    /// Until when a copy of this record, known to be right now, is handed out.
    pub(super) fn believed_until(&self, record: &Record, now: Time) -> Time {
        match self.behind {
            // Were it to end of itself, it would uncover what is older in the durable tier.
            Some(_) => Time::MAX,
            None => record.expires_at().min(now.saturating_add(self.trust)),
        }
    }

    /// Until when an old copy of this record could be handed out, if nothing is done about it.
    pub(super) fn doubted_until(&self, record: &Record) -> Time {
        match self.behind {
            Some(_) => record.expires_at(),
            None => record.accessed.saturating_add(self.trust),
        }
    }

    /// Whether the copy of this key may be read: there is no doubt about it, or none any more.
    pub(super) async fn is_trusted(&self, key: &RecordKey, now: Time) -> bool {
        if self.doubts.about(key, now).is_none() {
            return true;
        }
        // A late second attempt to mend it would hit what has taken its place.
        let _one_at_a_time = self.doubts.mending.lock().await;
        let Some(doubt) = self.doubts.about(key, now) else { return true };
        let is_mended = if doubt.is_gone { self.bury(key, now).await } else { self.drop_copy(key).await };
        if is_mended {
            self.doubts.end(key, doubt);
        }
        is_mended && self.doubts.about(key, now).is_none()
    }

    /// Mends some of what is in doubt.
    pub(super) async fn mend(&self, now: Time, limit: usize) {
        for (key, _) in self.doubts.some(limit) {
            if !self.is_trusted(&key, now).await {
                return;
            }
        }
    }

    pub(super) async fn copy(&self, key: &RecordKey, now: Time) -> Option<Record> {
        self.fast.attempt(self.fast.store.load(key, now)).await.flatten()
    }

    pub(super) async fn fill(&self, record: &Record, now: Time) -> bool {
        let until = self.believed_until(record, now);
        self.fast.attempt(self.fast.store.fill(record, now, until)).await.is_some()
    }

    pub(super) async fn drop_copy(&self, key: &RecordKey) -> bool {
        self.fast.attempt(self.fast.store.delete(key)).await.is_some()
    }

    pub(super) async fn bury(&self, key: &RecordKey, now: Time) -> bool {
        self.fast.attempt(self.fast.store.bury(key, now, self.buried_until(now))).await.is_some()
    }

    /// `None` if the tier failed.
    pub(super) async fn bury_version(&self, key: &RecordKey, expected: Version, now: Time) -> Option<Buried> {
        let burying = self.fast.store.bury_version(key, expected, now, self.buried_until(now));
        self.fast.attempt(burying).await
    }

    /// As [`bury`](Self::bury), for a removal, which is not done before that is.
    pub(super) async fn insist_on_burying(&self, key: &RecordKey) -> Result<(), StoreError> {
        let now = self.last_seen.now();
        self.fast.insist(self.fast.store.bury(key, now, self.buried_until(now))).await
    }

    /// Any copy that a slow reader may still fill in has ended by then, so the burial need not
    /// last as long as the session would have.
    fn buried_until(&self, now: Time) -> Time {
        now.saturating_add(self.trust).saturating_add(BURIAL_MARGIN)
    }
}

/// The time as the last caller saw it, for a removal, which is told none.
pub(super) struct LastSeen(AtomicI64);

impl LastSeen {
    const NEVER: i64 = i64::MIN;

    pub(super) fn new() -> Self {
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
