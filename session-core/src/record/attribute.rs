use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;

use crate::error::AttributeError;

use super::value::{owned_bytes, text_bytes, to_json, value_bytes};

/// One name and value, and how many bytes both take.
#[derive(Clone)]
pub(crate) struct Attribute {
    name: SmolStr,
    value: Held,
    /// As JSON.
    bytes: u32,
    /// In memory: what the value takes beside the attribute itself.
    owned_bytes: u32,
}

/// A value. One that owns memory is shared, because a change of one attribute clones all others.
#[derive(Clone)]
enum Held {
    Plain(Value),
    Shared(Arc<Value>),
}

/// A colon after the name, and a comma after the value.
const PUNCTUATION: usize = 2;
/// Around a shared value: two counts of references.
const SHARED_VALUE: usize = 2 * size_of::<usize>() + size_of::<Value>();

impl Attribute {
    /// Turns a value into an attribute. Fails before the value takes more memory than a session may have, and if
    /// the value would not come back as it is.
    pub(crate) fn new<V: Serialize + ?Sized>(name: &str, value: &V) -> Result<Self, AttributeError> {
        match to_json(value, text_bytes(name) + PUNCTUATION) {
            Ok((value, bytes)) => Ok(Attribute::of(name.into(), value, bytes)),
            Err(refusal) => Err(refusal.of(name)),
        }
    }

    /// An attribute of a value that is stored already, whatever its size.
    pub(super) fn stored(name: SmolStr, value: Value) -> Self {
        let bytes = text_bytes(&name) + PUNCTUATION + value_bytes(&value);
        Attribute::of(name, value, bytes)
    }

    fn of(name: SmolStr, value: Value, bytes: usize) -> Self {
        let count = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        let (value, owned_bytes) = match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => (Held::Plain(value), 0),
            Value::String(_) | Value::Array(_) | Value::Object(_) => {
                let owned = SHARED_VALUE + owned_bytes(&value);
                (Held::Shared(Arc::new(value)), count(owned))
            }
        };
        Attribute { name, value, bytes: count(bytes), owned_bytes }
    }

    /// The same value under another name.
    pub(crate) fn renamed(&self, name: &str) -> Self {
        let bytes = self.bytes as usize - text_bytes(&self.name) + text_bytes(name);
        Attribute { name: name.into(), bytes: u32::try_from(bytes).unwrap_or(u32::MAX), ..self.clone() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn json_bytes(&self) -> usize {
        self.bytes as usize
    }

    /// The memory that the attribute takes, with its value. The name counts as a short one, which is in the attribute.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Attribute>() + self.owned_bytes as usize
    }

    pub(crate) fn value(&self) -> &Value {
        match &self.value {
            Held::Plain(value) => value,
            Held::Shared(value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::MAX_SESSION_BYTES;

    #[test]
    fn a_value_over_the_limit_is_refused() {
        let fits = "x".repeat(MAX_SESSION_BYTES - 100);
        assert!(Attribute::new("a", &fits).is_ok());
        let huge = "x".repeat(MAX_SESSION_BYTES);
        assert!(matches!(Attribute::new("a", &huge), Err(AttributeError::TooLarge { .. })));
    }
}
