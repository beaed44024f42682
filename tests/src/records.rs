//! Records and managers as tests of stores need them.

use std::time::Duration;

use serde_json::Value;
use session_core::{
    Attributes, Clock, Created, Record, RecordKey, Renewed, SessionId, SessionManager, Store, StoreError, SystemClock,
    SystemRandom, Time, Version,
};

/// A second.
pub const SECOND: Duration = Duration::from_secs(1);
/// A minute.
pub const MINUTE: Duration = Duration::from_secs(60);

/// The size of long runs: the environment variable `CAMPAIGN`, or this.
pub fn campaign(small: usize) -> usize {
    match std::env::var("CAMPAIGN") {
        Ok(size) => size.parse().expect("CAMPAIGN is a number"),
        Err(_) => small,
    }
}

/// A manager with every default, but one that purges only when told to.
pub fn manager(store: &(impl Store + Clone)) -> SessionManager {
    SessionManager::builder(store.clone()).without_background_purge().build().expect("these settings work")
}

/// The time by the system's clock, as servers have it.
pub fn now() -> Time {
    SystemClock.now()
}

/// A key that nobody else has.
pub fn fresh_key() -> RecordKey {
    SessionId::generate(&SystemRandom, 18).expect("the system has random bytes").key()
}

/// A record for half an hour, of a session that lives for a day at most.
pub fn fresh_record() -> Record {
    let now = now();
    with(Record::new(fresh_key(), Version::from_number(1 << 32), now, 30 * MINUTE), |record| {
        record.absolute_deadline = Some(now.saturating_add(24 * 60 * MINUTE));
        record.attributes = attributes("Count", 1);
    })
}

/// The record with something changed.
pub fn with(mut record: Record, change: impl FnOnce(&mut Record)) -> Record {
    change(&mut record);
    record
}

/// One attribute.
pub fn attributes(name: &str, value: impl Into<Value>) -> Attributes {
    [(name.to_owned(), value.into())].into_iter().collect()
}

/// What a writer saves who has loaded this.
pub fn next(record: &Record) -> Record {
    with(record.clone(), |record| record.version = Version::from_number(record.version.get() + (1 << 32)))
}

/// What takes its place when it is renewed.
pub fn renewed(record: &Record) -> Record {
    with(next(record), |record| record.key = fresh_key())
}

/// The record, now in the store.
pub async fn created(store: &impl Store, record: Record) -> Record {
    assert_eq!(store.create(&record).await.expect("the store works"), Created::Done);
    record
}

/// The live record of this key.
pub async fn load(store: &impl Store, key: &RecordKey) -> Option<Record> {
    store.load(key, now()).await.expect("the store works")
}

/// Replaces a record by another one, and leaves a moved note for a minute.
pub async fn renew(store: &impl Store, old: &Record, new: &Record) -> Result<Renewed, StoreError> {
    store.renew(&old.key, old.version, new, Some(now().saturating_add(MINUTE))).await
}

/// Where the record of this key went.
pub async fn moved(store: &impl Store, key: &RecordKey) -> Option<RecordKey> {
    store.moved(key, now()).await.expect("the store works")
}
