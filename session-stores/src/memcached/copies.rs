//! Memcached as the fast tier: copies of records that are in another store, and tombstones.

use session_core::{Buried, FastStore, Record, RecordKey, StoreError, Time, Version};

use super::item::{Copy, Item};
use super::items::{Found, Replaced};
use super::store::MemcachedStore;

impl FastStore for MemcachedStore {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        let copy = Copy { until, envelope: self.seal(record)? };
        if copy.is_over(now) {
            return Ok(());
        }
        let mut filled = Item::Record(copy);
        loop {
            let Some(Found { item, cas }) = self.items.get(&record.key).await? else {
                match self.items.add(&record.key, &filled, now).await? {
                    Some(_) => return Ok(()),
                    None => continue,
                }
            };
            if item.as_ref().is_ok_and(|item| keeps_out(item, record.version, now)) {
                return Ok(());
            }
            if let (Item::Record(copy), Ok(Item::Record(stored))) = (&mut filled, item) {
                // A touch does not change the version, so the later use must be kept.
                copy.envelope.accessed = copy.envelope.accessed.max(stored.envelope.accessed);
            }
            if let Replaced::Done(_) = self.items.replace(&record.key, cas, &filled, now).await? {
                return Ok(());
            }
        }
    }

    async fn bury(&self, key: &RecordKey, now: Time, until: Time) -> Result<(), StoreError> {
        let _done = self.bury_unless(key, now, until, |_| false).await?;
        Ok(())
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        // Loading it completes a renewal, so that the record is no longer pending.
        let _found = self.find(key, now).await?;
        let is_other = |item: &Item| match item {
            Item::Record(copy) => !copy.is_over(now) && copy.envelope.version != expected,
            _ => false,
        };
        self.bury_unless(key, now, until, is_other).await
    }
}

/// Whether the item must not be replaced by a copy of this version.
fn keeps_out(item: &Item, version: Version, now: Time) -> bool {
    match item {
        Item::Record(copy) if copy.is_over(now) => copy.envelope.version > version,
        Item::Record(copy) => copy.envelope.version >= version,
        Item::Buried { until } => *until > now,
        Item::Pending(_) | Item::Moved(_) => true,
    }
}

impl MemcachedStore {
    /// Replaces whatever is under the key by a tombstone. [`Buried::Conflict`] if `is_kept` says that it must stay.
    async fn bury_unless(
        &self,
        key: &RecordKey,
        now: Time,
        until: Time,
        is_kept: impl Fn(&Item) -> bool,
    ) -> Result<Buried, StoreError> {
        let buried = Item::Buried { until };
        loop {
            let is_done = match self.items.get(key).await? {
                None => self.items.add(key, &buried, now).await?.is_some(),
                Some(Found { item: Ok(Item::Buried { until: longer }), .. }) if longer >= until => true,
                Some(Found { item: Ok(item), .. }) if is_kept(&item) => return Ok(Buried::Conflict),
                Some(Found { cas, .. }) => {
                    matches!(self.items.replace(key, cas, &buried, now).await?, Replaced::Done(_))
                }
            };
            if is_done {
                return Ok(Buried::Done);
            }
        }
    }
}
