use std::future::Future;

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::time::Time;

use super::contract::Store;
use super::outcome::Buried;

/// A store that can be the fast tier of a [`TieredStore`](crate::tiered::TieredStore): a cache before a durable
/// store.
///
/// It holds copies of records. A copy may be missing, but it must not be wrong: an older copy never replaces
/// a newer one, and a tombstone keeps a slow reader from putting back the copy of a removed session.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{FastStore, MemoryStore, Record, RecordKey, Store, StoreError, Time, Version};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let cache = MemoryStore::new();
/// let (key, now) = (RecordKey::from_bytes([7; 32]), Time::from_unix_millis(1_767_225_600_000));
/// let record = Record::new(key, Version::from_number(1 << 32), now, Duration::from_secs(1800));
/// let until = now.saturating_add(Duration::from_secs(60));
///
/// cache.fill(&record, now, until).await?;
/// assert_eq!(cache.load(&key, now).await?, Some(record.clone()));
///
/// cache.bury(&key, now, until).await?;
/// // A slow reader comes back with its copy: the tombstone refuses it.
/// cache.fill(&record, now, until).await?;
/// assert_eq!(cache.load(&key, now).await?, None);
/// # Ok(()) }
/// ```
pub trait FastStore: Store {
    /// Stores a copy of a record. Does nothing if the key has a tombstone, if a copy of a later version is
    /// here, or if a copy of the same version is here and not stale.
    ///
    /// The copy is stale from `until` on: it is no longer served, even if it was saved or touched meanwhile.
    /// A copy of the same version may then replace it, one of an earlier version never.
    fn fill(&self, record: &Record, now: Time, until: Time) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes the record of this key and leaves a tombstone: copies of this key are refused until `until`.
    ///
    /// A tombstone ends at its latest `until`. [`delete`](Store::delete) does not end it.
    fn bury(&self, key: &RecordKey, now: Time, until: Time) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Does what [`bury`](FastStore::bury) does, unless a live record of another version than `expected` is
    /// here. Then the answer is [`Buried::Conflict`], and the record stays.
    ///
    /// The default loads, compares and buries in two steps. A store that several processes share must do it
    /// in one step; otherwise a renewal can lose what another process saves here at the same time.
    fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> impl Future<Output = Result<Buried, StoreError>> + Send {
        async move {
            match self.load(key, now).await? {
                Some(record) if record.version != expected => Ok(Buried::Conflict),
                _ => self.bury(key, now, until).await.map(|()| Buried::Done),
            }
        }
    }
}
