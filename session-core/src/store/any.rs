use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::time::Time;

use super::capabilities::{Capabilities, Purged};
use super::contract::Store;
use super::immediate::ImmediateStore;
use super::outcome::{Created, Deleted, Renewed, Saved};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of any type, for an application that chooses its store at run time.
///
/// It is a [`Store`] itself. `Clone` shares the store inside. Each operation costs one more allocation.
///
/// ```
/// use session_core::{AnyStore, MemoryStore, SessionManager, Store};
///
/// fn store_of(setting: &str) -> Option<AnyStore> {
///     match setting {
///         "memory" => Some(AnyStore::new(MemoryStore::new())),
///         // Other stores go here.
///         _ => None,
///     }
/// }
///
/// let store = store_of("memory").expect("the setting is known");
/// assert_eq!(store.name(), "memory");
/// let sessions = SessionManager::new(store);
/// ```
#[derive(Clone)]
pub struct AnyStore(Arc<dyn DynStore>);

impl AnyStore {
    /// Wraps a store of any type.
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
    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.0.create(record).await
    }
    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.0.load(key, now).await
    }
    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        self.0.version(key, now).await
    }
    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.0.save(record, expected).await
    }
    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.0.touch(key, accessed).await
    }
    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        self.0.renew(old, expected, record, moved_until).await
    }
    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        self.0.moved(key, now).await
    }
    async fn follow(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.0.follow(key, now).await
    }
    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        self.0.delete(key).await
    }
    async fn end(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        self.0.end(key).await
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
    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        self.0.immediate()
    }
}

/// The methods of [`Store`] with boxed futures, because a trait with `async fn` can't be a trait object.
trait DynStore: Send + Sync {
    fn name(&self) -> &'static str;
    fn capabilities(&self) -> Capabilities;
    fn create<'a>(&'a self, record: &'a Record) -> Answer<'a, Created>;
    fn load<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Record>>;
    fn version<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Version>>;
    fn save<'a>(&'a self, record: &'a Record, expected: Version) -> Answer<'a, Saved>;
    fn touch<'a>(&'a self, key: &'a RecordKey, accessed: Time) -> Answer<'a, ()>;
    fn renew<'a>(
        &'a self,
        old: &'a RecordKey,
        expected: Version,
        record: &'a Record,
        moved_until: Option<Time>,
    ) -> Answer<'a, Renewed>;
    fn moved<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<RecordKey>>;
    fn follow<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Record>>;
    fn delete<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Deleted>;
    fn end<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<RecordKey>>;
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
    fn immediate(&self) -> Option<&dyn ImmediateStore>;
}

impl<S: Store> DynStore for S {
    fn name(&self) -> &'static str {
        Store::name(self)
    }
    fn capabilities(&self) -> Capabilities {
        Store::capabilities(self)
    }
    fn create<'a>(&'a self, record: &'a Record) -> Answer<'a, Created> {
        Box::pin(Store::create(self, record))
    }
    fn load<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Record>> {
        Box::pin(Store::load(self, key, now))
    }
    fn version<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Version>> {
        Box::pin(Store::version(self, key, now))
    }
    fn save<'a>(&'a self, record: &'a Record, expected: Version) -> Answer<'a, Saved> {
        Box::pin(Store::save(self, record, expected))
    }
    fn touch<'a>(&'a self, key: &'a RecordKey, accessed: Time) -> Answer<'a, ()> {
        Box::pin(Store::touch(self, key, accessed))
    }
    fn renew<'a>(
        &'a self,
        old: &'a RecordKey,
        expected: Version,
        record: &'a Record,
        moved_until: Option<Time>,
    ) -> Answer<'a, Renewed> {
        Box::pin(Store::renew(self, old, expected, record, moved_until))
    }
    fn moved<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<RecordKey>> {
        Box::pin(Store::moved(self, key, now))
    }
    fn follow<'a>(&'a self, key: &'a RecordKey, now: Time) -> Answer<'a, Option<Record>> {
        Box::pin(Store::follow(self, key, now))
    }
    fn delete<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Deleted> {
        Box::pin(Store::delete(self, key))
    }
    fn end<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<RecordKey>> {
        Box::pin(Store::end(self, key))
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
    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        Store::immediate(self)
    }
}
