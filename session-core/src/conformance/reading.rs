use serde_json::json;

use crate::record::{Attributes, Record, RecordKey, Version};
use crate::store::{Created, Renewed, Saved, Store};
use crate::time::Time;

use super::support::{
    HOUR, MILLISECOND, MINUTE, SECOND, attributes, create, delete, edited, fresh_key, fresh_principal, fresh_record,
    load, now, renew, renewed, save, touch,
};

/// Loading a key that was never created gives `None`.
pub async fn unknown_key_loads_as_none(store: &impl Store) {
    assert_eq!(load(store, &fresh_key(), now()).await, None);
}

/// A created record is loaded with all its times, timeouts, principal, constants and attributes.
pub async fn created_record_is_loaded_whole(store: &impl Store) {
    let mut record = fresh_record();
    record.accessed = record.created.saturating_add(SECOND);
    record.idle_timeout = HOUR + MILLISECOND;
    record.persistent = true;
    record.principal = Some(fresh_principal().into());
    create(store, &record).await;
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// A record without any attribute is loaded like any other.
pub async fn record_without_attributes_is_found(store: &impl Store) {
    let mut record = fresh_record();
    record.constants = Attributes::default();
    record.attributes = Attributes::default();
    create(store, &record).await;
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// Names, texts and numbers with unusual characters and extreme values are loaded unchanged.
pub async fn unusual_names_and_values_come_back(store: &impl Store) {
    let mut record = fresh_record();
    record.principal = Some(format!("Zoë 人 🦀 %\"'\\ {}", fresh_key()).into());
    record.attributes = attributes([
        ("", json!("")),
        ("größe 人 🦀", json!("naïve \u{0} \r\n \u{7f} \u{fffd} 🦀")),
        ("'; \"$.a[0]\\", json!("'; \"\\ %s {} :1")),
        ("null", json!(null)),
        ("empty", json!([[], {}])),
        ("nested", json!({"a": {"b": [{"c": [1, "two", null, true]}]}})),
        ("integers", json!([i64::MIN, -1, 0, i64::MAX, u64::MAX])),
        ("floats", json!([f64::MIN, 0.1, f64::EPSILON, f64::MIN_POSITIVE, f64::MAX])),
    ]);
    create(store, &record).await;
    let loaded = load(store, &record.key, now()).await.expect("it was just stored");
    assert_eq!(loaded.principal, record.principal);
    assert_eq!(json!(loaded.attributes), json!(record.attributes));
}

/// Numbers are loaded bit by bit, and keep their kind: `-0.0` is not `0.0`, and `1.0` is no integer.
pub async fn numbers_come_back_bit_by_bit(store: &impl Store) {
    let mut record = fresh_record();
    let above_exact = (1_i64 << 53) + 1;
    let subnormal = f64::from_bits(1);
    record.attributes = attributes([
        ("integers", json!([i64::MIN, -above_exact, -1, 0, 1, above_exact, i64::MAX, i64::MAX as u64 + 1, u64::MAX])),
        ("floats", json!([0.0, -0.0, 1.0, -1.0, 0.1, 1e16, 1e21, f64::MAX, f64::MIN_POSITIVE, subnormal, -subnormal])),
        ("small", json!([0.1_f32, f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1), 16_777_217_f32])),
    ]);
    create(store, &record).await;
    let loaded = load(store, &record.key, now()).await.expect("it was just stored");
    // As text, because numbers that are equal may differ in it.
    assert_eq!(json!(loaded.attributes).to_string(), json!(record.attributes).to_string());
}

/// A value that is nested as deep as a session takes it, 120 levels, is loaded unchanged.
pub async fn deepest_value_comes_back(store: &impl Store) {
    let mut record = fresh_record();
    let lists = (0..120).fold(json!(1), |inner, _| json!([inner]));
    let objects = (0..120).fold(json!(1), |inner, _| json!({ "a": inner }));
    record.constants = attributes([("lists", lists.clone()), ("objects", objects.clone())]);
    record.attributes = attributes([("lists", lists), ("objects", objects)]);
    create(store, &record).await;
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// A record of the largest allowed size is loaded unchanged. If the store refuses it, the error says that repeating
/// does not help, and nothing is stored.
pub async fn large_record_comes_back_or_is_a_clear_error(store: &impl Store) {
    let mut record = fresh_record();
    record.constants = Attributes::default();
    record.attributes = attributes([("Large", "é\n".repeat(crate::record::MAX_SESSION_BYTES / 4 - 100).into())]);
    match store.create(&record).await {
        Ok(written) => {
            assert_eq!(written, Created::Done);
            assert_eq!(load(store, &record.key, now()).await, Some(record));
        }
        Err(error) => {
            assert!(!error.is_unavailable(), "trying again would not help: {error}");
            assert_eq!(load(store, &record.key, now()).await, None);
        }
    }
}

/// The longest allowed timeout, 1000 years, overflows nowhere.
pub async fn record_of_a_thousand_years_is_found(store: &impl Store) {
    let mut record = fresh_record();
    record.idle_timeout = 1000 * 366 * 24 * HOUR;
    record.absolute_deadline = Some(record.created.saturating_add(record.idle_timeout));
    create(store, &record).await;
    assert_eq!(load(store, &record.key, now()).await, Some(record));
}

/// `version` gives the version that `load` gives, after each operation and up to each deadline.
pub async fn version_agrees_with_load(store: &impl Store) {
    let record = fresh_record();
    assert_eq!(version(store, &record.key, now()).await, None);
    create(store, &record).await;
    assert_eq!(version(store, &record.key, now()).await, Some(record.version));

    let saved = edited(&record, "Count", 2);
    assert_eq!(save(store, &saved, record.version).await, Saved::Done);
    touch(store, &record.key, record.accessed.saturating_add(SECOND)).await;
    let deadline = record.expires_at().saturating_add(SECOND);
    assert_eq!(version(store, &record.key, deadline.saturating_sub(MILLISECOND)).await, Some(saved.version));
    assert_eq!(version(store, &record.key, deadline).await, None);

    let new = renewed(&saved);
    assert_eq!(renew(store, &saved, &new).await, Renewed::Done);
    assert_eq!(version(store, &saved.key, now()).await, None);
    assert_eq!(version(store, &new.key, now()).await, Some(new.version));
    delete(store, &new.key).await;
    assert_eq!(version(store, &new.key, now()).await, None);

    let deadline = record.created.saturating_add(MINUTE);
    let short = Record { absolute_deadline: Some(deadline), ..fresh_record() };
    create(store, &short).await;
    assert_eq!(version(store, &short.key, deadline.saturating_sub(MILLISECOND)).await, Some(short.version));
    assert_eq!(version(store, &short.key, deadline).await, None);
}

async fn version(store: &impl Store, key: &RecordKey, now: Time) -> Option<Version> {
    let version = store.version(key, now).await.expect("the store works");
    assert_eq!(version, load(store, key, now).await.map(|record| record.version));
    version
}
