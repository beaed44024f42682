//! B70: values of generated types.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde::Serialize;
use serde::de::DeserializeOwned;
use session_core::AttributeError;

use super::refusal_of;
use super::strategies::{anything, flat, internal, small_float, text, untagged};

/// What `Debug` shows of a value that must be refused, and a part of the reason.
const SEEN: [(&str, &[&str]); 4] = [
    ("128-bit", &["I128(", "U128("]),
    ("infinite", &["(NaN)", "(inf)", "(-inf)"]),
    ("bytes", &["Bytes(["]),
    ("Some(None)", &["Some(None)", "Some(())", "Some(UnitStruct)", "Some(Newtype(None))", "Some(Null)"]),
];

/// What `Debug` shows of a value that may be refused, depending on the rest of it.
const SEEN_AT_TIMES: [(&str, &[&str]); 4] = [
    ("a flattened map", &["FlatNumbers("]),
    ("same key twice", &["\"kind\"", "\"name\""]),
    ("$serde_json::private::", &["\"$serde_json::private::"]),
    (
        "texts that look like numbers",
        &[
            "ByNumber(",
            "BySigned(",
            "ByNewtype(",
            "ByBool(",
            "ByFloat(",
            "Numbers(",
            "numbers:",
            "bools:",
            "floats:",
            "rest:",
        ],
    ),
];

/// Either the value came back, or it was refused for a reason that it has.
fn prove<T>(name: &str, value: &T) -> TestCaseResult
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let shown = format!("{value:?}");
    let has = |parts: &[&str]| parts.iter().any(|part| shown.contains(part));
    match refusal_of(name, value) {
        Some(AttributeError::Lossy { reason, .. }) => {
            let mut reasons = SEEN.iter().chain(&SEEN_AT_TIMES);
            let (_, parts) = reasons.find(|(part, _)| reason.contains(part)).expect("a known reason");
            prop_assert!(has(parts), "{shown}\nwas refused: {reason}");
        }
        Some(error) => prop_assert!(false, "{shown}\nwas refused: {error:?}"),
        None => {
            for (reason, parts) in SEEN {
                prop_assert!(!has(parts), "{shown}\nwas taken, in spite of: {reason}");
            }
        }
    }
    Ok(())
}

/// Names with quotes, control characters, other scripts, none and many characters.
fn attribute_name() -> impl Strategy<Value = String> {
    prop_oneof![4 => text(), 1 => any::<char>().prop_map(|character| character.to_string().repeat(2000))]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// `PROPTEST_CASES=1000000 cargo test -p session-core --all-features --test values generated` for a long run.
    #[test]
    fn any_value_comes_back_or_is_refused(name in attribute_name(), values in vec(anything(), 4)) {
        for value in &values {
            prove(&name, value)?;
        }
    }

    #[test]
    fn an_internally_tagged_value_comes_back_or_is_refused(value in internal(anything())) {
        prove("internal", &value)?;
    }

    #[test]
    fn an_untagged_value_comes_back_or_is_refused(value in untagged(anything())) {
        prove("untagged", &value)?;
    }

    #[test]
    fn a_flattened_value_comes_back_or_is_refused(value in flat(anything())) {
        prove("flat", &value)?;
    }

    #[test]
    fn a_list_of_tuples_comes_back_or_is_refused(
        value in vec((any::<i8>(), any::<Option<u64>>(), [small_float(), small_float()], any::<char>()), 0..9),
    ) {
        prove("list", &value)?;
    }
}
