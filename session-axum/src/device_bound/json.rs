//! JSON objects from strangers.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// How deep objects and lists may lie in each other. Proofs need two levels.
const MAX_DEPTH: usize = 16;

/// Reads a struct from a JSON object, in which no member of the struct may come twice. `None` if it is anything else.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let json = std::str::from_utf8(json).ok().filter(|json| depth(json) <= MAX_DEPTH)?;
    serde_json::from_str(json).ok().map(|Object(value)| value)
}

/// A struct from an object alone. By itself, serde takes a list of the members' values for one, too.
pub(super) struct Object<T>(pub(super) T);

impl<'a, T: Deserialize<'a>> Deserialize<'a> for Object<T> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Object)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'a, T: Deserialize<'a>> Visitor<'a> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, members: M) -> Result<T, M::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// For `deserialize_with`: whether a member is there, whatever its value, `null` included.
pub(super) fn is_present<'a, D: Deserializer<'a>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|IgnoredAny| true)
}

/// How deep the text goes at most. serde_json bounds the depth of what it keeps, but not of what is ignored.
fn depth(json: &str) -> usize {
    let (mut deepest, mut depth, mut in_string, mut escaped) = (0, 0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Text {
        text: String,
        #[serde(default, deserialize_with = "is_present")]
        other: bool,
    }

    fn read(json: &str) -> Option<(String, bool)> {
        parse(json.as_bytes()).map(|read: Text| (read.text, read.other))
    }

    #[test]
    fn members_are_read_from_an_object() {
        assert_eq!(read(r#" {"more": [{}], "text": "a\u0062\"]"} "#), Some(("ab\"]".to_owned(), false)));
        assert_eq!(read(r#"{"text": "a", "other": null}"#), Some(("a".to_owned(), true)));
    }

    // D46
    #[test]
    fn nothing_but_one_object_with_each_member_once_is_read() {
        for json in [
            "",
            "null",
            r#""text""#,
            r#"["a"]"#,
            r#"["a", true]"#,
            r#"[{"text": "a"}]"#,
            "{}",
            r#"{"Text": "a"}"#,
            r#"{"text": null}"#,
            r#"{"text": 1}"#,
            r#"{"text": ["a"]}"#,
            r#"{"text": "a"} {}"#,
            r#"{"text": "a"}x"#,
            r#"{"text": "a",}"#,
            r#"{"text": "a"#,
            r#"{text: "a"}"#,
            r#"{"text": "a", "text": "a"}"#,
            r#"{"text": "a", "\u0074ext": "a"}"#,
            r#"{"text": "a", "other": 1, "other": 2}"#,
            "\u{feff}{\"text\": \"a\"}",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
        assert!(parse::<Text>(b"{\"text\": \"a\", \"more\": \"\xff\"}").is_none(), "no UTF-8");
    }

    // D46
    #[test]
    fn depth_is_bounded_also_where_nothing_is_kept() {
        let nested =
            |levels: usize| format!(r#"{{"text": "[[\"[", "more": {}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nested(MAX_DEPTH - 1)).is_some());
        assert!(read(&nested(MAX_DEPTH)).is_none());
        assert!(read(&nested(4000)).is_none());
    }
}
