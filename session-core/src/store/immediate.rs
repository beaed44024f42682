use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::time::Time;

use super::outcome::Saved;

/// Answers without waiting, for a store that can: it keeps its records, or copies of them, in memory.
///
/// A store returns itself from [`Store::immediate`](super::Store::immediate). `None` from any of these
/// means that this call has to wait: the caller then uses the `async` operation of [`Store`](super::Store)
/// instead, and nothing has been done yet.
pub trait ImmediateStore: Send + Sync {
    /// Whether no operation of this store ever waits. Default: `false`.
    ///
    /// `true` promises that the methods below always answer, and that the future of every operation of
    /// [`Store`](super::Store) is ready when it is first polled. No write can then be left in doubt, so no
    /// [`Version`] gets a mark of its own; and purging runs on a thread instead of a task.
    fn never_waits(&self) -> bool {
        false
    }

    /// [`Store::load`](super::Store::load).
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>>;

    /// [`Store::save`](super::Store::save).
    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Saved, StoreError>>;
}
