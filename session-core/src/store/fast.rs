use std::future::Future;

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::time::Time;

use super::contract::Store;
use super::outcome::Buried;

/// A store that may stand before a durable one, as the fast tier of a tiered store.
///
/// It holds copies that may be missing, but must not be wrong: an older copy never replaces a
/// newer one, and what was removed is not filled in again by a slow reader.
pub trait FastStore: Store {
    /// Puts a copy of a record here, unless one of the same or a later version is there, or the
    /// key is buried. From `until` on, the copy is not handed out any more, saved or touched
    /// meanwhile or not; then one of the same version may take its place.
    fn fill(&self, record: &Record, now: Time, until: Time) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the record of this key, and refuses copies of it until then. Neither a shorter
    /// burial nor [`delete`](Store::delete) ends one.
    fn bury(&self, key: &RecordKey, now: Time, until: Time) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// [`bury`](FastStore::bury), unless a live record of another version than the expected one is
    /// here: then [`Buried::Conflict`], and it stays.
    ///
    /// A store that several processes share does it in one step, which this default is not, so
    /// that a renewal loses nothing that another process saves here at the same time.
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
