//! A store that keeps bytes under keys, with nothing but what any crate can use. A map stands for the server.
//!
//! `cargo test -p session-core --example own_store --features conformance` proves it. The guide
//! `docs/guides/own-store.md` walks through it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use session_core::{
    Created, Deleted, DroppedRecords, Envelope, Error, JsonCodec, NewSession, Purged, Record, RecordKey, Renewed,
    Saved, SessionManager, Store, StoreError, Time, Version,
};

#[derive(Clone, Default)]
struct OwnStore(Arc<Mutex<Values>>);

#[derive(Default)]
struct Values {
    records: HashMap<RecordKey, Vec<u8>>,
    /// Where a renewed record went, and until when that is to be known.
    moved: HashMap<RecordKey, (RecordKey, Time)>,
}

/// The record as bytes, with fields that a store can read.
fn seal(record: &Record) -> Result<Envelope, StoreError> {
    Envelope::seal(record, &JsonCodec).map_err(|error| StoreError::refused("own", error))
}

/// Warns of records that do not fit, at most once in a minute.
static DROPPED: DroppedRecords = DroppedRecords::new("own");

/// The live record of this key.
fn find(values: &Values, key: &RecordKey, now: Time) -> Option<Envelope> {
    let envelope = Envelope::from_bytes_or_warn(*key, values.records.get(key)?, &DROPPED)?;
    (envelope.expires_at() > now).then_some(envelope)
}

impl Store for OwnStore {
    fn name(&self) -> &'static str {
        "own"
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let (envelope, mut values) = (seal(record)?, self.0.lock());
        if values.records.contains_key(&record.key) {
            return Ok(Created::Exists);
        }
        values.records.insert(record.key, envelope.to_bytes());
        Ok(Created::Done)
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let found = find(&self.0.lock(), key, now);
        Ok(found.and_then(|envelope| envelope.open_or_warn(&JsonCodec, &DROPPED)))
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let (mut envelope, mut values) = (seal(record)?, self.0.lock());
        let Some(stored) = find(&values, &record.key, record.accessed) else { return Ok(Saved::Missing) };
        if stored.version != expected {
            return Ok(Saved::Conflict);
        }
        envelope.accessed = envelope.accessed.max(stored.accessed);
        values.records.insert(record.key, envelope.to_bytes());
        Ok(Saved::Done)
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let mut values = self.0.lock();
        if let Some(mut envelope) = find(&values, key, accessed) {
            envelope.accessed = envelope.accessed.max(accessed);
            values.records.insert(*key, envelope.to_bytes());
        }
        Ok(())
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let (envelope, mut values) = (seal(record)?, self.0.lock());
        match find(&values, old, record.accessed) {
            None => return Ok(Renewed::Missing),
            Some(stored) if stored.version != expected => return Ok(Renewed::Conflict),
            Some(_) if values.records.contains_key(&record.key) => return Ok(Renewed::Exists),
            Some(_) => values.records.remove(old),
        };
        values.moved.extend(moved_until.map(|until| (*old, (record.key, until))));
        values.records.insert(record.key, envelope.to_bytes());
        Ok(Renewed::Done)
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let moved = self.0.lock().moved.get(key).copied();
        Ok(moved.filter(|(_, until)| now < *until).map(|(to, _)| to))
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let mut values = self.0.lock();
        let deleted = values.records.remove(key).map(|_| Deleted::Done);
        let moved = || values.moved.get(key).map(|(to, _)| Deleted::Moved(*to));
        Ok(deleted.or_else(moved).unwrap_or(Deleted::Missing))
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let mut values = self.0.lock();
        let expired = values.records.keys().filter(|key| find(&values, key, now).is_none());
        let expired: Vec<RecordKey> = expired.take(limit).copied().collect();
        values.records.retain(|key, _| !expired.contains(key));
        values.moved.retain(|_, (_, until)| now < *until);
        Ok(Purged::new(expired.len() as u64, expired.len() == limit))
    }
}

#[cfg(test)]
session_core::conformance_tests!(OwnStore::default());

#[tokio::main]
async fn main() -> Result<(), Error> {
    SessionManager::new(OwnStore::default()).create(NewSession::new().attr("Count", &1)).await.map(drop)
}
