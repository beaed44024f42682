//! Durable first, then the fast tier. The durable tier alone decides between writers.

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{FastStore, Renewed, Saved, Store};
use crate::time::Time;

use super::tiers::Tiers;

impl<F: FastStore, D: Store> Tiers<F, D> {
    pub(super) async fn load_through(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let is_trusted = self.is_trusted(key, now).await;
        let copy = if is_trusted { self.copy(key, now).await } else { None };
        if let Some(copy) = copy {
            if !self.is_strict || self.durable.version(key, now).await? == Some(copy.version) {
                return Ok(Some(copy));
            }
            // Whatever the durable tier has instead, also a version that counts as older.
            self.drop_copy(key).await;
        }
        let record = self.durable.load(key, now).await?;
        if let Some(record) = &record
            && is_trusted
        {
            self.fill(record, now).await;
        }
        Ok(record)
    }

    pub(super) async fn save_through(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let mut copy = self.doubts.unless_settled(&record.key, self.doubted_until(record));
        let written = self.durable.save(record, expected).await?;
        copy.is_gone = written == Saved::Missing;
        copy.settled_if(match written {
            Saved::Done => self.fill(record, record.accessed).await,
            // The copy may be what misled the writer: the next load must not find it again.
            Saved::Conflict => self.drop_copy(&record.key).await,
            Saved::Missing => self.bury(&record.key, record.accessed).await,
        });
        Ok(written)
    }

    pub(super) async fn renew_through(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
    ) -> Result<Renewed, StoreError> {
        let mut copy = self.doubts.unless_settled(old, self.doubted_until(record));
        let written = self.durable.renew(old, expected, record).await?;
        copy.is_gone = matches!(written, Renewed::Done | Renewed::Missing);
        copy.settled_if(match written {
            Renewed::Done | Renewed::Missing => self.bury(old, record.accessed).await,
            Renewed::Conflict => self.drop_copy(old).await,
            Renewed::Exists => true,
        });
        if written == Renewed::Done {
            self.fill(record, record.accessed).await;
        }
        Ok(written)
    }

    pub(super) async fn touch_through(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.durable.touch(key, accessed).await?;
        // Without this the copy ends a little earlier, and is filled in again.
        self.fast.attempt(self.fast.store.touch(key, accessed)).await;
        Ok(())
    }

    pub(super) async fn delete_through(&self, key: &RecordKey) -> Result<(), StoreError> {
        let mut copy = self.doubts.unless_settled(key, self.last_seen.now().saturating_add(self.trust));
        self.durable.delete(key).await?;
        copy.is_gone = true;
        self.insist_on_burying(key).await?;
        copy.settled_if(true);
        Ok(())
    }
}
