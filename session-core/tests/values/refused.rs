//! B73, B74: what would come back as something else is refused, and the error says why.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use session_core::{AttributeError, Error, NewSession};

use super::types::{Any, Bytes, FlatNumbers, FlatTexts, FloatKey, Internal, Newtype, UnitStruct, Untagged};
use super::{assert_comes_back, assert_refused, refusal_of};

#[test]
fn floats_that_are_not_finite_are_refused_wherever_they_are() {
    let reason = "JSON has no infinite number and no NaN";
    for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        assert_refused(&number, reason);
        assert_refused(&(number as f32), reason);
        assert_refused(&Some(number), reason);
        assert_refused(&vec![(1, [0.5, number])], reason);
        assert_refused(
            &BTreeMap::from([("a", Newtype(number))].map(|(name, number)| (name.to_owned(), number))),
            reason,
        );
        assert_refused(&BTreeMap::from([(FloatKey(number.to_bits()), 1)]), reason);
    }
}

#[test]
fn integers_of_128_bits_are_refused_however_small() {
    let reason = "serde can't read 128-bit integers everywhere";
    assert_refused(&u128::MAX, reason);
    assert_refused(&i128::MIN, reason);
    assert_refused(&Duration::from_secs(1).as_millis(), reason);
    assert_refused(&BTreeMap::from([(7_u128, 1)]), reason);
    assert_refused(&Untagged::Any { any: Any::U128(7) }, reason);
}

#[test]
fn bytes_are_refused_and_lists_of_numbers_are_not() {
    assert_refused(&Bytes(vec![1, 2]), "JSON has no bytes");
    assert_refused(&Bytes(Vec::new()), "JSON has no bytes");
    assert_comes_back(&vec![1_u8, 2, 255]);
}

#[test]
fn a_some_that_would_come_back_as_none_is_refused() {
    let reason = "`Some(None)`, and `Some` of anything else that is null";
    assert_refused(&Some(None::<u8>), reason);
    assert_refused(&Some(Some(None::<u8>)), reason);
    assert_refused(&Some(()), reason);
    assert_refused(&Some(UnitStruct), reason);
    assert_refused(&Some(Newtype(None::<u8>)), reason);
    assert_refused(&Some(Untagged::Unit), reason);
    assert_refused(&Some(Value::Null), reason);
    assert_refused(&vec![Some(Some(1)), Some(None)], reason);
    assert_comes_back(&Some(Some(1)));
    assert_comes_back(&None::<Option<u8>>);
    assert_comes_back(&Some(vec![None::<u8>]));
    assert_comes_back(&Some(Any::Null(())));
}

#[test]
fn two_entries_with_the_same_key_are_refused() {
    let reason = "the same key twice";
    let text = |name: &str| BTreeMap::from([(name.to_owned(), Any::Unit)]);
    assert_refused(&FlatTexts { name: 1, rest: text("name") }, reason);
    assert_refused(&Internal::Texts(text("kind")), reason);
    assert_comes_back(&FlatTexts { name: 1, rest: text("other") });

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Key {
        Number(u32),
        Text(String),
    }
    assert_refused(&BTreeMap::from([(Key::Number(1), 1), (Key::Text("1".to_owned()), 2)]), reason);
}

#[test]
fn keys_of_the_json_library_are_refused() {
    for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
        assert_refused(&BTreeMap::from([(name.to_owned(), "[[[".to_owned())]), "$serde_json::private::");
        assert_refused(&json!([{"a": {name: "1"}}]), "$serde_json::private::");
        // The name of an attribute is never taken for anything else.
        assert!(refusal_of(name, &1).is_none());
    }
}

/// Number keys inside what serde buffers come back, unless texts look the same there.
#[test]
fn number_keys_come_back_inside_enums_of_each_kind_unless_texts_look_like_them() {
    let numbers = || BTreeMap::from([(1, Any::Unit), (2, Any::Bool(true))]);
    let texts = |name: &str| BTreeMap::from([(name.to_owned(), Any::Unit)]);
    assert_comes_back(&Untagged::Numbers { numbers: numbers() });
    assert_comes_back(&Untagged::Any { any: Any::ByText(texts("1")) });
    // Reading again for the sake of something else does not turn texts into numbers.
    assert_comes_back(&(Any::EmptyTuple(), Untagged::Any { any: Any::ByText(texts("1")) }));
    assert_comes_back(&(Any::EmptyTuple(), Untagged::Numbers { numbers: numbers() }, numbers()));
    let both = |name| (Untagged::Numbers { numbers: numbers() }, texts(name));
    assert_comes_back(&both("01"));
    assert_comes_back(&both("one"));
    for name in ["1", "-1", "1.5", "true"] {
        assert_refused(&both(name), "texts that look like numbers");
    }
}

#[test]
fn keys_that_serde_cant_read_in_a_flattened_map_are_refused() {
    let flat = |key| FlatNumbers { name: 1, rest: BTreeMap::from([(key, Any::Unit)]) };
    assert_comes_back(&flat(7));
    assert_comes_back(&Untagged::Any { any: Any::FlatNumbers(flat(7)) });
    assert_refused(&flat(-7), "a flattened map");
}

#[test]
fn keys_that_are_no_text_and_no_number_are_refused() {
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Key {
        Data(u8),
    }
    let refusals = [
        refusal_of("pair", &BTreeMap::from([((1, 2), 3)])),
        refusal_of("unit", &BTreeMap::from([((), 3)])),
        refusal_of("none", &BTreeMap::from([(None::<u8>, 3)])),
        refusal_of("variant", &BTreeMap::from([(Key::Data(1), 3)])),
        refusal_of("list", &BTreeMap::from([(vec![1], 3)])),
    ];
    for refusal in refusals {
        let Some(AttributeError::Serialize { source, .. }) = refusal else { panic!("{refusal:?}") };
        assert!(source.to_string().contains("store a list of pairs"), "{source}");
    }
    assert_comes_back(&vec![((1, 2), 3)]);
    assert_comes_back(&BTreeMap::from([(Some("a".to_owned()), 1)]));
}

#[test]
fn what_a_types_own_serialize_refuses_keeps_its_words() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Number(u8),
    }
    let Some(AttributeError::Serialize { source, .. }) = refusal_of("tagged", &Tagged::Number(1)) else {
        panic!("it was taken");
    };
    assert!(source.to_string().contains("cannot serialize tagged newtype variant"), "{source}");
}

#[test]
fn json_text_is_taken_as_what_it_says() {
    use serde_json::value::RawValue;
    let raw = RawValue::from_string("{\"a\": [1, 2.5]}".to_owned()).unwrap();
    let refusal = super::refusal_by("raw", &raw, |read| {
        assert_eq!(serde_json::from_str::<Value>(read.get()).unwrap(), json!({"a": [1, 2.5]}));
    });
    assert!(refusal.is_none(), "{refusal:?}");
    let deep = RawValue::from_string(format!("{}{}", "[".repeat(121), "]".repeat(121))).unwrap();
    let refusal = super::refusal_by("raw", &deep, |_| {});
    assert!(matches!(refusal, Some(AttributeError::TooDeep { .. })), "{refusal:?}");
}

#[tokio::test]
async fn an_update_to_a_value_that_would_not_come_back_changes_nothing() {
    for managed in super::stores::managers() {
        let session = managed.sessions.create(NewSession::new().attr("Price", &1.5)).await.unwrap();
        let refused = session.update_attr("Price", |price: Option<f64>| price.unwrap_or(0.0) / 0.0).await;
        assert!(matches!(refused, Err(Error::Attribute(AttributeError::Lossy { .. }))), "{refused:?}");
        session.save().await.unwrap();
        let found = managed.sessions.get(session.id().as_str()).await.unwrap().expect("it goes on");
        assert_eq!(found.attr("Price").unwrap(), Some(1.5));
        managed.sessions.end(&session.handle()).await.unwrap();
    }
}
