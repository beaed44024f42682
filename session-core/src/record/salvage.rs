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

/// The body without the attributes and constants that can't be read. `None` if something else is wrong.
#[cold]
pub(super) fn salvage(bytes: &[u8]) -> Option<Body> {
    let found: Found<'_> = serde_json::from_slice(bytes).ok()?;
    let mut unreadable = Vec::new();
    Some(Body {
        principal: found.principal,
        audience: found.audience,
        constants: readable(found.constants, &mut unreadable),
        attributes: readable(found.attributes, &mut unreadable),
        extensions: found.extensions,
        unreadable,
    })
}

fn readable(values: Values<'_>, unreadable: &mut Vec<String>) -> Attributes {
    let read = |(name, value): (String, &RawValue)| match serde_json::from_str::<Value>(value.get()) {
        Ok(value) => Some((name, value)),
        Err(_) => {
            unreadable.push(name);
            None
        }
    };
    values.into_iter().filter_map(read).collect()
}
