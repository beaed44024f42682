use std::collections::HashSet;
use std::future::Future;

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::time::Time;

use super::capabilities::{Capabilities, Purged};
use super::immediate::ImmediateStore;
use super::outcome::{Created, Deleted, Renewed, Saved};

/// Keeps records: the contract that every store fulfils.
///
/// Two rules carry the whole contract. Only [`create`](Store::create) and [`renew`](Store::renew) make a
/// record. A record is replaced only if it still has the [`Version`] that the writer loaded. So no update is
/// lost, and no slow writer brings back a session that has ended.
///
/// - **Time** is an argument; a store has no clock. In `save` and `renew` it is the `accessed` of the record
///   that is written. A record that has [expired](Record::is_expired) by that time counts as missing.
/// - **Cancelling**: the caller may drop the future of an operation at any await. The operation has then taken
///   effect as a whole or not at all.
/// - **Errors** are for a store that can't answer. What it does answer is an outcome, such as
///   [`Saved::Conflict`].
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{Created, Deleted, MemoryStore, Record, RecordKey, Saved, Store, StoreError, Time, Version};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let (key, now) = (RecordKey::from_bytes([7; 32]), Time::from_unix_millis(1_767_225_600_000));
/// let (first, second) = (Version::from_number(1 << 32), Version::from_number(2 << 32));
///
/// let mut record = Record::new(key, first, now, Duration::from_secs(1800));
/// assert_eq!(store.create(&record).await?, Created::Done);
/// assert_eq!(store.create(&record).await?, Created::Exists);
///
/// record.version = second;
/// assert_eq!(store.save(&record, first).await?, Saved::Done);
/// // Whoever still has the first version is too late.
/// assert_eq!(store.save(&record, first).await?, Saved::Conflict);
///
/// assert_eq!(store.delete(&key).await?, Deleted::Done);
/// assert_eq!(store.save(&record, second).await?, Saved::Missing);
/// # Ok(()) }
/// ```
///
/// # Writing a store
///
/// Implement the trait with plain `async fn`, without a macro. The conformance suite, the module
/// `conformance` of the feature with this name, then tests it: one line runs all tests. The repository has a
/// small store in `session-core/examples/own_store.rs`, and a guide through it in `docs/guides/own-store.md`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    note = "implement `session_core::Store` for it, or use `session_core::MemoryStore`; share one by cloning it, or an `AnyStore` of it"
)]
pub trait Store: Send + Sync + 'static {
    /// The store's name in errors and logs, such as "redis". Default: the path of its type.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Which optional operations this store has. Default: none.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Inserts a record. [`Created::Exists`] if its key is taken: an existing record is never overwritten, not
    /// even an expired one.
    fn create(&self, record: &Record) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// Looks up a record. `None` if it is unknown, was deleted, or has expired by `now`.
    fn load(&self, key: &RecordKey, now: Time) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Looks up the version of a record. `None` where [`load`](Store::load) would return `None`.
    ///
    /// A cache before this store asks for it to check whether its copy is current. The default loads the whole
    /// record; override it where the store can read the version alone.
    fn version(&self, key: &RecordKey, now: Time) -> impl Future<Output = Result<Option<Version>, StoreError>> + Send {
        async move { Ok(self.load(key, now).await?.map(|record| record.version)) }
    }

    /// Replaces the record with the same key if it still has the `expected` version. Never inserts one.
    ///
    /// If the stored `accessed` is later than that of `record`, the stored one is kept.
    fn save(&self, record: &Record, expected: Version) -> impl Future<Output = Result<Saved, StoreError>> + Send;

    /// Moves the `accessed` of a record forward. Changes nothing else, not even the version.
    ///
    /// Does nothing if the record is unknown, has expired by `accessed`, or was used later than that.
    fn touch(&self, key: &RecordKey, accessed: Time) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces the record `old`, if it has the `expected` version, by `record`, which has another key.
    ///
    /// This is one step: after a crash, an error or a race exactly one of the two records is there.
    /// [`Renewed::Exists`] if the new key is taken; the old record then stays.
    ///
    /// If `moved_until` is given, the step leaves a *moved note* at the old key until then: a session that only got a
    /// new id can so be found by whoever has loaded or presents the old one. The note is no record: it is in no list,
    /// count or index, and [`load`](Store::load) does not see it. `None` for a login, which leaves no trace that leads
    /// to the new session.
    fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> impl Future<Output = Result<Renewed, StoreError>> + Send;

    /// Reads a moved note: the key under which [`renew`](Store::renew) put the record of this key. `None` if there is
    /// no note, or its time is over by `now`.
    ///
    /// Only [`renew`](Store::renew) leaves one. If the record there was renewed as well, its old key has a note of its
    /// own.
    fn moved(&self, key: &RecordKey, now: Time) -> impl Future<Output = Result<Option<RecordKey>, StoreError>> + Send;

    /// Loads the record to which moved notes lead from this key. `None` if there is no note, or the session has ended.
    ///
    /// The default reads one note and one record after the other. Override it if the store can do that in one step and
    /// renewing takes no longer: a client that renews as fast as possible could otherwise stay ahead.
    fn follow(&self, key: &RecordKey, now: Time) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send {
        follow(self, key, now)
    }

    /// Deletes a record, live or expired. [`Deleted::Moved`] if it was renewed and its moved note is still here; the
    /// note stays.
    ///
    /// The answer is taken in one step with the deletion: a renewal at the same moment finds no record, or its note is
    /// found. [`Deleted::Missing`] may also be the answer to a repeated call whose first attempt took effect.
    fn delete(&self, key: &RecordKey) -> impl Future<Output = Result<Deleted, StoreError>> + Send;

    /// Deletes the record that is under this key, or where moved notes lead from it. Returns the key that it was under.
    /// `None` if there is none.
    ///
    /// The default deletes, reads one note after the other to the last, and deletes there. Override it if the store can do
    /// that in one step and renewing takes no longer than deleting: a client that renews as fast as possible could
    /// otherwise stay ahead.
    fn end(&self, key: &RecordKey) -> impl Future<Output = Result<Option<RecordKey>, StoreError>> + Send {
        end(self, key)
    }

    /// Deletes at most about `limit` records that have expired by `now`. It is called in the background, again
    /// and again while [`Purged::more`] is `true`.
    fn purge_expired(&self, now: Time, limit: usize) -> impl Future<Output = Result<Purged, StoreError>> + Send;

    /// Live records, at most `limit`, in no particular order. Optional: see [`Capabilities::list`].
    fn list(&self, now: Time, limit: usize) -> impl Future<Output = Result<Vec<Record>, StoreError>> + Send {
        let _ = (now, limit);
        std::future::ready(Err(StoreError::unsupported(self.name(), "listing sessions")))
    }

    /// The live records of a principal, in no particular order. Optional: see [`Capabilities::principals`].
    ///
    /// It must not miss a session that is there during the whole call, also if it is renewed meanwhile: ending all
    /// sessions of a user relies on it. A store that reads an index before the records follows the moved notes of keys
    /// whose record is gone.
    fn of_principal(
        &self,
        principal: &PrincipalKey,
        now: Time,
    ) -> impl Future<Output = Result<Vec<Record>, StoreError>> + Send {
        let _ = (principal, now);
        std::future::ready(Err(StoreError::unsupported(self.name(), "finding a principal's sessions")))
    }

    /// Ends the sessions of a principal that have started before the call, except the one whose record is, or was,
    /// under the key `except`. Returns how many it has ended.
    ///
    /// When it has answered, no id leads to one of them, however often they were renewed meanwhile. It is an error if
    /// that can't be promised; another call ends the rest. Sessions that start during the call may be spared.
    ///
    /// The default finds them by [`of_principal`](Store::of_principal), deletes one after the other, follows moved
    /// notes, and repeats that until none is left.
    fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send {
        end_all(self, principal, except, now)
    }

    /// Writes what is still in a queue, and stops background work. May be called twice. Default: does nothing.
    fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// The part of this store that answers without waiting. Default: `None`, for a store that always waits.
    ///
    /// A store in memory returns itself. Requests then need no task and no timer. See [`ImmediateStore`].
    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        None
    }
}

// Sessions end by what they are, not by the key that they had: whoever finds a moved note goes on where it leads.

/// How many moved notes are followed at most. A deletion takes one call for each, a renewal more than one, so whoever
/// renews as fast as possible is overtaken long before.
const MAX_NOTES: usize = 100_000;

/// A time at which no note is over: an ending follows each that is still there.
const LONG_AGO: Time = Time::from_unix_millis(i64::MIN);

/// How often the sessions of a principal are listed at most. The second list is empty, unless a store has missed one.
const MAX_LISTS: usize = 100;

/// See [`Store::follow`].
pub async fn follow(store: &(impl Store + ?Sized), key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
    let mut key = *key;
    for _ in 0..MAX_NOTES {
        let Some(to) = store.moved(&key, now).await? else { return Ok(None) };
        let found = store.load(&to, now).await?;
        if found.is_some() {
            return Ok(found);
        }
        // It was renewed again.
        key = last(store, to, now).await?;
        let found = store.load(&key, now).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Err(renewed_too_often(store.name()))
}

/// See [`Store::end`].
pub async fn end(store: &(impl Store + ?Sized), key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
    let mut key = *key;
    for _ in 0..MAX_NOTES {
        match store.delete(&key).await? {
            Deleted::Done => return Ok(Some(key)),
            Deleted::Missing => return Ok(None),
            Deleted::Moved(to) => key = last(store, to, LONG_AGO).await?,
        }
    }
    Err(renewed_too_often(store.name()))
}

/// The last key to which notes lead. Reading a note takes no longer than renewing, and often less than deleting, so whoever
/// renews as fast as possible is overtaken.
async fn last(store: &(impl Store + ?Sized), mut key: RecordKey, now: Time) -> Result<RecordKey, StoreError> {
    for _ in 0..MAX_NOTES {
        match store.moved(&key, now).await? {
            Some(to) => key = to,
            None => return Ok(key),
        }
    }
    Err(renewed_too_often(store.name()))
}

/// Why whoever follows moved notes gave up.
fn renewed_too_often(store: &'static str) -> StoreError {
    let cause = format!("the session was renewed during each of {MAX_NOTES} attempts to find it; try again");
    StoreError::unavailable(store, cause)
}

/// See [`Store::delete_of_principal`].
pub async fn end_all(
    store: &(impl Store + ?Sized),
    principal: &PrincipalKey,
    except: Option<&RecordKey>,
    now: Time,
) -> Result<usize, StoreError> {
    let mut ended = 0;
    let mut last_start = None;
    let mut spared = Names::of(except);
    for _ in 0..MAX_LISTS {
        let mut records = store.of_principal(principal, now).await?;
        // After the list, so that all keys are known under which the list can name the session.
        spared.follow(store, now).await?;
        records.retain(|record| !spared.known.contains(&record.key));
        // Sessions that start meanwhile are spared, or a user who signs in again and again would keep this busy.
        let last_start = *last_start.get_or_insert(records.iter().map(|record| record.created).max());
        records.retain(|record| Some(record.created) <= last_start);
        if records.is_empty() {
            return Ok(ended);
        }
        let mut failed = None;
        for record in records {
            match store.end(&record.key).await {
                Ok(found) => ended += usize::from(found.is_some()),
                // It must not keep the other sessions alive.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    let cause = format!("sessions of the principal were left after each of {MAX_LISTS} attempts; try again");
    Err(StoreError::unavailable(store.name(), cause))
}

/// The keys that a session has had since the one that it was known by.
struct Names {
    known: HashSet<RecordKey>,
    last: Option<RecordKey>,
}

impl Names {
    fn of(key: Option<&RecordKey>) -> Self {
        Names { known: key.into_iter().copied().collect(), last: key.copied() }
    }

    /// Adds the keys that the session has got since the last one that is known.
    async fn follow(&mut self, store: &(impl Store + ?Sized), now: Time) -> Result<(), StoreError> {
        let Some(mut last) = self.last else { return Ok(()) };
        while let Some(next) = store.moved(&last, now).await? {
            if self.known.len() >= MAX_NOTES || !self.known.insert(next) {
                return Err(renewed_too_often(store.name()));
            }
            last = next;
            self.last = Some(next);
        }
        Ok(())
    }
}
