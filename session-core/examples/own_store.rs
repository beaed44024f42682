//! A store of one's own, in which a map stands for the server. `docs/guides/own-store.md` walks through it, and
//! `cargo test -p session-core --example own_store --features conformance` proves it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use session_core::{
    Created, Deleted, Error, NewSession, Purged, Record, RecordKey, Renewed, Saved, SessionManager, Store, StoreError,
    Time, Version,
};

#[derive(Clone, Default)]
struct OwnStore {
    records: Arc<Mutex<HashMap<RecordKey, Record>>>,
    /// Where a renewed record went, and until when that is to be known. Locked after `records`.
    moved: Arc<Mutex<HashMap<RecordKey, (RecordKey, Time)>>>,
}

/// The live record of this key.
fn find<'a>(records: &'a mut HashMap<RecordKey, Record>, key: &RecordKey, now: Time) -> Option<&'a mut Record> {
    records.get_mut(key).filter(|record| !record.is_expired(now))
}

impl Store for OwnStore {
    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let mut records = self.records.lock();
        if records.contains_key(&record.key) {
            return Ok(Created::Exists);
        }
        records.insert(record.key, record.clone());
        Ok(Created::Done)
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        Ok(find(&mut self.records.lock(), key, now).cloned())
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let mut records = self.records.lock();
        let Some(stored) = find(&mut records, &record.key, record.accessed) else { return Ok(Saved::Missing) };
        if stored.version != expected {
            return Ok(Saved::Conflict);
        }
        let accessed = stored.accessed.max(record.accessed);
        *stored = record.clone();
        stored.accessed = accessed;
        Ok(Saved::Done)
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        if let Some(stored) = find(&mut self.records.lock(), key, accessed) {
            stored.accessed = stored.accessed.max(accessed);
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
        let mut records = self.records.lock();
        match find(&mut records, old, record.accessed).map(|stored| stored.version) {
            None => return Ok(Renewed::Missing),
            Some(version) if version != expected => return Ok(Renewed::Conflict),
            Some(_) if records.contains_key(&record.key) => return Ok(Renewed::Exists),
            Some(_) => records.remove(old),
        };
        self.moved.lock().extend(moved_until.map(|until| (*old, (record.key, until))));
        records.insert(record.key, record.clone());
        Ok(Renewed::Done)
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        Ok(self.moved.lock().get(key).filter(|(_, until)| now < *until).map(|(to, _)| *to))
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let deleted = self.records.lock().remove(key).map(|_| Deleted::Done);
        let moved = || self.moved.lock().get(key).map(|(to, _)| Deleted::Moved(*to));
        Ok(deleted.or_else(moved).unwrap_or(Deleted::Missing))
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let deleted = self.records.lock().extract_if(|_, record| record.is_expired(now)).take(limit).count();
        self.moved.lock().retain(|_, (_, until)| now < *until);
        Ok(Purged::new(deleted as u64, deleted == limit))
    }
}

#[cfg(test)]
session_core::conformance_tests!(OwnStore::default());

#[tokio::main]
async fn main() -> Result<(), Error> {
    SessionManager::new(OwnStore::default()).create(NewSession::new().attr("Count", &1)).await.map(drop)
}
