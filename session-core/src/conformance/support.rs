//! Records and calls that the functions of this room share.

use std::time::Duration;

use serde_json::Value;

use crate::id::SessionId;
use crate::random::SystemRandom;
use crate::record::{Attribute, Attributes, Audience, Record, RecordFormat, RecordKey, Version};
use crate::store::{Created, Deleted, Renewed, Saved, Store};
use crate::time::Time;
use crate::time::{Clock, SystemClock};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);

/// The system's time, because servers also judge deadlines by their own clocks.
pub(super) fn now() -> Time {
    SystemClock.now()
}

pub(super) fn fresh_id() -> SessionId {
    SessionId::generate(&SystemRandom, SessionId::DEFAULT_BYTES).expect("the system has random bytes")
}

pub(super) fn fresh_key() -> RecordKey {
    fresh_id().key()
}

pub(super) fn fresh_principal() -> String {
    format!("principal {}", fresh_key())
}

/// An anonymous record under a new random key. It lives for an hour.
pub(super) fn fresh_record() -> Record {
    let now = now();
    Record {
        key: fresh_key(),
        version: Version::first(0),
        created: now,
        accessed: now,
        idle_timeout: HOUR,
        absolute_deadline: Some(now.saturating_add(24 * HOUR)),
        persistent: false,
        principal: None,
        audience: Audience::default(),
        constants: attributes([("Role", "guest".into())]),
        attributes: attributes([("Color", "red".into()), ("Count", 1.into())]),
        format: RecordFormat::default(),
        extensions: Attributes::default(),
    }
}

pub(super) fn attributes<const N: usize>(values: [(&str, Value); N]) -> Attributes {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a writer saves that has loaded this record and sets an attribute.
pub(super) fn edited(record: &Record, name: &str, value: impl Into<Value>) -> Record {
    let mark = fresh_key().as_bytes()[0];
    let attribute = Attribute::new(name, &value.into()).expect("a JSON value has a JSON form");
    Record {
        version: record.version.next(u32::from(mark)),
        attributes: record.attributes.with(attribute),
        ..record.clone()
    }
}

/// What replaces this record when it is renewed.
pub(super) fn renewed(record: &Record) -> Record {
    Record { key: fresh_key(), version: record.version.next(0), ..record.clone() }
}

pub(super) async fn create(store: &impl Store, record: &Record) {
    let written = store.create(record).await.expect("the store works");
    assert_eq!(written, Created::Done, "creating {record:?}");
}

pub(super) async fn created(store: &impl Store) -> Record {
    let record = fresh_record();
    create(store, &record).await;
    record
}

pub(super) async fn save(store: &impl Store, record: &Record, expected: Version) -> Saved {
    store.save(record, expected).await.expect("the store works")
}

pub(super) async fn touch(store: &impl Store, key: &RecordKey, accessed: Time) {
    store.touch(key, accessed).await.expect("the store works");
}

pub(super) async fn renew(store: &impl Store, old: &Record, new: &Record) -> Renewed {
    store.renew(&old.key, old.version, new, None).await.expect("the store works")
}

/// A renewal that leaves a moved note.
pub(super) async fn move_to(store: &impl Store, old: &Record, new: &Record, until: Time) -> Renewed {
    store.renew(&old.key, old.version, new, Some(until)).await.expect("the store works")
}

pub(super) async fn follow(store: &impl Store, key: &RecordKey, now: Time) -> Option<Record> {
    store.follow(key, now).await.expect("the store works")
}

pub(super) async fn moved(store: &impl Store, key: &RecordKey, now: Time) -> Option<RecordKey> {
    store.moved(key, now).await.expect("the store works")
}

pub(super) async fn delete(store: &impl Store, key: &RecordKey) -> Deleted {
    store.delete(key).await.expect("the store works")
}

pub(super) async fn end(store: &impl Store, key: &RecordKey) -> Option<RecordKey> {
    store.end(key).await.expect("the store works")
}

pub(super) async fn load(store: &impl Store, key: &RecordKey, now: Time) -> Option<Record> {
    store.load(key, now).await.expect("the store works")
}

pub(super) async fn is_alive(store: &impl Store, key: &RecordKey, now: Time) -> bool {
    load(store, key, now).await.is_some()
}
