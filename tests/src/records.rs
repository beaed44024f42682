//! Records and managers as tests of stores need them.

use std::time::Duration;

use serde_json::Value;
use session_core::{
    Attributes, Clock, Created, Record, RecordKey, SessionId, SessionManager, Store, SystemClock, SystemRandom, Time,
    Version,
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
    Record {
        key: fresh_key(),
        version: Version::from_number(1 << 32),
        created: now,
        accessed: now,
        idle_timeout: 30 * MINUTE,
        absolute_deadline: Some(now.saturating_add(24 * 60 * MINUTE)),
        persistent: false,
        principal: None,
        constants: Attributes::default(),
        attributes: attributes("Count", 1),
    }
}

/// One attribute.
pub fn attributes(name: &str, value: impl Into<Value>) -> Attributes {
    [(name.to_owned(), value.into())].into_iter().collect()
}

/// What a writer saves who has loaded this.
pub fn next(record: &Record) -> Record {
    Record { version: Version::from_number(record.version.get() + (1 << 32)), ..record.clone() }
}

/// What takes its place when it is renewed.
pub fn renewed(record: &Record) -> Record {
    Record { key: fresh_key(), ..next(record) }
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
