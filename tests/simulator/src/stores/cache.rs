//! A cache behind a network: the real store in memory, which others reach too.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use session_core::{
    Buried, Created, Deleted, FastStore, MemoryStore, Purged, Record, RecordKey, Renewed, Saved, Store, StoreError,
    Time, Version,
};

use crate::network::Network;

use super::tombstones::Tombstones;

/// A client of the cache. `Clone` is another client of the same.
#[derive(Clone)]
pub struct Cache {
    entries: Arc<Mutex<MemoryStore>>,
    network: Arc<Network>,
    tombstones: Arc<Tombstones>,
}

/// The output of a future of a store that never waits.
pub fn now<T>(operation: impl Future<Output = T>) -> T {
    match pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the store in memory never waits"),
    }
}

impl Cache {
    pub fn new(network: Arc<Network>) -> Self {
        Cache { entries: Arc::default(), network, tombstones: Arc::new(Tombstones::new()) }
    }

    pub fn tombstones(&self) -> Arc<Tombstones> {
        Arc::clone(&self.tombstones)
    }

    /// Loses all it has, tombstones too. Calls that are under way are lost with it.
    pub fn forget_all(&self) {
        *self.entries.lock() = MemoryStore::new();
    }

    /// Evicts one entry.
    pub fn forget(&self, key: &RecordKey) {
        let _ = now(self.entries.lock().delete(key));
    }

    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        key: Option<&RecordKey>,
        operation: impl FnOnce(&MemoryStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let entries = self.entries.lock().clone();
        self.network.call(what, key, move || operation(&entries)).await
    }
}

impl Store for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let record = record.clone();
        let key = record.key;
        self.call("creating", Some(&key), move |entries| now(entries.create(&record))).await
    }

    async fn load(&self, key: &RecordKey, at: Time) -> Result<Option<Record>, StoreError> {
        let wanted = *key;
        self.call("loading", Some(key), move |entries| now(entries.load(&wanted, at))).await
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let record = record.clone();
        let key = record.key;
        self.call("saving", Some(&key), move |entries| now(entries.save(&record, expected))).await
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let used = *key;
        self.call("touching", Some(key), move |entries| now(entries.touch(&used, accessed))).await
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let (replaced, record) = (*old, record.clone());
        let renew = move |entries: &MemoryStore| now(entries.renew(&replaced, expected, &record, moved_until));
        self.call("renewing", Some(old), renew).await
    }

    async fn moved(&self, key: &RecordKey, at: Time) -> Result<Option<RecordKey>, StoreError> {
        let old = *key;
        self.call("asking where went", Some(key), move |entries| now(entries.moved(&old, at))).await
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let dropped = *key;
        self.call("dropping", Some(key), move |entries| now(entries.delete(&dropped))).await
    }

    async fn purge_expired(&self, at: Time, limit: usize) -> Result<Purged, StoreError> {
        self.call("purging", None, move |entries| now(entries.purge_expired(at, limit))).await
    }
}

impl FastStore for Cache {
    async fn fill(&self, record: &Record, at: Time, until: Time) -> Result<(), StoreError> {
        let record = record.clone();
        let key = record.key;
        self.call("filling in", Some(&key), move |entries| now(entries.fill(&record, at, until))).await
    }

    async fn bury(&self, key: &RecordKey, at: Time, until: Time) -> Result<(), StoreError> {
        let buried = *key;
        self.tombstones.note(key, at, until);
        self.call("burying", Some(key), move |entries| now(entries.bury(&buried, at, until))).await
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        at: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        let buried = *key;
        self.tombstones.note(key, at, until);
        let bury = move |entries: &MemoryStore| now(entries.bury_version(&buried, expected, at, until));
        self.call("burying", Some(key), bury).await
    }
}
