use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::time::Time;

use super::outcome::Saved;

/// Answers without waiting: for a store that keeps its records, or copies of them, in memory.
///
/// A store offers it by [`Store::immediate`](super::Store::immediate). A method that returns `None` has done
/// nothing yet, because this call has to wait. The caller then calls the `async` operation of
/// [`Store`](super::Store).
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use session_core::{ImmediateStore, Record, RecordKey, Saved, StoreError, Time, Version};
///
/// /// Copies of records that are kept somewhere else.
/// struct Cache(Mutex<HashMap<RecordKey, Record>>);
///
/// impl ImmediateStore for Cache {
///     fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
///         let copies = self.0.lock().unwrap();
///         // Without a live copy the answer has to be waited for.
///         let copy = copies.get(key).filter(|record| !record.is_expired(now))?;
///         Some(Ok(Some(copy.clone())))
///     }
///
///     fn save_now(&self, _: &Record, _: Version) -> Option<Result<Saved, StoreError>> {
///         None // Always has to be waited for.
///     }
/// }
/// # let cache = Cache(Mutex::default());
/// # let (key, now) = (RecordKey::from_bytes([7; 32]), Time::from_unix_millis(0));
/// # assert!(cache.load_now(&key, now).is_none());
/// ```
pub trait ImmediateStore: Send + Sync {
    /// Whether no operation of this store ever waits. Default: `false`.
    ///
    /// `true` promises that [`load_now`](Self::load_now) and [`save_now`](Self::save_now) never return `None`,
    /// and that the future of every operation of [`Store`](super::Store) is ready at the first poll. It is then
    /// always known whether a write took effect, so versions need no mark of the write attempt; and purging runs
    /// on a thread instead of a task.
    fn never_waits(&self) -> bool {
        false
    }

    /// Does what [`Store::load`](super::Store::load) does. `None` if it has to wait.
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>>;

    /// Does what [`Store::save`](super::Store::save) does. `None` if it has to wait.
    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Saved, StoreError>>;
}
