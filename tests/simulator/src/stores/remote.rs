//! A database behind a network.

use std::sync::Arc;

use parking_lot::Mutex;
use session_core::{
    Capabilities, Created, Deleted, PrincipalKey, Purged, Record, RecordKey, Renewed, Saved, Store, StoreError, Time,
    Version,
};

use super::records::Records;
use crate::network::Network;

/// A client of the database. `Clone` is another client of the same.
#[derive(Clone)]
pub struct Remote {
    records: Arc<Mutex<Records>>,
    network: Arc<Network>,
}

impl Remote {
    pub fn new(network: Arc<Network>) -> Self {
        Remote { records: Arc::default(), network }
    }

    /// What is in the database, for whoever looks on.
    pub fn look<T>(&self, look: impl FnOnce(&Records) -> T) -> T {
        look(&self.records.lock())
    }

    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        key: Option<&RecordKey>,
        operation: impl FnOnce(&mut Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let records = Arc::clone(&self.records);
        self.network.call(what, key, move || operation(&mut records.lock())).await
    }
}

impl Store for Remote {
    fn name(&self) -> &'static str {
        "remote"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let record = record.clone();
        let key = record.key;
        self.call("creating", Some(&key), move |records| records.create(&record)).await
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let wanted = *key;
        self.call("loading", Some(key), move |records| records.load(&wanted, now)).await
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        let wanted = *key;
        self.call("asking for the version of", Some(key), move |records| records.version(&wanted, now)).await
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let record = record.clone();
        let key = record.key;
        self.call("saving", Some(&key), move |records| records.save(&record, expected)).await
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let used = *key;
        self.call("touching", Some(key), move |records| records.touch(&used, accessed)).await
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let (replaced, record) = (*old, record.clone());
        let renew = move |records: &mut Records| records.renew(&replaced, expected, &record, moved_until);
        self.call("renewing", Some(old), renew).await
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let old = *key;
        self.call("asking where went", Some(key), move |records| records.moved(&old, now)).await
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let ended = *key;
        self.call("deleting", Some(key), move |records| records.delete(&ended)).await
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.call("purging", None, move |records| records.purge_expired(now, limit)).await
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.call("listing", None, move |records| records.list(now, limit)).await
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let principal = *principal;
        self.call("listing a user's sessions", None, move |records| records.of_principal(&principal, now)).await
    }
}
