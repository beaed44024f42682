use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::StoreError;
use crate::{PrincipalKey, Record, RecordKey, Time, Version};

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

    /// Inserts a record. [`Written::Exists`] if its key is taken: never overwrites, not even an
    /// expired record.
    fn create(&self, record: &Record) -> impl Future<Output = Result<Written, StoreError>> + Send;

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
    fn save(&self, record: &Record, expected: Version) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Moves `accessed` forward, and nothing else, not even the version.
    ///
    /// Silent if the record is unknown, expired by `accessed`, or was used later than that.
    fn touch(&self, key: &RecordKey, accessed: Time) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces the record `old` of the expected version by a record of another key, in one
    /// step: whatever happens, exactly one of the two is there.
    ///
    /// [`Written::Exists`] if the new key is taken; then the old record stays.
    fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

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

    /// [`load`](Store::load) for stores that answer without waiting; `None` for those that don't.
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        let _ = (key, now);
        None
    }

    /// Whether this store never waits: the futures of all operations are ready when they are first
    /// polled, and [`load_now`](Store::load_now), [`save_now`](Store::save_now) and
    /// [`purge_now`](Store::purge_now) answer. A request then needs no task and no timer, and no attempt
    /// to write has a mark of its own in its [`Version`].
    fn is_immediate(&self) -> bool {
        false
    }

    /// [`save`](Store::save) for stores that answer without waiting; `None` for those that don't.
    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Written, StoreError>> {
        let _ = (record, expected);
        None
    }

    /// [`purge_expired`](Store::purge_expired) for stores that answer without waiting.
    fn purge_now(&self, now: Time, limit: usize) -> Option<Result<Purged, StoreError>> {
        let _ = (now, limit);
        None
    }
}

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
    /// here: then [`Written::Conflict`], and it stays.
    ///
    /// A store that several processes share does it in one step, which this default is not, so
    /// that a renewal loses nothing that another process saves here at the same time.
    fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send {
        async move {
            match self.load(key, now).await? {
                Some(record) if record.version != expected => Ok(Written::Conflict),
                _ => self.bury(key, now, until).await.map(|()| Written::Done),
            }
        }
    }
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// The record is stored.
    Done,
    /// The stored record has another version; nothing was written.
    Conflict,
    /// There is no such record (any more); nothing was written.
    Missing,
    /// The new key is taken; nothing was written.
    Exists,
}

/// What a store can do beyond the contract. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Store::list`].
    pub list: bool,
    /// [`Store::of_principal`] and [`Store::delete_of_principal`].
    pub principals: bool,
}

impl Capabilities {
    /// All of them.
    pub const ALL: Capabilities = Capabilities { list: true, principals: true };
}

/// What one call of [`Store::purge_expired`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// How many expired records were deleted.
    pub expired: u64,
    /// How many records gave way to newer ones since the last call, in a store that was full.
    pub evicted: u64,
    /// Whether expired records may be left.
    pub more: bool,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of any type, chosen at run time.
///
/// It is a store itself. `Clone` shares it.
#[derive(Clone)]
pub struct AnyStore(Arc<dyn DynStore>);

impl AnyStore {
    /// Forgets the type of a store.
    pub fn new(store: impl Store) -> Self {
        AnyStore(Arc::new(store))
    }
}

impl Store for AnyStore {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    async fn create(&self, record: &Record) -> Result<Written, StoreError> {
        self.0.create(record).await
    }
    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.0.load(key, now).await
    }
    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        self.0.version(key, now).await
    }
    async fn save(&self, record: &Record, expected: Version) -> Result<Written, StoreError> {
        self.0.save(record, expected).await
    }
    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.0.touch(key, accessed).await
    }
    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Written, StoreError> {
        self.0.renew(old, expected, record).await
    }
    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.0.purge_expired(now, limit).await
    }
    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.0.list(now, limit).await
    }
    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.0.of_principal(principal, now).await
    }
    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        self.0.delete_of_principal(principal, except, now).await
    }
    async fn close(&self) -> Result<(), StoreError> {
        self.0.close().await
    }
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        self.0.load_now(key, now)
    }
    fn is_immediate(&self) -> bool {
        self.0.is_immediate()
    }
    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Written, StoreError>> {
        self.0.save_now(record, expected)
    }
    fn purge_now(&self, now: Time, limit: usize) -> Option<Result<Purged, StoreError>> {
        self.0.purge_now(now, limit)
    }
}

/// The twin of [`Store`] that can be a trait object, which `async fn` does not allow.
trait DynStore: Send + Sync {
    fn name(&self) -> &'static str;
    fn capabilities(&self) -> Capabilities;
    fn create<'a>(&'a self, record: &'a Record) -> Answer<'a, Written>;
    fn load<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Record>>;
    fn version<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Version>>;
    fn save<'a>(&'a self, record: &'a Record, expected: Version) -> Answer<'a, Written>;
    fn touch<'a>(&'a self, key: &'a RecordKey, accessed: Time) -> Answer<'a, ()>;
    fn renew<'a>(&'a self, old: &'a RecordKey, expected: Version, record: &'a Record) -> Answer<'a, Written>;
    fn delete<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, ()>;
    fn purge_expired(&self, now: Time, limit: usize) -> Answer<'_, Purged>;
    fn list(&self, now: Time, limit: usize) -> Answer<'_, Vec<Record>>;
    fn of_principal<'a>(&'a self, principal: &'a PrincipalKey, now: Time) -> Answer<'a, Vec<Record>>;
    fn delete_of_principal<'a>(
        &'a self,
        principal: &'a PrincipalKey,
        except: Option<&'a RecordKey>,
        now: Time,
    ) -> Answer<'a, usize>;
    fn close(&self) -> Answer<'_, ()>;
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>>;
    fn is_immediate(&self) -> bool;
    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Written, StoreError>>;
    fn purge_now(&self, now: Time, limit: usize) -> Option<Result<Purged, StoreError>>;
}

impl<S: Store> DynStore for S {
    fn name(&self) -> &'static str {
        Store::name(self)
    }
    fn capabilities(&self) -> Capabilities {
        Store::capabilities(self)
    }
    fn create<'a>(&'a self, record: &'a Record) -> Answer<'a, Written> {
        Box::pin(Store::create(self, record))
    }
    fn load<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Record>> {
        Box::pin(Store::load(self, key, now))
    }
    fn version<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Version>> {
        Box::pin(Store::version(self, key, now))
    }
    fn save<'a>(&'a self, record: &'a Record, expected: Version) -> Answer<'a, Written> {
        Box::pin(Store::save(self, record, expected))
    }
    fn touch<'a>(&'a self, key: &'a RecordKey, accessed: Time) -> Answer<'a, ()> {
        Box::pin(Store::touch(self, key, accessed))
    }
    fn renew<'a>(&'a self, old: &'a RecordKey, expected: Version, record: &'a Record) -> Answer<'a, Written> {
        Box::pin(Store::renew(self, old, expected, record))
    }
    fn delete<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, ()> {
        Box::pin(Store::delete(self, key))
    }
    fn purge_expired(&self, now: Time, limit: usize) -> Answer<'_, Purged> {
        Box::pin(Store::purge_expired(self, now, limit))
    }
    fn list(&self, now: Time, limit: usize) -> Answer<'_, Vec<Record>> {
        Box::pin(Store::list(self, now, limit))
    }
    fn of_principal<'a>(&'a self, principal: &'a PrincipalKey, now: Time) -> Answer<'a, Vec<Record>> {
        Box::pin(Store::of_principal(self, principal, now))
    }
    fn delete_of_principal<'a>(
        &'a self,
        principal: &'a PrincipalKey,
        except: Option<&'a RecordKey>,
        now: Time,
    ) -> Answer<'a, usize> {
        Box::pin(Store::delete_of_principal(self, principal, except, now))
    }
    fn close(&self) -> Answer<'_, ()> {
        Box::pin(Store::close(self))
    }
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        Store::load_now(self, key, now)
    }
    fn is_immediate(&self) -> bool {
        Store::is_immediate(self)
    }
    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Written, StoreError>> {
        Store::save_now(self, record, expected)
    }
    fn purge_now(&self, now: Time, limit: usize) -> Option<Result<Purged, StoreError>> {
        Store::purge_now(self, now, limit)
    }
}
