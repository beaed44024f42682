//! The queue: who writes what waits, and when.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Behind;
use crate::error::{StoreError, causes};
use crate::record::{Record, RecordKey, Version};
use crate::store::{FastStore, Purged, Store};
use crate::tiered::advance::{Advanced, before};
use crate::tiered::queue::Work;
use crate::tiered::worker;
use crate::tiered::worker::Backlog;
use crate::time::Time;

impl<F: FastStore, D: Store> Behind<F, D> {
    /// How many sessions wait.
    pub(in crate::tiered) fn waiting(&self) -> usize {
        self.queue().len()
    }

    /// Purges the durable tier, unless it has missed uses of sessions, and so would take them for expired.
    pub(in crate::tiered) async fn purge_durable(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let is_failing = {
            let mut queue = self.queue();
            queue.forget_expired(now);
            queue.is_failing()
        };
        if is_failing {
            let cause = "it could not be told of all uses of sessions, so that none is purged yet";
            return Err(StoreError::unavailable(self.tiers.durable.name(), cause));
        }
        self.tiers.durable.purge_expired(now, limit).await
    }

    /// How many saves are set aside, and how often one was since the store was made.
    pub(in crate::tiered) fn refused(&self) -> (usize, u64) {
        (self.queue().aside(), self.refused.load(Ordering::Relaxed))
    }

    /// Writes all that waits. From now on, saving waits for the durable tier.
    pub(in crate::tiered) async fn drain(self: &Arc<Self>) -> Result<(), StoreError> {
        let drained = worker::drain(self, self.settings.close_limit).await;
        let sessions = self.queue().aside();
        if sessions > 0 {
            tracing::error!(sessions, "changes that the durable tier refuses are lost when the program ends");
        }
        drained
    }

    /// A full queue slows writers down to the pace of the durable tier. Returns whether there is room now: others may have
    /// taken what this one made.
    pub(super) async fn make_room_for(&self, record: &Record) -> Result<bool, StoreError> {
        if self.has_room_for(record) {
            return Ok(true);
        }
        let first = self.queue().first();
        if let Some(first) = first {
            self.write_waiting(&first).await?;
        }
        Ok(self.has_room_for(record))
    }

    /// Writes what waits of this session, and waits for whoever is writing it already. `false` if the session is gone.
    pub(super) async fn write_waiting(&self, key: &RecordKey) -> Result<bool, StoreError> {
        if !self.queue().contains(key) {
            return Ok(true);
        }
        let _nobody_else = self.writing.of(key).lock().await;
        let Some(work) = self.queue().work(key) else { return Ok(true) };
        let now = work.accessed();
        let mut advanced = match self.write(key, &work).await {
            Err(error) if !error.is_unavailable() => {
                self.set_aside(key, &work, &error);
                return Ok(true);
            }
            written => written?,
        };
        let first_use = self.queue().first_use(key).filter(|first_use| *first_use < now);
        if let (Advanced::Gone, Some(first_use)) = (&advanced, first_use) {
            // It may have expired between the uses that wait. The first one keeps it alive for the others.
            self.tiers.durable.touch(key, first_use).await?;
            advanced = self.write(key, &work).await?;
        }
        match advanced {
            Advanced::Gone => {
                self.queue().cancel(key);
                self.note_gone(key, now).await;
                return Ok(false);
            }
            Advanced::Done => self.queue().written(key, &work),
            Advanced::Passed(version) => {
                self.queue().written(key, &work);
                self.drop_older_copy(key, version, now).await;
            }
        }
        Ok(true)
    }

    /// What is refused for good holds nothing else up.
    fn set_aside(&self, key: &RecordKey, work: &Work, error: &StoreError) {
        if self.queue().set_aside(key, work) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            if let Some(times) = self.refused_warning.due() {
                let (session, causes) = (key.fingerprint(), causes(error));
                tracing::warn!(times, %session, %error, causes, "the durable tier refuses changes for good; they are kept in the fast tier and here");
            }
        }
    }

    async fn write(&self, key: &RecordKey, work: &Work) -> Result<Advanced, StoreError> {
        match work {
            Work::Save { record, durable } => self.tiers.advance(record, *durable, before(record.version)).await,
            Work::Touch { accessed } => {
                self.tiers.durable.touch(key, *accessed).await?;
                let version = self.tiers.durable.version(key, *accessed).await?;
                Ok(version.map_or(Advanced::Gone, Advanced::Passed))
            }
        }
    }

    /// Copies never become stale by themselves here, so the copy of each session in use is compared with the
    /// durable tier now and then: the fast tier may have missed a write while it was down.
    async fn drop_older_copy(&self, key: &RecordKey, durable: Version, now: Time) {
        let copy = self.tiers.copy(key, now).await;
        if copy.is_some_and(|copy| copy.version < durable) {
            self.tiers.drop_copy(key).await;
        }
    }
}
