//! Creating and loading.

use super::{Behind, NEVER_STALE};
use crate::error::StoreError;
use crate::record::{Record, RecordKey};
use crate::store::{Created, FastStore, Store};
use crate::tiered::worker::Backlog;
use crate::time::Time;

impl<F: FastStore, D: Store> Behind<F, D> {
    pub(in crate::tiered) async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.tiers.create(record, NEVER_STALE).await
    }

    /// `None` if the answer has to wait.
    pub(in crate::tiered) fn load_now(&self, key: &RecordKey, now: Time) -> Option<Record> {
        if self.tiers.doubts.about(key, now).is_some() {
            return None;
        }
        let copy = self.tiers.fast.load_now(key, now)?;
        (!self.queue().is_ahead_of(key, copy.version)).then_some(copy)
    }

    pub(in crate::tiered) async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        if self.tiers.is_trusted(key, now).await
            && let Some(copy) = self.tiers.copy(key, now).await
            && !self.queue().is_ahead_of(key, copy.version)
        {
            return Ok(Some(copy));
        }
        let _alone = self.sharing.of(key).write().await;
        self.load_durable(key, now).await
    }

    /// What the durable tier has once it knows what waits. A copy of it goes to the fast tier.
    pub(super) async fn load_durable(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.write_waiting(key).await?;
        let record = self.tiers.durable.load(key, now).await?;
        // What the durable tier refuses is here alone.
        let record = record.map(|record| self.queue().over(record));
        if let Some(record) = &record
            && self.tiers.doubts.about(key, now).is_none()
        {
            self.fill(record, now).await;
        }
        Ok(record)
    }
}
