//! Listing, with what waits in the queue.

use super::Behind;
use crate::error::StoreError;
use crate::record::{PrincipalKey, Record};
use crate::store::{FastStore, Store};
use crate::tiered::worker::Backlog;
use crate::time::Time;

impl<F: FastStore, D: Store> Behind<F, D> {
    pub(in crate::tiered) async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        let records = self.tiers.durable.list(self.listed_as_of(now), limit).await?;
        Ok(self.with_what_waits(records, now))
    }

    pub(in crate::tiered) async fn of_principal(
        &self,
        principal: &PrincipalKey,
        now: Time,
    ) -> Result<Vec<Record>, StoreError> {
        let records = self.tiers.durable.of_principal(principal, self.listed_as_of(now)).await?;
        Ok(self.with_what_waits(records, now))
    }

    /// The time to list as of, so that sessions whose use waits to be noted have not expired.
    fn listed_as_of(&self, now: Time) -> Time {
        self.queue().earliest_use().map_or(now, |earliest| earliest.min(now))
    }

    /// Records of the durable tier as they will be once what waits is written.
    fn with_what_waits(&self, records: Vec<Record>, now: Time) -> Vec<Record> {
        let queue = self.queue();
        let records = records.into_iter().map(|record| queue.over(record));
        records.filter(|record| !record.is_expired(now)).collect()
    }
}
