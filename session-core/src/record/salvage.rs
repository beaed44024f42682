//! A body of which some attributes can't be read.
//!
//! What this release sets can be read. What an older one has set may be nested too deep, and another program may write
//! numbers that are too large, or halves of characters.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::attributes::Attributes;
use super::audience::Audience;
use super::body::Body;
use super::invalid::warn_unreadable;
use super::key::RecordKey;

/// A body whose values are only found, not read. That takes no stack, however deep they are.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(rename = "p", default)]
    principal: Option<Arc<str>>,
    #[serde(rename = "aud", default)]
    audience: Audience,
    #[serde(rename = "c", default, borrow)]
    constants: Values<'a>,
    #[serde(rename = "a", default, borrow)]
    attributes: Values<'a>,
    // All of them, because one of them may say who must not use the session.
    #[serde(rename = "x", default)]
    extensions: Attributes,
}

type Values<'a> = BTreeMap<String, &'a RawValue>;

/// The body without the attributes and constants that can't be read. Each leaves a warning. `None` if something else
/// is wrong.
#[cold]
pub(super) fn salvage(bytes: &[u8], key: &RecordKey) -> Option<Body> {
    let found: Found<'_> = serde_json::from_slice(bytes).ok()?;
    Some(Body {
        principal: found.principal,
        audience: found.audience,
        constants: readable(found.constants, key),
        attributes: readable(found.attributes, key),
        extensions: found.extensions,
    })
}

fn readable(values: Values<'_>, key: &RecordKey) -> Attributes {
    let read = |(name, value): (String, &RawValue)| match serde_json::from_str::<Value>(value.get()) {
        Ok(value) => Some((name, value)),
        Err(error) => {
            warn_unreadable(key, &name, &error);
            None
        }
    };
    values.into_iter().filter_map(read).collect()
}
