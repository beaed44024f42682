use std::future::Future;

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::time::Time;

use super::capabilities::{Capabilities, Purged};
use super::immediate::ImmediateStore;
use super::outcome::{Created, Renewed, Saved};

/// Where records are kept.
///
/// The contract has one idea: nothing but [`create`](Store::create) and
/// [`renew`](Store::renew) makes a record, and a record is saved only against the version it
/// was loaded with. An implementation writes plain `async fn`; [`crate::conformance`] (feature
/// `conformance`) proves it, one line per behaviour.
///
/// A store has no clock. Time comes as an argument, in `save` and `renew` as the `accessed` of
/// the record that is written: a record that has [expired](Record::is_expired) by then counts
/// as missing. Every operation may be cancelled at any await, and then has taken effect as a
/// whole or not at all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session store",
    note = "implement `session_core::Store` for it, or use `session_core::MemoryStore`; share one by cloning it, or an `AnyStore` of it"
)]
pub trait Store: Send + Sync + 'static {
    /// The store's name in errors and logs.
    fn name(&self) -> &'static str;

    /// What this store can do beyond the contract.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Inserts a record. [`Created::Exists`] if its key is taken: an existing record is never overwritten,
    /// not even an expired one.
    fn create(&self, record: &Record) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// Looks up a record: `None` for one that is unknown, removed, or expired by `now`.
    fn load(&self, key: &RecordKey, now: Time) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// The version that [`load`](Store::load) would give.
    ///
    /// For a store before this one, to tell whether its copy is still right: worth doing without
    /// fetching the whole record where that is possible.
    fn version(&self, key: &RecordKey, now: Time) -> impl Future<Output = Result<Option<Version>, StoreError>> + Send {
        async move { Ok(self.load(key, now).await?.map(|record| record.version)) }
    }

    /// Replaces the record of the same key if it still has the expected version.
    ///
    /// Of the stored `accessed` and the new one, the later stays.
    fn save(&self, record: &Record, expected: Version) -> impl Future<Output = Result<Saved, StoreError>> + Send;

    /// Moves `accessed` forward, and nothing else, not even the version.
    ///
    /// Silent if the record is unknown, expired by `accessed`, or was used later than that.
    fn touch(&self, key: &RecordKey, accessed: Time) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces the record `old` of the expected version by a record of another key, in one
    /// step: whatever happens, exactly one of the two is there.
    ///
    /// [`Renewed::Exists`] if the new key is taken; then the old record stays.
    fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
    ) -> impl Future<Output = Result<Renewed, StoreError>> + Send;

    /// Deletes a record; silent if there is none.
    fn delete(&self, key: &RecordKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes records that have expired by `now`, about `limit` at most.
    fn purge_expired(&self, now: Time, limit: usize) -> impl Future<Output = Result<Purged, StoreError>> + Send;

    /// Live records, at most `limit`, in no particular order.
    fn list(&self, now: Time, limit: usize) -> impl Future<Output = Result<Vec<Record>, StoreError>> + Send {
        let _ = (now, limit);
        std::future::ready(Err(StoreError::unsupported(self.name(), "listing sessions")))
    }

    /// The live records of a principal.
    fn of_principal(
        &self,
        principal: &PrincipalKey,
        now: Time,
    ) -> impl Future<Output = Result<Vec<Record>, StoreError>> + Send {
        let _ = (principal, now);
        std::future::ready(Err(StoreError::unsupported(self.name(), "finding a principal's sessions")))
    }

    /// Deletes all records of a principal but one; how many live ones there were, as of `now`.
    fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send {
        async move {
            let mut deleted = 0;
            let mut last_start = None;
            // Again, until no session is left that was there: renewed meanwhile, it has another key.
            for _ in 0..100 {
                let mut records = self.of_principal(principal, now).await?;
                records.retain(|record| Some(&record.key) != except);
                let last_start = *last_start.get_or_insert(records.iter().map(|record| record.created).max());
                records.retain(|record| Some(record.created) <= last_start);
                if records.is_empty() {
                    break;
                }
                for record in records {
                    self.delete(&record.key).await?;
                    deleted += 1;
                }
            }
            Ok(deleted)
        }
    }

    /// Flushes what is not yet written and stops background work. May be called twice.
    fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// What this store can answer without waiting. `None`, the default, for a store that always waits.
    ///
    /// A request then needs no task and no timer. See [`ImmediateStore`].
    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        None
    }
}
